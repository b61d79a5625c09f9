"""One trial as a judge will see it: nothing in it tells a source."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import judge_html, judge_words, state
from capo_core.dashboard.components import control_row, heading, note
from capo_core.dashboard.study_trial import example, slots
from capo_core.dashboard.words import escape
from capo_core.study.design import Draft
from capo_core.study.terms import Terms
from capo_core.study.views import TrialView

PAGE = "studies"


def show(draft: Draft, terms: Terms) -> None:
    heading("A trial as a judge will see it")
    names = slots(draft)
    with control_row("studies-example", [2, 2, 3]) as places:
        with places[0]:
            slot = state.choice(
                st.selectbox, "Judge's sequence", names, page=PAGE, key="slot", clears=("place",)
            )
        many = int((draft.assignments["judge_slot"] == slot).sum())
        place = state.number("place", 1, 1, many)
        with places[1]:
            key = f"{PAGE}.place.widget"
            st.number_input(
                f"Trial, of {many}", 1, many, **state.typed(key, place),
                on_change=lambda: state.put(PAGE, {"place": str(state.now(key))}),
            )  # fmt: skip
    st.html(drawn(example(draft, slot, place), terms, f"{place} of {many}"))
    note(
        "The judge's page has the same texts in the same order, with keys, progress and pause. "
        "Whose texts these are stands in no part of it."
    )


def drawn(view: TrialView, terms: Terms, where: str) -> str:
    """The trial as HTML, every text escaped."""
    answers = ", ".join(judge_words.answer_name(view, each) for each in view.answers)
    return (
        f'<div class="capo-trial"><p class="capo-note">'
        f"{'Practice, trial' if view.practice else 'Trial'} {escape(where)}</p>"
        f"<h4>{escape(judge_words.question(view))}</h4>"
        f'<p class="capo-note">{escape(answers)}</p>'
        f"{judge_html.texts_html(view, terms)}{judge_html.cards_html(view.cards, terms)}</div>"
    )
