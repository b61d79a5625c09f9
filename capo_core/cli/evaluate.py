"""Commands that evaluate runs.

python -m capo_core evaluate     scores of methods, with floor, ceiling and chance
python -m capo_core judge        attribution by an LLM judge
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from capo_core.cli.generate import (
    AsJson,
    Base,
    BatchTokens,
    Name,
    Precision,
    Server,
    backend_of,
    refuse,
    with_server_options,
)
from capo_core.cli.options import changed, with_options
from capo_core.cli.support import (
    ManyValues,
    console,
    plain_errors,
    print_json,
    print_results,
    progress_bar,
)
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError
from capo_core.evaluation.compute import EVERYTHING
from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig
from capo_core.evaluation.table import TableConfig
from capo_core.formatting import number, with_interval
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.provenance import Provenance
from capo_core.workspace import Workspace


def mount_llm_judge(app: typer.Typer) -> None:
    """Add the command `judge` to `app`."""
    app.command("judge", cls=ManyValues)(judge)


@plain_errors
@with_options(LlmJudgeConfig)
@with_server_options
def judge(
    dataset: Name,
    given: dict[str, Any],
    server_given: dict[str, Any],
    run: Annotated[
        list[str] | None,
        typer.Option(help="Names of finished generations. Default: judge human texts only."),
    ] = None,
    base: Base = None,
    server: Server = None,
    guess: Annotated[
        bool, typer.Option("--guess", help="Random judge without a model, for a dry run.")
    ] = False,
    split: Annotated[str, typer.Option(help="Split judged without --run.")] = "test",
    precision: Precision = "auto",
    batch_tokens: BatchTokens = BATCH_TOKENS,
    as_json: AsJson = False,
) -> None:
    """Attribute texts of people and methods by an LLM judge; run it again to resume."""
    from capo_core.evaluation.llm_judge.judge import load_result
    from capo_core.evaluation.llm_judge.results import RESULT_FILE
    from capo_core.run_folder import RunFolder
    from capo_core.runs import submit
    from capo_core.runs.foreground import foreground
    from capo_core.runs.kinds import llm_judge
    from capo_core.runs.request import RunRequest

    config = changed(LlmJudgeConfig(), given)
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    if guess:
        refuse(
            base or server,
            "--guess",
            "the random judge needs no model",
            "remove --guess, or --base and --server",
        )
        who: dict[str, Any] = {"guess": True}
        backend = llm_judge.guessing_judge()
    else:
        backend = backend_of(base, server, precision, batch_tokens, server_given)
        who = {"server": server} if server else {"base": base or "embedded"}
    settings = {
        "dataset": data.name,
        "fingerprint": data.fingerprint,
        "runs": list(run or ()),
        **({} if run else {"split": split}),
        **who,
        **({} if precision == "auto" else {"precision": precision}),
        "config": config.to_dict(),
    }
    folder = RunFolder(workspace.runs / submit.run_name(RunRequest("judge", settings)))
    if not folder.done:
        with (
            progress_bar(quiet=as_json) as shown,
            foreground(
                workspace, folder, kind="judge", settings=settings, progress=shown
            ) as progress,
        ):
            llm_judge.judge_runs(data, settings, backend, workspace, folder, progress)
    found = load_result(folder.path / RESULT_FILE)
    if as_json:
        print_json({"run": folder.run_id, "folder": str(folder.path), **found.to_dict()})
        return
    _show_llm_judge(found, Provenance.of(data))
    console.print(f"run {folder.run_id}", markup=False, soft_wrap=True)


def _show_llm_judge(found: Any, source: Provenance) -> None:
    from rich.table import Table

    from capo_core.evaluation.table import ALL

    print_results(source, found.sentence)
    columns = ("source", "attributed to the target", "trials", "unreadable", "chance")
    table = Table(*columns, box=None, title=source.titled("Attribution by the LLM judge"))
    for row in found.table[found.table["target"] == ALL].itertuples():
        shown = with_interval(row.value, row.low, row.high)
        table.add_row(row.source, shown, f"{row.n:,}", f"{row.unread:,}", number(row.chance))
    console.print(table, markup=False)
    console.print(
        "Means over the annotators whom every method imitates, 95 % intervals.", markup=False
    )


def mount(app: typer.Typer) -> None:
    """Add the command `evaluate` to `app`."""
    # The options are made here, so that --measures lists the groups there are now.
    with_settings = with_options(
        TableConfig,
        without=("views",),
        names={"families": "measures"},
        defaults={"families": EVERYTHING.families, "pool": EVERYTHING.pool},
    )
    app.command("evaluate", cls=ManyValues)(plain_errors(with_settings(evaluate)))


def evaluate(
    given: dict[str, Any],
    dataset: Annotated[str, typer.Option(help="Name of a dataset (see: data list).")],
    run: Annotated[list[str] | None, typer.Option(help="Names of finished generations.")] = None,
    outputs: Annotated[
        list[Path] | None, typer.Option(help="Tables of outputs (.parquet, .csv or .jsonl).")
    ] = None,
    judge: Annotated[
        list[str] | None, typer.Option(help="Names of finished runs of the command judge.")
    ] = None,
    author_adapters: Annotated[
        list[str] | None,
        typer.Option(
            help="Names of finished SFT runs, one for each annotator: texts are also attributed by "
            "their likelihood under these adapters."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split scored. Default: that of the runs, or test.")
    ] = None,
    out: Annotated[
        list[Path] | None, typer.Option(help="Output files: .html, .csv, .jsonl or .json.")
    ] = None,
    tests: Annotated[
        bool,
        typer.Option(
            "--tests",
            help="Also print the tables of tests: alternative annotator test, equivalence, "
            "agreement of measures.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Score methods against their target annotators, with floor, ceiling and chance."""
    from capo_core.evaluation import export, likelihood
    from capo_core.evaluation import streams as evaluation_streams
    from capo_core.evaluation.compute import compute_report
    from capo_core.evaluation.llm_judge.results import load_verdicts
    from capo_core.run_folder import find_run
    from capo_core.runs.margins import margins_fixed

    if not run and not outputs:
        raise ConfigError(
            "there is nothing to evaluate", todo="add runs with --run, or tables with --outputs"
        )
    for path in out or ():
        export.check_file_type(path)
    config = changed(EVERYTHING, given)
    workspace = Workspace.default()
    loaded = Catalog(workspace).load(dataset)
    found, answered = evaluation_streams.run_outputs(
        loaded, [find_run(workspace, name) for name in run or ()]
    )
    for path in outputs or ():
        found += evaluation_streams.file_outputs(path)
    part = split or answered or "test"
    items, streams = evaluation_streams.method_streams(loaded, found, part)
    named = [find_run(workspace, name) for name in judge or ()]
    adapters = None
    if author_adapters:
        trained = [find_run(workspace, name) for name in author_adapters]
        adapters = likelihood.author_adapters(loaded, trained)
    with progress_bar(quiet=as_json) as progress:
        report = compute_report(
            loaded, items, streams, config, split=part, cache=workspace.cache,
            llm_judges=load_verdicts(named, found, loaded.fingerprint), authors=adapters,
            same_training=likelihood.written_by(found, adapters, workspace) if adapters else (),
            margins_fixed=margins_fixed(workspace, run or (), config),
            progress=progress,
        )  # fmt: skip
    source = export.provenance_of(report, [find_run(workspace, name) for name in run or ()])
    for path in out or ():
        export.write(report, path, source)
    if as_json:
        print_json(report.to_dict())
        return
    show_scores(report, source)
    if tests:
        _show_tests(report, source)


def _show_tests(report, source: Provenance) -> None:
    """Print the tables of tests."""
    from capo_core.evaluation.referee.tables import referee_tables

    for made in referee_tables(report):
        console.print(f"\n{source.titled(made.title)}", markup=False)
        console.print(made.meaning, markup=False)
        table = Table(*made.columns, box=None)
        for row in made.rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table, markup=False)


def show_scores(report, source: Provenance) -> None:
    """Print the statements and the scores: means over targets, or each target where there are
    none."""
    from capo_core.evaluation.export import averaged_text, imitated
    from capo_core.evaluation.summary import statements, titled
    from capo_core.evaluation.table import ALL

    print_results(source, *map(titled, statements(report)))
    for target in [ALL] if report.targets else imitated(report):
        console.print()
        if target != ALL:
            console.print(f"Annotator {target}", markup=False)
            print_results(source, *map(titled, statements(report, target)))
        console.print(_score_table(report, target, source), markup=False)
    console.print(
        f"\n{averaged_text(report)} {report.n_items:,} {report.split} items, 95 % intervals.",
        markup=False,
    )


def _score_table(report, target: str, origin: Provenance) -> Table:
    from capo_core.evaluation.cells import score_cells
    from capo_core.evaluation.export import source_name

    rows = report.scores[report.scores["target"] == target]
    measures = [
        score_cells(report, name, int(k), target)
        for name, k in dict.fromkeys(zip(rows["measure"], rows["k"], strict=True))
    ]
    sources = list(measures[0].values) if measures else []
    columns = ("measure", "k", *map(source_name, sources), "n")
    table = Table(*columns, box=None, title=origin.titled("Scores"), title_justify="left")
    for one in measures:
        cells = [
            Text(text, style="bold" if source == one.bold else "")
            for source, text in one.values.items()
        ]
        table.add_row(one.measure, str(one.k or ""), *cells, one.n)
    return table
