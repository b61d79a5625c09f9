"""The judge's page, one step at a time: welcome, instructions, trials with feedback, end."""

from __future__ import annotations

from typing import Any

import streamlit as st

from capo_core.dashboard.app import tab_storage
from capo_core.dashboard.judging import desk_component, session, trial_html
from capo_core.dashboard.judging import text as judging_text
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError, StudyError
from capo_core.formatting import count
from capo_core.study.judging.answers import PracticeFeedback
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import End, Pause, TrialView


def show_trial(view: TrialView, terms: Terms, problem: CapoError | None) -> None:
    """Show a trial to be answered."""
    _desk(
        desk_component.trial_data(
            view,
            terms,
            changing=session.changing(),
            handled=session.handled(),
            saved=session.just_saved(),
            problem=judging_text.error_text(problem) if problem else "",
        )
    )


def show_feedback(practised: PracticeFeedback, terms: Terms, problem: CapoError | None) -> None:
    """Show a practice trial that was answered, with the right answer."""
    told = judging_text.error_text(problem) if problem else ""
    _desk(desk_component.feedback_data(practised, terms, handled=session.handled(), problem=told))


def _desk(data: dict[str, Any]) -> None:
    found = desk_component.show(data, session.receive)
    # A session that began after the message was sent had no callback for it yet.
    if found is not None and session.receive(found):
        st.rerun()


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
        show_feedback(practised, terms, problem)
        return
    found = session.current()
    if isinstance(found, TrialView) and session.needs_briefing(found):
        _say(problem)
        _briefing(found, terms)
    elif isinstance(found, TrialView) and session.practice_is_over(found):
        _say(problem)
        _practice_over(found)
    elif isinstance(found, TrialView):
        _head(found, terms, practice=found.practice)
        show_trial(found, terms, problem)
    elif isinstance(found, Pause):
        _paused(found)
    else:
        _say(problem)
        _end(found)


def _head(view: TrialView, terms: Terms, *, practice: bool) -> None:
    """Show progress, and the buttons to change the last answer, pause and read the instructions."""
    progress = view.progress
    done, total = (
        (progress.practice_done, progress.practice_total)
        if practice
        else (progress.done, progress.total)
    )
    st.html(
        trial_html.progress_html(
            judging_text.how_far(progress, practice=practice), done / max(1, total)
        )
    )
    with st.container(horizontal=True, gap="small", key="judge-tools"):
        if not practice:
            _change(view)
        st.button(
            "Pause",
            key="judge-pause",
            on_click=session.pause,
            shortcut=judging_text.PAUSE_KEY,
            type="tertiary",
        )
        with st.popover("Instructions", type="tertiary", key="judge-help"):
            _instructions(view, terms)


def _change(view: TrialView | End) -> None:
    st.button(
        "Change last answer",
        key="judge-change",
        on_click=session.change_last,
        disabled=not session.can_change(view),
        shortcut=judging_text.CHANGE_KEY,
        type="tertiary",
    )


def _welcome(terms: Terms) -> None:
    st.title(markdown(terms.title), anchor=False)
    with st.container(width=704):
        st.markdown(markdown_lines(terms.consent) or judging_text.CONSENT)
        for name, words in judging_text.about_the_study(terms):
            st.markdown(f"**{name}.** {markdown(words)}")
        participant = session.desk().participant()
        st.markdown(judging_text.recorded(participant))
        _owners_words(terms)
        st.markdown(judging_text.work_ahead(session.desk().progress()))
        st.markdown(
            "Every answer is saved at once. Stop whenever you like and return by the same link, on "
            "this or any other device."
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
            key="judge-begin",
            on_click=session.briefed,
            args=(view.kind,),
            shortcut=judging_text.SAVE_KEY,
            type="primary",
        )


def _practice_over(view: TrialView) -> None:
    """Say between practice and the first trial that counts that answers count now."""
    st.title("Practice is over", anchor=False)
    with st.container(width=704):
        trials = count(view.progress.total, "trial")
        st.markdown(
            f"From here on your answers count: {trials}, without feedback. The last answer can be "
            "changed until you give the next one."
        )
        st.button(
            "Start",
            key="judge-start",
            on_click=session.counts_now,
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
    _change(found)


def _code() -> None:
    code = session.desk().completion_code()
    if not code:
        return
    back = session.desk().way_back()
    if back:
        st.link_button("Return and complete", back, type="primary")
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
