"""The overview: the chain of evidence, what of it exists, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from capo_core.dashboard import cache, charts_ladder, measuring, services, view_jobs
from capo_core.dashboard.components import note, picture, says, side_by_side
from capo_core.dashboard.frame import Frame, link
from capo_core.dashboard.theme import REPRESENTATIONS, representation_name
from capo_core.dashboard.words import count, escape
from capo_core.data.catalog import Entry
from capo_core.jobs.record import Job


@dataclass(frozen=True)
class Step:
    """One link of the chain: what it is, what there is of it, and where it is done."""

    title: str
    what: str
    state: str
    page: str
    action: str


def show(frame: Frame) -> None:
    """The chain for the chosen dataset, then its ladder where there is one."""
    entry = frame.entry
    report = cache.best_report(frame.workspace, entry)
    live = measuring.live_job(frame.workspace, entry)
    if report is None and live is None and entry.shipped:
        live = measuring.begin_unasked(frame.workspace, entry)
    says(_standing(entry, report is not None))
    with side_by_side("chain", [1, 1, 1], gap="small") as columns:
        for column, step in zip(columns, _steps(frame, report, live), strict=True):
            with column, st.container(border=True, height="stretch"):
                st.html(
                    f'<div class="capo-chain"><h3>{escape(step.title)}</h3>'
                    f'<p class="capo-what">{escape(step.what)}</p><p>{escape(step.state)}</p></div>'
                )
                link(frame, step.page, step.action)
    if live is not None:
        view_jobs.watch(live)
    if report is not None:
        _ladder(frame, report)


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


def _steps(frame: Frame, report, live: Job | None) -> list[Step]:
    entry = frame.entry
    dataset = cache.dataset(frame.workspace, entry)
    per = services.per_annotator(dataset)
    fewest, most = int(per["explanations"].min()), int(per["explanations"].max())
    each = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return [
        Step(
            "1. Data",
            "Who labelled what, and why.",
            f"{services.summary(entry)}; {entry.task}. Fingerprint {entry.fingerprint[:10]}.",
            "data",
            "Look at the data, or bring your own",
        ),
        Step(
            "2. Annotators",
            "What distinguishes one from another.",
            f"{count(entry.annotators, 'annotator')} with {each} explanations "
            "each: their labels, phrases and habits, and every item side by side.",
            "annotators",
            "Meet the annotators",
        ),
        Step(
            "3. Stability",
            "How much of an annotator is in their words.",
            report.statements[0].text
            if report is not None and report.statements
            else _measured_yet(live),
            "stability",
            "Read the ladder" if report is not None else "Measure the stability",
        ),
    ]


def _measured_yet(live: Job | None) -> str:
    if live is not None:
        return "Being measured now; the ladder appears below by itself."
    return "Not measured yet. A quick look takes about a minute for two thousand texts."


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
