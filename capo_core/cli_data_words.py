"""What the data commands print, for people and as JSON."""

from __future__ import annotations

from capo_core.cli_support import console, print_json
from capo_core.data.catalog import Entry
from capo_core.data.importing import Import
from capo_core.dataset import Dataset


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


def tell_result(entry: Entry, as_json: bool) -> None:
    if as_json:
        print_json(entry.to_dict())
    else:
        tell_entry(entry)


def tell_entry(entry: Entry) -> None:
    console.print(
        f"{entry.name}: {entry.task}, {entry.items:,} items, {entry.annotators:,} annotators, "
        f"{entry.annotations:,} annotations; {entry.origin}",
        markup=False,
    )


def tell_import(read: Import, as_json: bool) -> None:
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
