"""`python -m capo_core distributions compare | variation`; others beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from capo_core import cli_distributions_models, cli_distributions_train
from capo_core.cli_support import ManyValues, console, plain_errors, print_json, shown_progress
from capo_core.errors import ConfigError
from capo_core.workspace import Workspace, write_json

Files = Annotated[
    list[Path] | None,
    typer.Option("--file", help="JSON with distributions; several about the same items."),
]
Data = Annotated[
    str | None, typer.Option("--dataset", help="A dataset of the catalog (data list).")
]
Labels = Annotated[
    list[str] | None, typer.Option(help="The labels' order in the file; else NLI's.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Out = Annotated[Path | None, typer.Option(help="Write the whole result to this file, as JSON.")]

# On a terminal; --json has all measures.
SHOWN = ("KL", "JSD", "TVD", "D.Corr", "Wasserstein")

app = typer.Typer(
    help="What would many people say? Label distributions of people and models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount(parent: typer.Typer) -> None:
    """Add the commands of this file to `parent`."""
    app.command("compare", cls=ManyValues)(compare)
    app.command("variation", cls=ManyValues)(variation)
    cli_distributions_models.mount(app)
    cli_distributions_train.mount(app)
    parent.add_typer(app, name="distributions")


def judgments_of(files: list[Path] | None, dataset: str | None, labels: list[str] | None):
    """The items and sources named on the command line."""
    if not files and not dataset:
        raise ConfigError("there is nothing to look at", todo="give --file FILE or --dataset NAME")
    from capo_core.distributions.read_file import read_judgments, together

    read = []
    if dataset:
        from capo_core.data.catalog import Catalog
        from capo_core.distributions.from_dataset import of_dataset

        read.append(of_dataset(Catalog(Workspace.default()).load(dataset)))
        labels = labels or list(read[0].task.scale.labels)
    read += [read_judgments(path, labels) for path in files or ()]
    found = read[0]
    for other in read[1:]:
        found = together(found, other)
    return found


@plain_errors
def compare(
    file: Files = None,
    dataset: Data = None,
    run: Annotated[
        list[str] | None, typer.Option(help="Finished estimates or generations, by name.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only these sources.")] = None,
    against: Annotated[str, typer.Option(help="The source to measure by.")] = "crowd",
    labels: Labels = None,
    clip: Annotated[float, typer.Option(help="Least share, for KL only.")] = 1e-10,
    draws: Annotated[int, typer.Option(help="Of the bootstrap over items.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Distances of every source to the crowd, with intervals."""
    from capo_core.distributions.compare import CompareConfig
    from capo_core.distributions.compare import compare as measure

    config = CompareConfig(against, clip, draws, seed)
    found = judgments_of(file, dataset, labels)
    if run:
        from capo_core.distributions.kept import with_runs

        found = with_runs(found, run, Workspace.default())
    result = measure(found, config, sources=source)
    if out is not None:
        write_json(out, result.to_dict())
    if as_json:
        print_json(result.to_dict())
        return
    _show_comparison(result)


def _show_comparison(result) -> None:
    table = Table("source", box=None, title=f"{result.name}: distance to {result.config.against}")
    rows = result.table
    measures = [name for name in SHOWN if name in set(rows["measure"])]
    for measure in measures:
        table.add_column(measure, justify="right")
    table.add_column("n", justify="right")
    for name, cells in rows.groupby("source", sort=False):
        by = cells.set_index("measure")
        shown = [
            f"{by.at[m, 'value']:.3f} [{by.at[m, 'low']:.3f}–{by.at[m, 'high']:.3f}]"
            if by.at[m, "value"] == by.at[m, "value"]
            else "undefined"
            for m in measures
        ]
        table.add_row(name, *shown, str(int(cells["n"].iloc[0])))
    console.print(table, markup=False)
    console.print(
        f"\nMeans over n items, 95 % intervals by a bootstrap over items. KL(crowd ‖ source) in "
        f"nats, shares clipped at {result.config.clip:g}; JSD is the distance (0 to 0.83), TVD "
        "from 0 to 1: lower is nearer. D.Corr, from 0 to 1: higher is nearer.",
        markup=False,
    )
    for row in result.coverage.itertuples():
        if row.only_source or row.only_against:
            console.print(
                f"{row.source}: {row.only_source} items not in {result.config.against}, "
                f"{row.only_against} of {result.config.against} not in it; left out.",
                markup=False,
            )
    for note in result.notes:
        console.print(note, markup=False)


@plain_errors
def variation(
    file: Files = None,
    dataset: Data = None,
    labels: Labels = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Whose explanations; all, each apart, otherwise.")
    ] = None,
    items: Annotated[int, typer.Option(help="Only the first so many items; 0: all.")] = 0,
    semantic: Annotated[bool, typer.Option(help="Embed the texts as well.")] = True,
    tagger: Annotated[str, typer.Option(help="auto, spacy or textblob.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """How alike are the explanations of one item: in words, in grammar, in meaning?"""
    from capo_core.distributions.variation import VariationConfig
    from capo_core.distributions.variation import variation as measure

    found = judgments_of(file, dataset, labels)
    config = VariationConfig(items=items, tagger=tagger, semantic=semantic, seed=seed)
    with shown_progress(quiet=as_json) as progress:
        result = measure(
            found, config, sources=source, cache=Workspace.default().cache, progress=progress
        )
    if out is not None:
        write_json(out, result.to_dict())
    if as_json:
        print_json(result.to_dict())
        return
    table = Table("explanations", "measure", "", box=None, title=f"{result.name}: likeness")
    table.add_column("value", justify="right")
    table.add_column("items", justify="right")
    for row in result.table.itertuples():
        shown = f"{row.value:.3f} [{row.low:.3f}–{row.high:.3f}]" if row.n else "undefined"
        table.add_row(row.source, row.measure, f"n = {row.ngram}" if row.ngram else "", shown,
                      str(row.n))  # fmt: skip
    console.print(table, markup=False)
    for note in result.notes:
        console.print(note, markup=False)
