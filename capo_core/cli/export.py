"""`python -m capo_core export …`: a dataset and its results as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from capo_core import formatting
from capo_core.atlas.explanation_map import MapConfig
from capo_core.cli.options import with_options
from capo_core.cli.support import (
    ManyValues,
    console,
    plain_errors,
    print_json,
    print_results,
    progress_bar,
)
from capo_core.workspace import Workspace, atomic_file

export_app = typer.Typer(
    help="Export a dataset with its results: the annotator atlas, and the map of explanations.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount(app: typer.Typer) -> None:
    """Add the command group `export` to `app`."""
    app.add_typer(export_app, name="export")


@export_app.callback()
def _group() -> None:
    """Export a dataset with its results: the annotator atlas, and the map of explanations."""


@export_app.command()
@plain_errors
def atlas(
    dataset: Annotated[str, typer.Option(help="A dataset of the catalog (see: data list).")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    without_texts: Annotated[
        bool,
        typer.Option(
            "--without-texts",
            help="Leave out every text of the data and of models (items, explanations, phrases, "
            "answers), where the licence does not allow to pass them on.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Write the annotator atlas: profiles, items, ladder, methods and studies in one HTML file.

    It opens in any browser from a file, connects to nothing, and holds what the workspace has:
    the most complete stability report, finished evaluations with their answers, unblinded studies.
    """
    from capo_core.atlas.page import write_atlas

    with progress_bar(as_json) as progress:
        made = write_atlas(
            Workspace.default(), dataset, out, texts=not without_texts, progress=progress
        )
    if as_json:
        print_json({"path": str(made.path), "bytes": made.size, "notes": list(made.notes)})
        return
    console.print(f"Atlas written to {made.path} ({formatting.size(made.size)})", markup=False)
    for note in made.notes:
        console.print(f"  note: {note}", markup=False)


@export_app.command("map", cls=ManyValues)
@plain_errors
@with_options(MapConfig, names={"embedding_model": "model"})
def explanation_map(
    given: dict[str, Any],
    dataset: Annotated[str, typer.Option(help="A dataset of the catalog (see: data list).")],
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    run: Annotated[
        list[str] | None,
        typer.Option(help="Generations whose answers are drawn too (see: runs list)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Write the map of all explanations as Parquet: x, y, text and columns, for Embedding Atlas.

    The map is kept in the workspace, where the Annotators page shows it.
    """
    from capo_core.atlas.explanation_map import made_map
    from capo_core.data.catalog import Catalog
    from capo_core.errors import ConfigError

    if out.suffix.lower() != ".parquet":
        raise ConfigError(f"a map is a Parquet file, not {out.name!r}", expected="a name.parquet")
    workspace = Workspace.default()
    with progress_bar(as_json) as progress:
        found = made_map(
            Catalog(workspace).load(dataset), MapConfig(**given), workspace, run or (), progress
        )
    with atomic_file(out) as file:
        file.write(found.to_parquet())
    if as_json:
        print_json(
            {
                "path": str(out),
                "points": len(found.frame),
                "neighbours": {**found.neighbours.to_dict(), "chance": found.chance},
                "statement": found.statement.text,
            }
        )
        return
    console.print(f"{formatting.count(len(found.frame), 'point')} written to {out}", markup=False)
    print_results(found.provenance, found.statement.text)
