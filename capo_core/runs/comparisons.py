"""Comparisons of methods in a workspace: experiments, evaluations, and runs chosen by hand.

Only the small files of the runs are read, never the outputs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from capo_core.data.catalog import Entry
from capo_core.errors import CapoError
from capo_core.runs import actions, submit
from capo_core.runs import run as runs_run
from capo_core.runs.experiments import config as experiments_config
from capo_core.runs.experiments import store
from capo_core.runs.experiments.store import Experiment
from capo_core.runs.kinds.evaluation import REPORT
from capo_core.runs.request import RunRequest
from capo_core.runs.run import Run
from capo_core.workspace import Workspace

CUSTOM = "chosen"  # the key of a comparison of runs chosen by hand


@dataclass(frozen=True)
class Generation:
    """A finished generation.

    Attributes:
        model: the base or the server's model, as its run calls it.
        ended: seconds since the epoch; 0 where that is not known.
    """

    run_id: str
    method: str
    targets: tuple[str, ...]
    split: str
    model: str
    seed: int
    ended: float


@dataclass(frozen=True)
class RunComparison:
    """Generations to be compared.

    Attributes:
        key: identifier in the address: the evaluation's run, or `CHOSEN`.
        title: for a person.
        runs: finished generations, by name.
        evaluation: the run that scores them; None where none was requested.
        experiment: the experiment they belong to, if any.
        made: when it was requested, seconds since the epoch.
    """

    key: str
    title: str
    runs: tuple[str, ...]
    evaluation: Run | None
    experiment: Experiment | None
    made: float

    @property
    def report_path(self) -> Path | None:
        """Path of the saved report; None if there is none yet."""
        if self.evaluation is None or not self.evaluation.files.done:
            return None
        path = self.evaluation.folder / REPORT
        return path if path.is_file() else None


def finished_generations(workspace: Workspace, entry: Entry) -> list[Generation]:
    """Return the finished generations on exactly this content, in the order of submission."""
    found = []
    for run in runs_run.all_runs(workspace):
        if not run.files.done:
            continue
        try:
            config = run.files.config
            if config.get("stage") != "generate":
                continue
            if config["dataset"]["fingerprint"] != entry.fingerprint:
                continue
            settings = config["settings"]
            made = Generation(
                run.run_id,
                str(settings["method"]),
                tuple(config["targets"]),
                str(settings["split"]),
                Path(str(config["base"]["name"])).name,
                int(settings["seed"]),
                run.status().ended,
            )
        except (CapoError, KeyError, TypeError, ValueError, AttributeError):
            continue  # a broken run is reported where runs are listed
        found.append(made)
    return found


def all_comparisons(
    workspace: Workspace, entry: Entry, finished: Sequence[Generation]
) -> list[RunComparison]:
    """Return all experiments and evaluations of this content, the newest first.

    An experiment is included from its first finished generation on.
    """
    there = {one.run_id for one in finished}
    found, taken = [], set()
    for experiment in store.all_experiments(workspace)[0]:
        config = experiment.config
        if config.dataset != entry.name or config.fingerprint not in ("", entry.fingerprint):
            continue
        last = experiment.members[-1]
        evaluation = experiment.evaluation
        taken.add(last.run_id)
        answers = tuple(
            member.run_id
            for member in experiment.members
            if member.kind == "generate" and member.run_id in there
        )
        if answers:
            title = f"{config.title}, {day_and_time(experiment.made)}"
            found.append(
                RunComparison(last.run_id, title, answers, evaluation, experiment, experiment.made)
            )
    for run in runs_run.all_runs(workspace):
        if run.run_id not in taken and (one := _evaluation(run, entry, there)) is not None:
            found.append(one)
    return sorted(found, key=lambda one: one.made, reverse=True)


def newest_report(workspace: Workspace, entry: Entry) -> Path | None:
    """Return the path of the newest saved report on this content; None without one."""
    finished = finished_generations(workspace, entry)
    known = all_comparisons(workspace, entry, finished) if finished else []
    return next((one.report_path for one in known if one.report_path is not None), None)


def _evaluation(run: Run, entry: Entry, there: set[str]) -> RunComparison | None:
    try:
        request = run.request
    except CapoError:
        return None
    if request.kind != "evaluate" or request.settings.get("fingerprint") != entry.fingerprint:
        return None
    named = tuple(str(name) for name in request.settings.get("runs", ()))
    if not named or not there.issuperset(named):
        return None
    word = "run" if len(named) == 1 else "runs"
    judged = " and judged" if request.settings.get("judges") else ""
    title = f"{len(named)} {word} put together{judged}, {day_and_time(request.queued)}"
    return RunComparison(run.run_id, title, named, run, None, request.queued)


def custom_comparison(
    workspace: Workspace, entry: Entry, finished: Sequence[Generation], wanted: Sequence[str]
) -> RunComparison | None:
    """Return the comparison of the runs named in an address; None where none of them exists.

    Only runs on one split can be compared: that of the first.
    """
    known = [one for one in finished if one.run_id in set(wanted)]
    known = [one for one in known if one.split == known[0].split]
    if not known:
        return None
    names = tuple(one.run_id for one in known)
    run = Run(workspace.runs / submit.run_name(RunRequest("evaluate", _settings(entry, names))))
    word = "run" if len(names) == 1 else "runs"
    title = f"{len(names)} {word} of your choice"
    evaluation = run if runs_run.is_run(run.folder) else None
    return RunComparison(CUSTOM, title, names, evaluation, None, time.time())


def score(workspace: Workspace, entry: Entry, comparison: RunComparison) -> Run:
    """Submit the evaluation of a comparison; an unfinished experiment is resumed."""
    if comparison.experiment is not None:
        store.start(workspace, comparison.experiment.config)
        return comparison.experiment.evaluation
    return submit.submit(workspace, "evaluate", _settings(entry, comparison.runs))


def rescore(workspace: Workspace, entry: Entry, comparison: RunComparison) -> Run:
    """Move an evaluation that cannot be read to the trash, and submit it again."""
    actions.delete(workspace, comparison.evaluation.run_id)
    return score(workspace, entry, comparison)


def start_demo(workspace: Workspace, annotators: tuple[str, ...]) -> Experiment:
    """Start the quick demo: all methods for one annotator of the shipped data."""
    return store.start(workspace, experiments_config.demo_config(annotators, quick=True))


def active_experiments(workspace: Workspace, entry: Entry) -> list[Experiment]:
    """Return the experiments on this dataset with queued or running runs, the newest first."""
    return [
        one
        for one in store.all_experiments(workspace)[0]
        if one.config.dataset == entry.name
        and any(run is not None and run.status().live for run in one.runs())
    ]


def _settings(entry: Entry, names: tuple[str, ...]) -> dict:
    return {
        "dataset": entry.name,
        "fingerprint": entry.fingerprint,
        "runs": list(names),
        "config": {},
    }


def day_and_time(seconds: float) -> str:
    """Return when something ended, as "21 Nov, 15:40", in local time."""
    return time.strftime("%-d %b, %H:%M", time.localtime(seconds)) if seconds else "undated"
