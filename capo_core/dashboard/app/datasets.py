"""Queries on datasets for the pages, without Streamlit."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from capo_core.data.catalog import Catalog, Entry
from capo_core.data.export import SUFFIX
from capo_core.dataset import Dataset
from capo_core.formatting import count
from capo_core.provenance import UNKNOWN, Provenance
from capo_core.workspace import Workspace, atomic_file, safe_name

DEFAULT_DATASET = "demo-nli"


def entries(workspace: Workspace) -> list[Entry]:
    """Return all datasets, imported ones before built-in ones, each group by name."""
    return sorted(Catalog(workspace).entries(), key=lambda entry: (entry.shipped, entry.name))


def first_choice(names: Iterable[str]) -> str:
    """Return the dataset to show first: the demo, if it exists."""
    names = list(names)
    return DEFAULT_DATASET if DEFAULT_DATASET in names else names[0]


def summary(entry: Entry) -> str:
    """Return "500 items, 4 annotators, 1,933 annotations"."""
    return ", ".join(
        (
            count(entry.items, "item"),
            count(entry.annotators, "annotator"),
            count(entry.annotations, "annotation"),
        )
    )


def provenance(entry: Entry | None) -> Provenance:
    """Return the provenance of what a page shows of a dataset."""
    if entry is None:
        return Provenance("", "", UNKNOWN)
    sizes = (entry.items, entry.annotators, entry.annotations)
    n = tuple(zip(("item", "annotator", "annotation"), sizes, strict=True))
    return Provenance.of(entry, n=n)


def free_name(stem: str, taken: Iterable[str]) -> str:
    """Return a valid and unused name for a new dataset, made from a file's name."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in stem)
    base = kept.strip("._-")[:70] or "dataset"
    taken = set(taken)
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return safe_name(name)


def splits(dataset: Dataset) -> pd.DataFrame:
    """Return the size of each split that is not empty: columns split, items, annotations."""
    split_of = dataset.items.set_index("item_id")["split"]
    of_annotations = dataset.annotations["item_id"].map(split_of)
    rows = [
        {
            "split": split,
            "items": int((split_of == split).sum()),
            "annotations": int((of_annotations == split).sum()),
        }
        for split in ("train", "validation", "test")
    ]
    frame = pd.DataFrame(rows)
    return frame[frame["items"] > 0].reset_index(drop=True)


def per_annotator(dataset: Dataset) -> pd.DataFrame:
    """Return annotations, items and non-empty explanations of each annotator."""
    grouped = dataset.annotations.groupby("annotator_id", sort=False)
    given = dataset.annotations[dataset.annotations["explanation"].str.strip() != ""]
    frame = pd.DataFrame(
        {
            "annotations": grouped.size(),
            "items": grouped["item_id"].nunique(),
            "explanations": given.groupby("annotator_id").size(),
        }
    )
    frame = frame.reindex(list(dataset.annotators)).fillna(0).astype(int)
    return frame.rename_axis("annotator_id").reset_index()


def crowd_labels(dataset: Dataset, item_id: str = "") -> pd.DataFrame:
    """Return label, count and share of the crowd counts, in the order of the scale.

    Args:
        item_id: only of this item; "" for all.

    Returns: no rows where there are no crowd counts.
    """
    crowd = dataset.crowd
    if crowd is not None and item_id:
        crowd = crowd[crowd["item_id"] == item_id]
    if crowd is None or not len(crowd):
        return pd.DataFrame(columns=["label", "count", "share"])
    counts = crowd.groupby("label")["count"].sum().reindex(dataset.task.scale.labels, fill_value=0)
    frame = counts.rename_axis("label").rename("count").reset_index()
    return frame.assign(share=frame["count"] / frame["count"].sum())


def crowd_sentence(dataset: Dataset, item_id: str) -> str:
    """Return the crowd counts of an item, "Crowd: yes 60, no 40."; "" where there are none."""
    rows = crowd_labels(dataset, item_id).itertuples()
    given = ", ".join(f"{row.label} {row.count:,}" for row in rows)
    return f"Crowd: {given}." if given else ""


def save_uploads(workspace: Workspace, files: Sequence[tuple[str, bytes]]) -> Path:
    """Write uploaded files into one folder, where the importer can read them.

    Returns:
        The data file: the largest that is no description. Its description (x.capo.json, LeWiDi's
        metadata) is beside it and found by name.
    """
    digest = hashlib.sha256()
    for name, content in files:
        digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogatepass"))
        digest.update(content)
    folder = workspace.cache / "uploads" / digest.hexdigest()[:16]
    for name, content in files:
        with atomic_file(folder / _file_name(name)) as file:
            file.write(content)
    main = max(files, key=lambda pair: (not pair[0].endswith(SUFFIX), len(pair[1])))
    return folder / _file_name(main[0])


def _file_name(name: str) -> str:
    """Return the uploaded file's name without anything that could point to another folder."""
    kept = "".join(c if c.isalnum() or c in "._- " else "_" for c in Path(name).name)
    return kept.strip(". ")[-100:] or "upload"


def exported(workspace: Workspace, name: str, format_: str, *, crowd: bool = False) -> bytes:
    """Return a dataset, or its crowd counts alone, as the bytes of a file (csv, jsonl, parquet)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.{format_}"
        Catalog(workspace).export(name, path, format_, crowd=crowd)
        return path.read_bytes()
