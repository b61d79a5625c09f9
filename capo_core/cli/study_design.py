"""`python -m capo_core study plan | create | leaks | freeze | list`: the design of a study."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from capo_core.cli import study_analysis, study_sessions
from capo_core.cli.options import with_options
from capo_core.cli.runs import changes_of
from capo_core.cli.support import ManyValues, console, first_of, plain_errors, print_json
from capo_core.errors import CapoError, ConfigError
from capo_core.formatting import count
from capo_core.study.config import StudyConfig
from capo_core.study.design.planner import PlanInputs
from capo_core.study.scope import scope_sentence
from capo_core.study.tables import HUMAN, OTHER_HUMAN
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.study.design.freeze_review import FreezeReview


def wished_settings(
    workspace: Workspace,
    config: Path | None,
    experiment: str | None,
    source: list[str] | None,
    pair: str,
    set_: list[str] | None,
    given: dict[str, Any],
) -> dict[str, Any]:
    """Return the settings of the file, overridden by options, then by --set."""
    wished = (_read(config) if config else {}) | given
    if source or experiment:
        wished["sources"] = {**_of_experiment(workspace, experiment), **_sources(source or [])}
    if pair:
        wished["sources"] = _only_pair(pair, wished.get("sources", {}))
    if experiment and wished.get("dataset") and not wished.get("targets"):
        wished["targets"] = _imitated(workspace, wished["sources"], wished["dataset"])
    return wished | (changes_of(set_) if set_ else {})


def _sources(source: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in source:
        name, _, runs = one.partition("=")
        if name in found:
            raise ConfigError(f"the source {name!r} is given twice", where="--source")
        found[name] = runs.split(",") if runs else name
    return found


def _only_pair(pair: str, sources: dict[str, Any]) -> dict[str, Any]:
    """Return the two sources of "capo:sft" alone."""
    offered = {HUMAN: HUMAN, OTHER_HUMAN: OTHER_HUMAN, **sources}
    names = pair.split(":")
    if len(set(names)) != 2 or len(names) != 2 or not set(names) <= set(offered):
        raise ConfigError(
            f"found {pair!r}",
            where="--pair",
            expected=f"two of {', '.join(offered)}, as in {':'.join(list(offered)[-2:])}",
            todo="name runs by --experiment or --source",
        )
    return {name: offered[name] for name in names}


def _of_experiment(workspace: Workspace, experiment: str | None) -> dict[str, Any]:
    """Return method → its generation runs, of all seeds, and the human sources."""
    if experiment is None:
        return {}
    from capo_core.runs.experiments import store

    found: dict[str, Any] = {"human": "human", "other_human": "other_human"}
    for member in store.find_experiment(workspace, experiment).members:
        if member.kind == "generate":
            found.setdefault(member.method, []).append(member.run_id)
    return found


def _imitated(workspace: Workspace, sources: dict[str, Any], dataset: str) -> list[str]:
    """Return the annotators whom every method of `sources` imitates; [] where that is all of the
    dataset's, or nobody."""
    from capo_core.data.catalog import Catalog
    from capo_core.runs import run as runs_run
    from capo_core.runs.summary import summarise_run

    seen = {run.run_id: summarise_run(run) for run in runs_run.all_runs(workspace)}
    sets = [
        {name for run in runs if run in seen for name in seen[run].targets}
        for runs in sources.values()
        if isinstance(runs, list)
    ]
    everybody = Catalog(workspace).load(dataset).annotators
    common = [name for name in everybody if all(name in found for found in sets)]
    return common if len(common) < len(everybody) else []


def study_config(raw: dict[str, Any]) -> StudyConfig:
    """Return the design of these settings; `ConfigError` where one is wrong or missing."""
    return StudyConfig.from_dict(raw)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the design cannot be read ({error})", where=str(path)) from None
    if not isinstance(raw, dict):
        raise ConfigError("the design is not a JSON object", where=str(path))
    return raw


study_app = typer.Typer(
    help="Blind studies: judges attribute and compare texts without knowing their source.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="A study (study list).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Source = Annotated[
    list[str] | None,
    typer.Option(help="human, other_human, or name=RUN (several runs: name=RUN,RUN); repeatable."),
]
Experiment = Annotated[
    str | None, typer.Option(help="An experiment whose methods become sources (experiment list).")
]
Pair = Annotated[
    str,
    typer.Option(help="Two of the sources alone: capo:sft, or capo:human for a method and people."),
]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any setting as name=value.")]
Config = Annotated[
    Path | None, typer.Option(help="A design as JSON; options override what it says.")
]
# Fields of StudyConfig that are no options of their own, and those with a shorter name.
NO_OPTION = ("name", "title", "sources")
OPTION_NAMES = {"kinds": "kind", "targets": "target"}
REVIEW_SIMULATIONS = 400  # as the page
SHOWN = 12  # leaks of a kind that are printed one by one


def mount(app: typer.Typer) -> None:
    """Add the group to `app`, with the commands of the other files."""
    study_sessions.add(study_app)
    study_analysis.add(study_app)
    app.add_typer(study_app, name="study")


@study_app.command("plan", cls=ManyValues)
@plain_errors
@with_options(StudyConfig, without=NO_OPTION, names=OPTION_NAMES)
@with_options(
    PlanInputs,
    only=("expected", "other", "judge_sd", "trial_sd"),
    defaults={"expected": "by the kind of trial"},
    into="assumed",
)
def plan(
    name: Annotated[
        str, typer.Argument(help="A study; leave it out to plan from options alone.")
    ] = "",
    *,
    given: dict[str, Any],
    assumed: dict[str, float],
    source: Source = None,
    experiment: Experiment = None,
    pair: Pair = "",
    set_: Set = None,
    config: Config = None,
    simulations: Annotated[int, typer.Option(help="Number of simulated studies.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Power analysis of a design: interval width, power, minutes per judge. Writes nothing."""
    from capo_core.data.catalog import Catalog
    from capo_core.study.design import draft as design_draft
    from capo_core.study.design import planner
    from capo_core.study.design.enough_judges import enough_judges

    workspace = Workspace.default()
    wished = wished_settings(workspace, config, experiment, source, pair, set_, given)
    if name and not wished:
        draft = design_draft.load(workspace, name)
    else:
        draft = design_draft.draw(workspace, study_config({"name": name or "plan", **wished}))
    annotators = len(Catalog(workspace).load(draft.config.dataset).annotators)
    found = planner.plans(
        draft.config, annotators, draft, simulations=simulations, seed=draft.config.seed, **assumed
    )
    dataset = Catalog(workspace).load(draft.config.dataset)
    supply = design_draft.item_supply(workspace, dataset, draft.config)
    needed = enough_judges(
        draft.config,
        found,
        supply,
        simulations=min(simulations, REVIEW_SIMULATIONS),
        seed=draft.config.seed,
    )
    if as_json:
        print_json(
            [
                {**one.to_dict(), "enough_judges": each.to_dict()}
                for one, each in zip(found, needed, strict=True)
            ]
        )
        return
    for one, each in zip(found, needed, strict=True):
        console.print(f"{one.numbers.kind}:", style="bold", markup=False)
        for sentence in (*one.sentences, each.sentence):
            console.print(f"  {sentence}", markup=False, soft_wrap=True)
        for sentence in one.warnings:
            console.print(f"  Warning: {sentence}", style="yellow", markup=False, soft_wrap=True)
    _print_notes(draft)


@study_app.command("create", cls=ManyValues)
@plain_errors
@with_options(StudyConfig, without=NO_OPTION, names=OPTION_NAMES)
def create(
    name: Annotated[
        str,
        typer.Argument(help="Name of the new study; words with spaces become its title."),
    ],
    *,
    given: dict[str, Any],
    source: Source = None,
    experiment: Experiment = None,
    pair: Pair = "",
    set_: Set = None,
    config: Config = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a draft of this name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Draw texts, trials and every judge's sequence into a draft."""
    from capo_core.study.design import balance_report, planner
    from capo_core.study.design import draft as design_draft

    workspace = Workspace.default()
    wished = wished_settings(workspace, config, experiment, source, pair, set_, given)
    called = design_draft.name_and_title(workspace, name)
    if not called["title"]:
        called.pop("title")  # one that the file has stays
    draft = design_draft.draw(workspace, study_config({**wished, **called}))
    study_id = design_draft.create(workspace, draft, replace=replace)
    report = balance_report.count_balance(draft)
    median, most = planner.minutes_of(draft)
    if as_json:
        print_json(
            {
                "study": study_id,
                "balance": report.to_dict(),
                "minutes": {"median": median, "most": most},
                "left_out": [vars(one) for one in draft.left_out],
                "notes": list(draft.notes),
            }
        )
        return
    console.print(f"{study_id}: a draft with {report.words}", markup=False, soft_wrap=True)
    console.print(f"A judge needs about {median:.0f} minutes (at most {most:.0f}).", markup=False)
    _print_notes(draft)
    console.print(f"Next: study leaks {study_id}, then study freeze {study_id}", markup=False)


@study_app.command("leaks")
@plain_errors
def leaks_(name: Name, as_json: AsJson = False) -> None:
    """List what would reveal a source, with the trials. Do not show this to judges."""
    from capo_core.data.catalog import Catalog
    from capo_core.study.design import draft as design_draft
    from capo_core.study.design import leaks

    workspace = Workspace.default()
    draft = design_draft.load(workspace, name)
    found = leaks.find_leaks(draft, Catalog(workspace).load(draft.config.dataset))
    if as_json:
        print_json([leak.to_dict() for leak in found])
        return
    if not found:
        console.print(f"No leaks found in {count(len(draft.texts), 'text')}.", markup=False)
    for kind, number in leaks.summary(found).items():
        texts = f"{count(number, 'text')} of {len(draft.texts):,}"
        console.print(f"{kind}: {texts}; {leaks.TODO[kind]}", markup=False, soft_wrap=True)
        alike = [leak for leak in found if leak.kind == kind]
        shown, more = first_of(alike, SHOWN)
        for leak in shown:
            where = f"{leak.trial_id} slot {leak.slot} ({leak.source})"
            console.print(f"  {where}: {leak.words}", markup=False, soft_wrap=True)
        if more:
            console.print(f"  {more}", markup=False)


@study_app.command("freeze")
@plain_errors
def freeze_(
    name: Name,
    accept_leaks: Annotated[
        bool, typer.Option("--accept-leaks", help="Freeze although sources could be recognised.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask for confirmation on a terminal.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Freeze the design, texts, seed and planned analysis under a hash. This cannot be undone."""
    from capo_core.study.design import freeze

    reviewed = None
    if not freeze.is_frozen(Workspace.default(), name):
        reviewed = _review(Workspace.default(), name)
        if not as_json:
            _print_review(reviewed)
        if not yes and sys.stdin.isatty():
            typer.confirm(
                f"Nothing of {name} can be changed after this. Freeze it for good?", abort=True
            )
    frozen = freeze.freeze(Workspace.default(), name, accept_leaks=accept_leaks)
    if as_json:
        print_json({**vars(frozen), **({"review": reviewed.to_dict()} if reviewed else {})})
        return
    console.print(
        f"{name} is frozen since {frozen.frozen} under {frozen.hash}", markup=False, soft_wrap=True
    )


def _review(workspace: Workspace, name: str) -> FreezeReview:
    """Return what the page's confirmation shows of a draft."""
    from capo_core.data.catalog import Catalog
    from capo_core.study.design import draft as design_draft
    from capo_core.study.design import leaks, planner
    from capo_core.study.design.freeze_review import review

    draft = design_draft.load(workspace, name)
    dataset = Catalog(workspace).load(draft.config.dataset)
    plans = planner.plans(
        draft.config, len(draft.cards), draft, simulations=REVIEW_SIMULATIONS,
        seed=draft.config.seed,
    )  # fmt: skip
    found = leaks.summary(leaks.find_leaks(draft, dataset))
    return review(draft, plans, found, more=study_sessions.local_judges())


def _print_review(reviewed: FreezeReview) -> None:
    console.print(reviewed.title, style="bold", markup=False)
    for what, value in reviewed.facts:
        console.print(f"  {what}: {value}", markup=False, soft_wrap=True)
    for sentence in reviewed.warnings:
        console.print(f"  Open: {sentence}", style="yellow", markup=False, soft_wrap=True)


@study_app.command("list")
@plain_errors
def list_studies(as_json: AsJson = False) -> None:
    """List the studies of the workspace."""
    from capo_core.study.design import draft as design_draft
    from capo_core.study.design import freeze

    workspace = Workspace.default()
    rows = []
    for name in design_draft.names(workspace):
        about = {"study": name, "title": "", "frozen": freeze.is_frozen(workspace, name)}
        try:
            about["title"] = design_draft.config_of(workspace, name).title
            if about["frozen"]:
                about["hash"] = freeze.hash_of(workspace, name)
        except CapoError as error:
            about["problem"] = error.what
        rows.append(about)
    if as_json:
        print_json(rows)
        return
    if not rows:
        console.print("There are no studies yet (see: study create).")
        return
    table = Table("study", "title", "state", "hash")
    for row in rows:
        state = row.get("problem") or ("frozen" if row["frozen"] else "draft")
        table.add_row(row["study"], escape(row["title"]), escape(state), row.get("hash", "")[:16])
    console.print(table)


def _print_notes(draft: Any) -> None:
    scope = scope_sentence(draft.config.targets, draft.cards["annotator_id"])
    for note in filter(None, [scope, *draft.notes]):
        console.print(f"Note: {note}", markup=False, soft_wrap=True)
    found: dict[tuple[str, str], list[str]] = {}
    for one in draft.left_out:
        found.setdefault((one.source, one.reason), []).append(f"{one.count} for {one.target}")
    for (source, reason), counts in found.items():
        line = f"Left out of {source}: {', '.join(counts)} ({reason})"
        console.print(line, markup=False, soft_wrap=True)
