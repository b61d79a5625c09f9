"""Saved stability reports, their evidence and calibrations, shared by all sessions.

The modules of the analysis are imported where they are used: loading them takes seconds, which a
page without a report need not wait for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.cache import HASH_FUNCS
from capo_core.data.catalog import Entry
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.dataset import Dataset
    from capo_core.evaluation.authors.result import AuthorAttribution
    from capo_core.formatting import Statement
    from capo_core.stability.calibration import Calibration, CalibrationConfig
    from capo_core.stability.evidence import Evidence
    from capo_core.stability.report import StabilityReport
    from capo_core.stability.store import SavedReport

_EVIDENCE = "evidence.npz"


def _stamp(path: Path) -> int | None:
    """Return when `path` was last written; None where it does not exist."""
    return path.stat().st_mtime_ns if path.exists() else None


def _report_hash(saved: SavedReport) -> tuple[str, int | None, int | None]:
    report, evidence = saved.folder / "report.json", saved.folder / _EVIDENCE
    return str(saved.folder), _stamp(report), _stamp(evidence)


_HASH_FUNCS: dict[type | str, Any] = {
    **HASH_FUNCS,
    "capo_core.stability.store.SavedReport": _report_hash,
}


def saved_reports(workspace: Workspace, entry: Entry) -> list[SavedReport]:
    """Return the saved reports of this content, the most complete first, then the newest."""
    folder = workspace.reports / entry.fingerprint[:16]
    stamps = tuple(sorted((str(p), p.stat().st_mtime_ns) for p in folder.glob("*/report.json")))
    return _saved_reports(workspace, entry, stamps) if stamps else []


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=_HASH_FUNCS)
def _saved_reports(workspace: Workspace, entry: Entry, stamps: tuple) -> list[SavedReport]:
    from capo_core.stability import store

    found = store.saved_reports(entry.fingerprint, workspace)
    return sorted(found, key=lambda saved: -saved.config.coverage)


def best_report(workspace: Workspace, entry: Entry) -> StabilityReport | None:
    """Return the most complete report of the dataset; None without any."""
    saved = saved_reports(workspace, entry)
    return report(workspace, entry, saved[0]) if saved else None


@st.cache_resource(max_entries=8, show_spinner="Reading the report …", hash_funcs=_HASH_FUNCS)
def report(workspace: Workspace, entry: Entry, saved: SavedReport) -> StabilityReport | None:
    """Return a saved report."""
    from capo_core.stability import store

    return store.load(entry.fingerprint, saved.config, workspace)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_HASH_FUNCS)
def view_statements(
    saved: SavedReport, _report: StabilityReport, representation: str
) -> tuple[Statement, ...]:
    """Return the statements of a saved report on one representation."""
    from capo_core.stability import summary

    return summary.view_statements(_report.tables, representation)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_HASH_FUNCS)
def groups(saved: SavedReport, representation: str, reduction: str, k: int) -> pd.DataFrame:
    """Return the explanations behind a point; empty where there is no evidence file."""
    if not (saved.folder / _EVIDENCE).exists():
        return pd.DataFrame(
            {
                "group": pd.Series(dtype=int),
                "annotator_id": pd.Series(dtype=str),
                "annotation_id": pd.Series(dtype=str),
            }
        )
    return _evidence(saved).groups(representation, reduction, k)


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs=_HASH_FUNCS)
def points_of(
    saved: SavedReport, annotation_ids: tuple[str, ...], representation: str, k: int
) -> pd.DataFrame:
    """Return where these explanations fall on the ladder (`Evidence.points_of`)."""
    return _evidence(saved).points_of(annotation_ids, representation, k)


def with_evidence(workspace: Workspace, entry: Entry) -> SavedReport | None:
    """Return the most complete report of the dataset that has evidence; None without any."""
    for saved in saved_reports(workspace, entry):
        if (saved.folder / _EVIDENCE).exists():
            return saved
    return None


def evidence_representations(saved: SavedReport) -> tuple[str, ...]:
    """Return the representations that a report has evidence for."""
    return _evidence(saved).representations


@st.cache_resource(max_entries=4, show_spinner="Reading the evidence …", hash_funcs=_HASH_FUNCS)
def _evidence(saved: SavedReport) -> Evidence:
    from capo_core.stability.evidence import Evidence

    return Evidence.load(saved.folder / _EVIDENCE)


def calibration(workspace: Workspace, config: CalibrationConfig) -> Calibration | None:
    """Return the saved calibration of this configuration; None without one."""
    from capo_core.stability import store

    stamp = _stamp(store.calibration_path(config, workspace))
    return None if stamp is None else _calibration(workspace, config, stamp)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=_HASH_FUNCS)
def _calibration(workspace: Workspace, config: CalibrationConfig, stamp: int) -> Calibration | None:
    from capo_core.stability import store

    return store.load_calibration(config, workspace)


def authors(workspace: Workspace, dataset: Dataset) -> AuthorAttribution | None:
    """Return the saved attribution by likelihood of a dataset on its split; None without one.

    Raises:
        DataError: the file cannot be read.
    """
    from capo_core.evaluation.authors import store

    path = store.path_of(workspace, dataset.fingerprint, dataset.split_fingerprint)
    stamp = _stamp(path)
    return None if stamp is None else _authors(workspace, dataset, stamp)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=_HASH_FUNCS)
def _authors(workspace: Workspace, dataset: Dataset, stamp: int) -> AuthorAttribution | None:
    from capo_core.evaluation.authors import store

    return store.load(workspace, dataset)
