"""Objects of the Compare page that all sessions share between reruns (see `app.cache`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from capo_core.dashboard.app.cache import HASH_FUNCS
from capo_core.dataset import Dataset
from capo_core.workspace import Workspace, content_hash

if TYPE_CHECKING:  # loading these takes seconds, which a page without a comparison need not wait
    from capo_core.dashboard.compare.answers import Answers, Case, Manner
    from capo_core.evaluation.report import EvaluationReport
    from capo_core.evaluation.retention import Retention


# A file is read again when it was written again.
_REPORT_FILE: dict[type | str, Any] = {
    type(Path()): lambda path: (str(path), path.stat().st_mtime_ns)
}
_RUN_FOLDER: dict[type | str, Any] = {
    type(Path()): lambda folder: (str(folder), (folder / "result.json").stat().st_mtime_ns)
}


@st.cache_resource(max_entries=8, show_spinner="Loading scores …", hash_funcs=_REPORT_FILE)
def report(path: Path) -> EvaluationReport:
    """Return a saved report; `DataError` where it cannot be read."""
    from capo_core.evaluation import report as reports

    return reports.load(path)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=_REPORT_FILE)
def sentences(path: Path, target: str) -> list[tuple[str, str]]:
    """Return (topic, sentence) of what a saved report says of an annotator, or of all; `DataError`
    where the report cannot be read. Shared, not to be changed.
    """
    from capo_core.evaluation import summary

    return summary.sentences(report(path), target)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=_REPORT_FILE)
def headline(path: Path, target: str) -> tuple[tuple[str, str], ...]:
    """Return (topic, short sentence) of what comes first in a saved report on a target, or on all:
    imitation, caricature; `DataError` where the report cannot be read."""
    from capo_core.evaluation import summary

    read = report(path)
    found = (summary.brief(read, target), summary.brief_caricature(read, target))
    return tuple((one.topic, summary.titled(one)) for one in found if one is not None)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=_REPORT_FILE)
def brief(path: Path) -> str:
    """Return the finding on imitation of a saved report in one short sentence; "" where there is
    none, or the report cannot be read (the page Compare says so)."""
    from capo_core.errors import CapoError
    from capo_core.evaluation import summary

    try:
        found = summary.brief(report(path))
    except CapoError:
        return ""
    return "" if found is None else summary.titled(found)


def answers(workspace: Workspace, dataset: Dataset, names: tuple[str, ...]) -> Answers:
    """Return the answers of these runs, attributed."""
    folders = tuple(workspace.runs / name for name in names)
    stamps = tuple((folder / "result.json").stat().st_mtime_ns for folder in folders)
    key = content_hash(dataset.fingerprint, [folder.name for folder in folders], stamps)[:24]
    return _answers(dataset, folders, key, workspace.cache)


# Apart from `answers`, since the file that keeps them is named by the same key.
@st.cache_resource(max_entries=4, show_spinner="Loading answers …", hash_funcs=HASH_FUNCS)
def _answers(dataset: Dataset, folders: tuple[Path, ...], key: str, _cache: Path) -> Answers:
    from capo_core.dashboard.compare import answers as compare_answers

    keep = _cache / "answers" / f"{key}.parquet"
    return compare_answers.kept(dataset, folders, keep, cache=_cache)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=HASH_FUNCS)
def labels(dataset: Dataset) -> dict[Case, frozenset[str]]:
    """Return the labels that each annotator gave each item."""
    from capo_core.evaluation.measures.labels import own_labels

    items = tuple(dataset.items["item_id"])
    return {
        (item, annotator): given
        for annotator in dataset.annotators
        for item, given in zip(items, own_labels(dataset, items, annotator), strict=True)
        if given
    }


@st.cache_resource(max_entries=32, show_spinner="Computing style features …", hash_funcs=HASH_FUNCS)
def manner(dataset: Dataset, _answers: Answers, names: tuple[str, ...], target: str) -> Manner:
    """Return style features of a target's own texts and of what methods wrote in their place.

    Args:
        names: the runs of the answers, which identify them.
    """
    from capo_core.dashboard.compare import answers as compare_answers

    return compare_answers.manner(dataset, _answers, target)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=_RUN_FOLDER)
def retention(folder: Path) -> Retention:
    """Return the result of a finished retention run; `DataError` where it cannot be read."""
    from capo_core.evaluation import retention as results

    return results.load(folder)


def runs_of(
    workspace: Workspace, dataset: Dataset, names: tuple[str, ...]
) -> dict[tuple[str, str, str], str]:
    """Return (source, replicate, target) → the run that answered."""
    folders = tuple(workspace.runs / name for name in names)
    return _runs_of(dataset, folders)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={**HASH_FUNCS, **_RUN_FOLDER})
def _runs_of(dataset: Dataset, folders: tuple[Path, ...]) -> dict[tuple[str, str, str], str]:
    from capo_core.evaluation.streams import run_outputs
    from capo_core.run_folder import RunFolder

    found, _ = run_outputs(dataset, [RunFolder(path) for path in folders])
    return {
        (one.source, one.replicate, str(target)): one.where
        for one in found
        for target in one.frame["target_annotator_id"].unique()
    }
