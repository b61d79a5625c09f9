"""Objects that all sessions share between reruns: datasets, their indexes, and previews of imports.

They are frozen and never changed in place, so that every session gets the same object
(`cache_resource` makes no copy). Nothing that belongs to one person is cached here. The caches of
reports and of annotators are in `stability.cache` and `annotators.cache`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from capo_core.dashboard.ui import item_html
from capo_core.data.catalog import Catalog, Entry
from capo_core.data.columns import ColumnMapping
from capo_core.data.formats.base import ReadOptions
from capo_core.data.formats.esnli import PLACES
from capo_core.data.formats.registry import format_of
from capo_core.data.importing import ImportResult, read_dataset
from capo_core.data.readers.table import RawTable, open_source, table_of
from capo_core.data.splits import Shares
from capo_core.dataset import Dataset
from capo_core.task import Task
from capo_core.workspace import Workspace

# Type → the part of an argument that identifies it in a cache.
HASH_FUNCS: dict[type | str, Any] = {
    Workspace: lambda workspace: str(workspace.root),
    Entry: lambda entry: (entry.name, entry.fingerprint),
    Dataset: lambda dataset: dataset.fingerprint,
}
# A file is read again when it was written again.
_FILE_HASH_FUNCS: dict[type | str, Any] = {
    type(Path()): lambda path: (str(path), path.stat().st_mtime_ns)
}


@st.cache_resource(max_entries=8, show_spinner="Reading the dataset …", hash_funcs=HASH_FUNCS)
def dataset(workspace: Workspace, entry: Entry) -> Dataset:
    """Return the dataset of `entry`."""
    return Catalog(workspace).load(entry.name)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASH_FUNCS)
def annotators_are_places(workspace: Workspace, entry: Entry) -> bool:
    """Return whether the import noted that the annotators are places and not people."""
    report = Catalog(workspace).report(entry.name)
    return report is not None and any(PLACES in note for note in report.notes)


@st.cache_resource(max_entries=64, show_spinner="Computing agreement …", hash_funcs=HASH_FUNCS)
def alpha(data: Dataset) -> str:
    """Return Krippendorff's alpha of the labels in one sentence; "" where nobody could agree."""
    from capo_core.stats.agreement import alpha_metric, alpha_sentence, overall_agreement

    if len(data.annotators) < 2:
        return ""
    return alpha_sentence(overall_agreement(data)[0], alpha_metric(data.task.scale.ordinal))


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs=HASH_FUNCS)
def item_ids(data: Dataset, wanted: item_html.Filter) -> list[str]:
    """Return the items that pass a filter; shared, not to be changed."""
    return item_html.item_ids(data, wanted)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=HASH_FUNCS)
def items_by_id(data: Dataset) -> pd.DataFrame:
    """Return the items indexed by item_id; shared, not to be changed."""
    return data.items.set_index("item_id")


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=HASH_FUNCS)
def annotations_by_id(data: Dataset) -> pd.DataFrame:
    """Return the annotations indexed by annotation_id; shared, not to be changed."""
    return data.annotations.set_index("annotation_id")


@st.cache_resource(max_entries=4, show_spinner="Reading the file …", hash_funcs=_FILE_HASH_FUNCS)
def raw_table(
    path: Path,
    format_: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> RawTable | None:
    """Return the table of an uploaded file; None if its format needs no mapping."""
    source = open_source(path, encoding=encoding)
    if not format_of(format_, source).needs_mapping:
        return None
    return table_of(source, delimiter=delimiter, sheet=sheet)


@st.cache_resource(max_entries=4, show_spinner="Reading the file …", hash_funcs=_FILE_HASH_FUNCS)
def tool_fields(path: Path, format_: str, *, encoding: str | None = None) -> dict[str, list[str]]:
    """Return role → fields that can have it, of a tool's export; {} where there is no choice."""
    source = open_source(path, encoding=encoding)
    found = format_of(format_, source)
    return found.fields(source, ReadOptions(path)) if found.fields else {}


@st.cache_resource(max_entries=4, show_spinner="Checking every row …", hash_funcs=_FILE_HASH_FUNCS)
def read(
    paths: tuple[Path, ...],
    name: str,
    format_: str,
    mapping: ColumnMapping | None,
    task: Task | None,
    label_sets: str = "",
    parts: tuple[str, ...] | None = None,
    annotators: tuple[str, ...] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    shares: Shares | None = None,
    seed: int = 0,
    pseudonyms: bool = False,
) -> ImportResult:
    """Return the import of uploaded files, as it would be added."""
    return read_dataset(
        paths,
        name=name,
        format=format_,
        mapping=mapping,
        task=task,
        label_sets=label_sets,
        parts=parts,
        annotators=annotators,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        shares=shares,
        seed=seed,
        pseudonyms=pseudonyms,
    )
