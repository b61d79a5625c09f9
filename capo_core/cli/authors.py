"""`python -m capo_core authors DATASET`: the likeliest author under the annotators' adapters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from capo_core.cli.options import changed, with_options
from capo_core.cli.result_file import check_ending, write_and_print, write_result
from capo_core.cli.support import (
    ManyValues,
    console,
    plain_errors,
    print_results,
    progress_bar,
)
from capo_core.evaluation.authors.result import AuthorsConfig
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.evaluation.authors.result import AuthorAttribution

ENDINGS = (".json", ".csv", ".md", ".tex")


def mount(app: typer.Typer) -> None:
    """Add the command `authors` to `app`."""
    command = plain_errors(with_options(AuthorsConfig)(authors))
    app.command("authors", cls=ManyValues)(command)


def authors(
    name: Annotated[str, typer.Argument(help="A dataset of the catalog (see: data list).")],
    given: dict[str, Any],
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="SFT runs whose adapters tell authors, one for each annotator. Default: the "
            "newest ones of every split."
        ),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            help="Finished generations on the test items, to be attributed beside the human texts."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Compute again even if a result is saved.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help=f"Output file: {', '.join(ENDINGS)}.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Attribute explanations to the annotator under whose own adapter they are likeliest."""
    from capo_core.data.catalog import Catalog
    from capo_core.evaluation.authors import store

    check_ending(out, ENDINGS)
    config = changed(AuthorsConfig(), given)
    workspace = Workspace.default()
    dataset = Catalog(workspace).load(name)
    result = None if again or run or answers else store.load(workspace, dataset)
    if result is None or (given and result.config != config):
        from capo_core.evaluation.authors.run import compute_authors

        with progress_bar(quiet=as_json) as progress:
            result = compute_authors(
                workspace, dataset, config, runs=run or (), answers=answers or (), progress=progress
            )
        store.save(result, workspace)
    write_and_print(result, out, write=write, show=show, as_json=as_json)


def write(result: AuthorAttribution, out: Path) -> None:
    """Write a result in the format of the file's ending."""
    from capo_core.evaluation.authors.result import to_latex, to_markdown

    write_result(result, out, result.rows, {".md": to_markdown, ".tex": to_latex})


def show(result: AuthorAttribution) -> None:
    """Print a result: statements, the ladder, and differences from the classifiers."""
    from capo_core.evaluation.authors.result import NOTE, differences_text, table

    source = result.provenance
    print_results(source, *(one.text for one in result.statements()), end="\n\n")
    names, rows = table(result)
    shown = Table(
        *names[:2], box=None, title=source.titled("Attribution accuracy"), title_justify="left"
    )
    for name in names[2:]:
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(*row)
    console.print(shown, markup=False)
    console.print(f"\n{NOTE}\n", markup=False)
    for line in differences_text(result):
        console.print(line, markup=False)
