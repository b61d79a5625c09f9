"""One trial: its texts, the cards, the answers, and what a practice trial teaches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from capo_core.dashboard import judge_html, judge_session, judge_words
from capo_core.study.answering import LONGEST_REASON
from capo_core.study.lesson import Lesson
from capo_core.study.tables import COMPARISON
from capo_core.study.terms import Terms
from capo_core.study.views import Given, TrialView


def show(view: TrialView, terms: Terms) -> None:
    """A trial to be answered."""
    with _desk(view, terms):
        given = judge_session.draft(view)
        st.subheader(judge_words.question(view), anchor=False)
        _choices(view, given)
        if judge_session.asks_how_sure(view, given):
            _how_sure(view, given)
        if terms.ask_reason:
            _reason(view, given)
        _save(view, given)


def explain(lesson: Lesson, terms: Terms) -> None:
    """A practice trial that was answered, with what would have been right."""
    view, said = lesson.view, lesson.feedback
    with _desk(view, terms):
        right = judge_words.answer_name(view, said.answer)
        if said.right:
            st.success(f"Correct: {right}. {said.note}")
        else:
            yours = judge_words.answer_name(view, lesson.given.answer)
            st.info(f"You said: {yours}. Correct would be: {right}. {said.note}")
        st.button(
            "Go on",
            key=f"learned-{view.trial_id}",
            on_click=judge_session.learned,
            shortcut=judge_words.SAVE_KEY,
            type="primary",
            width="stretch",
        )


@contextmanager
def _desk(view: TrialView, terms: Terms) -> Iterator[None]:
    """Texts and cards where they belong, and the place for the answer."""
    with st.container(key="judge-desk"):
        with st.container():
            st.html(judge_html.texts_html(view, terms))
        with st.container():
            st.html(judge_html.cards_html(view.cards, terms) or '<div class="judge-none"></div>')
        with st.container(gap="small"):
            yield


def _choices(view: TrialView, given: Given) -> None:
    with st.container(horizontal=True, gap="small", key="judge-choices"):
        for answer in judge_words.in_order(view):
            st.button(
                judge_words.answer_name(view, answer),
                key=judge_session.answer_key(view, answer),
                on_click=judge_session.choose,
                args=(view,),
                kwargs={"answer": answer},
                type="primary" if given.answer == answer else "secondary",
                shortcut=judge_words.answer_key(view, answer),
            )


def _how_sure(view: TrialView, given: Given) -> None:
    st.caption("How sure are you?")
    with st.container(horizontal=True, gap="small", key="judge-sure"):
        for level, (name, key) in judge_words.SURE.items():
            st.button(
                name,
                key=judge_session.sure_key(view, level),
                on_click=judge_session.choose,
                args=(view,),
                kwargs={"confidence": level},
                type="primary" if given.confidence == level else "secondary",
                shortcut=key,
            )


def _reason(view: TrialView, given: Given) -> None:
    key = judge_session.reason_key(view)
    if key not in st.session_state:
        st.session_state[key] = given.reason
    st.text_area(
        "Why? (may stay empty)",
        key=key,
        height=80,
        max_chars=LONGEST_REASON,
    )


def _save(view: TrialView, given: Given) -> None:
    ready = judge_session.is_ready(view, given)
    st.button(
        "Save" if not given.answer else f"Save: {judge_words.answer_name(view, given.answer)}",
        key=f"save-{view.trial_id}",
        on_click=judge_session.save,
        args=(view,),
        shortcut=judge_words.SAVE_KEY,
        type="primary" if ready else "secondary",
        width="stretch",
    )
    if given.answer and not ready:
        st.caption("Say how sure you are; then it can be saved.")
    elif not given.answer:
        st.caption("Choose, by a click or by its key." + _hint(view))


def _hint(view: TrialView) -> str:
    return " Left and right are random." if view.kind == COMPARISON else ""
