"""Experiments in the workspace: `experiments/<id>/experiment.json`, started, found and watched.

    {"config": {…}, "made": seconds since the epoch, "runs": [{"run_id", "kind", "method",
     "seed", "weight"}, …]}

The runs themselves lie with all others under `workspace.runs`. Two experiments may share a run: it
is executed once. `progress_of` returns how far an experiment is, and the time left.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.formatting import name_list, quoted_names
from capo_core.runs import queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs.dependencies import DELETED, DependencyStates, skipped_by
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.experiments.plan import PlannedRun, plan_runs
from capo_core.runs.run import BROKEN, Run
from capo_core.runs.status import Status
from capo_core.workspace import Workspace, safe_name, write_json

FILE = "experiment.json"
DISMISSED = "dismissed"  # a file in the folder of an experiment that is not to be listed any more


@dataclass(frozen=True)
class Member:
    """A run of an experiment, as recorded in its file.

    Attributes:
        weight: its share of the whole, relative to others.
    """

    run_id: str
    kind: str
    method: str
    seed: int | None
    weight: float


@dataclass(frozen=True)
class Experiment:
    """An experiment that was started.

    Attributes:
        made: when it was started, seconds since the epoch.
        experiment_id: name of its folder.
        members: its runs, each after those it depends on.
    """

    workspace: Workspace
    config: ExperimentConfig
    made: float
    members: tuple[Member, ...]
    experiment_id: str

    @property
    def folder(self) -> Path:
        return self.workspace.experiments / self.experiment_id

    @property
    def dismissed(self) -> bool:
        """True where it is left out of the queue's list; its runs stay."""
        return (self.folder / DISMISSED).exists()

    def runs(self) -> list[Run | None]:
        """Return the runs of `members`; None for one that was deleted."""
        found = [Run(self.workspace.runs / member.run_id) for member in self.members]
        return [run if runs_run.is_run(run.folder) else None for run in found]

    @property
    def evaluation(self) -> Run | None:
        """The run that scores all others; None where it was deleted."""
        return self.runs()[-1]


def dismiss(experiment: Experiment, *, back: bool = False) -> None:
    """Leave an experiment that has ended out of the queue's list; with `back`, list it again.

    Nothing is deleted: its runs are in the list of all runs, and starting it again lists it.

    Raises:
        RunError: it is still running.
    """
    if back:
        (experiment.folder / DISMISSED).unlink(missing_ok=True)
        return
    if progress_of(experiment).state == "running":
        raise RunError(
            "the experiment is running",
            where=experiment.experiment_id,
            todo="stop it first",
        )
    (experiment.folder / DISMISSED).touch()


def start(workspace: Workspace, config: ExperimentConfig) -> Experiment:
    """Submit all runs of an experiment, and start those that may start.

    Starting the same experiment again resumes the runs that failed, were stopped or lost; those
    that succeeded stay. Its runs are those planned at the first start, even where this version
    would plan others, as long as all of them exist.

    Raises:
        DataError, ConfigError: the dataset or an annotator does not exist, or the base model is
            not for this dataset.
        RunError: the files of one of its runs are broken.
    """
    config, dataset = _settled(workspace, config)
    planned = plan_runs(config)
    name = name_of(workspace, config)
    experiment = Experiment(workspace, config, time.time(), tuple(map(_member, planned)), name)
    known = experiment.folder / FILE
    dismiss(experiment, back=True)
    if known.exists():
        before = find_experiment(workspace, experiment.experiment_id)
        if None not in before.runs():
            return _resumed(before)
        experiment = replace(experiment, made=before.made)
    else:
        check_base(config, dataset)
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
            experiment=name,
            executor=request.executor,
        )
    queue.advance(workspace)
    return experiment


def name_of(workspace: Workspace, config: ExperimentConfig) -> str:
    """Return the name of the experiment of this configuration, a former one where it is there."""
    former = (workspace.experiments / config.former_id / FILE).exists()
    return config.former_id if former else config.experiment_id


def _resumed(experiment: Experiment) -> Experiment:
    for run in filter(None, experiment.runs()):
        submit.resubmit_unfinished(experiment.workspace, run)
    queue.advance(experiment.workspace)
    return experiment


def find_experiment(workspace: Workspace, experiment_id: str) -> Experiment:
    """Return the experiment of that name; `RunError` where there is none or its file is broken."""
    path = workspace.experiments / safe_name(experiment_id) / FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        members = tuple(Member(**each) for each in raw["runs"])
        if not members:
            raise ValueError("it names no runs")
        for member in members:
            safe_name(member.run_id)
        config = ExperimentConfig.from_dict(raw["config"])
        return Experiment(workspace, config, float(raw["made"]), members, experiment_id)
    except FileNotFoundError:
        raise RunError(
            f"there is no experiment named {experiment_id!r}",
            where=str(workspace.experiments),
            todo="see the names: python -m capo_core experiment list",
        ) from None
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise RunError(f"experiment.json is broken ({error})", where=str(path)) from None


def all_experiments(workspace: Workspace) -> tuple[list[Experiment], dict[str, str]]:
    """Return all experiments, the newest first, and the errors of broken files by name."""
    found, broken = [], {}
    for path in sorted(workspace.experiments.glob(f"*/{FILE}")):
        try:
            found.append(find_experiment(workspace, path.parent.name))
        except CapoError as error:
            broken[path.parent.name] = str(error)
    return sorted(found, key=lambda each: each.made, reverse=True), broken


def stop(experiment: Experiment) -> list[str]:
    """Ask all queued and running runs to stop, and return their names, the last first.

    Those at the end leave the queue first, so that none of them starts meanwhile.
    """
    from capo_core.runs import actions

    stopped = []
    for run in reversed(experiment.runs()):
        if run is not None and run.status().live:
            try:
                actions.stop(experiment.workspace, run.run_id)
            except RunError:  # it has ended meanwhile
                continue
            stopped.append(run.run_id)
    return stopped


def base_needed(config: ExperimentConfig) -> str:
    """Return the base model that the experiment loads; "" where a server answers everything."""
    return config.base if config.trained or not config.server else ""


def check_base(config: ExperimentConfig, dataset: Dataset) -> None:
    """Raise `ConfigError` where the embedded base model would be used on data not made for it."""
    from capo_core.imitation.embedded_base.suitability import check_suitable

    if base_needed(config):
        check_suitable(dataset, config.base, allow_embedded=config.allow_embedded)


def check_general_text(config: ExperimentConfig) -> None:
    """Raise `ConfigError` where the file of general text is missing, before hours of work."""
    text = (config.retention or {}).get("text", "")
    if text and not Path(text).is_file():
        raise ConfigError(
            f"there is no file {text!r}",
            where="experiment, retention.text",
            expected="a file of general text on this machine, or nothing",
        )


def check_likelihood(config: ExperimentConfig, annotators: Sequence[str]) -> None:
    """Raise `ConfigError` where attribution by likelihood lacks an annotator's adapter."""
    missing = [name for name in annotators if name not in config.targets]
    if config.likelihood and missing:
        raise ConfigError(
            "likelihood attribution needs an adapter of every annotator, and there is none of "
            f"{quoted_names(missing)}",
            where="experiment, likelihood",
            expected="all annotators as targets",
            todo="imitate all annotators, or switch likelihood attribution off",
        )


def check_calibration(config: ExperimentConfig, dataset: Dataset) -> None:
    """Raise `ConfigError` where CAPO's strength is to be chosen on validation items, of which there
    are none: each CAPO training would end in this after the SFT before it."""
    if not {"capo", "capo_plain"} & set(config.methods):
        return
    stages = [config.trainings(method, 0)[1] for method in config.trained]
    calibrated = any(stage is not None and stage.calibrate for stage in stages)
    if calibrated and not (dataset.items["split"] == "validation").any():
        raise ConfigError(
            f"{dataset.name} has no validation items, on which CAPO's strength is to be chosen",
            where="experiment, capo.calibrate",
            todo="switch calibration off (capo.calibrate=false), or split the data again",
        )


def check_base_there(workspace: Workspace, config: ExperimentConfig) -> None:
    """Raise `ConfigError` where the base model is not on this machine; the hub is not asked."""
    name = base_needed(config)
    if name and ("/" not in name or name[0] in "./~"):
        from capo_core.imitation.models.base_files import find_base_model

        find_base_model(name, workspace)


def check_experiment(
    workspace: Workspace, config: ExperimentConfig, *, fetched: bool = False
) -> ExperimentConfig:
    """Return the configuration with the dataset's fingerprint, after all checks without computing.

    The form, `experiment check` and `experiment start` make the same ones. The base model of an
    experiment that was started before is not looked for: all its runs may be done.

    Args:
        fetched: a base model that is not here will be downloaded before the runs start.

    Raises:
        CapoError: something cannot be used; it says what, and what to do.
    """
    from capo_core.imitation.models.registry import KNOWN_MODELS

    settled, dataset = _settled(workspace, config)
    if not (workspace.experiments / name_of(workspace, settled) / FILE).exists():
        check_base(config, dataset)
        if not (fetched and config.base in KNOWN_MODELS):
            check_base_there(workspace, config)
    return settled


def _settled(workspace: Workspace, config: ExperimentConfig) -> tuple[ExperimentConfig, Dataset]:
    """Return the configuration with its dataset's fingerprint, and that dataset.

    Raises:
        DataError, ConfigError: the dataset, an annotator, or the file of general text does not
            exist, annotators are missing for attribution by likelihood, or validation items for
            calibration.
    """
    from capo_core.data.catalog import Catalog

    check_general_text(config)
    dataset = Catalog(workspace).load(config.dataset)
    strange = [name for name in config.targets if name not in dataset.annotators]
    if strange:
        raise ConfigError(
            f"there is no annotator {strange[0]!r} in {dataset.name}",
            expected=f"some of {name_list(dataset.annotators)}",
        )
    check_likelihood(config, dataset.annotators)
    check_calibration(config, dataset)
    return config.with_changes(fingerprint=config.fingerprint or dataset.fingerprint), dataset


def _member(planned: PlannedRun) -> Member:
    return Member(
        planned.run_id, planned.request.kind, planned.method, planned.seed, planned.weight
    )


@dataclass(frozen=True)
class ExperimentProgress:
    """The progress of an experiment at one moment.

    Attributes:
        state: "running" while a run is running or may still start; "succeeded" when all have
            succeeded; else "failed", "stopped" or "lost", by the worst state that blocks it, even
            where the evaluation went on without that run.
        share: the weighted share done, 0 to 1; less than 1 while a run has no result.
        left_s: seconds left; None while too early to say.
        counts: runs by state.
        message: the current activity, or what blocks it.
        elapsed_s: computing time of its runs, in seconds.
        scored: whether it has ended with an evaluation, if only of some of its runs.
    """

    state: str
    share: float
    left_s: float | None
    counts: dict[str, int]
    message: str
    elapsed_s: float
    scored: bool = False


def progress_of(experiment: Experiment, now: float | None = None) -> ExperimentProgress:
    """Return the progress of an experiment, read from the status files of its runs."""
    states = [run.status() if run else Status(state=DELETED) for run in experiment.runs()]
    names = [member.run_id for member in experiment.members]
    others = DependencyStates(experiment.workspace.runs, dict(zip(names, states, strict=True)))
    states = _with_outdated_as_queued(experiment, states, others)
    counts = dict(Counter(status.state for status in states))
    share = _share(experiment.members, states)
    elapsed = sum(status.duration_s(now) for status in states)
    state, message = _state(experiment, states, others)
    left = _left_s(experiment.members, states, others, now) if state == "running" else None
    scored = state != "running" and _scored(experiment, states)
    return ExperimentProgress(state, share, left, counts, message, elapsed, scored)


def _with_outdated_as_queued(
    experiment: Experiment, states: Sequence[Status], others: DependencyStates
) -> list[Status]:
    """Count an evaluation as queued where a run it skipped is being repeated.

    It will be done again, and the progress bar must not go back then.
    """
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
    """Estimate the seconds left from the pace of runs that have ended or are under way.

    A run's total time is that of runs of its kind and method so far; where there is none, its
    weight times the overall pace. Runs in parallel make it shorter than this estimate.
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
        # A run that failed or was stopped is not under way, nor are those that depend on it.
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
        return "succeeded", "all runs have succeeded"
    if "running" in by_state:
        member, status = by_state["running"]
        return "running", f"{member.run_id}: {status.message}"
    if "queued" in by_state and _can_go_on(experiment, states, others):
        return "running", "waiting for its turn"
    for state in (BROKEN, "lost", "failed", "stopped", DELETED):
        if state in by_state:
            member, status = by_state[state]
            shown = "failed" if state in (BROKEN, DELETED) else state
            why = f": {status.text.rstrip('.')}" if status.message else ""
            return shown, f"{member.run_id} {_ENDED[state]}{why}"
    return "stopped", "no run can start"


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
    """Return whether a queued run needs nothing but its turn, or is about to start."""
    for run, status in zip(experiment.runs(), states, strict=True):
        if run is None or status.state != "queued":
            continue
        if status.pid or status.slurm or not others.blocked_by(run.request):
            return True
    return False
