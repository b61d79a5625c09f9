"""The page Compare: methods beside the people they imitate, with scores, pictures and answers."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import (
    cache_methods,
    comparing_scores,
    leading,
    state,
    view_methods_choice,
    view_methods_export,
    view_methods_items,
    view_methods_plots,
    view_methods_retention,
    view_methods_scores,
)
from capo_core.dashboard.components import note, says
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.view_methods_choice import PAGE
from capo_core.dashboard.words import markdown

KEYS = (
    *view_methods_choice.KEYS,
    *view_methods_scores.KEYS,
    *view_methods_plots.KEYS,
    *view_methods_items.KEYS,
    *view_methods_retention.KEYS,
    "part",
)
_PARTS = {
    "answers": "Answers, item by item",
    "habits": "Habits of style",
    "confusion": "Who is taken for whom",
    "retention": "What was forgotten",
    "numbers": "All numbers",
}
_UNSCORED = ("answers", "habits", "retention")  # what can be shown before anything is scored
_SAID = ("headline", "caricature")
_MISSING = "missing"


def show(frame: Frame) -> None:
    """The comparison that was chosen: sentence, scores, pictures, and what lies behind them."""
    chosen = view_methods_choice.current(frame)
    if chosen is None:
        return
    report, view = chosen.report, ""
    if report is not None:
        said = comparing_scores.sentences(report, view_methods_scores.target_of(chosen))
        # What few measures say may have no headline; then the first sentence is one.
        topics = [topic for topic, _ in said if topic != _MISSING]
        first = [topic for topic in topics if topic in _SAID] or topics[:1]
        if first:
            says(*(text for topic, text in said if topic in first))
        for topic, text in said:
            if topic == _MISSING:
                st.warning(markdown(text))
        view = view_methods_scores.show(chosen)
        for topic, text in said:
            if topic not in (*first, _MISSING):
                note(text)
        view_methods_plots.imitation(chosen, view)
    with leading.place():
        part = _part(scored=report is not None)
    if part == "confusion":
        view_methods_plots.confusion(chosen, view)
    elif part == "retention":
        view_methods_retention.show(frame, chosen)
    elif part == "numbers":
        view_methods_scores.numbers(chosen)
    answers = cache_methods.answers(frame.workspace, chosen.dataset, chosen.comparison.runs)
    if part == "answers":
        view_methods_items.show(chosen, answers)
    elif part == "habits":
        view_methods_plots.habits(chosen, answers)
    view_methods_export.show(chosen, answers)
    leading.lead(PAGE)


def _part(*, scored: bool) -> str:
    known = {name: title for name, title in _PARTS.items() if scored or name in _UNSCORED}
    return state.choice(
        st.segmented_control,
        "Behind the scores",
        list(known),
        page=PAGE,
        key="part",
        format_func=known.__getitem__,
        label_visibility="collapsed",
    )
