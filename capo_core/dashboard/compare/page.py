"""The page Compare: scores, charts and answers of methods beside the annotators they imitate.

It ends with the details of the computation and the downloads.
"""

from __future__ import annotations

from functools import partial

import streamlit as st

from capo_core.dashboard.app.page import PageContext, page_link
from capo_core.dashboard.compare import (
    cache,
    items,
    plots,
    referee,
    retention,
    scores,
    selection,
)
from capo_core.dashboard.compare.answers import Answers
from capo_core.dashboard.compare.selection import PAGE, CompareSelection
from capo_core.dashboard.ui import components, url_state
from capo_core.dashboard.ui.components import show_headline, show_note
from capo_core.dashboard.ui.exports import describe, download
from capo_core.dashboard.ui.text import markdown
from capo_core.export_formats import csv_text, frame_lines


def show_export(context: PageContext, chosen: CompareSelection, answers: Answers) -> None:
    """Downloads in a row; then the methods paragraph, in words and in LaTeX."""
    report, name = chosen.report, chosen.dataset.name
    st.subheader("Export", anchor=False)
    with st.container(horizontal=True):
        if report is not None:
            from capo_core.evaluation import export

            for label, kind, mime, make in (
                ("Report (self-contained HTML)", "html", "text/html", export.to_html),
                ("Table (LaTeX)", "tex", "application/x-tex", export.to_latex),
                ("Scores (long CSV)", "csv", "text/csv", export.to_csv),
                ("Scores (JSONL)", "jsonl", "application/jsonl", export.to_jsonl),
                ("Whole report (JSON)", "json", "application/json", export.to_json),
            ):
                file = f"{name}-comparison.{kind}"
                download(PAGE, label, file, mime, partial(make, report), key=kind)
        download(PAGE, "Answers (CSV)", f"{name}-answers.csv", "text/csv",
                 partial(csv_text, answers.frame), key="answers.csv")  # fmt: skip
        download(PAGE, "Answers (JSONL)", f"{name}-answers.jsonl", "application/jsonl",
                 partial(frame_lines, answers.frame), key="answers.jsonl")  # fmt: skip
    if report is None:
        return
    with st.expander("Methods paragraph"):
        show_note(report.methods.get("text", ""))
        show_note(
            f"Dataset {report.dataset}, fingerprint {report.fingerprint[:16]}; "
            f"{report.n_items:,} {report.split} items."
        )
        page_link(context, "guide", "Formulas and references", doc="methods-imitation")
        st.caption("LaTeX version:")
        st.code(report.methods.get("latex", ""), language="latex", wrap_lines=True)


_PARTS = {
    "answers": "Item view",
    "habits": "Style features",
    "confusion": "Attribution confusion matrix",
    "retention": "Retention",
    "tests": "Statistical tests",
    "numbers": "All numbers",
}
_UNSCORED = ("answers", "habits", "retention")  # what can be shown before anything is scored
_WARNINGS = ("missing", "eyes")


def show(context: PageContext) -> None:
    """Show the selected comparison: headline, scores, charts and details."""
    chosen = selection.current(context)
    if chosen is None:
        return
    report, view, said = chosen.report, "", []
    describe(**selection.provenance(chosen))
    if report is not None:
        path, target = chosen.comparison.report_path, scores.target_of(chosen)
        said = cache.sentences(path, target)
        # What few measures say may have no headline; then the first sentence is one.
        warned = (*_WARNINGS, *referee.warnings(report))
        plain = [one for one in said if one[0] not in warned and not referee.in_tab(one[0])]
        short = cache.headline(path, target) or tuple(plain[:1])
        if short:
            show_headline(*(text for _, text in short))
        for topic, text in said:
            if topic in warned:
                st.warning(markdown(text))
        view = scores.show(chosen)
        for one in plain:
            if one not in short:
                show_note(one[1])
        plots.imitation(chosen, view)
    with components.details_anchor():
        part = _part(scored=report is not None)
    if part == "confusion":
        plots.confusion(chosen, view)
    elif part == "retention":
        retention.show(context, chosen)
    elif part == "tests":
        referee.show(context, chosen, said)
    elif part == "numbers":
        scores.numbers(chosen, view)
    answers = cache.answers(context.workspace, chosen.dataset, chosen.comparison.runs)
    if part == "answers":
        items.show(chosen, answers)
    elif part == "habits":
        plots.habits(chosen, answers)
    show_export(context, chosen, answers)
    components.scroll_to_details(PAGE)


def _part(*, scored: bool) -> str:
    known = {name: title for name, title in _PARTS.items() if scored or name in _UNSCORED}
    return url_state.choice(
        st.segmented_control,
        "Details",
        list(known),
        page=PAGE,
        key="part",
        format_func=known.__getitem__,
        label_visibility="collapsed",
    )
