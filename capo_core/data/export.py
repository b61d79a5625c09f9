"""Export of a dataset to CSV, JSON Lines or Parquet, from which an import restores it exactly.

A flat table cannot hold the task, crowd counts and items without annotations. These go into a
sidecar: beside `x.csv` or `x.jsonl` a JSON file `x.csv.capo.json`, in Parquet the schema metadata.
An import without the sidecar infers the task as for any other file. Crowd counts alone have a
table of their own, with a row for each item.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from capo_core.data.column_names import SYNONYMS, normalised_name
from capo_core.data.limits import read_bytes
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.readers.table import RawTable
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError, DataError
from capo_core.export_formats import csv_text, for_excel, frame_lines, unescape
from capo_core.json_text import json_line, json_text
from capo_core.provenance import NAME, Provenance
from capo_core.schema import CROWD, ITEMS
from capo_core.task import Task
from capo_core.workspace import atomic_file

SUFFIX = ".capo.json"
KEY = b"capo"  # in the schema metadata of Parquet
CROWD_FIELD = "label_counter"  # as in ChaosNLI
# The columns of an export, in this order, before its provenance; a CSV with exactly these was
# written by `escape`.
COLUMNS = [
    "annotation_id",
    "item_id",
    "annotator_id",
    "label",
    "explanation",
    "valid",
    "text_a",
    "text_b",
    "split",
]


@dataclass(frozen=True)
class Sidecar:
    """The parts of a dataset that a flat table does not hold."""

    task: Task | None = None
    crowd: pd.DataFrame | None = None
    items: pd.DataFrame | None = None
    origin: str = ""
    simulated: bool = False

    def complete(self, raw: RawAnnotations) -> RawAnnotations:
        """Return the annotations with what the sidecar holds."""
        return replace(
            raw,
            task=self.task or raw.task,
            crowd=self.crowd if self.crowd is not None else raw.crowd,
            items=self.items if self.items is not None else raw.items,
            origin=self.origin or raw.origin,
        )


def provenance_of(dataset: Dataset, *, crowd: bool = False) -> Provenance:
    """Return the provenance of an export of a dataset itself.

    Args:
        crowd: of its crowd counts alone; always so where there is no annotation.
    """
    if dataset.crowd is not None and (crowd or not len(dataset.annotations)):
        counts = dataset.crowd
        n = (("item", counts["item_id"].nunique()), ("crowd label", int(counts["count"].sum())))
        return Provenance.of(dataset, n=n)
    sizes = (len(dataset.items), len(dataset.annotators), len(dataset.annotations))
    n = tuple(zip(("item", "annotator", "annotation"), sizes, strict=True))
    return Provenance.of(dataset, n=n)


def sidecar_text(dataset: Dataset, provenance: Provenance | None = None) -> str:
    """Return the sidecar of an export of `dataset`, as JSON."""
    bare = dataset.items[~dataset.items["item_id"].isin(dataset.annotations["item_id"])]
    value = {
        "written_by": "capo_core",
        **({NAME: provenance.to_dict()} if provenance is not None else {}),
        "task": dataset.task.to_dict(),
        "origin": dataset.origin,
        "simulated": dataset.simulated,
        "fingerprint": dataset.fingerprint,
        "items_without_annotation": bare.to_dict("records"),
        "crowd": None if dataset.crowd is None else dataset.crowd.to_dict("list"),
    }
    return json_text(value, indent=1)


def find_sidecar(path: Path, metadata: Mapping[bytes, bytes], notes: list[str]) -> Sidecar:
    """Return the sidecar of a file; an empty one if there is none or it cannot be used.

    Args:
        metadata: of a Parquet file's schema.
    """
    beside = path.with_name(path.name + SUFFIX)
    text = metadata.get(KEY)
    if text is None and not beside.is_file():
        return Sidecar()
    where = "the file's metadata" if text is not None else beside.name
    try:
        result = parse_sidecar((text if text is not None else read_bytes(beside)).decode("utf-8"))
    except (ValueError, KeyError, TypeError, AttributeError, CapoError) as error:
        notes.append(f"{where} could not be used, so the task is inferred ({error})")
        return Sidecar()
    notes.append(f"the task was taken from {where}")
    return result


def parse_sidecar(text: str) -> Sidecar:
    """Return the sidecar in JSON; raise ValueError, KeyError or TypeError if invalid."""
    value = json.loads(text)
    crowd, items = value.get("crowd"), value.get("items_without_annotation") or []
    return Sidecar(
        task=Task.from_dict(value["task"]),
        crowd=None if not crowd else pd.DataFrame(crowd, columns=CROWD.names),
        items=pd.DataFrame(items, columns=ITEMS.names, dtype=object) if items else None,
        origin=str(value.get("origin", "")),
        simulated=value.get("simulated") is True,
    )


def unescaped(raw: RawTable, notes: list[str]) -> RawTable:
    """Return an exported CSV without the apostrophes of `escape`; any other table unchanged."""
    if raw.kind not in ("csv", "excel") or list(raw.frame.columns) != COLUMNS:
        return raw
    frame = raw.frame.map(unescape)
    changed = int((frame != raw.frame).to_numpy().sum())
    if changed:
        notes.append(f"{changed} apostrophes that protect from spreadsheet formulas were removed")
    return replace(raw, frame=frame)


EXPORT_FORMATS = ("csv", "jsonl", "parquet")


def long_table(dataset: Dataset) -> pd.DataFrame:
    """Return one row per annotation, with its item's texts: columns `COLUMNS`."""
    return dataset.annotations.merge(dataset.items, on="item_id", how="left")[COLUMNS]


def text_fields(task: Task) -> tuple[str, str]:
    """Return the names of an item's texts in files with a record for each item, which their
    readers find again."""
    named = []
    for role, key in ((task.role_a, "text_a"), (task.role_b, "text_b")):
        name = normalised_name(role)
        named.append(name if name in SYNONYMS[key] else key)
    return ("text" if not task.role_b else named[0], named[1])


def crowd_table(dataset: Dataset) -> pd.DataFrame:
    """Return one row per item with crowd counts: item_id, its texts, split, and `CROWD_FIELD` as
    an object label → number of people.

    Raises:
        DataError: the dataset has no crowd counts.
    """
    if dataset.crowd is None or not len(dataset.crowd):
        raise DataError(f"{dataset.name} has no crowd counts")
    counts: dict[str, dict[str, int]] = {}
    for row in dataset.crowd.itertuples(index=False):
        counts.setdefault(row.item_id, {})[row.label] = int(row.count)
    items = dataset.items[dataset.items["item_id"].isin(counts)]
    first, second = text_fields(dataset.task)
    texts = {first: items["text_a"]}
    if dataset.task.role_b or items["text_b"].any():
        texts[second] = items["text_b"]
    frame = pd.DataFrame({"item_id": items["item_id"], **texts, "split": items["split"]})
    return frame.assign(**{CROWD_FIELD: [counts[item] for item in items["item_id"]]})


def export(
    dataset: Dataset,
    path: Path | str,
    format: str = "csv",
    *,
    excel: bool = False,
    crowd: bool = False,
) -> Path:
    """Write `dataset` in long form; CSV and JSONL with a sidecar `….capo.json`.

    A dataset of crowd counts alone has one row per item, with an object of labels and counts.

    In CSV, cells that a spreadsheet would take for a formula begin with an apostrophe, which an
    import removes again. JSONL and Parquet hold the texts as they are. The last column, provenance,
    is read and left out by an import.

    Args:
        excel: begin a CSV with a byte-order mark, without which Excel misreads other letters.
        crowd: write the crowd counts alone, also of a dataset with annotations.

    Raises:
        ConfigError: an unknown format. DataError: the file cannot be written, or there are no
            crowd counts where they are asked for.
    """
    path = Path(path)
    if format not in EXPORT_FORMATS:
        raise ConfigError(f"the format {format!r} is not known", expected=", ".join(EXPORT_FORMATS))
    if path.is_dir():
        raise DataError(
            "this is a folder, not a file", where=str(path), todo="choose a file name in it"
        )
    crowd = crowd or not len(dataset.annotations)
    provenance = provenance_of(dataset, crowd=crowd)  # of the whole dataset, which it names
    if crowd:
        dataset = replace(dataset, annotations=dataset.annotations.iloc[:0])
    frame = crowd_table(dataset) if crowd else long_table(dataset)
    if crowd and format != "jsonl":
        frame = frame.assign(**{CROWD_FIELD: frame[CROWD_FIELD].map(json_line)})
    beside = sidecar_text(dataset, provenance)
    try:
        if format == "parquet":
            frame = frame.astype(object).assign(**{NAME: provenance.line})
            table = pa.Table.from_pandas(frame, preserve_index=False)
            table = table.replace_schema_metadata({KEY: beside.encode("utf-8")})
            with atomic_file(path) as file:
                pq.write_table(table, file)
            return path
        text = (csv_text if format == "csv" else frame_lines)(frame, provenance)
        if excel and format == "csv":
            text = for_excel(text)
        for target, content in ((path.with_name(path.name + SUFFIX), beside), (path, text)):
            with atomic_file(target) as file:
                file.write(content.encode("utf-8"))
    except OSError as error:
        raise DataError(
            f"the file cannot be written ({error.strerror or error})", where=str(path)
        ) from None
    return path
