"""A training in a process of its own, which may kill itself at any moment."""

import os
import random
import signal
import threading
import time
from pathlib import Path

from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.sft import train_sft
from capo_core.progress import Progress, silent
from capo_core.run_folder import RunFolder
from helpers.tiny_training import capo_config, sft_config, tiny_dataset


def run(stage: str, base: str, home: str, name: str, epochs: int, kill_seed: int | None) -> None:
    """Train in `home`/`name`; with a seed, die by SIGKILL some steps and moments later."""
    folder, progress = RunFolder(Path(home) / name), silent
    if kill_seed is not None:
        draw = random.Random(kill_seed)
        wanted = draw.randint(1, 6)
        threading.Thread(target=_kill, args=(folder, wanted, draw), daemon=True).start()
        progress = _waiting(wanted + 4)
    dataset = tiny_dataset()
    if stage == "sft":
        config = sft_config(epochs=epochs, patience=0)
        train_sft(dataset, "A", config, base, folder, progress=progress)
    else:
        config = capo_config(epochs=epochs, patience=0)
        sft = RunFolder(Path(home) / "before")
        train_capo(dataset, "A", config, sft, folder, progress=progress)


def _waiting(steps: int) -> Progress:
    """A training waits after so many steps for its end: on a busy machine that may come late."""
    left = [steps]

    def progress(what: str, share: float) -> None:
        left[0] -= what.startswith("step ")
        if left[0] < 0:
            time.sleep(600)

    return progress


def _kill(folder: RunFolder, wanted: int, draw: random.Random) -> None:
    born = time.time()
    while sum(event["t"] >= born for event in folder.events("step")) < wanted:
        time.sleep(0.001)
    time.sleep(draw.random() * 0.02)  # anywhere within a step, a validation or a checkpoint
    os.kill(os.getpid(), signal.SIGKILL)


def run_real(base: str, home: str, name: str, epochs: int, kill_seed: int | None) -> None:
    """Train a real base model in `home`/`name`, few items a step; with a seed, die by SIGKILL at a
    random moment: while the model is read, or anywhere within a step, validation or checkpoint."""
    folder = RunFolder(Path(home) / name)
    if kill_seed is not None:
        threading.Thread(target=_kill_real, args=(folder, kill_seed), daemon=True).start()
    config = sft_config(epochs=epochs, patience=0, learning_rate=2e-4, items_per_step=2,
                        checkpoint_every=1)  # fmt: skip
    train_sft(tiny_dataset(10, 2, 1), "A", config, base, folder)


def _kill_real(folder: RunFolder, seed: int) -> None:
    draw, born = random.Random(seed), time.time()
    if seed % 5 == 4:
        time.sleep(2 * draw.random())
    else:
        steps: list[float] = []
        while len(steps) < 2:
            time.sleep(0.01)
            steps = [event["t"] for event in folder.events("step") if event["t"] >= born]
        time.sleep(draw.random() * (steps[1] - steps[0]))
    os.kill(os.getpid(), signal.SIGKILL)
