"""What the page of methods keeps in memory between clicks (see `cache`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from capo_core.dataset import Dataset
from capo_core.workspace import Workspace, content_hash

if TYPE_CHECKING:  # loading these takes seconds, which a page without a comparison need not wait
    from capo_core.dashboard.compare.answers import Answers, Case, Manner
    from capo_core.evaluation.report import EvaluationReport
    from capo_core.evaluation.retention import Retention


def report(path: Path) -> EvaluationReport:
    """Return a stored report; `DataError` where it cannot be read."""
    return _report(path, path.stat().st_mtime_ns)


@st.cache_resource(max_entries=8, show_spinner="Loading scores …")
def _report(path: Path, stamp: int) -> EvaluationReport:
    from capo_core.evaluation import report as reports

    return reports.load(path)


def answers(workspace: Workspace, dataset: Dataset, names: tuple[str, ...]) -> Answers:
    """The answers of these runs, attributed."""
    folders = tuple(workspace.runs / name for name in names)
    stamps = tuple((folder / "result.json").stat().st_mtime_ns for folder in folders)
    return _answers(dataset, dataset.fingerprint, folders, stamps, workspace.cache)


@st.cache_resource(max_entries=4, show_spinner="Loading answers …")
def _answers(
    _dataset: Dataset, fingerprint: str, folders: tuple[Path, ...], stamps: tuple, _cache: Path
) -> Answers:
    from capo_core.dashboard.compare import answers as compare_answers

    names = [folder.name for folder in folders]
    keep = _cache / "answers" / f"{content_hash(fingerprint, names, stamps)[:24]}.parquet"
    return compare_answers.kept(_dataset, folders, keep, cache=_cache)


def labels(dataset: Dataset) -> dict[Case, frozenset[str]]:
    """The labels that each annotator gave each item."""
    return _labels(dataset, dataset.fingerprint)


@st.cache_resource(max_entries=8, show_spinner=False)
def _labels(_dataset: Dataset, fingerprint: str) -> dict[Case, frozenset[str]]:
    from capo_core.evaluation.measures.labels import own_labels

    items = tuple(_dataset.items["item_id"])
    return {
        (item, annotator): given
        for annotator in _dataset.annotators
        for item, given in zip(items, own_labels(_dataset, items, annotator), strict=True)
        if given
    }


def manner(dataset: Dataset, answers: Answers, names: tuple[str, ...], target: str) -> Manner:
    """Return the style features of a target's own texts and of each method's."""
    return _manner(dataset, dataset.fingerprint, answers, names, target)


@st.cache_resource(max_entries=32, show_spinner="Computing style features …")
def _manner(_dataset: Dataset, fingerprint: str, _answers, names: tuple, target: str) -> Manner:
    from capo_core.dashboard.compare import answers as compare_answers

    return compare_answers.manner(_dataset, _answers, target)


def retention(folder: Path) -> Retention:
    """Return the result of a finished retention run; `DataError` where it cannot be read."""
    return _retention(folder, (folder / "result.json").stat().st_mtime_ns)


@st.cache_resource(max_entries=16, show_spinner=False)
def _retention(folder: Path, stamp: int) -> Retention:
    from capo_core.evaluation import retention as kept

    return kept.load(folder)
