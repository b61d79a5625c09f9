"""The overview: the chain of evidence, what of it exists, and what to do next."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import cache, chain, charts_ladder, measuring, view_jobs
from capo_core.dashboard.components import note, picture, says, side_by_side
from capo_core.dashboard.frame import Frame, link
from capo_core.dashboard.theme import REPRESENTATIONS, representation_name
from capo_core.dashboard.words import escape
from capo_core.data.catalog import Entry

# Links of the chain beside each other.
IN_A_ROW = 4


def show(frame: Frame) -> None:
    """The chain for the chosen dataset, then its ladder where there is one."""
    entry = frame.entry
    report = cache.best_report(frame.workspace, entry)
    live = measuring.live_job(frame.workspace, entry)
    if report is None and live is None and entry.shipped:
        live = measuring.begin_unasked(frame.workspace, entry)
    says(_standing(entry, report is not None))
    steps = chain.steps(frame, report, live)
    for begin in range(0, len(steps), IN_A_ROW):
        with side_by_side(f"chain-{begin}", [1] * IN_A_ROW, gap="small") as columns:
            for column, step in zip(columns, steps[begin : begin + IN_A_ROW], strict=False):
                with column:
                    _card(frame, step)
    if live is not None:
        view_jobs.watch(live)
    if report is not None:
        _ladder(frame, report)


def _card(frame: Frame, step: chain.Step) -> None:
    with st.container(border=True, height="stretch"):
        st.html(
            f'<div class="capo-chain"><h3>{escape(step.title)}</h3>'
            f'<p class="capo-what">{escape(step.what)}</p><p>{escape(step.state)}</p></div>'
        )
        link(frame, step.page, step.action)


def _standing(entry: Entry, measured: bool) -> str:
    here = "comes with the tool" if entry.shipped else "is imported"
    if measured:
        return (
            f"{entry.name} {here}, and its stability is measured: read the ladder, then the "
            "annotators behind it."
        )
    return (
        f"{entry.name} {here}; how much of its annotators can be told from their "
        "explanations is not measured yet."
    )


def _ladder(frame: Frame, report) -> None:
    rows = report.ladder.to_frame()
    if rows.empty:
        return
    there = set(rows["representation"])
    first = next((name for name in REPRESENTATIONS if name in there), min(there))
    rows = rows[rows["representation"] == first]
    st.subheader(charts_ladder.ladder_title(rows, representation_name(first)), anchor=False)
    picture(
        charts_ladder.ladder(rows),
        key="overview.ladder",
        file_name=f"{frame.entry.name}-ladder",
        alt="Share of groups given to the right annotator, by explanations pooled",
    )
    note(
        "The Stability page has the controls, the other representations, and the texts behind "
        "every point."
    )
