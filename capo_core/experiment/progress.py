"""How far an experiment is, and how long it will still take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from capo_core.experiment.store import Experiment, Member
from capo_core.jobs.missing import lacked_by
from capo_core.jobs.record import Status
from capo_core.jobs.runs import BROKEN
from capo_core.jobs.waiting import DELETED, Others


@dataclass(frozen=True)
class Progress:
    """An experiment at one moment.

    Attributes:
        state: "running" while a run waits or works that can go on; "succeeded" when all have;
            else "failed", "stopped" or "lost", by the worst that keeps it from going on, also
            where the evaluation was made without it.
        share: the weighted share done, 0 to 1; less than 1 while something has come to nothing.
        left_s: seconds left; None while too early to say.
        counts: runs by state.
        message: what is being done, or what keeps it, in words.
        elapsed_s: seconds that its runs have worked.
        scored: has it come to an end with an evaluation, if only of what has succeeded?
    """

    state: str
    share: float
    left_s: float | None
    counts: dict[str, int]
    message: str
    elapsed_s: float
    scored: bool = False


def progress_of(experiment: Experiment, now: float | None = None) -> Progress:
    """Where the experiment stands, from its runs' status files."""
    states = [run.status() if run else Status(state=DELETED) for run in experiment.runs()]
    names = [member.run_id for member in experiment.members]
    others = Others(experiment.workspace.runs, dict(zip(names, states, strict=True)))
    states = _outdated_taken_as_due(experiment, states, others)
    counts = dict(Counter(status.state for status in states))
    share = _share(experiment.members, states)
    elapsed = sum(status.duration_s(now) for status in states)
    state, message = _state(experiment, states, others)
    left = _left_s(experiment.members, states, others, now) if state == "running" else None
    scored = state != "running" and _scored(experiment, states)
    return Progress(state, share, left, counts, message, elapsed, scored)


def _outdated_taken_as_due(
    experiment: Experiment, states: Sequence[Status], others: Others
) -> list[Status]:
    """What was done without a run that is being repeated will be done again: it counts as queued,
    as it will be in the end, so that the bar does not go back then."""
    found = list(states)
    for place, run in enumerate(experiment.runs()):
        if run is None or states[place].state != "succeeded":
            continue
        if any(others.succeeded(name) or not others.over(name) for name in lacked_by(run)):
            found[place] = replace(states[place], state="queued", share=0.0, pid=0, slurm="")
    return found


def _share(members: Sequence[Member], states: Sequence[Status]) -> float:
    whole = sum(member.weight for member in members)
    done = sum(member.weight * status.share for member, status in zip(members, states, strict=True))
    return done / whole if whole else 1.0


def _left_s(
    members: Sequence[Member], states: Sequence[Status], others: Others, now: float | None
) -> float | None:
    """The rest of each run by the pace of those that are over or well begun.

    A run's whole time is that of runs of its kind and method so far; where there is none, its
    weight times the pace of all. Runs that work side by side make it shorter than this says.
    """
    paces: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for member, status in zip(members, states, strict=True):
        share, took = status.share, status.duration_s(now)
        if status.state in ("succeeded", "running") and share >= 0.05 and took > 0:
            paces.setdefault((member.kind, member.method), []).append((took, member.weight * share))
    if not paces:
        return None
    everything = [each for found in paces.values() for each in found]
    left = 0.0
    for member, status in zip(members, states, strict=True):
        # What has failed or was stopped is not under way, nor is what waits for it.
        if not status.live or (status.state == "queued" and others.over(member.run_id)):
            continue
        measured = paces.get((member.kind, member.method), everything)
        pace = sum(took for took, _ in measured) / sum(weight for _, weight in measured)
        left += pace * member.weight * (1 - status.share)
    return left


def _state(experiment: Experiment, states: Sequence[Status], others: Others) -> tuple[str, str]:
    by_state = {}
    for member, status in zip(experiment.members, states, strict=True):
        by_state.setdefault(status.state, (member, status))
    if set(by_state) == {"succeeded"}:
        return "succeeded", "all runs are done"
    if "running" in by_state:
        member, status = by_state["running"]
        return "running", f"{member.run_id}: {status.message}"
    if "queued" in by_state and _can_go_on(experiment, states, others):
        return "running", "waiting for its turn"
    for state in (BROKEN, "lost", "failed", "stopped", DELETED):
        if state in by_state:
            member, status = by_state[state]
            said = "failed" if state in (BROKEN, DELETED) else state
            why = f": {status.message.rstrip('.')}" if status.message else ""
            return said, f"{member.run_id} {_ENDED[state]}{why}"
    return "stopped", "nothing goes on"


_ENDED = {
    BROKEN: "is broken",
    "lost": "is lost",
    "failed": "failed",
    "stopped": "is stopped",
    DELETED: "was deleted",
}


def _scored(experiment: Experiment, states: Sequence[Status]) -> bool:
    return experiment.members[-1].kind == "evaluate" and states[-1].state == "succeeded"


def _can_go_on(experiment: Experiment, states: Sequence[Status], others: Others) -> bool:
    """Is there a queued run that waits for nothing but its turn, or is about to begin?"""
    for run, status in zip(experiment.runs(), states, strict=True):
        if run is None or status.state != "queued":
            continue
        if status.pid or status.slurm or not others.keeps(run.request):
            return True
    return False
