"""Dependencies between runs: start conditions of queued runs, and inputs they may skip.

A run starts when those of `after` have succeeded and those of `after_any` have ended, however they
ended. One that cannot start before somebody resumes another run counts as ended, too; but where
none of `after_any` has succeeded there is nothing to start with, and the run waits or fails with
them.

Evaluations and LLM judges skip inputs without a result. Their result.json lists these under
"missing", and the queue repeats the run once one of them has succeeded (see
`queue.advance`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError, RunError
from capo_core.formatting import Named, Statement, name_list
from capo_core.runs.request import RunRequest
from capo_core.runs.run import BROKEN, Run, is_run
from capo_core.runs.status import Status
from capo_core.workspace import Workspace

DELETED = "deleted"  # the state of a run that does not exist any more
_FOR_GOOD = ("failed", BROKEN, DELETED)  # these never succeed, not even by being resumed


class DependencyStates:
    """The current states of the runs in a folder, each read once.

    Args:
        folder: of all runs.
        status: states that are known already; changes to it count here.
    """

    def __init__(self, folder: Path, status: dict[str, Status] | None = None) -> None:
        self.folder = folder
        self._status = {} if status is None else status

    def status(self, name: str) -> Status:
        """Return the status of a run; its state is "deleted" where there is none of that name."""
        if name not in self._status:
            run = Run(self.folder / name)
            self._status[name] = run.status() if is_run(run.folder) else Status(state=DELETED)
        return self._status[name]

    def succeeded(self, name: str) -> bool:
        return self.status(name).state == "succeeded"

    def finished(self, name: str, seen: tuple[str, ...] = ()) -> bool:
        """Return whether a run has ended, or cannot start unless somebody resumes another one.

        Args:
            seen: runs that depend on this one; one that depends on itself never starts.
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
        """Return the first run that a run with this request must still wait for; "" for none."""
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
        """Return the failed run that prevents this request from succeeding; "" for none."""
        for name in request.after:
            if self.status(name).state in ("failed", DELETED):
                return name
        states = [self.status(name).state for name in request.after_any]
        if states and all(state in _FOR_GOOD for state in states):
            return request.after_any[0]
        return ""


MEASURING = ("evaluate", "judge")  # the kinds of runs that go on without some of their inputs


@dataclass(frozen=True)
class SkippedInput:
    """An input run that has no result.

    Attributes:
        what: its method, with its seed where there are several; "the LLM judge".
        why: the reason: "SFT for A failed: …".
        method: its method; empty where it has none.
        seed: where runs have several, its own.
    """

    run: str
    what: str
    why: str
    method: str = ""
    seed: int | None = None

    def to_dict(self) -> dict[str, str]:
        return {"run": self.run, "what": self.what, "why": self.why}


def skipped_inputs(workspace: Workspace, names: Sequence[str]) -> list[SkippedInput]:
    """Return those of `names` that have no result, with the reason of each."""
    found = [Run(workspace.runs / name) for name in names]
    others = DependencyStates(workspace.runs)
    seeds = {_seed(run) for run in found}
    return [_skipped(run, others, many_seeds=len(seeds) > 1) for run in found if not run.files.done]


def remaining_inputs(
    names: Sequence[str], skipped: Sequence[SkippedInput], where: str
) -> list[str]:
    """Return `names` without the skipped ones.

    Raises:
        RunError: none is left, though there were some.
    """
    gone = {each.run for each in skipped}
    left = [name for name in names if name not in gone]
    if names and not left:
        raise RunError(
            f"none of its {len(names)} runs has outputs to score ({skipped[0].why})",
            where=where,
            todo="resume or repeat one of them",
        )
    return left


def describe(skipped: Sequence[SkippedInput]) -> str:
    """Return `skipped_statement` as text; "" for nothing."""
    statement = skipped_statement(skipped)
    return statement.text if statement is not None else ""


def skipped_statement(skipped: Sequence[SkippedInput]) -> Statement | None:
    """Return a statement of the inputs that were not scored and the reasons; None if all were."""
    if not skipped:
        return None
    parts, values = [], {}
    for number, each in enumerate(skipped):
        seed = f", seed {{seed{number}}}" if each.seed is not None else ""
        parts.append(f"{{what{number}}}{seed} ({{why{number}}})")
        values |= {
            f"what{number}": Named("method", each.method) if each.method else each.what,
            f"seed{number}": each.seed,
            f"why{number}": each.why.rstrip("."),
        }
    return Statement(
        "missing", f"Not scored, because there is no result: {'; '.join(parts)}.", values
    )


def skipped_by(run: Run) -> list[str]:
    """Return the names of the input runs that a finished evaluation or judge run skipped."""
    try:
        if run.request.kind not in MEASURING:
            return []
        return [str(each["run"]) for each in run.files.result.get("missing", ())]
    except (CapoError, AttributeError, KeyError, TypeError):
        return []  # started without a request, or damaged


def _seed(run: Run) -> Any:
    request = _request_of(run)
    return None if request is None else request.settings.get("config", {}).get("seed")


def _skipped(run: Run, others: DependencyStates, *, many_seeds: bool) -> SkippedInput:
    request, why = _request_of(run), _why(run.run_id, others)
    if request is None:
        return SkippedInput(run.run_id, run.run_id, why)
    if request.kind == "judge":
        return SkippedInput(run.run_id, "the LLM judge", why)
    method, seed = request.method or run.run_id, _seed(run) if many_seeds else None
    what = f"{method}, seed {seed}" if many_seeds else method
    return SkippedInput(run.run_id, what, why, request.method, seed)


def _why(name: str, others: DependencyStates) -> str:
    status, run = others.status(name), Run(others.folder / name)
    title = _title(run)
    if status.state == "failed" and status.blocked_by:
        return _why(status.blocked_by, others)
    if status.state == "failed":
        return f"{title} failed: {status.message}"  # the run itself shows what to do about it
    if status.state in ("stopped", "lost", DELETED):
        return f"{title} {'is' if status.state == 'lost' else 'was'} {status.state}"
    request = _request_of(run)
    needed = others.blocked_by(request) if request is not None and status.state == "queued" else ""
    return _why(needed, others) if needed else f"{title} is {status.state}"


def _title(run: Run) -> str:
    """Return "SFT for A"; the run's name where it has no request."""
    request = _request_of(run)
    if request is None:
        return run.run_id
    return f"{request.label} for {name_list(request.targets)}" if request.targets else request.label


def _request_of(run: Run) -> RunRequest | None:
    try:
        return run.request
    except CapoError:
        return None
