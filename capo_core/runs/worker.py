"""The process that does a run: `python -m capo_core.runs.worker FOLDER`."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from capo_core.errors import CapoError, Stopped, plain_error
from capo_core.runs import queue
from capo_core.runs.kinds import execute
from capo_core.runs.run import Run
from capo_core.runs.status import PATIENCE_S, Heartbeat
from capo_core.workspace import Workspace

# A training saves after its present step, which may be a long one; see `Heartbeat`.
QUEUE_PATIENCE_S = 300.0


def main(folder: str) -> int:
    """Execute the run in `folder`; return 0 if it succeeded, 1 otherwise."""
    run = Run(Path(folder).resolve())
    workspace = Workspace(run.folder.parents[1])
    workspace.become_default()
    try:
        status = queue.claim(workspace, run)
    except Exception as raised:
        error = plain_error(raised)
        if error is None:
            raise
        print(error, file=sys.stderr)
        return 1
    if status is None:  # another worker does it
        return 0
    heartbeat = Heartbeat(run, status, PATIENCE_S if run.at_once else QUEUE_PATIENCE_S)
    _save_when_told_to_end(run)

    def work() -> str:
        heartbeat.begin()
        heartbeat.progress("starting", 0.0)
        return execute(run.request, workspace, run.files, heartbeat.progress)

    well = ended_well(work, heartbeat)
    try:
        queue.advance(workspace)
    except Exception as raised:  # the next process that lists runs tries again
        error = plain_error(raised)
        if error is None:
            raise
        print(f"the queue could not advance: {error}", file=sys.stderr)
    return 0 if well else 1


def _save_when_told_to_end(run: Run) -> None:
    """Save and stop at the signals that precede the end of a process.

    A machine that shuts down, or a cluster whose time is up, sends them some time before.
    """
    for name in ("SIGTERM", "SIGUSR2"):
        if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
            signal.signal(getattr(signal, name), lambda *_: run.ask_to_stop())


def ended_well(work: Callable[[], str], heartbeat: Heartbeat) -> bool:
    """Execute `work`, record its outcome, and return whether it succeeded."""
    try:
        message = work()
    except Stopped as error:
        heartbeat.finish("stopped", error.what)
    except CapoError as error:
        heartbeat.finish("failed", error.problem, error.todo or "")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the last resort of a process: reported and logged
        # Also of libraries in Rust, whose panics are no Exception.
        _print_trace()
        known = plain_error(error)
        if known is None:
            heartbeat.finish("failed", f"an internal error: {error!r}; see the log")
        else:
            heartbeat.finish("failed", known.problem, known.todo or "")
    else:
        heartbeat.finish("succeeded", message)
        return True
    return False


def _print_trace() -> None:
    try:
        traceback.print_exc()
    except OSError:  # the log lies on the disk that is full
        return


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
