"""The judge's page: one step at a time, from the welcome to the last answer."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import (
    judge_html,
    judge_link,
    judge_session,
    judge_words,
    keeper,
    view_judge_trial,
)
from capo_core.dashboard.judge_style import CSS
from capo_core.dashboard.words import markdown
from capo_core.errors import CapoError, StudyError
from capo_core.study.showing import End, Pause
from capo_core.study.terms import Terms
from capo_core.study.views import TrialView


def show() -> None:
    """Whatever is next for the judge whose link this is."""
    st.html(CSS)
    token = judge_link.token()
    if token == keeper.PENDING:
        st.caption("One moment …")
        return
    if token == keeper.NONE:
        _without_link()
        return
    try:
        _step(judge_link.terms())
    except StudyError as error:
        _refused(error)
    except CapoError as error:
        st.title("Not now", anchor=False)
        st.markdown(judge_words.plainly(error))


def _step(terms: Terms) -> None:
    problem = judge_session.problem()
    if not judge_link.consented():
        _say(problem)
        _welcome(terms)
        return
    lesson = judge_session.lesson()
    if lesson is not None:
        _head(lesson.view, terms, practice=True)
        view_judge_trial.explain(lesson, terms)
        return
    found = judge_session.current()
    if isinstance(found, TrialView) and judge_session.needs_briefing(found):
        _say(problem)
        _briefing(found, terms)
    elif isinstance(found, TrialView):
        _head(found, terms, practice=found.practice)
        _say(problem)
        view_judge_trial.show(found, terms)
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
    saved = "Saved" if judge_session.just_saved() else ""
    st.html(
        judge_html.progress_html(
            judge_words.how_far(progress, practice=practice), done / max(1, total), saved
        )
    )
    with st.container(horizontal=True, gap="small", key="judge-tools"):
        if not practice:
            _undo(view)
        st.button(
            "Pause",
            key=f"pause-{view.trial_id}",
            on_click=judge_session.pause,
            shortcut=judge_words.PAUSE_KEY,
            type="tertiary",
        )
        with st.popover("Instructions", type="tertiary", key="judge-help"):
            _instructions(view, terms)


def _undo(view: TrialView | End) -> None:
    st.button(
        "Change the last answer",
        key=f"undo-{view.progress.done}",
        on_click=judge_session.undo,
        disabled=not judge_session.can_undo(view),
        shortcut=judge_words.UNDO_KEY,
        type="tertiary",
    )


def _welcome(terms: Terms) -> None:
    st.title(markdown(terms.title), anchor=False)
    with st.container(width=704):
        st.markdown(markdown_lines(terms.consent) or judge_words.CONSENT)
        st.markdown(judge_words.RECORDED)
        _owners_words(terms)
        st.markdown(judge_words.work_ahead(judge_link.desk().progress()))
        st.markdown(
            "Every answer is saved at once. Stop whenever you like and come back by the same "
            "link, on this or any other device. Everything can be done by the keys that stand on "
            "the buttons."
        )
        st.button(
            "I agree, begin",
            key="judge-agree",
            on_click=judge_session.consent,
            shortcut=judge_words.SAVE_KEY,
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
            on_click=judge_session.briefed,
            args=(view.kind,),
            shortcut=judge_words.SAVE_KEY,
            type="primary",
        )


def _instructions(view: TrialView, terms: Terms) -> None:
    st.markdown(judge_words.INSTRUCTIONS[view.kind])
    _owners_words(terms)
    asked = judge_words.about_cards(terms)
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
        f"{judge_words.how_far(found.progress)}. All of it is saved. Close this page if you like, "
        "and come back by the same link, on this or any other device."
    )
    st.button(
        "Go on",
        key="judge-resume",
        on_click=judge_session.resume,
        shortcut=judge_words.SAVE_KEY,
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
        st.button("Look again", key="judge-again", shortcut=judge_words.SAVE_KEY)
        return
    st.title("You are done. Thank you.", anchor=False)
    st.markdown(f"All your {found.progress.done:,} answers are saved.")
    _code()
    if found.more:
        st.markdown(
            f"Some people could not finish: {found.more:,} more are open. You may go on with "
            "them if you like."
        )
        st.button("Go on with more", key="judge-more", on_click=judge_session.go_on)
    _undo(found)


def _code() -> None:
    code = judge_link.desk().completion_code()
    if code:
        st.markdown("Your completion code, if somebody asks for one:")
        st.code(code, language=None, width=240)


def _say(problem: CapoError | None) -> None:
    if problem is not None:
        st.warning(judge_words.plainly(problem))


def _without_link() -> None:
    st.title("Open the link that you were sent", anchor=False)
    st.markdown(
        "This page belongs to judges, and each has a link of their own. If you were here before: "
        "all that you answered is saved, and your link leads back to where you were."
    )


def _refused(error: StudyError) -> None:
    st.title("This link does not open", anchor=False)
    st.markdown(markdown(judge_words.plainly(error)))
