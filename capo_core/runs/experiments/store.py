"""Experiments in the workspace: `experiments/<id>/experiment.json`, begun, found and watched.

    {"config": {…}, "made": seconds since the epoch, "runs": [{"run_id", "kind", "method",
     "seed", "weight"}, …]}

The runs themselves lie with all others under `workspace.runs`. Two experiments may have a run in
common: it is done once.

How far an experiment is, and how long it will still take.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.runs import queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs.dependencies import DELETED, DependencyStates, skipped_by
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.experiments.plan import PlannedRun, plan_runs
from capo_core.runs.run import BROKEN, Run
from capo_core.runs.status import Status
from capo_core.workspace import Workspace, safe_name, write_json

FILE = "experiment.json"


@dataclass(frozen=True)
class Member:
    """One run of an experiment, as its file names it.

    Attributes:
        weight: its part of the whole, relative to others.
    """

    run_id: str
    kind: str
    method: str
    seed: int | None
    weight: float


@dataclass(frozen=True)
class Experiment:
    """An experiment that was begun.

    Attributes:
        made: when it was begun, seconds since the epoch.
        members: its runs, each after those it waits for.
    """

    workspace: Workspace
    config: ExperimentConfig
    made: float
    members: tuple[Member, ...]

    @property
    def experiment_id(self) -> str:
        return self.config.experiment_id

    @property
    def folder(self) -> Path:
        return self.workspace.experiments / self.experiment_id

    def runs(self) -> list[Run | None]:
        """The runs of `members`; None for one that was deleted."""
        found = [Run(self.workspace.runs / member.run_id) for member in self.members]
        return [run if runs_run.is_run(run.folder) else None for run in found]

    @property
    def evaluation(self) -> Run | None:
        """The run that scores all others; None where it was deleted."""
        return self.runs()[-1]


def start(workspace: Workspace, config: ExperimentConfig) -> Experiment:
    """Put all runs of an experiment into the queue, and begin what can begin.

    The same experiment begun again takes up what failed, was stopped or lost; what has succeeded
    stays. Its runs are those that were planned when it was begun, also where the program would now
    plan others, as long as all of them are there.

    Raises:
        DataError, ConfigError: the dataset or an annotator is not there.
        RunError: the files of one of its runs are broken.
    """
    config = _settled(workspace, config)
    planned = plan_runs(config)
    experiment = Experiment(workspace, config, time.time(), tuple(map(_member, planned)))
    known = experiment.folder / FILE
    if known.exists():
        before = find_experiment(workspace, experiment.experiment_id)
        if None not in before.runs():
            return _taken_up(before)
        experiment = replace(experiment, made=before.made)
    write_json(
        known,
        {
            "config": config.to_dict(),
            "made": experiment.made,
            "runs": [vars(member) for member in experiment.members],
        },
    )
    for each in planned:
        request = each.request
        submit.enqueue(
            workspace,
            request.kind,
            request.settings,
            after=request.after,
            after_any=request.after_any,
            experiment=request.experiment,
            executor=request.executor,
        )
    queue.advance(workspace)
    return experiment


def _taken_up(experiment: Experiment) -> Experiment:
    for run in filter(None, experiment.runs()):
        submit.resubmit_unfinished(experiment.workspace, run)
    queue.advance(experiment.workspace)
    return experiment


def find_experiment(workspace: Workspace, experiment_id: str) -> Experiment:
    """The experiment of that name; `RunError` where there is none, or its file is broken."""
    path = workspace.experiments / safe_name(experiment_id) / FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        members = tuple(Member(**each) for each in raw["runs"])
        for member in members:
            safe_name(member.run_id)
        config = ExperimentConfig.from_dict(raw["config"])
        return Experiment(workspace, config, float(raw["made"]), members)
    except FileNotFoundError:
        raise RunError(
            f"there is no experiment named {experiment_id!r}",
            where=str(workspace.experiments),
            todo="see the names: python -m capo_core experiment list",
        ) from None
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise RunError(f"experiment.json is broken ({error})", where=str(path)) from None


def all_experiments(workspace: Workspace) -> tuple[list[Experiment], dict[str, str]]:
    """All experiments, the newest first; and what is wrong with those whose file is broken."""
    found, broken = [], {}
    for path in sorted(workspace.experiments.glob(f"*/{FILE}")):
        try:
            found.append(find_experiment(workspace, path.parent.name))
        except CapoError as error:
            broken[path.parent.name] = str(error)
    return sorted(found, key=lambda each: each.made, reverse=True), broken


def stop(experiment: Experiment) -> list[str]:
    """Ask all runs that wait or work to stop; their names, the last first.

    Those at the end go out of the queue first, so that none of them begins meanwhile.
    """
    from capo_core.runs import actions

    stopped = []
    for run in reversed(experiment.runs()):
        if run is not None and run.status().live:
            try:
                actions.stop(experiment.workspace, run.run_id)
            except RunError:  # it has ended between the looking and the asking
                continue
            stopped.append(run.run_id)
    return stopped


def check_general_text(config: ExperimentConfig) -> None:
    """`ConfigError` where the file of general text is not there: hours later would be too late."""
    text = (config.retention or {}).get("text", "")
    if text and not Path(text).is_file():
        raise ConfigError(
            f"there is no file {text!r}",
            where="experiment, retention.text",
            expected="a file of general text on this machine; nothing leaves it out",
        )


def _settled(workspace: Workspace, config: ExperimentConfig) -> ExperimentConfig:
    """The configuration with the dataset's fingerprint, once its annotators are known."""
    from capo_core.data.catalog import Catalog

    check_general_text(config)
    dataset = Catalog(workspace).load(config.dataset)
    strange = [name for name in config.targets if name not in dataset.annotators]
    if strange:
        raise ConfigError(
            f"there is no annotator {strange[0]!r} in {dataset.name}",
            expected=f"some of {', '.join(dataset.annotators[:20])}",
        )
    return config.with_changes(fingerprint=config.fingerprint or dataset.fingerprint)


def _member(planned: PlannedRun) -> Member:
    return Member(
        planned.run_id, planned.request.kind, planned.method, planned.seed, planned.weight
    )


def as_json(experiment: Experiment) -> dict[str, Any]:
    """What experiment.json says, for a download that can be loaded again."""
    return experiment.config.to_dict()


@dataclass(frozen=True)
class ExperimentProgress:
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


def progress_of(experiment: Experiment, now: float | None = None) -> ExperimentProgress:
    """Where the experiment stands, from its runs' status files."""
    states = [run.status() if run else Status(state=DELETED) for run in experiment.runs()]
    names = [member.run_id for member in experiment.members]
    others = DependencyStates(experiment.workspace.runs, dict(zip(names, states, strict=True)))
    states = _outdated_taken_as_due(experiment, states, others)
    counts = dict(Counter(status.state for status in states))
    share = _share(experiment.members, states)
    elapsed = sum(status.duration_s(now) for status in states)
    state, message = _state(experiment, states, others)
    left = _left_s(experiment.members, states, others, now) if state == "running" else None
    scored = state != "running" and _scored(experiment, states)
    return ExperimentProgress(state, share, left, counts, message, elapsed, scored)


def _outdated_taken_as_due(
    experiment: Experiment, states: Sequence[Status], others: DependencyStates
) -> list[Status]:
    """What was done without a run that is being repeated will be done again: it counts as queued,
    as it will be in the end, so that the bar does not go back then."""
    found = list(states)
    for place, run in enumerate(experiment.runs()):
        if run is None or states[place].state != "succeeded":
            continue
        if any(others.succeeded(name) or not others.finished(name) for name in skipped_by(run)):
            found[place] = replace(states[place], state="queued", share=0.0, pid=0, slurm="")
    return found


def _share(members: Sequence[Member], states: Sequence[Status]) -> float:
    whole = sum(member.weight for member in members)
    done = sum(member.weight * status.share for member, status in zip(members, states, strict=True))
    return done / whole if whole else 1.0


def _left_s(
    members: Sequence[Member], states: Sequence[Status], others: DependencyStates, now: float | None
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
        if not status.live or (status.state == "queued" and others.finished(member.run_id)):
            continue
        measured = paces.get((member.kind, member.method), everything)
        pace = sum(took for took, _ in measured) / sum(weight for _, weight in measured)
        left += pace * member.weight * (1 - status.share)
    return left


def _state(
    experiment: Experiment, states: Sequence[Status], others: DependencyStates
) -> tuple[str, str]:
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


def _can_go_on(experiment: Experiment, states: Sequence[Status], others: DependencyStates) -> bool:
    """Is there a queued run that waits for nothing but its turn, or is about to begin?"""
    for run, status in zip(experiment.runs(), states, strict=True):
        if run is None or status.state != "queued":
            continue
        if status.pid or status.slurm or not others.blocked_by(run.request):
            return True
    return False
