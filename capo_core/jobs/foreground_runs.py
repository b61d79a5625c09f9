"""Runs that work in the process of a command, on the list of runs like those of the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from capo_core.dataset import Dataset
from capo_core.imitation.config import CapoConfig, SftConfig
from capo_core.imitation.run_folder import RunFolder, run_for
from capo_core.jobs.foreground import foreground
from capo_core.progress import Progress
from capo_core.workspace import Workspace


@contextmanager
def shown_to_all(
    workspace: Workspace,
    folder: RunFolder,
    kind: str,
    dataset: Dataset,
    settings: dict[str, Any],
    progress: Progress,
) -> Iterator[Progress]:
    """Keep the status of the run in `folder` while the code inside works on it.

    Args:
        kind, settings: as in `run_kinds`, but for the dataset, which is added: so the run can be
            resumed and repeated from the list. An empty kind keeps a status only.

    Raises:
        RunError: another process is working on the run.
    """
    of = {"dataset": dataset.name, "fingerprint": dataset.fingerprint}
    with foreground(
        workspace, folder, kind=kind, settings={**of, **settings}, progress=progress
    ) as told:
        yield told


def sft_here(
    workspace: Workspace,
    dataset: Dataset,
    target: str,
    config: SftConfig,
    base: str,
    progress: Progress,
) -> RunFolder:
    """The finished SFT run; trained now where it is not there yet. Raises as `runs.sft_run`."""
    from capo_core.evaluation.probe import probe_for
    from capo_core.imitation.runs import sft_run
    from capo_core.imitation.sft import sft_asked

    folder = run_for(workspace, sft_asked(dataset, target, config, base))
    settings = {"target": target, "base": base, "config": config.to_dict()}
    with _training(workspace, folder, "train_sft", dataset, settings, progress) as told:
        scorer = probe_for(dataset, config)
        return sft_run(workspace, dataset, target, config, base, progress=told, scorer=scorer)


def capo_here(
    workspace: Workspace,
    dataset: Dataset,
    target: str,
    config: CapoConfig,
    sft: RunFolder,
    progress: Progress,
    preferences: Path | None = None,
) -> RunFolder:
    """The finished CAPO run from the SFT run `sft`; trained now where it is not there yet.

    Args:
        preferences: the file of which `config.preferences` is the hash.

    Raises as `runs.capo_run`.
    """
    from capo_core.evaluation.probe import probe_for
    from capo_core.imitation.capo import capo_asked
    from capo_core.imitation.runs import capo_run

    folder = run_for(workspace, capo_asked(dataset, target, config, sft))
    settings = {"target": target, "sft": sft.run_id, "config": config.to_dict()}
    with _training(workspace, folder, "train_capo", dataset, settings, progress) as told:
        scorer = probe_for(dataset, config)
        return capo_run(workspace, dataset, target, config, sft, "", progress=told, scorer=scorer,
                        preferences=preferences)  # fmt: skip


def _training(
    workspace: Workspace,
    folder: RunFolder,
    kind: str,
    dataset: Dataset,
    settings: dict[str, Any],
    progress: Progress,
) -> AbstractContextManager[Progress]:
    """See `shown_to_all`: by the main process of several, and where there is something to do."""
    from capo_core.imitation.processes import Processes

    if folder.done or not Processes.start().main:
        return nullcontext(progress)
    return shown_to_all(workspace, folder, kind, dataset, settings, progress)
