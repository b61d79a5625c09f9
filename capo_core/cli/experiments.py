"""`python -m capo_core experiment start | check | status | stop | dismiss | list` and `demo`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from capo_core.cli.fetch import Fetch, fetch_missing
from capo_core.cli.options import with_options
from capo_core.cli.runs import changes_of, print_runs
from capo_core.cli.support import ManyValues, console, plain_errors, print_json, progress_bar
from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.formatting import count, elapsed, listed, percent
from capo_core.runs.experiments.config import PRESETS, ExperimentConfig, from_preset
from capo_core.workspace import Workspace

if TYPE_CHECKING:  # evaluation need not be loaded to list experiments
    from capo_core.runs.experiments.detectable import DetectablePlan

experiment_app = typer.Typer(
    help="All methods for all annotators, as runs that depend on one another.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
OF_PRESET = "that of the preset"
LOOK_S, SELDOM_S = 0.5, 5.0  # seconds between two looks, at first and after a minute or two


def mount(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.add_typer(experiment_app, name="experiment")
    app.command("demo")(demo)


_of_experiment = with_options(
    ExperimentConfig,
    only=(
        "methods",
        "base",
        "allow_embedded",
        "server",
        "seeds",
        "likelihood",
        "name",
        "executor",
    ),
    names={"methods": "method"},
    defaults={"methods": OF_PRESET, "base": OF_PRESET, "seeds": OF_PRESET},
)
Dataset = Annotated[str | None, typer.Option(help="Name of a dataset (see: data list).")]
Annotators = Annotated[
    list[str] | None, typer.Option(help="Annotators to imitate; 'all' for every annotator.")
]
Preset = Annotated[
    str, typer.Option(help=f"Settings to start from: {listed(tuple(PRESETS), 'or')}.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A stage's setting, for instance sft.epochs=3 or retention.items=60."
    ),
]
ConfigFile = Annotated[Path | None, typer.Option(help="A configuration file (JSON).")]


@experiment_app.command("start", cls=ManyValues)
@plain_errors
@_of_experiment
def start(
    given: dict[str, Any],
    dataset: Dataset = None,
    annotator: Annotators = None,
    preset: Preset = "minutes",
    set_: Changes = None,
    config: ConfigFile = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the experiment has ended.")
    ] = False,
    fetch: Fetch = False,
    as_json: AsJson = False,
) -> None:
    """Submit all runs of an experiment; the same command again resumes the unfinished ones."""
    from capo_core.runs.experiments import store

    workspace = Workspace.default()
    if fetch:
        fetch_missing(workspace, dataset=dataset or "", quiet=as_json)
    made = _configuration(workspace, given, dataset, annotator, preset, set_, config)
    store.check_experiment(workspace, made, fetched=fetch)  # before anything is downloaded
    if config is None and not as_json:
        _say_what_is_left_out(given, preset, made)
    if fetch:
        fetch_missing(workspace, base=store.base_needed(made), quiet=as_json)
    plan = _detectable(workspace, made)
    if plan is not None and not as_json:
        console.print(plan.statement.text, markup=False)
    _follow(store.start(workspace, made), wait, as_json, plan)


def _configuration(
    workspace: Workspace,
    given: dict[str, Any],
    dataset: str | None,
    annotator: list[str] | None,
    preset: str,
    set_: list[str] | None,
    config: Path | None,
) -> ExperimentConfig:
    """Return the experiment that the options describe."""
    from capo_core.data.catalog import Catalog

    if config is not None:
        if dataset or annotator:
            raise ConfigError("the file names dataset and annotators already", where="--config")
        made = ExperimentConfig.from_dict({**_read(config), **given})
    else:
        if not dataset or not annotator:
            raise ConfigError("name a dataset and annotators", todo="--dataset, --annotator")
        known = Catalog(workspace).load(dataset).annotators
        everyone = annotator == ["all"] and "all" not in known
        targets = known if everyone else tuple(annotator)
        made = from_preset(preset, dataset, tuple(targets), annotators=known, **given)
    return made.with_settings(changes_of(set_)) if set_ else made


def _say_what_is_left_out(given: dict[str, Any], preset: str, made: ExperimentConfig) -> None:
    """Print that the preset's likelihood attribution cannot be had here, where it is so."""
    if PRESETS[preset].settings.get("likelihood") and not (
        made.likelihood or "likelihood" in given
    ):
        console.print(
            f"Likelihood attribution, a part of the preset {preset}, is left out: it needs SFT "
            "among the methods, of all annotators.",
            markup=False,
            soft_wrap=True,
        )


@experiment_app.command("check", cls=ManyValues)
@plain_errors
@_of_experiment
def check(
    given: dict[str, Any],
    dataset: Dataset = None,
    annotator: Annotators = None,
    preset: Preset = "minutes",
    set_: Changes = None,
    config: ConfigFile = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure anew what was measured before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check what an experiment would need (tokens, memory, time, disk) without starting it."""
    from capo_core.runs.experiments import store
    from capo_core.runs.experiments.plan import plan_runs
    from capo_core.runs.preflight.experiment import announce, checks_of, experiment_preflight

    workspace = Workspace.default()
    made = _configuration(workspace, given, dataset, annotator, preset, set_, config)
    made = store.check_experiment(workspace, made)
    if config is None and not as_json:
        _say_what_is_left_out(given, preset, made)
    planned = plan_runs(made)
    checks = checks_of(planned)
    announce(workspace, checks)
    with progress_bar(quiet=as_json) as bar:
        for place, each in enumerate(checks):
            bar(each.title, place / len(checks))
            if again or each.saved(workspace) is None:
                each.measure(workspace)
    found = experiment_preflight(workspace, made, planned)
    if as_json:
        print_json(found.to_dict())
    else:
        _print_check(found)
    if not found.passed:
        raise typer.Exit(1)


def _print_check(found: Any) -> None:
    header, lines = found.table()
    table = Table(*header[:1], box=None)
    for title in header[1:]:
        table.add_column(title, justify="right")
    for line in lines:
        table.add_row(*line)
    console.print(table, markup=False)
    for each, obstacle in found.obstacles:
        head = "cannot run: " if obstacle.blocks else ""
        todo = f" What to do: {obstacle.todo}." if obstacle.todo else ""
        console.print(f"{each.title}: {head}{obstacle.what}.{todo}", markup=False, soft_wrap=True)
        for remedy in obstacle.remedies:
            console.print(f"  {remedy.label}: {remedy.options}", markup=False, soft_wrap=True)
    for text in filter(None, [found.sentence, *found.warnings]):
        console.print(text, markup=False, soft_wrap=True)


def _detectable(workspace: Workspace, config: ExperimentConfig) -> DetectablePlan | None:
    """Return what the experiment can be expected to show; None where its dataset is not here."""
    from capo_core.data.catalog import Catalog
    from capo_core.runs.experiments.detectable import detectable_plan

    try:
        return detectable_plan(config, Catalog(workspace).load(config.dataset))
    except CapoError:
        return None


@experiment_app.command("status")
@plain_errors
def status_(
    name: Annotated[str, typer.Argument(help="Name of an experiment (see: experiment list).")],
    as_json: AsJson = False,
) -> None:
    """Show the progress of an experiment, run by run."""
    from capo_core.runs import queue
    from capo_core.runs.experiments import store

    workspace = Workspace.default()
    queue.advance(workspace)
    experiment = store.find_experiment(workspace, name)
    if as_json:
        plan = _detectable(workspace, experiment.config)
        print_json(_experiment_dict(experiment, plan))
        return
    _print_experiment(experiment)
    print_runs([(run, run.status()) for run in experiment.runs() if run is not None])


@experiment_app.command("stop")
@plain_errors
def stop_experiment(
    name: Annotated[str, typer.Argument(help="Name of an experiment (see: experiment list).")],
) -> None:
    """Save and stop all runs of an experiment."""
    from capo_core.runs.experiments import store

    stopped = store.stop(store.find_experiment(Workspace.default(), name))
    console.print(f"{count(len(stopped), 'run')} asked to stop", markup=False)


@experiment_app.command("dismiss")
@plain_errors
def dismiss_experiment(
    name: Annotated[str, typer.Argument(help="Name of an experiment (see: experiment list).")],
    back: Annotated[bool, typer.Option("--back", help="List it again.")] = False,
) -> None:
    """Leave an experiment that has ended out of the queue's list; its runs stay."""
    from capo_core.runs.experiments import store

    store.dismiss(store.find_experiment(Workspace.default(), name), back=back)
    console.print(f"{name} is {'listed again' if back else 'dismissed'}", markup=False)


@experiment_app.command("list")
@plain_errors
def list_experiments(as_json: AsJson = False) -> None:
    """List all experiments, the newest first."""
    from capo_core.runs.experiments import store

    found, broken = store.all_experiments(Workspace.default())
    if as_json:
        print_json([_experiment_dict(each) for each in found])
        return
    if not found and not broken:
        console.print("No experiments yet (see: experiment start).")
    for each in found:
        _print_experiment(each)
    for name, problem in broken.items():
        console.print(f"{name}: {problem}", markup=False, soft_wrap=True)


@plain_errors
def demo(
    quick: Annotated[
        bool, typer.Option("--quick", help="Use one annotator instead of four.")
    ] = False,
    shipped: Annotated[
        bool,
        typer.Option(
            "--shipped",
            help="Compute nothing: put the results that ship with the project into the workspace "
            "(report, experiment with one annotator, study of simulated judges).",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the full pipeline on the shipped data with the embedded base model; print the scores."""
    if shipped:
        _install_shipped(as_json)
        return
    from capo_core.data.catalog import Catalog
    from capo_core.runs.experiments import config as experiments_config
    from capo_core.runs.experiments import store

    workspace = Workspace.default()
    annotators = Catalog(workspace).load(experiments_config.DEMO_DATASET).annotators
    config = experiments_config.demo_config(annotators, quick=quick)
    _follow(store.start(workspace, config), wait=True, as_json=as_json)


def _install_shipped(as_json: bool) -> None:
    from capo_core import demo_results

    workspace = Workspace.default()
    new = [*demo_results.install(workspace), *demo_results.install_study(workspace)]
    if as_json:
        print_json({"installed": new})
    else:
        console.print(
            f"Installed: {demo_results.titles(new)}."
            if new
            else "They were installed before, or are there."
        )


def _follow(experiment: Any, wait: bool, as_json: bool, plan: DetectablePlan | None = None) -> None:
    """Show the progress of an experiment to its end, and print the scores."""
    from capo_core.runs.experiments.store import progress_of

    if wait:
        wait_for(experiment, quiet=as_json)
    if as_json:
        print_json(_experiment_dict(experiment, plan))
    else:
        _print_experiment(experiment)
    if not wait:
        return
    now = progress_of(experiment)
    evaluation = experiment.evaluation
    if not as_json and evaluation is not None and evaluation.files.done:
        _print_evaluation(experiment)
    if now.state != "succeeded":
        raise RunError(
            f"the experiment is incomplete: {now.message}",
            where=experiment.experiment_id,
            todo="inspect the run (runs show), then repeat the command: it resumes the "
            "unfinished runs and updates the evaluation",
        )


def wait_for(experiment: Any, *, quiet: bool) -> Any:
    """Show the progress of an experiment until it has ended, and return it (`progress_of`)."""
    from capo_core.runs import queue
    from capo_core.runs.experiments.store import progress_of

    began = time.monotonic()
    with progress_bar(quiet=quiet) as bar:
        while True:
            queue.advance(experiment.workspace)
            now = progress_of(experiment)
            bar(now.message[:70], now.share)
            if now.state != "running":
                return now
            # Each look reads every run of the workspace, on the cores that they compute with.
            time.sleep(min(SELDOM_S, max(LOOK_S, (time.monotonic() - began) / 20)))


def _print_evaluation(experiment: Any) -> None:
    from capo_core.cli.evaluate import show_scores
    from capo_core.evaluation.export import provenance_of
    from capo_core.evaluation.report import load
    from capo_core.imitation.generation.outputs import LINES
    from capo_core.run_folder import RunFolder
    from capo_core.runs.kinds.evaluation import REPORT

    report = load(experiment.evaluation.folder / REPORT)
    folders = [RunFolder(experiment.workspace.runs / one.run_id) for one in experiment.members]
    answered = [one for one in folders if (one.path / LINES).is_file()]
    show_scores(report, provenance_of(report, answered))


def _experiment_dict(experiment: Any, plan: DetectablePlan | None = None) -> dict:
    from capo_core.runs.experiments.store import progress_of

    now = progress_of(experiment)
    return {
        "experiment": experiment.experiment_id,
        "title": experiment.config.title,
        "state": now.state,
        "share": now.share,
        "left_s": now.left_s,
        "elapsed_s": now.elapsed_s,
        "message": now.message,
        "dismissed": experiment.dismissed,
        **({"detectable": plan.to_dict()} if plan is not None else {}),
        "runs": [member.run_id for member in experiment.members],
        "config": experiment.config.to_dict(),
    }


def _print_experiment(experiment: Any) -> None:
    from capo_core.runs.experiments.store import progress_of

    now = progress_of(experiment)
    left = "" if now.left_s is None else f", about {elapsed(now.left_s)} left"
    counts = ", ".join(f"{count} {state}" for state, count in sorted(now.counts.items()))
    console.print(
        f"{experiment.experiment_id} ({experiment.config.title}): {now.state}, "
        f"{percent(now.share)} done{left}; {counts}",
        markup=False,
        soft_wrap=True,
    )
    if now.state not in ("succeeded",):
        scored = " (the runs that succeeded are scored)" if now.scored else ""
        console.print(f"  {now.message}{scored}", markup=False, soft_wrap=True)


def _read(path: Path) -> dict:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the configuration cannot be read ({error})", where=str(path)) from None
    if not isinstance(raw, dict):
        raise ConfigError("the configuration is not a JSON object", where=str(path))
    return raw
