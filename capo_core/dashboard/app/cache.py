"""What is kept in memory between clicks, by the fingerprint of what it was made from.

Datasets and reports are frozen and never changed in place, so every session may share one object
(`cache_resource`: no copy at each click). Nothing that belongs to one person is kept here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from capo_core.dashboard.stability import jobs
from capo_core.dashboard.ui import item_html
from capo_core.data.catalog import Catalog, Entry
from capo_core.data.columns import ColumnMapping
from capo_core.data.formats.registry import format_of
from capo_core.data.importing import ImportResult, read_dataset
from capo_core.data.readers.table import RawTable, open_source, table_of
from capo_core.dataset import Dataset
from capo_core.task import Task
from capo_core.workspace import Workspace

if TYPE_CHECKING:  # loading these takes seconds, which a page without a report need not wait
    from capo_core.stability.annotator_profiles import AnnotatorProfile
    from capo_core.stability.calibration import Calibration, CalibrationConfig
    from capo_core.stability.evidence import Evidence
    from capo_core.stability.report import StabilityReport
    from capo_core.stability.store import SavedReport


def dataset(workspace: Workspace, entry: Entry) -> Dataset:
    return _dataset(workspace.root, entry.name, entry.fingerprint)


@st.cache_resource(max_entries=8, show_spinner="Reading the dataset …")
def _dataset(root: Path, name: str, fingerprint: str) -> Dataset:
    return Catalog(Workspace(root)).load(name)


def item_ids(data: Dataset, wanted: item_html.Filter) -> list[str]:
    return _item_ids(data, data.fingerprint, wanted)


@st.cache_resource(max_entries=256, show_spinner=False)
def _item_ids(_data: Dataset, fingerprint: str, wanted: item_html.Filter) -> list[str]:
    return item_html.item_ids(_data, wanted)


@st.cache_resource(max_entries=8, show_spinner=False)
def _items_by_id(_data: Dataset, fingerprint: str) -> pd.DataFrame:
    return _data.items.set_index("item_id")


def items_by_id(data: Dataset) -> pd.DataFrame:
    """Items indexed by item_id; shared, not to be changed."""
    return _items_by_id(data, data.fingerprint)


@st.cache_resource(max_entries=8, show_spinner=False)
def _annotations_by_id(_data: Dataset, fingerprint: str) -> pd.DataFrame:
    return _data.annotations.set_index("annotation_id")


def annotations_by_id(data: Dataset) -> pd.DataFrame:
    """Annotations indexed by annotation_id; shared, not to be changed."""
    return _annotations_by_id(data, data.fingerprint)


def raw_table(path: Path, format_: str) -> RawTable | None:
    """The table of an uploaded file; None where its format needs no mapping."""
    return _raw_table(path, path.stat().st_mtime_ns, format_)


@st.cache_resource(max_entries=4, show_spinner="Reading the file …")
def _raw_table(path: Path, stamp: int, format_: str) -> RawTable | None:
    source = open_source(path)
    return table_of(source) if format_of(format_, source).needs_mapping else None


def read(
    path: Path, name: str, format_: str, mapping: ColumnMapping | None, task: Task | None
) -> ImportResult:
    """The import of an uploaded file, as it would be added."""
    return _read(path, path.stat().st_mtime_ns, name, format_, mapping, task)


@st.cache_resource(max_entries=4, show_spinner="Checking every row …")
def _read(path: Path, stamp: int, name: str, format_: str, mapping, task) -> ImportResult:
    return read_dataset(path, name=name, format=format_, mapping=mapping, task=task)


def kept_reports(workspace: Workspace, entry: Entry) -> list[SavedReport]:
    """The reports that lie there for this content, the most complete first, then the newest."""
    from capo_core.stability import store

    folder = workspace.reports / entry.fingerprint[:16]
    stamps = tuple(sorted((str(p), p.stat().st_mtime_ns) for p in folder.glob("*/report.json")))
    return _kept(workspace.root, entry.fingerprint, stamps, store.saved_reports) if stamps else []


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept(root: Path, fingerprint: str, stamps: tuple, _find) -> list[SavedReport]:
    return sorted(_find(fingerprint, Workspace(root)), key=lambda kept: -jobs.size(kept.config))


def best_report(workspace: Workspace, entry: Entry) -> StabilityReport | None:
    """The most complete report of the dataset, or None."""
    kept = kept_reports(workspace, entry)
    return report(workspace, entry, kept[0]) if kept else None


def report(workspace: Workspace, entry: Entry, kept: SavedReport) -> StabilityReport | None:
    stamp = (kept.folder / "report.json").stat().st_mtime_ns
    return _report(workspace.root, entry.fingerprint, kept.config, kept.folder.name, stamp)


@st.cache_resource(max_entries=8, show_spinner="Reading the report …")
def _report(root: Path, fingerprint: str, _config, key: str, stamp: int) -> StabilityReport | None:
    from capo_core.stability import store

    return store.load(fingerprint, _config, Workspace(root))


def groups(kept: SavedReport, representation: str, reduction: str, k: int) -> pd.DataFrame:
    """The explanations behind a point; empty where the evidence is not there any more."""
    path = kept.folder / "evidence.npz"
    if not path.exists():
        return pd.DataFrame(columns=["group", "annotator_id", "annotation_id"])
    return _groups(path, path.stat().st_mtime_ns, representation, reduction, k)


@st.cache_resource(max_entries=64, show_spinner=False)
def _groups(path: Path, stamp: int, representation: str, reduction: str, k: int) -> pd.DataFrame:
    return _evidence(path, stamp).groups(representation, reduction, k)


@st.cache_resource(max_entries=4, show_spinner="Reading the evidence …")
def _evidence(path: Path, stamp: int) -> Evidence:
    from capo_core.stability.evidence import Evidence

    return Evidence.load(path)


def cards(workspace: Workspace, entry: Entry) -> tuple[AnnotatorProfile, ...]:
    """The annotators' cards: the report's where there is one, else made now."""
    found = best_report(workspace, entry)
    if found is not None and found.profiles:
        return found.profiles
    data = dataset(workspace, entry)
    return _cards(data, data.fingerprint)


@st.cache_resource(max_entries=8, show_spinner="Reading the annotators' explanations …")
def _cards(_data: Dataset, fingerprint: str) -> tuple[AnnotatorProfile, ...]:
    from capo_core.stability import annotator_profiles

    return tuple(annotator_profiles.annotator_profiles(_data))


def phrases(workspace: Workspace, entry: Entry) -> pd.DataFrame:
    """Phrases that set each annotator apart; shared, not to be changed."""
    found = best_report(workspace, entry)
    if found is not None and not found.config.raw:
        return found.distinctive.frame
    data = dataset(workspace, entry)
    return _phrases(data, data.fingerprint)


@st.cache_resource(max_entries=8, show_spinner="Counting phrases …")
def _phrases(_data: Dataset, fingerprint: str) -> pd.DataFrame:
    from capo_core.stability import phrases as stability_phrases

    return stability_phrases.distinctive_phrases(_data)


def phrases_of_two(data: Dataset, first: str, second: str) -> pd.DataFrame:
    """What two annotators say differently, each compared with the other alone."""
    return _phrases_of_two(data, data.fingerprint, *sorted((first, second)))


@st.cache_resource(max_entries=64, show_spinner="Comparing their phrases …")
def _phrases_of_two(_data: Dataset, fingerprint: str, first: str, second: str) -> pd.DataFrame:
    from capo_core.stability import phrases as stability_phrases

    both = _data.annotations["annotator_id"].isin([first, second])
    return stability_phrases.distinctive_phrases(
        replace(_data, annotations=_data.annotations[both])
    )


def with_phrase(data: Dataset, phrase: str) -> tuple[str, ...]:
    """The annotations counted for a phrase in the tables of phrases."""
    return _with_phrase(data, data.fingerprint, phrase)


@st.cache_resource(max_entries=256, show_spinner=False)
def _with_phrase(_data: Dataset, fingerprint: str, phrase: str) -> tuple[str, ...]:
    from capo_core.stability import phrases as stability_phrases

    return stability_phrases.find_phrase(_data, phrase, without_input=True)


def calibration(workspace: Workspace, config: CalibrationConfig) -> Calibration | None:
    """The kept calibration of this configuration, or None."""
    from capo_core.stability import store

    path = store.calibration_path(config, workspace)
    stamp = path.stat().st_mtime_ns if path.exists() else None
    return None if stamp is None else _calibration(workspace.root, config, stamp)


@st.cache_resource(max_entries=8, show_spinner=False)
def _calibration(root: Path, config: CalibrationConfig, stamp: int) -> Calibration | None:
    from capo_core.stability import store

    return store.load_calibration(config, Workspace(root))
