"""Commands of the group `distributions`: label distributions of people and models.

python -m capo_core distributions compare | variation

The others are in `estimates`, `soft_labels` and `transfer`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from capo_core.cli.estimates import mount_estimates
from capo_core.cli.judgments import AsJson, Data, Files, Labels, judgments_of, provenance_of
from capo_core.cli.options import with_options
from capo_core.cli.result_file import check_ending
from capo_core.cli.soft_labels import mount_soft_labels
from capo_core.cli.support import (
    ManyValues,
    console,
    first_of,
    plain_errors,
    print_json,
    print_results,
    progress_bar,
)
from capo_core.cli.transfer import mount_transfer
from capo_core.distributions.compare import (
    DISTANCES,
    JSD,
    KL,
    SHAPE,
    TVD,
    WASSERSTEIN,
    CompareConfig,
    measure_title,
)
from capo_core.distributions.variation import VariationConfig
from capo_core.errors import ConfigError
from capo_core.export_formats import with_provenance
from capo_core.formatting import capitalised, with_interval
from capo_core.provenance import Provenance
from capo_core.workspace import Workspace, write_json

Out = Annotated[Path | None, typer.Option(help="Output file of the full result (JSON).")]

# On a terminal; --json has all measures.
SHOWN = (JSD, TVD, KL, SHAPE, WASSERSTEIN)

app = typer.Typer(
    help="Label distributions of people and models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount(parent: typer.Typer) -> None:
    """Add the group `distributions` to `parent`."""
    app.command("compare", cls=ManyValues)(compare)
    app.command("variation", cls=ManyValues)(variation)
    mount_estimates(app)
    mount_soft_labels(app)
    mount_transfer(app)
    parent.add_typer(app, name="distributions")


@plain_errors
@with_options(CompareConfig)
def compare(
    given: dict[str, Any],
    file: Files = None,
    dataset: Data = None,
    run: Annotated[
        list[str] | None, typer.Option(help="Names of finished estimates or generations.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Sources to compare. Default: all.")
    ] = None,
    measure: Annotated[
        str, typer.Option(help=f"Distance of the headline: {', '.join(DISTANCES)}.")
    ] = JSD,
    labels: Labels = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output file: a report (.html, .md), or the full result (JSON)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare sources with the crowd on their common items: which is closest, with intervals."""
    from capo_core.distributions.compare import compare as measure_all
    from capo_core.distributions.ranking import rank
    from capo_core.distributions.report import DistributionReport

    check_ending(out, (".json", ".html", ".md"), "a comparison", bare=True)
    config = CompareConfig(**given)
    measure = _measure(measure)
    found = judgments_of(file, dataset, labels)
    if run:
        from capo_core.distributions.store import with_runs

        found = with_runs(found, run, Workspace.default())
    result = DistributionReport(found, rank(found, config, sources=source), measure)
    _check_measure(result, measure)
    provenance = provenance_of(found, dataset, file, run, seed=config.seed)
    written_report = out is not None and _write_report(result, out, provenance)
    if as_json or (out is not None and not written_report):
        # The values of each source on all its own items, as in earlier builds.
        plain = {**measure_all(found, config, sources=source).to_dict(), **result.to_dict()}
        if out is not None and not written_report:
            write_json(out, with_provenance(plain, provenance))
        if as_json:
            print_json(plain)
            return
    _show_comparison(result, provenance)
    if written_report:
        console.print(f"written: {out}", markup=False, soft_wrap=True)


def _measure(name: str) -> str:
    """Return the distance of this name or title, in any case."""
    for each in DISTANCES:
        if name.lower() in (each.lower(), measure_title(each).lower()):
            return each
    raise ConfigError(f"{name!r} is no distance", expected=", ".join(DISTANCES), option="--measure")


def _check_measure(result, measure: str) -> None:
    if measure not in result.ranking.measures and result.ranking.measures:
        raise ConfigError(
            f"{measure} needs an ordinal scale", todo="choose another distance", option="--measure"
        )


def _write_report(result, path: Path, provenance: Provenance) -> bool:
    """Write a report for people, where the file's name asks for one; return whether it did."""
    from capo_core.distributions.report import to_html, to_markdown
    from capo_core.run_folder import disk_errors
    from capo_core.workspace import atomic_file

    writer = {".html": to_html, ".md": to_markdown}.get(path.suffix.lower())
    if writer is not None:
        with disk_errors(path), atomic_file(path, "w") as file:
            file.write(writer(result, provenance))
    return writer is not None


def _show_comparison(result, source: Provenance) -> None:
    from capo_core.distributions.ranking import ASIDE
    from capo_core.distributions.report import header
    from capo_core.distributions.sources import ANNOTATOR
    from capo_core.distributions.wording import called, in_words

    print_results(source, in_words(result.headline))
    for remark in result.remarks:  # on the comparison, no results
        console.print(in_words(remark), markup=False)
    rows = result.rows()
    if rows:
        title = f"{result.ranking.name}: distance to {called(result.ranking.against)}"
        table = Table("source", box=None, title=f"\n{source.titled(title)}")
        measures = [name for name in SHOWN if name in result.measures]
        for each in measures:
            table.add_column(header(each), justify="right")
        table.add_column("n", justify="right")
        annotators = [row.source for row in rows if row.source.startswith(ANNOTATOR)]
        printed, more = first_of(annotators)
        for row in rows:
            if row.source in annotators and row.source not in printed:
                continue
            cells = [
                Text(row.cells[each], style="bold" if each in row.bold else "") for each in measures
            ]
            name = row.title + (" (not ranked)" if row.role == ASIDE else "")
            table.add_row(Text(name), *cells, f"{row.n:,}")
        console.print(table, markup=False)
        if more:
            console.print(f"Single annotators: {more}", markup=False)
        console.print(f"\n{result.legend}", markup=False)
    for note in (*result.notes(), *result.judgments.notes):
        console.print(f"{capitalised(note.rstrip('.'))}.", markup=False)


@plain_errors
@with_options(VariationConfig)
def variation(
    given: dict[str, Any],
    file: Files = None,
    dataset: Data = None,
    labels: Labels = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Sources of explanations. Default: all, each on its own."),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Measure the similarity of explanations of one item: lexical, syntactic and semantic."""
    from capo_core.distributions.variation import variation as measure

    check_ending(out, (".json",), bare=True)
    found = judgments_of(file, dataset, labels)
    config = VariationConfig(**given)
    with progress_bar(quiet=as_json) as progress:
        result = measure(
            found, config, sources=source, cache=Workspace.default().cache, progress=progress
        )
    origin = provenance_of(found, dataset, file, seed=config.seed)
    if out is not None:
        write_json(out, with_provenance(result.to_dict(), origin))
    if as_json:
        print_json(result.to_dict())
        return
    title = origin.titled(f"{result.name}: similarity")
    table = Table("explanations", "measure", "", box=None, title=title)
    table.add_column("value", justify="right")
    table.add_column("items", justify="right")
    printed, more = first_of(list(dict.fromkeys(result.table["source"])))
    for row in result.table.itertuples():
        if row.source not in printed:
            continue
        shown = with_interval(row.value, row.low, row.high, 3) if row.n else "undefined"
        table.add_row(row.source, row.measure, f"n = {row.ngram}" if row.ngram else "", shown,
                      f"{row.n:,}")  # fmt: skip
    console.print(table, markup=False)
    if more:
        console.print(f"Sources: {more}", markup=False)
    for note in result.notes:
        console.print(note, markup=False)
