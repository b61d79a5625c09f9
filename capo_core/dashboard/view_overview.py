"""The overview: the chain of evidence, what of it exists, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from capo_core.dashboard import cache, charts_ladder, measuring, services
from capo_core.dashboard.components import note, picture, says
from capo_core.dashboard.frame import Frame, link
from capo_core.dashboard.theme import REPRESENTATIONS, representation_name
from capo_core.dashboard.words import count, escape
from capo_core.data.catalog import Entry


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
    says(_standing(entry, report is not None))
    for column, step in zip(st.columns(3), _steps(frame, report), strict=True):
        with column, st.container(border=True, height="stretch"):
            st.html(
                f'<div class="capo-chain"><h3>{escape(step.title)}</h3>'
                f'<p class="capo-what">{escape(step.what)}</p><p>{escape(step.state)}</p></div>'
            )
            link(frame, step.page, step.action)
    if report is not None:
        _ladder(frame, report)


def _standing(entry: Entry, measured: bool) -> str:
    if measured:
        return (
            f"{entry.name} is imported and its stability is measured: read the ladder, then the "
            "annotators behind it."
        )
    return (
        f"{entry.name} is imported; how much of its annotators can be told from their "
        "explanations is not measured yet."
    )


def _steps(frame: Frame, report) -> list[Step]:
    entry = frame.entry
    dataset = cache.dataset(frame.workspace, entry)
    per = services.per_annotator(dataset)
    fewest, most = int(per["explanations"].min()), int(per["explanations"].max())
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
            f"{count(entry.annotators, 'annotator')} with {fewest:,} to {most:,} explanations "
            "each: their labels, phrases and habits, and every item side by side.",
            "annotators",
            "Meet the annotators",
        ),
        Step(
            "3. Stability",
            "How much of an annotator is in their words.",
            report.statements[0].text
            if report is not None and report.statements
            else _measured_yet(frame),
            "stability",
            "Read the ladder" if report is not None else "Measure the stability",
        ),
    ]


def _measured_yet(frame: Frame) -> str:
    job = measuring.live_job(frame.workspace, frame.entry)
    if job is not None:
        return f"Being measured now: {job.status().message}."
    return "Not measured yet. A quick look takes well under a minute for a few thousand texts."


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
