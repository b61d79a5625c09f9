"""The process that does a job: `python -m capo_core.jobs.worker FOLDER`."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path

from capo_core.errors import CapoError, Stopped
from capo_core.jobs.kinds import KINDS
from capo_core.jobs.record import Job, Status, birth_of
from capo_core.workspace import Workspace

HEARTBEAT_S = 1.0
# A computation sees the wish to stop at its next word of progress. One that is deep in a long
# step is ended after this time; whatever it writes is written whole or not at all.
PATIENCE_S = 8.0


class Reporter:
    """Keeps the status file true while the work goes on; may be called from several threads."""

    def __init__(self, job: Job, status: Status) -> None:
        self._job, self._status = job, status
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._stop_seen = 0.0
        self._beat = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)

    def begin(self) -> None:
        self._change(state="running", message="starting", started=time.time())
        self._beat.start()

    def progress(self, what: str, share: float) -> None:
        """The `Progress` of the work; raises `Stopped` where somebody asked for that."""
        if self._job.stop_asked:
            raise Stopped("stopped on request")
        with self._guard:  # the heartbeat carries it to the file: many words cost no writing
            share = min(1.0, max(self._status.share, share))
            self._status = replace(self._status, message=what, share=share)

    def finish(self, state: str, message: str) -> None:
        self._over.set()
        share = 1.0 if state == "succeeded" else self._status.share
        self._change(state=state, message=message, share=share, ended=time.time())

    def _change(self, **changes) -> None:
        with self._guard:
            self._status = replace(self._status, heartbeat=time.time(), **changes)
            self._job.write(self._status)

    def _keep_beating(self) -> None:
        while not self._over.wait(HEARTBEAT_S):
            if self._job.stop_asked:
                self._stop_seen = self._stop_seen or time.time()
                if time.time() - self._stop_seen > PATIENCE_S:
                    self.finish("stopped", "stopped on request")
                    os._exit(0)
            if not self._over.is_set():
                self._change()


def main(folder: str) -> int:
    """Do the job in `folder`; 0 where it ended well, 1 otherwise."""
    job = Job(Path(folder).resolve())
    workspace = Workspace(job.folder.parents[1])
    with workspace.lock(job.name):
        status = job.status()
    pid = os.getpid()
    reporter = Reporter(job, replace(status, pid=pid, birth=birth_of(pid)))
    reporter.begin()
    config = job.config
    try:
        reporter.progress("starting", 0.0)
        message = KINDS[config["kind"]](config["settings"], workspace, reporter.progress)
    except Stopped:
        reporter.finish("stopped", "stopped on request")
    except CapoError as error:
        reporter.finish("failed", str(error))
    except MemoryError:
        traceback.print_exc()
        reporter.finish("failed", "the computer's memory did not suffice")
    except Exception as error:  # the last resort of a process: told, logged, never swallowed
        traceback.print_exc()
        reporter.finish("failed", f"a defect of this program: {error!r}; see the log")
    else:
        reporter.finish("succeeded", message)
        return 0
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
