"""`python -m capo_core evaluate`: how near do runs come to their targets?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from capo_core.cli_support import ManyValues, console, plain_errors, print_json, shown_progress
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError
from capo_core.workspace import Workspace


def mount(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("evaluate", cls=ManyValues)(evaluate)


@plain_errors
def evaluate(
    dataset: Annotated[str, typer.Option(help="A dataset of the catalog (data list).")],
    run: Annotated[list[str] | None, typer.Option(help="Finished generations, by name.")] = None,
    outputs: Annotated[
        list[Path] | None, typer.Option(help="Tables of outputs: .parquet, .csv or .jsonl.")
    ] = None,
    judge: Annotated[
        list[str] | None, typer.Option(help="Finished runs of the command judge, by name.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Part scored; that of the runs, or test.")
    ] = None,
    pool: Annotated[list[int] | None, typer.Option(help="Explanations judged together.")] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(help="labels, soft, explanations, style, attribution, diversity"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random groups.")] = 0,
    out: Annotated[
        list[Path] | None, typer.Option(help="Write to .html, .csv, .jsonl or .json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Score methods beside the people they imitate, with floor, ceiling and chance."""
    from capo_core.evaluation import export, run_outputs
    from capo_core.evaluation.compute import EVERYTHING, compute_report
    from capo_core.evaluation.judge_join import of_judges
    from capo_core.evaluation.table import TableConfig
    from capo_core.imitation.run_folder import find_run

    if not run and not outputs:
        raise ConfigError(
            "there is nothing to evaluate", todo="name runs with --run, or tables with --outputs"
        )
    for path in out or ():
        export.check_kind(path)
    config = TableConfig(
        pool=tuple(pool) if pool else EVERYTHING.pool,
        seed=seed,
        families=tuple(measures) if measures else EVERYTHING.families,
    )
    workspace = Workspace.default()
    loaded = Catalog(workspace).load(dataset)
    found, answered = run_outputs.of_runs(loaded, [find_run(workspace, name) for name in run or ()])
    for path in outputs or ():
        found += run_outputs.of_file(path)
    part = split or answered or "test"
    items, streams = run_outputs.streams_of(loaded, found, part)
    named = [find_run(workspace, name) for name in judge or ()]
    with shown_progress(quiet=as_json) as progress:
        report = compute_report(
            loaded, items, streams, config, split=part, cache=workspace.cache,
            judges=of_judges(named, found, loaded.fingerprint), progress=progress,
        )  # fmt: skip
    for path in out or ():
        export.write(report, path)
    if as_json:
        print_json(report.to_dict())
        return
    _show(report)


def _show(report) -> None:
    """The statements, and the scores averaged over targets."""
    from capo_core.evaluation.html_report import number
    from capo_core.evaluation.measures import measure
    from capo_core.evaluation.table import ALL

    for statement in report.statements:
        console.print(statement.text, markup=False)
    sources = [source.name for source in report.sources]
    table = Table("measure", "k", *sources, "chance", box=None)
    rows = report.scores[report.scores["target"] == ALL]
    for (name, k), cells in rows.groupby(["measure", "k"], sort=False):
        values = cells.set_index("source")
        digits = measure(name).decimals
        shown = [
            f"{number(own['value'], digits)} "
            f"[{number(own['low'], digits)}–{number(own['high'], digits)}]"
            if own["value"] == own["value"]
            else "undefined"
            for own in (values.loc[source] for source in sources)
        ]
        chance = values["chance"].iloc[0]
        table.add_row(name, str(k or ""), *shown, number(chance, digits))
    console.print()
    console.print(table, markup=False)
    console.print(
        f"\nMeans over targets, {report.n_items} {report.split} items, intervals 95 %.",
        markup=False,
    )
