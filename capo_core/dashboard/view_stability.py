"""The stability page: one sentence, the ladder with its controls, and what lies behind it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard import (
    cache,
    charts_ladder,
    state,
    view_evidence,
    view_measures,
    view_method,
    view_report,
)
from capo_core.dashboard.components import (
    Field,
    control_row,
    heading,
    note,
    picture,
    says,
    side_by_side,
    table,
)
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.help import HELP
from capo_core.dashboard.theme import (
    REPRESENTATIONS,
    control_name,
    reduction_name,
    representation_name,
)
from capo_core.dashboard.words import markdown

KEYS = ("report", "rep", "part", *view_evidence.KEYS)
PAGE = "stability"
_PARTS = {
    "evidence": "Explanations behind the point",
    "numbers": "All numbers",
    "variance": "Variance",
    "reliability": "Reliability",
    "information": "Without training, and in bits",
    "agreement": "Label agreement",
    "calibration": "Calibration",
}


def show(frame: Frame) -> None:
    """The report of the chosen dataset, or the way to it."""
    choice = view_report.current(frame)
    if choice.shown is None:
        return
    report = cache.report(frame.workspace, frame.entry, choice.shown)
    ladder = report.ladder.to_frame()
    if ladder.empty:
        says(*(statement.text for statement in report.statements))
        note("There are too few explanations for a ladder.")
        view_report.menu(frame, choice)
        view_method.show(frame, report)
        return
    says(*_told(report, "headline"))
    representation, reduction, k = _controls(frame, choice, ladder)
    rows = ladder[ladder["representation"] == representation]
    _pictures(frame, report, rows, representation, (reduction, k))
    part = state.choice(
        st.segmented_control,
        "Evidence",
        list(_PARTS),
        page=PAGE,
        key="part",
        format_func=_PARTS.__getitem__,
        label_visibility="collapsed",
    )
    if part == "evidence":
        dataset = cache.dataset(frame.workspace, frame.entry)
        groups = cache.groups(choice.shown, representation, reduction, k)
        view_evidence.show(PAGE, dataset, groups, k)
    elif part == "numbers":
        _numbers(frame, report)
    else:
        view_measures.SECTIONS[part](frame, report, representation)
    view_method.show(frame, report)


def _controls(
    frame: Frame, choice: view_report.Choice, ladder: pd.DataFrame
) -> tuple[str, str, int]:
    """One row above the picture: what is seen, and the point whose explanations are open."""
    there = set(ladder["representation"])
    known = [name for name in REPRESENTATIONS if name in there]
    with control_row("ladder", [3, 2, 2, 2]) as places:
        return _choices(places, frame, choice, ladder, known + sorted(there - set(known)))


def _choices(
    places, frame: Frame, choice: view_report.Choice, ladder: pd.DataFrame, names: list[str]
) -> tuple[str, str, int]:
    with places[0]:
        representation = state.choice(
            st.segmented_control,
            "Seen as",
            names,
            page=PAGE,
            key="rep",
            format_func=lambda name: markdown(representation_name(name)),
            help=HELP["representation"],
        )
    rows = ladder[ladder["representation"] == representation]
    with places[1]:
        reduction = state.choice(
            st.selectbox,
            "Reduction",
            list(dict.fromkeys(rows["reduction"])),
            page=PAGE,
            key="red",
            clears=("p",),
            format_func=reduction_name,
            help=HELP["reduction"],
        )
    pools = sorted(rows.loc[rows["reduction"] == reduction, "k"].unique())
    with places[2]:
        k = state.choice(
            st.selectbox,
            "Explanations pooled",
            [str(k) for k in pools],
            page=PAGE,
            key="k",
            clears=("p",),
            help=HELP["k"],
        )
    with places[3]:
        view_report.menu(frame, choice)
    return representation, reduction, int(k)


def _pictures(
    frame: Frame, report, rows: pd.DataFrame, representation: str, chosen: tuple[str, int]
) -> None:
    with side_by_side("ladder", [3, 2]) as (left, right):
        with left:
            heading(
                charts_ladder.ladder_title(rows, representation_name(representation)),
                HELP["accuracy"],
            )
            picture(
                charts_ladder.ladder(rows, chosen),
                key=f"{PAGE}.ladder",
                file_name=f"{frame.entry.name}-ladder-{representation}",
                alt="Share of groups given to the right annotator, by explanations pooled",
                on_select=_clicked,
            )
            for text in _told(report, "reduction", "views"):
                note(text)
        with right:
            k = chosen[1]
            controls = charts_ladder.controls_at(report.controls.to_frame(), representation, k)
            heading(
                charts_ladder.controls_title(rows[rows["k"] == k], controls, k), HELP["controls"]
            )
            picture(
                charts_ladder.controls(rows[rows["k"] == k], controls),
                key=f"{PAGE}.controls",
                file_name=f"{frame.entry.name}-controls-{representation}-{k}",
                alt="Accuracy of each reduction and of each control",
            )
            for text in _told(report, "label", "null", "leak"):
                note(text)


def _told(report, *topics: str) -> list[str]:
    """The report's sentences on these topics."""
    return [said.text for said in report.statements if said.topic in topics]


def _clicked() -> None:
    points = state.now(f"{PAGE}.ladder").selection.points
    if points and points[0].get("customdata"):
        reduction, k = points[0]["customdata"][:2]
        state.put(PAGE, {"red": reduction, "k": str(k), "part": "evidence", "p": None})


def _numbers(frame: Frame, report) -> None:
    """The ladder and all controls as one table."""
    ladder = report.ladder.to_frame()
    rows = pd.concat([ladder.assign(control=""), report.controls.to_frame()], ignore_index=True)
    numbers = ["null_mean", "null_high", "p_value"]
    rows[numbers] = rows[numbers].astype(float)
    rows = rows.assign(
        control=[control_name(name) if name else "—" for name in rows["control"]],
        representation=rows["representation"].map(representation_name),
        reduction=rows["reduction"].map(reduction_name),
    )
    heading("Every point of the ladder and every control", HELP["accuracy"])
    table(
        rows,
        {
            "representation": Field("Seen as"),
            "reduction": Field("Reduction", HELP["reduction"]),
            "control": Field("Control", HELP["controls"]),
            "k": Field("Pooled", HELP["k"], 0),
            "accuracy": Field("Accuracy", HELP["accuracy"], 2),
            "low": Field("from", "Lower end of the 95 % interval.", 2),
            "high": Field("to", "Upper end of the 95 % interval.", 2),
            "chance": Field("Chance", None, 2),
            "null_mean": Field("Null", HELP["null"], 2),
            "null_high": Field("Null, upper end", HELP["null"], 2),
            "p_value": Field("p", HELP["p"], 3),
            "n_items": Field("Items", None, 0),
            "n_groups": Field("Groups", None, 0),
        },
        key="stability.numbers",
        file_name=f"{frame.entry.name}-ladder-and-controls",
        height=460,
    )
