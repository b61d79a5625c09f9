"""Runs in the process of a command, listed like those of the queue."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import CapoError, RunError, Stopped, plain_error
from capo_core.progress import Progress, silent
from capo_core.run_folder import RunFolder
from capo_core.runs import queue
from capo_core.runs.request import FILE, RunRequest
from capo_core.runs.run import Run
from capo_core.runs.status import Heartbeat, Status
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
    """Keep the status file of the run in `folder` while the code inside works on it.

        with foreground(workspace, folder, progress=shown) as progress:
            train_sft(dataset, target, config, base, folder, progress=progress)

    The status is "running" with a heartbeat, then how it ended; a request to stop from any process
    raises `Stopped` at the next progress report. Errors of the code are passed on.

    Args:
        kind, settings: as for `submit.submit`; with them the run can be resumed and repeated from
            the list.
        progress: also called.

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
            RunRequest(kind, dict(settings or {}), queued=time.time()).write(run.folder)
        run.forget_stop()
        share = 0.0 if before.state == "succeeded" else before.share
        heartbeat = Heartbeat(
            run,
            Status(queued=before.queued or time.time(), share=share,
                   worked_s=before.duration_s(), peak_bytes=before.peak_bytes,
                   gpu_peak_bytes=before.gpu_peak_bytes),
            patience_s=None,
        )  # fmt: skip
        heartbeat.begin()

    def reported(what: str, share: float) -> None:
        progress(what, share)
        heartbeat.progress(what, share)

    try:
        yield reported
    except Stopped as error:
        heartbeat.finish("stopped", error.what)
        raise
    except CapoError as error:
        heartbeat.finish("failed", error.problem, error.todo or "")
        raise
    except KeyboardInterrupt:
        heartbeat.finish("stopped", "interrupted at the keyboard")
        raise
    except BaseException as error:
        known = plain_error(error)
        if known is None:
            heartbeat.finish("failed", f"an internal error: {error!r}")
        else:
            heartbeat.finish("failed", known.problem, known.todo or "")
        raise
    heartbeat.finish("succeeded", "done")
    queue.advance(workspace)


@contextmanager
def foreground_of_dataset(
    workspace: Workspace,
    folder: RunFolder,
    kind: str,
    dataset: Dataset,
    settings: dict[str, Any],
    progress: Progress,
) -> Iterator[Progress]:
    """Keep the status file of a run on `dataset` while the code inside works on it.

    Args:
        kind, settings: as in `checks`, without the dataset, which is added; so the run can be
            resumed and repeated from the list. An empty kind keeps a status only.

    Raises:
        RunError: another process is working on the run.
    """
    of = {"dataset": dataset.name, "fingerprint": dataset.fingerprint}
    with foreground(
        workspace, folder, kind=kind, settings={**of, **settings}, progress=progress
    ) as reported:
        yield reported
