"""The stability page: one sentence, the ladder with its controls, and what lies behind it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard import (
    cache,
    charts_stability,
    state,
    view_evidence,
    view_measures,
    view_method,
    view_report,
)
from capo_core.dashboard.components import Frame, heading, note, picture, says
from capo_core.dashboard.help import HELP
from capo_core.dashboard.theme import representation_name
from capo_core.dashboard.words import markdown
from capo_core.schema import Dataset

KEYS = ("report", "rep", "part", *view_evidence.KEYS)
PAGE = "stability"
_PARTS = {
    "evidence": "Explanations behind a point",
    "variance": "Variance",
    "reliability": "Reliability",
    "information": "Without training, and in bits",
    "agreement": "Label agreement",
    "calibration": "Calibration",
}


def show(frame: Frame) -> None:
    """The report of the chosen dataset, or the way to it."""
    kept = view_report.choose(frame)
    report = cache.report(frame.workspace, frame.entry, kept) if kept else None
    if report is None:
        return
    ladder = report.ladder.to_frame()
    if ladder.empty:
        says(*(statement.text for statement in report.statements))
        note("There is too little in these data for a ladder.")
        view_method.show(frame, report)
        return
    says(*(statement.text for statement in report.statements[:2]))
    representation = state.choice(
        st.segmented_control,
        "Seen as",
        list(dict.fromkeys(ladder["representation"])),
        page=PAGE,
        key="rep",
        format_func=lambda name: markdown(representation_name(name)),
        help=HELP["representation"],
    )
    rows = ladder[ladder["representation"] == representation]
    _pictures(frame, report, rows, representation)
    part = state.choice(
        st.segmented_control,
        "Evidence",
        list(_PARTS),
        page=PAGE,
        key="part",
        format_func=_PARTS.__getitem__,
        label_visibility="collapsed",
    )
    dataset = cache.dataset(frame.workspace, frame.entry)
    if part == "evidence":
        _evidence(kept, dataset, rows, representation)
    else:
        view_measures.SECTIONS[part](frame, report, representation)
    view_method.show(frame, report)


def _pictures(frame: Frame, report, rows: pd.DataFrame, representation: str) -> None:
    chosen = _chosen(rows)
    left, right = st.columns([3, 2], gap="large")
    with left:
        heading(
            charts_stability.ladder_title(rows, representation_name(representation)),
            HELP["accuracy"],
        )
        picture(
            charts_stability.ladder(rows, chosen),
            key=f"{PAGE}.ladder",
            file_name=f"{frame.entry.name}-ladder-{representation}",
            alt="Share of groups given to the right annotator, by explanations pooled",
            on_select=_clicked,
        )
    with right:
        k = chosen[1]
        found = report.controls.to_frame()
        controls = charts_stability.controls_at(found, representation, k)
        heading(
            charts_stability.controls_title(rows[rows["k"] == k], controls, k), HELP["controls"]
        )
        picture(
            charts_stability.controls(rows[rows["k"] == k], controls),
            key=f"{PAGE}.controls",
            file_name=f"{frame.entry.name}-controls-{representation}-{k}",
            alt="Accuracy of each reduction and of each control",
        )


def _chosen(rows: pd.DataFrame) -> tuple[str, int]:
    """The (reduction, k) in the address, as far as there is such a point."""
    reduction = state.get("red")
    if reduction not in set(rows["reduction"]):
        reduction = rows["reduction"].iloc[0]
    pools = sorted(rows.loc[rows["reduction"] == reduction, "k"].unique())
    return reduction, state.nearest("k", pools)


def _clicked() -> None:
    points = st.session_state[f"{PAGE}.ladder"].selection.points
    if points and points[0].get("customdata"):
        reduction, k = points[0]["customdata"][:2]
        state.put(PAGE, {"red": reduction, "k": str(k), "part": "evidence", "p": None})


def _evidence(kept, dataset: Dataset, rows: pd.DataFrame, representation: str) -> None:
    note("Click a point of the ladder, or choose it here.")
    reduction, k = view_evidence.choose_point(PAGE, rows)
    groups = cache.groups(kept, representation, reduction, k)
    view_evidence.show(PAGE, dataset, groups, k)
