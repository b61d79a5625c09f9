"""The judge's page, one step at a time: welcome, instructions, trials with feedback, end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from capo_core.dashboard.app import tab_storage
from capo_core.dashboard.judging import session, trial_html
from capo_core.dashboard.judging import text as judging_text
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError, StudyError
from capo_core.formatting import count
from capo_core.study.judging.answers import LONGEST_REASON, PracticeFeedback
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import End, JudgeAnswer, Pause, TrialView


def show_trial(view: TrialView, terms: Terms) -> None:
    """Show a trial to be answered."""
    with _desk(view, terms):
        given = session.draft(view)
        st.subheader(judging_text.question(view), anchor=False)
        _choices(view, given)
        if session.asks_confidence(view, given):
            _confidence(view, given)
        if terms.ask_reason:
            _reason(view, given)
        _save(view, given)


def show_feedback(practised: PracticeFeedback, terms: Terms) -> None:
    """Show a practice trial that was answered, with the right answer."""
    view, feedback = practised.view, practised.feedback
    with _desk(view, terms):
        right = judging_text.answer_name(view, feedback.answer)
        if feedback.right:
            st.success(f"Correct: {right}. {feedback.note}")
        else:
            yours = judging_text.answer_name(view, practised.given.answer)
            st.info(f"Your answer: {yours}. Correct answer: {right}. {feedback.note}")
        st.button(
            "Continue",
            key=f"learned-{view.trial_id}",
            on_click=session.acknowledge_feedback,
            shortcut=judging_text.SAVE_KEY,
            type="primary",
            width="stretch",
        )


@contextmanager
def _desk(view: TrialView, terms: Terms) -> Iterator[None]:
    """Lay out texts and cards, and hold the place for the answer."""
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


def _confidence(view: TrialView, given: JudgeAnswer) -> None:
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
        "Reason (optional)",
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
        st.caption("Choose how sure you are, then save.")
    elif not given.answer:
        hint = trial_html.display_of(view.kind).hint
        st.caption(f"Click an answer or press its key. {hint}".strip())


def show() -> None:
    """Show the next step of the judge whose link this is."""
    st.html(trial_html.style_html())
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
    practised = session.practice_feedback()
    if practised is not None:
        _head(practised.view, terms, practice=True)
        show_feedback(practised, terms)
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
    """Show progress, what was saved, and the buttons to undo, pause and read the instructions."""
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
        "Change last answer",
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
            "Every answer is saved at once. Stop whenever you like and return by the same link, on "
            "this or any other device. Every button shows its keyboard shortcut."
        )
        st.button(
            "I agree, begin",
            key="judge-agree",
            on_click=session.consent,
            shortcut=judging_text.SAVE_KEY,
            type="primary",
        )


def _briefing(view: TrialView, terms: Terms) -> None:
    """Show the instructions of a kind, before its first trial."""
    st.title("Practice first" if view.practice else "Instructions", anchor=False)
    with st.container(width=704):
        _instructions(view, terms)
        if view.practice:
            st.markdown("You begin with practice trials, which do not count.")
        st.button(
            "Begin",
            key=f"briefed-{view.kind}",
            on_click=session.briefed,
            args=(view.kind,),
            shortcut=judging_text.SAVE_KEY,
            type="primary",
        )


def _instructions(view: TrialView, terms: Terms) -> None:
    st.markdown(judging_text.instructions(view.kind))
    _owners_words(terms)
    asked = judging_text.about_cards(terms)
    if asked:
        st.markdown(markdown(asked))


def _owners_words(terms: Terms) -> None:
    if terms.instructions.strip():
        st.markdown(markdown_lines(terms.instructions))


def markdown_lines(text: str) -> str:
    """Return the owner's text with its paragraphs, nothing in it read as Markdown."""
    return "\n\n".join(markdown(part) for part in text.split("\n") if part.strip())


def _paused(found: Pause) -> None:
    st.title("Paused", anchor=False)
    st.markdown(
        f"{judging_text.how_far(found.progress)}. Everything is saved. You can close this page and "
        "return by the same link, on this or any other device."
    )
    st.button(
        "Continue",
        key="judge-resume",
        on_click=session.resume,
        shortcut=judging_text.SAVE_KEY,
        type="primary",
    )


def _end(found: End) -> None:
    if found.reason == "closed":
        st.title("This study is closed", anchor=False)
        st.markdown(
            f"It takes no more answers. {count(found.progress.done, 'answer')} saved. Thank you."
        )
        _code()
        return
    if found.reason == "nothing_open":
        st.title("There is nothing to judge at the moment", anchor=False)
        st.markdown(
            "Other people are working on all remaining trials. Some may become available: return "
            "later by the same link."
        )
        st.button("Refresh", key="judge-again", shortcut=judging_text.SAVE_KEY)
        return
    st.title("You are done. Thank you.", anchor=False)
    st.markdown(f"{count(found.progress.done, 'answer')} saved.")
    _code()
    if found.more:
        st.markdown(
            f"Some people could not finish: {count(found.more, 'trial')} remain. You may continue "
            "with them if you like."
        )
        st.button("Continue with more", key="judge-more", on_click=session.go_on)
    _undo(found)


def _code() -> None:
    code = session.desk().completion_code()
    if code:
        st.markdown("Your completion code, if you are asked for one:")
        st.code(code, language=None, width=240)


def _say(problem: CapoError | None) -> None:
    if problem is not None:
        st.warning(judging_text.error_text(problem))


def _without_link() -> None:
    st.title("Open the link you were sent", anchor=False)
    st.markdown(
        "This page is for judges, each of whom has a personal link. If you were here before, "
        "everything you answered is saved, and your link leads back to where you were."
    )


def _refused(error: StudyError) -> None:
    st.title("This link cannot be opened", anchor=False)
    st.markdown(markdown(judging_text.error_text(error)))
