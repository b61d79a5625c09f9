"""The judge's page: one step at a time, from the welcome to the last answer.

One trial: its texts, the cards, the answers, and what a practice trial teaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from capo_core.dashboard.app import tab_storage
from capo_core.dashboard.judging import session, trial_html
from capo_core.dashboard.judging import text as judging_text
from capo_core.dashboard.judging.trial_html import CSS
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError, StudyError
from capo_core.study.judging.answers import LONGEST_REASON, PracticeFeedback
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import End, JudgeAnswer, Pause, TrialView
from capo_core.study.tables import COMPARISON


def show_trial(view: TrialView, terms: Terms) -> None:
    """A trial to be answered."""
    with _desk(view, terms):
        given = session.draft(view)
        st.subheader(judging_text.question(view), anchor=False)
        _choices(view, given)
        if session.asks_how_sure(view, given):
            _how_sure(view, given)
        if terms.ask_reason:
            _reason(view, given)
        _save(view, given)


def show_feedback(lesson: PracticeFeedback, terms: Terms) -> None:
    """A practice trial that was answered, with what would have been right."""
    view, said = lesson.view, lesson.feedback
    with _desk(view, terms):
        right = judging_text.answer_name(view, said.answer)
        if said.right:
            st.success(f"Correct: {right}. {said.note}")
        else:
            yours = judging_text.answer_name(view, lesson.given.answer)
            st.info(f"You said: {yours}. Correct would be: {right}. {said.note}")
        st.button(
            "Go on",
            key=f"learned-{view.trial_id}",
            on_click=session.acknowledge_feedback,
            shortcut=judging_text.SAVE_KEY,
            type="primary",
            width="stretch",
        )


@contextmanager
def _desk(view: TrialView, terms: Terms) -> Iterator[None]:
    """Texts and cards where they belong, and the place for the answer."""
    with st.container(key="judge-desk"):
        with st.container():
            st.html(trial_html.texts_html(view, terms))
        with st.container():
            st.html(trial_html.cards_html(view.cards, terms) or '<div class="judge-none"></div>')
        with st.container(gap="small"):
            yield


def _choices(view: TrialView, given: JudgeAnswer) -> None:
    with st.container(horizontal=True, gap="small", key="judge-choices"):
        for answer in judging_text.in_order(view):
            st.button(
                judging_text.answer_name(view, answer),
                key=session.answer_key(view, answer),
                on_click=session.choose,
                args=(view,),
                kwargs={"answer": answer},
                type="primary" if given.answer == answer else "secondary",
                shortcut=judging_text.answer_key(view, answer),
            )


def _how_sure(view: TrialView, given: JudgeAnswer) -> None:
    st.caption("How sure are you?")
    with st.container(horizontal=True, gap="small", key="judge-sure"):
        for level, (name, key) in judging_text.CONFIDENCE.items():
            st.button(
                name,
                key=session.sure_key(view, level),
                on_click=session.choose,
                args=(view,),
                kwargs={"confidence": level},
                type="primary" if given.confidence == level else "secondary",
                shortcut=key,
            )


def _reason(view: TrialView, given: JudgeAnswer) -> None:
    key = session.reason_key(view)
    if key not in st.session_state:
        st.session_state[key] = given.reason
    st.text_area(
        "Why? (may stay empty)",
        key=key,
        height=80,
        max_chars=LONGEST_REASON,
    )


def _save(view: TrialView, given: JudgeAnswer) -> None:
    ready = session.is_ready(view, given)
    st.button(
        "Save" if not given.answer else f"Save: {judging_text.answer_name(view, given.answer)}",
        key=f"save-{view.trial_id}",
        on_click=session.save,
        args=(view,),
        shortcut=judging_text.SAVE_KEY,
        type="primary" if ready else "secondary",
        width="stretch",
    )
    if given.answer and not ready:
        st.caption("Say how sure you are; then it can be saved.")
    elif not given.answer:
        st.caption("Choose, by a click or by its key." + _hint(view))


def _hint(view: TrialView) -> str:
    return " Left and right are random." if view.kind == COMPARISON else ""


def show() -> None:
    """Whatever is next for the judge whose link this is."""
    st.html(CSS)
    token = session.token()
    if token == tab_storage.PENDING:
        st.caption("One moment …")
        return
    if token == tab_storage.NONE:
        _without_link()
        return
    try:
        _step(session.terms())
    except StudyError as error:
        _refused(error)
    except CapoError as error:
        st.title("Not now", anchor=False)
        st.markdown(judging_text.error_text(error))


def _step(terms: Terms) -> None:
    problem = session.problem()
    if not session.consented():
        _say(problem)
        _welcome(terms)
        return
    lesson = session.practice_feedback()
    if lesson is not None:
        _head(lesson.view, terms, practice=True)
        show_feedback(lesson, terms)
        return
    found = session.current()
    if isinstance(found, TrialView) and session.needs_briefing(found):
        _say(problem)
        _briefing(found, terms)
    elif isinstance(found, TrialView):
        _head(found, terms, practice=found.practice)
        _say(problem)
        show_trial(found, terms)
    elif isinstance(found, Pause):
        _paused(found)
    else:
        _say(problem)
        _end(found)


def _head(view: TrialView, terms: Terms, *, practice: bool) -> None:
    """How far, what was saved, and the way to pause, undo and read again what is asked."""
    progress = view.progress
    done, total = (
        (progress.practice_done, progress.practice_total)
        if practice
        else (progress.done, progress.total)
    )
    saved = "Saved" if session.just_saved() else ""
    st.html(
        trial_html.progress_html(
            judging_text.how_far(progress, practice=practice), done / max(1, total), saved
        )
    )
    with st.container(horizontal=True, gap="small", key="judge-tools"):
        if not practice:
            _undo(view)
        st.button(
            "Pause",
            key=f"pause-{view.trial_id}",
            on_click=session.pause,
            shortcut=judging_text.PAUSE_KEY,
            type="tertiary",
        )
        with st.popover("Instructions", type="tertiary", key="judge-help"):
            _instructions(view, terms)


def _undo(view: TrialView | End) -> None:
    st.button(
        "Change the last answer",
        key=f"undo-{view.progress.done}",
        on_click=session.undo,
        disabled=not session.can_undo(view),
        shortcut=judging_text.UNDO_KEY,
        type="tertiary",
    )


def _welcome(terms: Terms) -> None:
    st.title(markdown(terms.title), anchor=False)
    with st.container(width=704):
        st.markdown(markdown_lines(terms.consent) or judging_text.CONSENT)
        st.markdown(judging_text.RECORDED)
        _owners_words(terms)
        st.markdown(judging_text.work_ahead(session.desk().progress()))
        st.markdown(
            "Every answer is saved at once. Stop whenever you like and come back by the same "
            "link, on this or any other device. Everything can be done by the keys that stand on "
            "the buttons."
        )
        st.button(
            "I agree, begin",
            key="judge-agree",
            on_click=session.consent,
            shortcut=judging_text.SAVE_KEY,
            type="primary",
        )


def _briefing(view: TrialView, terms: Terms) -> None:
    """What trials of this kind ask, before the first of them."""
    st.title("Practice first" if view.practice else "What is asked", anchor=False)
    with st.container(width=704):
        _instructions(view, terms)
        if view.practice:
            st.markdown("You begin with practice, which does not count.")
        st.button(
            "Begin",
            key=f"briefed-{view.kind}",
            on_click=session.briefed,
            args=(view.kind,),
            shortcut=judging_text.SAVE_KEY,
            type="primary",
        )


def _instructions(view: TrialView, terms: Terms) -> None:
    st.markdown(judging_text.INSTRUCTIONS[view.kind])
    _owners_words(terms)
    asked = judging_text.about_cards(terms)
    if asked:
        st.markdown(markdown(asked))


def _owners_words(terms: Terms) -> None:
    if terms.instructions.strip():
        st.markdown(markdown_lines(terms.instructions))


def markdown_lines(text: str) -> str:
    """The owner's words as they stand, paragraphs kept."""
    return "\n\n".join(markdown(part) for part in text.split("\n") if part.strip())


def _paused(found: Pause) -> None:
    st.title("You paused", anchor=False)
    st.markdown(
        f"{judging_text.how_far(found.progress)}. All of it is saved. Close this page if you like, "
        "and come back by the same link, on this or any other device."
    )
    st.button(
        "Go on",
        key="judge-resume",
        on_click=session.resume,
        shortcut=judging_text.SAVE_KEY,
        type="primary",
    )


def _end(found: End) -> None:
    if found.reason == "closed":
        st.title("This study is closed", anchor=False)
        st.markdown(
            f"It takes no more answers. You gave {found.progress.done:,}, and all of them are "
            "saved. Thank you."
        )
        _code()
        return
    if found.reason == "nothing_open":
        st.title("There is nothing to judge at the moment", anchor=False)
        st.markdown(
            "Other people are at work on all that is left. Some of it may become free: look "
            "again later, by the same link."
        )
        st.button("Look again", key="judge-again", shortcut=judging_text.SAVE_KEY)
        return
    st.title("You are done. Thank you.", anchor=False)
    st.markdown(f"All your {found.progress.done:,} answers are saved.")
    _code()
    if found.more:
        st.markdown(
            f"Some people could not finish: {found.more:,} more are open. You may go on with "
            "them if you like."
        )
        st.button("Go on with more", key="judge-more", on_click=session.go_on)
    _undo(found)


def _code() -> None:
    code = session.desk().completion_code()
    if code:
        st.markdown("Your completion code, if somebody asks for one:")
        st.code(code, language=None, width=240)


def _say(problem: CapoError | None) -> None:
    if problem is not None:
        st.warning(judging_text.error_text(problem))


def _without_link() -> None:
    st.title("Open the link that you were sent", anchor=False)
    st.markdown(
        "This page belongs to judges, and each has a link of their own. If you were here before: "
        "all that you answered is saved, and your link leads back to where you were."
    )


def _refused(error: StudyError) -> None:
    st.title("This link does not open", anchor=False)
    st.markdown(markdown(judging_text.error_text(error)))
