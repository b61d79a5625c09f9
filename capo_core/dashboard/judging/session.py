"""One judge's browser session: what is on the screen, what was chosen, and what was saved.

Truth is on disk, behind the judge's desk. What is kept here is a copy for the time between two
clicks: losing it (a refresh, a closed tab, another device) costs a choice that was not saved yet,
never an answer. Nothing here is given to a widget, so none of it is sent to the browser.

The link by which a browser session came: its token, and the desk that it opens.

The token lies in the session's memory on the server and, for a refresh, in the tab (see
`keeper`); the desk looks it up again at every step.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from capo_core.dashboard.app import access, sign_in, tab_storage
from capo_core.dashboard.ui import url_state
from capo_core.errors import BackendUnavailable, CapoError, DataError, StudyError
from capo_core.study.judging.answers import PracticeFeedback
from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import End, JudgeAnswer, Pause, TrialView
from capo_core.study.store import Busy
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, CONFIDENCES

START = "judging."  # of all that a session keeps for its judge
_TOKEN, _TERMS, _REFUSED, _CONSENTED = (
    START + name for name in ("token", "terms", "refused", "consented")
)


def token() -> str:
    """The link's token: of the address, of this session, or kept by the tab from before.

    `keeper.PENDING` until the tab has answered, `keeper.NONE` where there is none.
    """
    given = st.query_params.get(access.TOKEN_KEY) or tab_storage.PENDING
    if given:
        _adopt(given)
    if _TOKEN in st.session_state:
        tab_storage.keep(tab_storage.LINK)
        return st.session_state[_TOKEN]
    found = tab_storage.ask(tab_storage.LINK)
    if found not in (tab_storage.PENDING, tab_storage.NONE):
        _adopt(found)
    return found


def _adopt(given: str) -> None:
    """Begin with this link, unless the session is at it already."""
    if st.session_state.get(_TOKEN) == given:
        return
    for key in [key for key in st.session_state if str(key).startswith(START)]:
        del st.session_state[key]
    st.session_state[_TOKEN] = given


def desk() -> JudgeDesk:
    """Raises: as `judge_store.engine`."""
    return JudgeDesk(sign_in.confined_engine(), url_state.now(_TOKEN), caller=access.caller())


def terms() -> Terms:
    """What the study asks; the link is opened once a session, also where it is refused.

    Raises:
        StudyError: the link is unknown, withdrawn or over.
    """
    if _REFUSED in st.session_state:
        raise st.session_state[_REFUSED]
    if _TERMS not in st.session_state:
        try:
            st.session_state[_TERMS] = desk().open()
        except StudyError as error:
            if not isinstance(error, Busy):
                st.session_state[_REFUSED] = error
            raise
    return st.session_state[_TERMS]


def consented() -> bool:
    if not st.session_state.get(_CONSENTED):
        st.session_state[_CONSENTED] = desk().consented()
    return st.session_state[_CONSENTED]


_VIEW, _DRAFT, _LESSON, _PROBLEM = "view", "draft", "lesson", "problem"
_SAVED, _UNDONE, _SINCE, _BRIEFED = "saved", "undone", "since", "briefed"
# After these the same answer may be given again: the database did not get to it.
PASSING = (Busy, BackendUnavailable, DataError)


def _session() -> dict[str, Any]:
    return url_state.kept(f"{START}session")


def current() -> TrialView | Pause | End:
    """What is on the screen; looked up again after every act, and where nothing is to be judged."""
    if _VIEW not in _session():
        found = desk().next_trial()
        if not isinstance(found, TrialView):
            return found
        _session()[_VIEW] = found
    return _session()[_VIEW]


def needs_briefing(view: TrialView) -> bool:
    """Is it the first trial of its kind, and has what is asked not been read in this session?"""
    far = view.progress
    new = view.practice or (far.done == 0 and far.practice_total == 0)
    return new and view.kind not in _session().get(_BRIEFED, ())


def practice_feedback() -> PracticeFeedback | None:
    """The practice trial that is being explained; looked up where the session is new."""
    if _LESSON not in _session():
        _session()[_LESSON] = desk().practice_feedback()
    return _session()[_LESSON]


def problem() -> CapoError | None:
    """What went wrong at the last act; said once."""
    return _session().pop(_PROBLEM, None)


def just_saved() -> bool:
    """Was an answer saved at the last act?"""
    return bool(_session().get(_SAVED))


def can_undo(view: TrialView | End) -> bool:
    """Is there a last answer that may be taken back?"""
    taken_back = _session().get(_UNDONE) or getattr(view, "earlier", None) is not None
    return view.progress.done > 0 and not getattr(view, "practice", False) and not taken_back


def draft(view: TrialView) -> JudgeAnswer:
    """What is chosen for this trial and not saved yet; at first what was taken back, if any."""
    trial_id, given = _session().get(_DRAFT, ("", None))
    return given if trial_id == view.trial_id else view.earlier or JudgeAnswer("", "", "")


def is_ready(view: TrialView, given: JudgeAnswer) -> bool:
    """May it be saved? How sure one is belongs to an attribution, unless one cannot tell."""
    return bool(given.answer) and (not asks_how_sure(view, given) or bool(given.confidence))


def asks_how_sure(view: TrialView, given: JudgeAnswer) -> bool:
    return view.kind == ATTRIBUTION and given.answer != CANNOT_TELL


def answer_key(view: TrialView, answer: str) -> str:
    """The button of an answer, for this trial alone."""
    return f"answer-{answer}-{view.trial_id}"


def sure_key(view: TrialView, level: str) -> str:
    """The button of a confidence, for this trial alone."""
    return f"sure-{level}-{view.trial_id}"


def reason_key(view: TrialView) -> str:
    """The text field of this trial's reason: one of its own, so that no text is carried over."""
    return f"reason-{view.trial_id}"


# Callbacks of buttons. Each knows the trial it was drawn for: a click that comes late, from a
# page that has been left, changes nothing in another one.


def choose(view: TrialView, **changes: str) -> None:
    _forget(_SAVED)
    _session()[_DRAFT] = (view.trial_id, replace(draft(view), **changes))


def save(view: TrialView) -> None:
    """Write the answer; only then may the next trial show.

    Keys pressed in quick succession arrive together, and Streamlit calls their buttons in an order
    of its own: what was chosen in the same moment is taken first.
    """
    clicked = st.session_state.to_dict()
    for answer in view.answers:
        if clicked.get(answer_key(view, answer)):
            choose(view, answer=answer)
    for level in CONFIDENCES:
        if clicked.get(sure_key(view, level)):
            choose(view, confidence=level)
    given = draft(view)
    if not is_ready(view, given):
        return
    reason = clicked.get(reason_key(view), given.reason)
    sure = given.confidence if asks_how_sure(view, given) else ""
    given = JudgeAnswer(given.answer, sure, reason)
    since = _session().get(_SINCE)

    def write(at: JudgeDesk) -> None:
        saved = at.answer(view.trial_id, given.answer, sure, reason, shown_at=since)
        _forget(_UNDONE, _SINCE, _DRAFT)
        _session()[_SAVED] = True
        if saved.feedback is not None:
            _session()[_LESSON] = PracticeFeedback(view, given, saved.feedback)

    _act(write)


def undo() -> None:
    def take_back(at: JudgeDesk) -> None:
        at.undo()
        _forget(_SAVED, _DRAFT)
        _session()[_UNDONE] = True

    _act(take_back)


def pause() -> None:
    _act(JudgeDesk.pause, _SAVED, _LESSON)


def resume() -> None:
    def go_on(at: JudgeDesk) -> None:
        at.resume()
        _forget(_LESSON)
        _session()[_SINCE] = datetime.now(UTC)  # the pause is not time for the trial

    _act(go_on)


def go_on() -> None:
    """Take on trials that others left open."""
    _act(JudgeDesk.go_on, _SAVED)


def consent() -> None:
    _act(JudgeDesk.consent)


def briefed(kind: str) -> None:
    """What trials of this kind ask was read."""
    _session()[_BRIEFED] = (*_session().get(_BRIEFED, ()), kind)


def acknowledge_feedback() -> None:
    """The explanation of a practice trial was read."""
    _session()[_LESSON] = None
    _forget(_SAVED)


def _act(work: Any, *forget: str) -> None:
    """`work(desk)`; what goes wrong is said on the page, which then looks where the judge is."""
    try:
        work(desk())
    except PASSING as error:
        _session()[_PROBLEM] = error  # what was chosen stays, to be saved again
        return
    except StudyError as error:
        _session()[_PROBLEM] = error
    _forget(_VIEW, *forget)


def _forget(*keys: str) -> None:
    for key in keys:
        _session().pop(key, None)
