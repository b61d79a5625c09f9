"""The commands `capo data …`: list, import, fetch, show, split, export, simulate, remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.measure import Measurement
from rich.table import Column, Table

from capo_core.cli.options import with_options
from capo_core.cli.result_file import check_ending
from capo_core.cli.support import (
    MOST_SHOWN,
    ManyValues,
    console,
    first_of,
    plain_errors,
    print_json,
    print_results,
    progress_bar,
    renamed,
)
from capo_core.data import label_scales
from capo_core.data.catalog import Catalog, Entry
from capo_core.data.columns import parse_mapping
from capo_core.data.download import fetch as fetch_files
from capo_core.data.download import fetch_dataset, sources_named
from capo_core.data.export import export, provenance_of
from capo_core.data.formats.base import DownloadSource
from capo_core.data.formats.registry import (
    AUTO,
    FORMATS,
    download_groups,
    download_sources,
    format_names,
)
from capo_core.data.importing import ImportResult, read_dataset
from capo_core.data.notes import Note
from capo_core.data.splits import parse_shares, split_problems, split_sizes
from capo_core.data.tool_exports import TOOL_EXPORTS, export_to_tool
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.export_formats import csv_text
from capo_core.formatting import count, name_list
from capo_core.provenance import Provenance
from capo_core.simulation.simulate import SimulationConfig
from capo_core.simulation.simulate import simulate as run
from capo_core.task import NLI, PARAPHRASE, Task
from capo_core.workspace import Workspace, atomic_file


def description(dataset: Dataset, entry: Entry) -> dict:
    """Return the catalog's line, the task, and the number of labels of each annotator."""
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
    """Print a catalog line as JSON or as text."""
    if as_json:
        print_json(entry.to_dict())
    else:
        print_entry(entry)


def print_entry(entry: Entry) -> None:
    """Print a catalog line as text."""
    console.print(
        f"{entry.name}: {entry.task}, {_sizes(entry.items, entry.annotators, entry.annotations)}; "
        f"{entry.origin}",
        markup=False,
    )


def _sizes(items: int, annotators: int, annotations: int) -> str:
    sizes = {"item": items, "annotator": annotators, "annotation": annotations}
    return ", ".join(count(number, noun) for noun, number in sizes.items())


def import_values(read: ImportResult) -> dict[str, Any]:
    """Return the report of an import for JSON."""
    dataset, values = read.dataset, read.report.to_dict()
    rows = values.pop("set_aside")
    return {
        "name": dataset.name,
        "task": dataset.task.name,
        "scale": dataset.task.to_dict(),
        "items": len(dataset.items),
        "annotators": len(dataset.annotators),
        "annotations": len(dataset.annotations),
        "kept": read.report.rows_kept,
        "set_aside": {"count": len(rows), "reasons": values.pop("reasons"), "rows": rows},
        "fingerprint": dataset.fingerprint,
    } | values


def print_import(read: ImportResult, as_json: bool) -> None:
    """Print the report of an import as JSON or as text."""
    dataset, report = read.dataset, read.report
    if as_json:
        print_json(import_values(read))
        return
    console.print(
        f"{dataset.name}: {dataset.task.name}, "
        + _sizes(len(dataset.items), len(dataset.annotators), len(dataset.annotations)),
        f"{count(report.rows_read, report.unit.removesuffix('s'))} read, "
        f"{report.rows_kept:,} imported, {len(report.rejected):,} skipped",
        sep="\n",
        markup=False,
    )
    for reason, number in report.reasons().items():
        console.print(f"  {number:,} × {reason}", markup=False)
    for note in report.notes:
        text = note.for_command_line if isinstance(note, Note) else note
        console.print(f"  note: {text}", markup=False)


data_app = typer.Typer(
    help="Import, inspect, export and simulate datasets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount(app: typer.Typer) -> None:
    """Add the command group `data` to `app`."""
    app.add_typer(data_app, name="data")


_TASKS = {"nli": NLI, "paraphrase": PARAPHRASE}
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace the dataset of this name.")]
Name = Annotated[str, typer.Argument(help="Name of a dataset (see: capo data list).")]
Shares = Annotated[
    str,
    typer.Option(
        help="Split the items at random by these shares of training, validation and test: "
        "300/100/100, 60/20/20 or paper (300/100/100)."
    ),
]
Seed = Annotated[int, typer.Option(help="Random seed of the split.", min=0)]


def _formats_help() -> str:
    titles = [f"{each.name}: {each.title}" for each in FORMATS.values()]
    return f"One of {', '.join(format_names())} ({'; '.join(titles)})."


def _sources_help() -> str:
    titles = [f"{source.name}: {source.title}" for source in download_sources().values()]
    titles += [f"{name}: {', '.join(of)}" for name, of in download_groups().items()]
    return f"One of these ({'; '.join(titles)})."


@data_app.command("list")
@plain_errors
def list_datasets(as_json: AsJson = False) -> None:
    """List the datasets of the workspace."""
    entries = Catalog(Workspace.default()).entries()
    if as_json:
        print_json([entry.to_dict() for entry in entries])
        return
    if not entries:
        console.print("No datasets yet. Import one: capo data import FILE --name NAME")
        return
    table = Table(Column("name", no_wrap=True), "task", box=None)
    for heading in ("items", "annotators", "annotations"):
        table.add_column(heading, justify="right")
    table.add_column("source")
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
    source = "simulated" if entry.simulated else "imported"
    return f"shipped, {source}" if entry.shipped else source


@data_app.command("import", cls=ManyValues)
@renamed("--set-aside", "--skipped")
@plain_errors
def import_file(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="CSV, TSV, JSONL, JSON, Excel or Parquet file; several files of one dataset, or "
            "a folder of them, are joined.",
            metavar="FILE...",
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the dataset.")],
    format: Annotated[str, typer.Option(help=_formats_help())] = AUTO,
    map: Annotated[
        list[str] | None,
        typer.Option(help="Columns as role=column; in wide form label:ANNOTATOR=column."),
    ] = None,
    task: Annotated[str, typer.Option(help="One of nli, paraphrase, auto.")] = "auto",
    labels: Annotated[str, typer.Option(help="Nominal labels in display order: a,b,c.")] = "",
    ordinal: Annotated[str, typer.Option(help="Ordinal scale as low:high.")] = "",
    label_sets: Annotated[
        str,
        typer.Option(
            help="How a cell with several labels (joy;anger, a list) is read: each (labels of the "
            "annotator) or set (together one label). Without it such a file is refused."
        ),
    ] = "",
    encoding: Annotated[str | None, typer.Option(help="Text encoding (default: detected).")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Delimiter (default: detected).")] = None,
    sheet: Annotated[
        str | None, typer.Option(help="Excel sheet, or all (default: the first).")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="Split of each file, in their order: train, validation or test (default: of "
            "several files, by their names)."
        ),
    ] = None,
    annotator: Annotated[
        list[str] | None,
        typer.Option(
            help="Whose rows those are that name nobody: one name for each file, one for all, or "
            "file (by the names of files or sheets)."
        ),
    ] = None,
    shares: Shares = "",
    seed: Seed = 0,
    skipped: Annotated[
        Path | None, typer.Option(help="Write the skipped rows to this CSV file.")
    ] = None,
    pseudonyms: Annotated[
        bool,
        typer.Option(
            "--pseudonyms",
            help="Import the annotators as A1, A2, …; the key stays in the workspace and is in no "
            "export.",
        ),
    ] = False,
    replace_old: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Import annotations from one file or several and report every skipped row."""
    with progress_bar(as_json) as progress:
        read = read_dataset(
            paths,
            name=name,
            format=format,
            mapping=parse_mapping(map) if map else None,
            task=task_of(task, labels, ordinal),
            encoding=encoding,
            delimiter="\t" if delimiter in ("\\t", "tab") else delimiter,
            sheet=sheet,
            parts=part or None,
            annotators=annotator or None,
            shares=parse_shares(shares) if shares else None,
            seed=seed,
            label_sets=label_sets,
            pseudonyms=pseudonyms,
            progress=progress,
        )
    if skipped is not None:
        with atomic_file(skipped) as file:
            text = csv_text(read.report.rejected, provenance_of(read.dataset))
            file.write(text.encode("utf-8"))
    catalog = Catalog(Workspace.default())
    catalog.add(read.dataset, read.report, replace=replace_old)
    print_import(read, as_json)
    key = catalog.key_file(read.dataset.name)
    if key is not None and not as_json:
        console.print("  note: the key of the pseudonyms:", markup=False)
        console.print(str(key), markup=False, soft_wrap=True)


@data_app.command()
@plain_errors
def fetch(
    source: Annotated[str, typer.Argument(help=_sources_help())],
    name: Annotated[str, typer.Option(help="Name of the dataset (default: the source's).")] = "",
    url: Annotated[
        str | None,
        typer.Option(help="Alternative URL of the same file, or of the folder with the files."),
    ] = None,
    shares: Shares = "",
    seed: Seed = 0,
    replace_old: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Download public data at a fixed revision, verify their checksums and import them.

    Several are fetched together by the beginning of their names (lewidi), each as a dataset; those
    that are there already are left as they are, unless --replace is given. Files of label
    distributions (mjd) are no dataset: their places are printed instead.
    """
    workspace, sources = Workspace.default(), sources_named(source)
    split = {"shares": parse_shares(shares) if shares else None, "seed": seed}
    if len(sources) > 1:
        if name or url:
            raise ConfigError(
                f"{source} stands for several datasets, which have one name and one address each",
                expected=f"no {'--name' if name else '--url'}, or one of "
                f"{', '.join(each.name for each in sources)}",
            )
        _fetch_all(workspace, sources, split, replace_old, as_json)
        return
    (about,) = sources
    with progress_bar(as_json) as progress:
        if not about.is_dataset:
            paths = fetch_files(source, workspace, progress, url=url)
        else:
            read = fetch_dataset(source, workspace, progress, name=name, url=url, **split)
    if about.is_dataset:
        Catalog(workspace).add(read.dataset, read.report, replace=replace_old)
        print_import(read, as_json)
    elif as_json:
        print_json({"name": source, "files": [str(p) for p in paths], "licence": about.licence})
    else:
        for path in paths:
            console.print(str(path), markup=False, soft_wrap=True)
        console.print(f"  note: licence: {about.licence}", markup=False)
        console.print(f"  note: open them by {about.pattern}", markup=False)


def _fetch_all(
    workspace: Workspace,
    sources: list[DownloadSource],
    split: dict[str, Any],
    replace_old: bool,
    as_json: bool,
) -> None:
    """Fetch several published datasets, each under its own name, and print what came of it; as
    JSON, an array."""
    catalog, found = Catalog(workspace), []
    for about in sources:
        if about.name in catalog.names() and not replace_old:
            found.append({"name": about.name, "exists": True})
            if not as_json:
                console.print(f"{about.name}: exists already", markup=False)
            continue
        with progress_bar(as_json) as progress:
            read = fetch_dataset(about.name, workspace, progress, **split)
        catalog.add(read.dataset, read.report, replace=replace_old)
        found.append(import_values(read))
        if not as_json:
            print_import(read, as_json)
    if as_json:
        print_json(found)


@data_app.command()
@plain_errors
def show(name: Name, as_json: AsJson = False) -> None:
    """Show the contents of a dataset, the agreement of its labels, and its import report."""
    from capo_core.stats.agreement import alpha_metric, alpha_sentence, overall_agreement

    catalog = Catalog(Workspace.default())
    dataset, report = catalog.load(name), catalog.report(name)
    about = description(dataset, catalog.entry(name))
    alpha, raw = overall_agreement(dataset)
    metric = alpha_metric(dataset.task.scale.ordinal)
    about["agreement"] = {
        "krippendorff_alpha": {**alpha.to_dict(), "metric": metric},
        "raw_agreement": raw.to_dict(),
    }
    if report is not None:
        about["import"] = report.to_dict()
    if as_json:
        print_json(about)
        return
    print_entry(catalog.entry(name))
    shown, more = first_of(dataset.annotators)
    uses = {annotator: about["labels"][annotator] for annotator in shown}
    if about["crowd"]:
        given = dataset.crowd.groupby("label")["count"].sum()
        uses[f"(crowd, {count(about['crowd'], 'item')})"] = given.astype(int).to_dict()
    _print_label_uses(uses, dataset.task.scale.labels)
    if more:
        console.print(more, markup=False)
    if len(dataset.annotators) > 1:
        print_results(Provenance.of(dataset), alpha_sentence(alpha, metric))
    for note in report.notes if report else ():
        console.print(f"  {note}", markup=False)


def _print_label_uses(uses: Mapping[str, Mapping[str, int]], labels: Sequence[str]) -> None:
    """Print a row for each annotator with the number of each label; where the labels are too many
    or too long for columns, a line for each annotator with the most frequent ones."""
    table = Table("annotator", box=None)
    for label in labels:
        table.add_column(label, justify="right")
    for name, counts in uses.items():
        table.add_row(name, *(f"{counts.get(label, 0):,}" for label in labels))
    unlimited = console.options.update(max_width=100_000)
    if Measurement.get(console, unlimited, table).maximum <= console.width:
        console.print(table, markup=False)
        return
    for name, counts in uses.items():
        used = sorted((label for label in labels if counts.get(label)), key=lambda x: -counts[x])
        text = name_list([f"{counts[label]:,} × {label}" for label in used], most=MOST_SHOWN)
        console.print(f" {name}: {text}", markup=False)


@data_app.command("split")
@plain_errors
def split_dataset(
    name: Name,
    shares: Shares = "paper",
    seed: Seed = 0,
    to: Annotated[
        str, typer.Option("--as", help="Name of the new dataset (default: NAME-seed-SEED).")
    ] = "",
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Split this dataset anew instead of a copy.")
    ] = False,
    replace_old: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Split the items of a dataset at random into training, validation and test.

    Items with the same texts stay together. Runs of another split of the same data are not
    compared with those of the new one; with --in-place they are listed.
    """
    if to and in_place:
        raise ConfigError("--as and --in-place exclude each other", expected="at most one of them")
    entry, dataset, affected = Catalog(Workspace.default()).resplit(
        name,
        parse_shares(shares),
        seed,
        to=name if in_place else to or f"{name}-seed-{seed}",
        replace=replace_old or in_place,
    )
    if as_json:
        sizes = dataset.items["split"].value_counts().to_dict()
        print_json(entry.to_dict() | {"splits": sizes, "seed": seed, "other_split": affected})
        return
    print_entry(entry)
    console.print(f"  {split_sizes(dataset)} (random, seed {seed})", markup=False)
    for problem in split_problems(dataset):
        console.print(f"  note: {problem}", markup=False)
    if affected:
        console.print(
            f"  note: {count(len(affected), 'run')} of the former split cannot be continued or "
            f"compared with new ones: {name_list(affected)}",
            markup=False,
        )


@data_app.command("export")
@plain_errors
def export_dataset(
    name: Name,
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[
        str,
        typer.Option(
            help="One of csv, jsonl, parquet (default: by the file's suffix), or for a tool: "
            f"{', '.join(TOOL_EXPORTS)}."
        ),
    ] = "",
    excel: Annotated[
        bool, typer.Option("--excel", help="Begin a CSV with a byte-order mark, for Excel.")
    ] = False,
    crowd: Annotated[
        bool,
        typer.Option("--crowd", help="Export the crowd counts alone, with one row per item."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Export a dataset to a file with one row per annotation, or to an annotation tool.

    A dataset of crowd counts alone is exported with one row per item.
    """
    if not format:
        check_ending(out, tuple(_SUFFIXES), "a dataset", bare=True)
    chosen = format or _SUFFIXES.get(out.suffix.lower(), "csv")
    if excel and chosen != "csv":
        raise ConfigError("--excel is for CSV", expected="--format csv")
    if crowd and chosen in TOOL_EXPORTS:
        raise ConfigError("a tool takes no crowd counts", expected="csv, jsonl or parquet")
    dataset = Catalog(Workspace.default()).load(name)
    if chosen in TOOL_EXPORTS:
        export_to_tool(dataset, out, chosen)
    else:
        export(dataset, out, chosen, excel=excel, crowd=crowd)
    of_crowd = crowd or not len(dataset.annotations)
    counted = 0 if dataset.crowd is None else int(dataset.crowd["item_id"].nunique())
    summary = {
        "name": name,
        "path": str(out),
        "format": chosen,
        **({"items": counted} if of_crowd else {"annotations": len(dataset.annotations)}),
        "fingerprint": dataset.fingerprint,
    }
    written = (
        f"crowd counts of {count(counted, 'item')}"
        if of_crowd
        else count(len(dataset.annotations), "annotation")
    )
    if as_json:
        print_json(summary)
    else:
        console.print(f"{written} written to {out}", markup=False)


@data_app.command(cls=ManyValues)
@renamed("--manner", "--style")
@plain_errors
@with_options(SimulationConfig, without=("specs", "name"))
def simulate(
    name: Annotated[str, typer.Option(help="Name of the dataset.")],
    given: dict[str, Any],
    replace_old: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Simulate annotators whose differences are known, to check that a measure finds them."""
    config = SimulationConfig(**given)
    with progress_bar(as_json) as progress:
        simulation = run(config, progress)
    dataset = replace(simulation.dataset, name=name)
    entry = Catalog(Workspace.default()).add(dataset, replace=replace_old)
    print_result(entry, as_json)


@data_app.command()
@plain_errors
def remove(name: Name, as_json: AsJson = False) -> None:
    """Delete a dataset from the workspace permanently."""
    Catalog(Workspace.default()).remove(name)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        console.print(f"{name} removed", markup=False)


def task_of(task: str, nominal: str, ordinal: str) -> Task | None:
    """Return the task given by the options; None to infer it.

    Raises:
        ConfigError: an unknown task, or more than one of the three options.
    """
    if sum((task != "auto", bool(nominal), bool(ordinal))) > 1:
        raise ConfigError(
            "--task, --labels and --ordinal exclude each other", expected="at most one of them"
        )
    if nominal or ordinal:
        scale = (
            label_scales.nominal_scale(nominal) if nominal else label_scales.ordinal_scale(ordinal)
        )
        return Task("annotation", scale)
    if task != "auto" and task not in _TASKS:
        raise ConfigError(f"the task {task!r} is not known", expected="nli, paraphrase or auto")
    return _TASKS.get(task)
