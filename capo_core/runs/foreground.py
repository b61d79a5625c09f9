"""Runs that work in the process of a command, on the list of runs like those of the queue.

A run that works in the process of a command, visible to everybody like one of the queue.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import CapoError, RunError, Stopped
from capo_core.imitation.training.config import CapoConfig, SftConfig
from capo_core.progress import Progress, silent
from capo_core.run_folder import RunFolder, run_for
from capo_core.runs import queue
from capo_core.runs.request import FILE, Request
from capo_core.runs.run import Run
from capo_core.runs.status import Reporter, Status
from capo_core.workspace import Workspace, make_folder


@contextmanager
def foreground(
    workspace: Workspace,
    folder: RunFolder,
    *,
    kind: str = "",
    settings: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Iterator[Progress]:
    """Keep the status of the run in `folder` while the code inside works on it.

        with foreground(workspace, folder, progress=shown) as progress:
            train_sft(dataset, target, config, base, folder, progress=progress)

    The status says running with a heartbeat, then how it ended; a wish to stop from anywhere
    raises `Stopped` at the next word of progress. What the code raises goes on to the caller.

    Args:
        kind, settings: as for `submission.submit`; with them the run can be resumed and run again
            by everybody.
        progress: also told.

    Raises:
        RunError: another process is working on the run.
    """
    run = Run(folder.path)
    with workspace.lock(queue.LOCK):
        make_folder(run.folder)
        before = run.status() if (run.folder / "status.json").exists() else Status()
        if before.state == "running":
            raise RunError(
                "another process is working on this run",
                where=run.run_id,
                todo=f"stop it: python -m capo_core runs stop {run.run_id}",
            )
        if kind and not (run.folder / FILE).exists():
            Request(kind, dict(settings or {}), queued=time.time()).write(run.folder)
        run.forget_stop()
        share = 0.0 if before.state == "succeeded" else before.share
        reporter = Reporter(
            run,
            Status(queued=before.queued or time.time(), share=share,
                   worked_s=before.duration_s(), peak_bytes=before.peak_bytes,
                   gpu_peak_bytes=before.gpu_peak_bytes),
            patience_s=None,
        )  # fmt: skip
        reporter.begin()

    def told(what: str, share: float) -> None:
        progress(what, share)
        reporter.progress(what, share)

    try:
        yield told
    except Stopped as error:
        reporter.finish("stopped", error.what)
        raise
    except CapoError as error:
        reporter.finish("failed", str(error))
        raise
    except KeyboardInterrupt:
        reporter.finish("stopped", "interrupted at the keyboard")
        raise
    except BaseException as error:
        reporter.finish("failed", f"a defect of this program: {error!r}")
        raise
    reporter.finish("succeeded", "done")
    queue.advance(workspace)


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
    from capo_core.evaluation.training_probe import probe_for
    from capo_core.imitation.training.capo import sft_run
    from capo_core.imitation.training.sft import sft_asked

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
    from capo_core.evaluation.training_probe import probe_for
    from capo_core.imitation.training.capo import capo_asked, capo_run

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
    from capo_core.imitation.training.distributed import Processes

    if folder.done or not Processes.start().main:
        return nullcontext(progress)
    return shown_to_all(workspace, folder, kind, dataset, settings, progress)
