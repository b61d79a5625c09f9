"""Who waits for whom: what keeps a queued run from beginning.

A run begins when those of `after` have succeeded and those of `after_any` are over, however they
ended. One that cannot begin before somebody resumes another one counts as over, too; but where none
of `after_any` has succeeded there is nothing to begin with, and the run waits or fails with them.
"""

from __future__ import annotations

from pathlib import Path

from capo_core.jobs.record import Status
from capo_core.jobs.request import Request
from capo_core.jobs.runs import BROKEN, Run, is_run

DELETED = "deleted"  # the state of a run that is not there any more
_FOR_GOOD = ("failed", BROKEN, DELETED)  # nothing comes of these by themselves or by resuming


class Others:
    """The runs of a folder as they stand, each looked at once.

    Args:
        folder: of all runs.
        status: what is known already; what is changed in it counts here.
    """

    def __init__(self, folder: Path, status: dict[str, Status] | None = None) -> None:
        self.folder = folder
        self._status = {} if status is None else status

    def status(self, name: str) -> Status:
        """The status of a run; its state is "deleted" where there is none of that name."""
        if name not in self._status:
            run = Run(self.folder / name)
            self._status[name] = run.status() if is_run(run.folder) else Status(state=DELETED)
        return self._status[name]

    def succeeded(self, name: str) -> bool:
        return self.status(name).state == "succeeded"

    def over(self, name: str, seen: tuple[str, ...] = ()) -> bool:
        """Does nothing come of this run any more unless somebody resumes it, or another one?

        Args:
            seen: runs that wait for this one; one that waits for itself never begins.
        """
        status = self.status(name)
        if not status.live:
            return True
        if status.state != "queued" or status.pid or status.slurm:
            return False
        if name in seen:
            return True
        needed = Run(self.folder / name).request.after
        return any(not self.succeeded(each) and self.over(each, (*seen, name)) for each in needed)

    def keeps(self, request: Request) -> str:
        """The first run that keeps one with this request from beginning; "" for none."""
        for name in request.after:
            if not self.succeeded(name):
                return name
        for name in request.after_any:
            if not self.over(name):
                return name
        if any(map(self.succeeded, request.after_any)):
            return ""
        resumable = [name for name in request.after_any if self.status(name).state not in _FOR_GOOD]
        return next(iter((*resumable, *request.after_any)), "")

    def fails_with(self, request: Request) -> str:
        """The run whose failure leaves nothing to do for one with this request; "" for none."""
        for name in request.after:
            if self.status(name).state in ("failed", DELETED):
                return name
        states = [self.status(name).state for name in request.after_any]
        if states and all(state in _FOR_GOOD for state in states):
            return request.after_any[0]
        return ""
