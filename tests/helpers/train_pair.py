"""What each of two processes does in `test_train_processes`; arguments: base, home, task."""

import sys
from pathlib import Path

from capo_core.errors import CapoError, Stopped
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.distributed import Processes
from capo_core.imitation.training.sft import train_sft
from capo_core.run_folder import RunFolder
from helpers.tiny_training import capo_config, sft_config, tiny_dataset


def train(base: str, home: Path, name: str, progress=None) -> None:
    """SFT and CAPO; 3 items a step do not divide by 2, and the last step has 2 items."""
    dataset, options = tiny_dataset(), {} if progress is None else {"progress": progress}
    sft = RunFolder(home / f"{name}-sft")
    train_sft(dataset, "A", sft_config(items_per_step=3), base, sft, **options)
    capo = RunFolder(home / f"{name}-capo")
    config = capo_config(items_per_step=3, accumulation=2, nll=0.1)
    train_capo(dataset, "A", config, RunFolder(home / "one-sft"), capo, **options)


def stop(what: str, share: float) -> None:
    if "step 4 of" in what:
        raise Stopped("enough")


def main() -> None:
    base, home = sys.argv[1], Path(sys.argv[2])
    processes = Processes.start()
    assert processes.count == 2
    # Only the main process is asked to stop, and both do.
    progress = stop if processes.main else None
    for _ in range(2):
        try:
            train(base, home, "two", progress)
        except Stopped:
            progress = None
    # An error of the main process is everybody's, and nobody waits for the other.
    dataset = tiny_dataset()
    try:
        train_sft(dataset, "A", sft_config(epochs=9), base, RunFolder(home / "two-sft"))
    except CapoError as error:
        (home / f"refused-{processes.index}").write_text(str(error))


if __name__ == "__main__":
    main()
