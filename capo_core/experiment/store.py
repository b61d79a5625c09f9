"""Experiments in the workspace: `experiments/<id>/experiment.json`, begun, found and watched.

    {"config": {…}, "made": seconds since the epoch, "runs": [{"run_id", "kind", "method",
     "seed", "weight"}, …]}

The runs themselves lie with all others under `workspace.runs`. Two experiments may have a run in
common: it is done once.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.experiment.config import ExperimentConfig
from capo_core.experiment.plan import Planned, plan
from capo_core.jobs import queue, runs, submission
from capo_core.jobs.runs import Run
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
        return [run if runs.is_run(run.folder) else None for run in found]

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
    planned = plan(config)
    experiment = Experiment(workspace, config, time.time(), tuple(map(_member, planned)))
    known = experiment.folder / FILE
    if known.exists():
        before = find(workspace, experiment.experiment_id)
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
        submission.enqueue(
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
        submission.take_up(experiment.workspace, run)
    queue.advance(experiment.workspace)
    return experiment


def find(workspace: Workspace, experiment_id: str) -> Experiment:
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


def every(workspace: Workspace) -> tuple[list[Experiment], dict[str, str]]:
    """All experiments, the newest first; and what is wrong with those whose file is broken."""
    found, broken = [], {}
    for path in sorted(workspace.experiments.glob(f"*/{FILE}")):
        try:
            found.append(find(workspace, path.parent.name))
        except CapoError as error:
            broken[path.parent.name] = str(error)
    return sorted(found, key=lambda each: each.made, reverse=True), broken


def stop(experiment: Experiment) -> list[str]:
    """Ask all runs that wait or work to stop; their names, the last first.

    Those at the end go out of the queue first, so that none of them begins meanwhile.
    """
    from capo_core.jobs import actions

    stopped = []
    for run in reversed(experiment.runs()):
        if run is not None and run.status().live:
            try:
                actions.stop(experiment.workspace, run.run_id)
            except RunError:  # it has ended between the looking and the asking
                continue
            stopped.append(run.run_id)
    return stopped


def check_text(config: ExperimentConfig) -> None:
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

    check_text(config)
    dataset = Catalog(workspace).load(config.dataset)
    strange = [name for name in config.targets if name not in dataset.annotators]
    if strange:
        raise ConfigError(
            f"there is no annotator {strange[0]!r} in {dataset.name}",
            expected=f"some of {', '.join(dataset.annotators[:20])}",
        )
    return config.with_changes(fingerprint=config.fingerprint or dataset.fingerprint)


def _member(planned: Planned) -> Member:
    return Member(
        planned.run_id, planned.request.kind, planned.method, planned.seed, planned.weight
    )


def as_json(experiment: Experiment) -> dict[str, Any]:
    """What experiment.json says, for a download that can be loaded again."""
    return experiment.config.to_dict()
