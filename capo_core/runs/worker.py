"""The process that does a job or a run: `python -m capo_core.runs.worker FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from capo_core.errors import CapoError, Stopped
from capo_core.runs import queue
from capo_core.runs.kinds import KINDS, do
from capo_core.runs.request import FILE
from capo_core.runs.run import Run
from capo_core.runs.status import Job, Reporter, birth_of
from capo_core.workspace import Workspace

# A training saves after its present step, which may be a long one; see `Reporter`.
RUN_PATIENCE_S = 300.0


def main(folder: str) -> int:
    """Do what is asked in `folder`; 0 where it ended well, 1 otherwise."""
    path = Path(folder).resolve()
    workspace = Workspace(path.parents[1])
    return _run(Run(path), workspace) if (path / FILE).exists() else _job(Job(path), workspace)


def _job(job: Job, workspace: Workspace) -> int:
    with workspace.lock(job.name):
        status = job.status()
    pid = os.getpid()
    reporter = Reporter(job, replace(status, pid=pid, birth=birth_of(pid)))
    reporter.begin()
    config = job.config

    def work() -> str:
        reporter.progress("starting", 0.0)
        return KINDS[config["kind"]](config["settings"], workspace, reporter.progress)

    return 0 if ended_well(work, reporter) else 1


def _run(run: Run, workspace: Workspace) -> int:
    try:
        status = queue.claim(workspace, run)
    except CapoError as error:
        print(error, file=sys.stderr)
        return 1
    if status is None:  # another worker does it
        return 0
    reporter = Reporter(run, status, RUN_PATIENCE_S)
    reporter.begin()
    _save_when_told_to_end(run)
    well = ended_well(lambda: do(run.request, workspace, run.files, reporter.progress), reporter)
    try:
        queue.advance(workspace)
    except CapoError as error:  # the next one who looks will try again
        print(f"the queue could not go on: {error}", file=sys.stderr)
    return 0 if well else 1


def _save_when_told_to_end(run: Run) -> None:
    """A machine that shuts down, or a cluster whose time is up, asks a process to end some time
    before it ends it: the run saves then, and can be resumed."""
    for name in ("SIGTERM", "SIGUSR2"):
        if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
            signal.signal(getattr(signal, name), lambda *_: run.ask_to_stop())


def ended_well(work: Callable[[], str], reporter: Reporter) -> bool:
    """Do `work`, and let the reporter have the last word on it."""
    try:
        message = work()
    except Stopped as error:
        reporter.finish("stopped", error.what)
    except CapoError as error:
        reporter.finish("failed", str(error))
    except MemoryError:
        _print_trace()
        reporter.finish("failed", "the computer's memory did not suffice")
    except Exception as error:  # the last resort of a process: told, logged, never swallowed
        _print_trace()
        reporter.finish("failed", f"a defect of this program: {error!r}; see the log")
    else:
        reporter.finish("succeeded", message)
        return True
    return False


def _print_trace() -> None:
    try:
        traceback.print_exc()
    except OSError:  # the log lies on the disk that is full
        return


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
