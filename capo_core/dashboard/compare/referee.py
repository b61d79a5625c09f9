"""The tests beside the scores: alternative annotator test, equivalence, agreement of measures."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.compare.scores import target_of
from capo_core.dashboard.compare.selection import PAGE, CompareSelection
from capo_core.dashboard.ui.components import data_grid, section_heading, show_note
from capo_core.dashboard.ui.exports import download_table
from capo_core.evaluation.referee.claims import CLAIMS, DETECTABLE, MEASURES
from capo_core.evaluation.referee.tables import referee_tables
from capo_core.evaluation.report import EvaluationReport
from capo_core.findings import find
from capo_core.runs import comparisons


def in_tab(topic: str) -> bool:
    """Return whether a sentence of this topic stands above the tables of tests, not the scores."""
    return topic in CLAIMS and topic != DETECTABLE


def warnings(report: EvaluationReport) -> tuple[str, ...]:
    """Return the topics of the tests that are warnings of the page: measures that disagree.

    Where measures of attribution disagree already, that warning stands for it.
    """
    found = find(report.findings, MEASURES)
    eyes = find(report.findings, "eyes")
    return (MEASURES,) if found is not None and not found.decided and eyes is None else ()


_LONG = 30  # letters: a column of longer texts is cut, so that all fit; a click shows them whole
_WIDE = 180  # pixels of such a column, beside seven others in a window of 1440


def show(context: PageContext, chosen: CompareSelection, said: list[tuple[str, str]]) -> None:
    """Show the tests' sentences and tables, of all annotators or of the chosen one.

    Args:
        said: (topic, sentence) of the page.
    """
    report = chosen.report
    if report.referee.empty:
        show_note("These scores were computed by an earlier version, without these tests.")
        st.button(
            "Re-run evaluation",
            key="compare.rescore",
            on_click=guarded,
            args=(comparisons.rescore, context.workspace, context.entry, chosen.comparison),
        )
        return
    for topic, text in said:
        if in_tab(topic):
            show_note(text)
    for made in referee_tables(report, target_of(chosen)):
        section_heading(made.title)
        show_note(made.meaning)
        shown = made.text_frame()
        empty = [name for name in shown if not shown[name].astype(bool).any()]
        shown = shown.drop(columns=empty)
        data_grid(
            shown,
            alt=f"Table: {made.title}",
            column_config={
                header: st.column_config.TextColumn(
                    header,
                    help=about or None,
                    width=_WIDE if shown[header].str.len().max() > _LONG else None,
                )
                for header, about in made.columns.items()
                if header not in empty
            },
            key=f"{PAGE}.tests.{made.name}",
        )
        download_table(
            made.frame,
            key=f"{PAGE}.tests.{made.name}.csv",
            file_name=f"{report.dataset}-{made.name}",
        )
