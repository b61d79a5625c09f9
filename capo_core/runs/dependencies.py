"""What is measured of several runs goes on without those that came to nothing, and says so.

Such a run's result.json names under "missing" what it did without; the queue does it again once
one of these has succeeded (see `queue.advance`).

Who waits for whom: what keeps a queued run from beginning.

A run begins when those of `after` have succeeded and those of `after_any` are over, however they
ended. One that cannot begin before somebody resumes another one counts as over, too; but where none
of `after_any` has succeeded there is nothing to begin with, and the run waits or fails with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError, RunError
from capo_core.runs.request import RunRequest
from capo_core.runs.run import BROKEN, Run, is_run
from capo_core.runs.status import Status
from capo_core.workspace import Workspace

DELETED = "deleted"  # the state of a run that is not there any more
_FOR_GOOD = ("failed", BROKEN, DELETED)  # nothing comes of these by themselves or by resuming


class DependencyStates:
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

    def finished(self, name: str, seen: tuple[str, ...] = ()) -> bool:
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
        return any(
            not self.succeeded(each) and self.finished(each, (*seen, name)) for each in needed
        )

    def blocked_by(self, request: RunRequest) -> str:
        """The first run that keeps one with this request from beginning; "" for none."""
        for name in request.after:
            if not self.succeeded(name):
                return name
        for name in request.after_any:
            if not self.finished(name):
                return name
        if any(map(self.succeeded, request.after_any)):
            return ""
        resumable = [name for name in request.after_any if self.status(name).state not in _FOR_GOOD]
        return next(iter((*resumable, *request.after_any)), "")

    def failed_because_of(self, request: RunRequest) -> str:
        """The run whose failure leaves nothing to do for one with this request; "" for none."""
        for name in request.after:
            if self.status(name).state in ("failed", DELETED):
                return name
        states = [self.status(name).state for name in request.after_any]
        if states and all(state in _FOR_GOOD for state in states):
            return request.after_any[0]
        return ""


MEASURING = ("evaluate", "judge")  # the kinds of runs that go on without others


@dataclass(frozen=True)
class SkippedInput:
    """A run that nothing came of.

    Attributes:
        what: its method, with its seed where there are several; "the judge".
        why: what happened, in words: "SFT for A failed: …".
    """

    run: str
    what: str
    why: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def skipped_inputs(workspace: Workspace, names: Sequence[str]) -> list[SkippedInput]:
    """Those of `names` that have no result, with the reason of each."""
    found = [Run(workspace.runs / name) for name in names]
    others = DependencyStates(workspace.runs)
    seeds = {_seed(run) for run in found}
    return [
        SkippedInput(run.run_id, _what(run, len(seeds) > 1), _why(run.run_id, others))
        for run in found
        if not run.files.done
    ]


def remaining_inputs(
    names: Sequence[str], skipped: Sequence[SkippedInput], where: str
) -> list[str]:
    """`names` without what is missing.

    Raises:
        RunError: nothing is left, though there were some.
    """
    gone = {each.run for each in skipped}
    left = [name for name in names if name not in gone]
    if names and not left:
        raise RunError(
            f"none of its {len(names)} runs has answers to score ({skipped[0].why})",
            where=where,
            todo="repeat one of them with success",
        )
    return left


def describe(skipped: Sequence[SkippedInput]) -> str:
    """What is missing and why, in one sentence; "" for nothing."""
    if not skipped:
        return ""
    parts = [f"{each.what} ({each.why.rstrip('.')})" for each in skipped]
    return f"Not scored, for want of a result: {'; '.join(parts)}."


def skipped_by(run: Run) -> list[str]:
    """The names of the runs that a finished measuring run did without."""
    try:
        if run.request.kind not in MEASURING:
            return []
        return [str(each["run"]) for each in run.files.result.get("missing", ())]
    except (CapoError, AttributeError, KeyError, TypeError):
        return []  # begun by something that writes no request, or damaged


def _seed(run: Run) -> Any:
    request = _asked(run)
    return None if request is None else request.settings.get("config", {}).get("seed")


def _what(run: Run, many_seeds: bool) -> str:
    request = _asked(run)
    if request is None:
        return run.run_id
    if request.kind == "judge":
        return "the judge"
    method = request.method or run.run_id
    return f"{method}, seed {_seed(run)}" if many_seeds else method


def _why(name: str, others: DependencyStates) -> str:
    status, run = others.status(name), Run(others.folder / name)
    called = _called(run)
    if status.state == "failed" and status.blocked_by:
        return _why(status.blocked_by, others)
    if status.state == "failed":
        return (
            f"{called} failed: {status.message.partition(' What to do:')[0]}"  # the run says that
        )
    if status.state in ("stopped", "lost", DELETED):
        return f"{called} {'is' if status.state == 'lost' else 'was'} {status.state}"
    request = _asked(run)
    needed = others.blocked_by(request) if request is not None and status.state == "queued" else ""
    return _why(needed, others) if needed else f"{called} is {status.state}"


def _called(run: Run) -> str:
    """ "SFT for A"; its name where nobody wrote down what it was asked."""
    request = _asked(run)
    if request is None:
        return run.run_id
    whom = ", ".join(request.targets)
    return f"{request.label} for {whom}" if whom else request.label


def _asked(run: Run) -> RunRequest | None:
    try:
        return run.request
    except CapoError:
        return None
