"""Runs that measure: evaluations, judges, and what a training made its base forget."""

from __future__ import annotations

from capo_core.errors import ConfigError
from capo_core.imitation.run_folder import RunFolder
from capo_core.jobs import judge_run, missing, retention_run
from capo_core.jobs.run_inputs import Settings, backend_of, load_dataset
from capo_core.progress import Progress
from capo_core.workspace import Workspace


def do_evaluate(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Score the generations that are finished; see `evaluation_run`."""
    from capo_core.jobs.evaluation_run import evaluate_runs

    dataset = load_dataset(settings, workspace)
    lacking = missing.missing(workspace, [*settings["runs"], *settings.get("judges", ())])
    return evaluate_runs(dataset, settings, workspace, folder, progress, lacking)


def do_judge(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Let a model judge the answers that are finished; see `judge_run`."""
    dataset = load_dataset(settings, workspace)
    lacking = missing.missing(workspace, settings["runs"])
    missing.some_left(settings["runs"], lacking, folder.run_id)  # before the model is read
    progress("reading the model", 0.0)
    backend = judge_run.guesser() if settings.get("guess") else backend_of(settings)
    return judge_run.judge_runs(dataset, settings, backend, workspace, folder, progress, lacking)


def do_retention(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Measure what a training made its base forget; see `retention_run`."""
    dataset = load_dataset(settings, workspace)
    return retention_run.measure_retention(dataset, settings, workspace, folder, progress)


def check_evaluation(settings: Settings) -> None:
    """`ConfigError` where there is nothing to evaluate, or a setting that is none."""
    # The rest is looked at when it begins: it would load the statistics for a mere list of runs.
    if not settings["runs"]:
        raise ConfigError("no runs are named to evaluate")
    strange = sorted(set(settings["config"]) - {"views", "pool", "seed", "families"})
    if strange:
        raise ConfigError(f"there is no setting {strange[0]!r} in an evaluation")


def check_judge(settings: Settings) -> None:
    """`ConfigError` where a setting is out of its range, or it is not clear who judges."""
    judge_run.config_of(settings["config"])
    if sum(bool(settings.get(name)) for name in ("base", "server", "guess")) != 1:
        raise ConfigError("who judges?", expected="a base, or a server's model, or a guess")
