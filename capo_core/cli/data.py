"""`python -m capo_core data …`: list, import, fetch, show, export, simulate, remove.

What the data commands print, for people and as JSON.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from capo_core.cli.support import ManyValues, console, plain_errors, print_json, progress_bar
from capo_core.data import label_scales
from capo_core.data.catalog import Catalog, Entry
from capo_core.data.columns import parse_mapping
from capo_core.data.download import fetch as fetch_source
from capo_core.data.export import csv_text, export
from capo_core.data.importing import ImportResult, read_dataset
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.task import NLI, PARAPHRASE, Task
from capo_core.workspace import Workspace, atomic_file


def description(dataset: Dataset, entry: Entry) -> dict:
    """A dataset in numbers: the catalog's line, the task, and each annotator's labels."""
    counts = dataset.annotations.groupby(["annotator_id", "label"]).size()
    return entry.to_dict() | {
        "scale": dataset.task.to_dict(),
        "splits": dataset.items["split"].replace("", "none").value_counts().to_dict(),
        "validity": dataset.annotations["valid"].value_counts().to_dict(),
        "crowd": 0 if dataset.crowd is None else int(dataset.crowd["item_id"].nunique()),
        "labels": {
            annotator: {
                label: int(counts.get((annotator, label), 0)) for label in dataset.task.scale.labels
            }
            for annotator in dataset.annotators
        },
    }


def print_result(entry: Entry, as_json: bool) -> None:
    if as_json:
        print_json(entry.to_dict())
    else:
        print_entry(entry)


def print_entry(entry: Entry) -> None:
    console.print(
        f"{entry.name}: {entry.task}, {entry.items:,} items, {entry.annotators:,} annotators, "
        f"{entry.annotations:,} annotations; {entry.origin}",
        markup=False,
    )


def print_import(read: ImportResult, as_json: bool) -> None:
    dataset, report = read.dataset, read.report
    if as_json:
        told = report.to_dict()
        rows = told.pop("set_aside")
        print_json(
            {
                "name": dataset.name,
                "task": dataset.task.name,
                "scale": dataset.task.to_dict(),
                "items": len(dataset.items),
                "annotators": len(dataset.annotators),
                "annotations": len(dataset.annotations),
                "kept": report.rows_kept,
                "set_aside": {
                    "count": len(rows),
                    "reasons": told.pop("reasons"),
                    "rows": rows,
                },
                "fingerprint": dataset.fingerprint,
            }
            | told
        )
        return
    console.print(
        f"{dataset.name}: {dataset.task.name}, {len(dataset.items):,} items, "
        f"{len(dataset.annotators):,} annotators, {len(dataset.annotations):,} annotations",
        f"{report.rows_read:,} {report.unit} read, {report.rows_kept:,} kept, "
        f"{len(report.set_aside):,} set aside",
        sep="\n",
        markup=False,
    )
    for reason, count in report.reasons().items():
        console.print(f"  {count:,} × {reason}", markup=False)
    for note in report.notes:
        console.print(f"  note: {note}", markup=False)


data_app = typer.Typer(
    help="Bring data in, look at it, take it out.", no_args_is_help=True, rich_markup_mode=None
)

_TASKS = {"nli": NLI, "paraphrase": PARAPHRASE}
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a dataset of this name.")]
Name = Annotated[str, typer.Argument(help="A dataset of the catalog (see: list).")]


@data_app.command("list")
@plain_errors
def list_datasets(as_json: AsJson = False) -> None:
    """The datasets of the workspace."""
    entries = Catalog(Workspace.default()).entries()
    if as_json:
        print_json([entry.to_dict() for entry in entries])
        return
    if not entries:
        console.print("No datasets yet. Import one: data import FILE --name NAME")
        return
    table = Table(Column("name", no_wrap=True), "task", box=None)
    for heading in ("items", "annotators", "annotations"):
        table.add_column(heading, justify="right")
    table.add_column("from")
    for entry in entries:
        counts = [f"{n:,}" for n in (entry.items, entry.annotators, entry.annotations)]
        table.add_row(entry.name, entry.task, *counts, _kind(entry))
    console.print(table, markup=False)
    for entry in entries:
        if entry.problem:
            console.print(f"{entry.name} cannot be read: {entry.problem}", markup=False)


def _kind(entry: Entry) -> str:
    if entry.problem:
        return "unreadable"
    made = "simulated" if entry.simulated else "imported"
    return f"shipped, {made}" if entry.shipped else made


@data_app.command("import", cls=ManyValues)
@plain_errors
def import_file(
    path: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL, JSON, Excel or Parquet.")],
    name: Annotated[str, typer.Option(help="What to call the dataset.")],
    format: Annotated[str, typer.Option(help="auto, varierr, lewidi or table.")] = "auto",
    map: Annotated[
        list[str] | None,
        typer.Option(help="role=column, several in a row; wide form: label:ANNOTATOR=column."),
    ] = None,
    task: Annotated[str, typer.Option(help="nli, paraphrase or auto.")] = "auto",
    labels: Annotated[str, typer.Option(help="Nominal scale in order of display: a,b,c.")] = "",
    ordinal: Annotated[str, typer.Option(help="Ordinal scale: low:high.")] = "",
    encoding: Annotated[str | None, typer.Option(help="Default: detected.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Default: detected.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Excel sheet; default: the first.")] = None,
    set_aside: Annotated[
        Path | None, typer.Option(help="Write the rows set aside to this CSV file.")
    ] = None,
    replace_old: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Read a file of annotations into the catalog, and say what became of every row."""
    with progress_bar(as_json) as progress:
        read = read_dataset(
            path,
            name=name,
            format=format,
            mapping=parse_mapping(map) if map else None,
            task=task_of(task, labels, ordinal),
            encoding=encoding,
            delimiter="\t" if delimiter in ("\\t", "tab") else delimiter,
            sheet=sheet,
            progress=progress,
        )
    if set_aside is not None:
        with atomic_file(set_aside) as file:
            file.write(csv_text(read.report.set_aside).encode("utf-8"))
    Catalog(Workspace.default()).add(read.dataset, read.report, replace=replace_old)
    print_import(read, as_json)


@data_app.command()
@plain_errors
def fetch(
    source: Annotated[str, typer.Argument(help="varierr; lewidi tells where to get it.")],
    name: Annotated[str, typer.Option(help="Default: the name of the source.")] = "",
    url: Annotated[str | None, typer.Option(help="Another place with the same file.")] = None,
    replace_old: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Download a public dataset, check it, and import it."""
    workspace = Workspace.default()
    with progress_bar(as_json) as progress:
        path = fetch_source(source, workspace, progress, url=url)
        read = read_dataset(path, name=name or source, format=source)
    Catalog(workspace).add(read.dataset, read.report, replace=replace_old)
    print_import(read, as_json)


@data_app.command()
@plain_errors
def show(name: Name, as_json: AsJson = False) -> None:
    """What a dataset holds, and how it was imported."""
    catalog = Catalog(Workspace.default())
    dataset, report = catalog.load(name), catalog.report(name)
    about = description(dataset, catalog.entry(name))
    if report is not None:
        about["import"] = report.to_dict()
    if as_json:
        print_json(about)
        return
    print_entry(catalog.entry(name))
    table = Table("annotator", box=None)
    for label in dataset.task.scale.labels:
        table.add_column(label, justify="right")
    for annotator, counts in about["labels"].items():
        table.add_row(annotator, *(str(counts[label]) for label in dataset.task.scale.labels))
    console.print(table, markup=False)
    for note in report.notes if report else ():
        console.print(f"  {note}", markup=False)


@data_app.command("export")
@plain_errors
def export_dataset(
    name: Name,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    format: Annotated[
        str, typer.Option(help="csv, jsonl or parquet; default: by the file's name.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Write a dataset to a file, one row an annotation."""
    chosen = format or _SUFFIXES.get(out.suffix.lower(), "csv")
    dataset = Catalog(Workspace.default()).load(name)
    export(dataset, out, chosen)
    told = {
        "name": name,
        "path": str(out),
        "format": chosen,
        "annotations": len(dataset.annotations),
        "fingerprint": dataset.fingerprint,
    }
    if as_json:
        print_json(told)
    else:
        console.print(f"{told['annotations']:,} annotations in {out}", markup=False)


@data_app.command()
@plain_errors
def simulate(
    name: Annotated[str, typer.Option(help="What to call the dataset.")],
    task: Annotated[str, typer.Option(help="nli or paraphrase.")] = "nli",
    items: Annotated[int, typer.Option(help="How many items.")] = 500,
    annotators: Annotated[int, typer.Option(help="How many annotators.")] = 4,
    manner: Annotated[float, typer.Option(help="Strength of manner; 0: none.")] = 1.0,
    content: Annotated[float, typer.Option(help="Words taken from the item; 0: none.")] = 1.0,
    label_bias: Annotated[float, typer.Option(help="Difference in labelling; 0: none.")] = 1.0,
    coverage: Annotated[float, typer.Option(help="Share of item × annotator filled.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Everything follows from it.")] = 0,
    replace_old: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Make annotators with known strengths, to see that a measure finds them."""
    # The simulator brings its vocabulary along: only who simulates waits for it.
    from capo_core.simulation.simulate import SimulationConfig
    from capo_core.simulation.simulate import simulate as run

    config = SimulationConfig(
        task=task,
        items=items,
        annotators=annotators,
        manner=manner,
        content=content,
        label_bias=label_bias,
        coverage=coverage,
        seed=seed,
    )
    with progress_bar(as_json) as progress:
        simulation = run(config, progress)
    dataset = replace(simulation.dataset, name=name)
    entry = Catalog(Workspace.default()).add(dataset, replace=replace_old)
    print_result(entry, as_json)


@data_app.command()
@plain_errors
def remove(name: Name, as_json: AsJson = False) -> None:
    """Take a dataset out of the workspace, for good."""
    Catalog(Workspace.default()).remove(name)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        console.print(f"{name} was removed", markup=False)


def task_of(task: str, nominal: str, ordinal: str) -> Task | None:
    """The task that the options name; None to infer it.

    Raises:
        ConfigError: an unknown task, or more than one of the three given.
    """
    if sum((task != "auto", bool(nominal), bool(ordinal))) > 1:
        raise ConfigError(
            "--task, --labels and --ordinal each say what the labels are", expected="one of them"
        )
    if nominal or ordinal:
        scale = (
            label_scales.nominal_scale(nominal) if nominal else label_scales.ordinal_scale(ordinal)
        )
        return Task("annotation", scale)
    if task != "auto" and task not in _TASKS:
        raise ConfigError(f"the task {task!r} is not known", expected="nli, paraphrase or auto")
    return _TASKS.get(task)
