"""One judge's browser session: its link, what is on the screen, and what was chosen.

The state of record is on disk, behind the judge's desk. What is held here is a copy for the time
between two clicks: losing it (a refresh, a closed tab, another device) costs a choice that was not
saved yet, never an answer. Nothing here is given to a widget, so none of it is sent to the browser.

The link's token lies in the session's memory on the server and, for a refresh, in the tab (see
`tab_storage`); the desk looks it up again at every step.
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
from capo_core.study.tables import CONFIDENCES
from capo_core.study.trial_kinds import trial_kind

START = "judging."  # of all that a session keeps for its judge
_TOKEN, _TERMS, _REFUSED, _CONSENTED = (
    START + name for name in ("token", "terms", "refused", "consented")
)


def token() -> str:
    """Return the link's token: of the address, of this session, or stored in the tab.

    `tab_storage.PENDING` until the tab has answered, `tab_storage.NONE` where there is none.
    """
    given = st.query_params.get(access.TOKEN_KEY) or tab_storage.PENDING
    if given:
        _adopt(given)
    if _TOKEN in st.session_state:
        tab_storage.store(tab_storage.LINK)
        return st.session_state[_TOKEN]
    found = tab_storage.request(tab_storage.LINK)
    if found not in (tab_storage.PENDING, tab_storage.NONE):
        _adopt(found)
    return found


def _adopt(given: str) -> None:
    """Start a session for this link, unless it is this session's link already."""
    if st.session_state.get(_TOKEN) == given:
        return
    for key in [key for key in st.session_state if str(key).startswith(START)]:
        del st.session_state[key]
    st.session_state[_TOKEN] = given


def desk() -> JudgeDesk:
    """Return the desk of this session's link. Raises: as `sign_in.confined_engine`."""
    return JudgeDesk(sign_in.confined_engine(), url_state.now(_TOKEN), caller=access.caller())


def terms() -> Terms:
    """Return the study's terms; the link is opened once per session, also where it is refused.

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
    return url_state.session_dict(f"{START}session")


def current() -> TrialView | Pause | End:
    """Return what is on the screen; looked up again after every action."""
    if _VIEW not in _session():
        found = desk().next_trial()
        if not isinstance(found, TrialView):
            return found
        _session()[_VIEW] = found
    return _session()[_VIEW]


def needs_briefing(view: TrialView) -> bool:
    """Return whether this is the first trial of its kind and its instructions are unread."""
    far = view.progress
    new = view.practice or (far.done == 0 and far.practice_total == 0)
    return new and view.kind not in _session().get(_BRIEFED, ())


def practice_feedback() -> PracticeFeedback | None:
    """Return the practice trial whose feedback is on the screen, if there is one."""
    if _LESSON not in _session():
        _session()[_LESSON] = desk().practice_feedback()
    return _session()[_LESSON]


def problem() -> CapoError | None:
    """Return the error of the last action, once."""
    return _session().pop(_PROBLEM, None)


def just_saved() -> bool:
    """Return whether the last action saved an answer."""
    return bool(_session().get(_SAVED))


def can_undo(view: TrialView | End) -> bool:
    """Return whether the last answer may be withdrawn."""
    taken_back = _session().get(_UNDONE) or getattr(view, "earlier", None) is not None
    return view.progress.done > 0 and not getattr(view, "practice", False) and not taken_back


def draft(view: TrialView) -> JudgeAnswer:
    """Return what is chosen for this trial and not saved yet; at first a withdrawn answer."""
    trial_id, given = _session().get(_DRAFT, ("", None))
    return given if trial_id == view.trial_id else view.earlier or JudgeAnswer("", "", "")


def is_ready(view: TrialView, given: JudgeAnswer) -> bool:
    """Return whether the answer can be saved, with a confidence where one is required."""
    return bool(given.answer) and (not asks_confidence(view, given) or bool(given.confidence))


def asks_confidence(view: TrialView, given: JudgeAnswer) -> bool:
    return trial_kind(view.kind).asks_confidence(given.answer)


def answer_key(view: TrialView, answer: str) -> str:
    """Return the key of an answer's button, for this trial alone."""
    return f"answer-{answer}-{view.trial_id}"


def sure_key(view: TrialView, level: str) -> str:
    """Return the key of a confidence's button, for this trial alone."""
    return f"sure-{level}-{view.trial_id}"


def reason_key(view: TrialView) -> str:
    """Return the key of this trial's text field, so that no text is carried over to the next."""
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
    sure = given.confidence if asks_confidence(view, given) else ""
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
    """Take over trials that others left open."""
    _act(JudgeDesk.go_on, _SAVED)


def consent() -> None:
    _act(JudgeDesk.consent)


def briefed(kind: str) -> None:
    """Note that the instructions of this kind were read."""
    _session()[_BRIEFED] = (*_session().get(_BRIEFED, ()), kind)


def acknowledge_feedback() -> None:
    """Note that the feedback of a practice trial was read."""
    _session()[_LESSON] = None
    _forget(_SAVED)


def _act(work: Any, *forget: str) -> None:
    """Call `work(desk)`; an error is shown on the page, which then looks up the next step."""
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
