"""One judge's browser session: its link, what is on the screen, and what was chosen.

The state of record is on disk, behind the judge's desk; what was chosen and not saved yet is in the
browser (`desk_component`). What is held here is a copy for the time between two messages: losing it
(a refresh, a closed tab, another device) costs nothing.

The link's token lies in the session's memory on the server and, for a refresh, in the tab (see
`tab_storage`); the desk looks it up again at every step.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from capo_core.dashboard.app import access, sign_in, tab_storage
from capo_core.dashboard.judging import desk_component
from capo_core.dashboard.judging.desk_component import DeskMessage
from capo_core.dashboard.ui import url_state
from capo_core.errors import BackendUnavailable, CapoError, DataError, StudyError
from capo_core.study.judging import open_links
from capo_core.study.judging.answers import PracticeFeedback
from capo_core.study.judging.desk import JudgeDesk, own_link
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import End, Pause, TrialView
from capo_core.study.store import Busy
from capo_core.study.trial_kinds import trial_kind

START = "judging."  # of all that a session keeps for its judge
_TOKEN, _GIVEN, _PARTICIPANT, _TERMS, _REFUSED, _CONSENTED = (
    START + name for name in ("token", "given", "participant", "terms", "refused", "consented")
)


def token() -> str:
    """Return the link's token: of the address, of this session, or stored in the tab.

    `tab_storage.PENDING` until the tab has answered, `tab_storage.NONE` where there is none.
    """
    given = st.query_params.get(access.TOKEN_KEY) or tab_storage.PENDING
    if given:
        _adopt(given)
    if _TOKEN in st.session_state:
        if not st.session_state[_PARTICIPANT]:
            tab_storage.store(tab_storage.LINK)
        return st.session_state[_TOKEN]
    found = tab_storage.request(tab_storage.LINK)
    if found not in (tab_storage.PENDING, tab_storage.NONE):
        _adopt(found)
    return found


def _adopt(given: str) -> None:
    """Start a session for this link, unless it is this session's link already."""
    if given in (st.session_state.get(_TOKEN), st.session_state.get(_GIVEN)):
        return
    for key in [key for key in st.session_state if str(key).startswith(START)]:
        del st.session_state[key]
    st.session_state[_TOKEN] = st.session_state[_GIVEN] = given
    st.session_state[_PARTICIPANT] = open_links.participant_of(st.query_params)


def desk() -> JudgeDesk:
    """Return the desk of this session's link. Raises: as `sign_in.confined_engine`."""
    return JudgeDesk(sign_in.confined_engine(), url_state.now(_TOKEN), caller=access.caller())


def _own_token() -> None:
    """Replace the token of an open link by the participant's own."""
    token = url_state.now(_TOKEN)
    participant = st.session_state.get(_PARTICIPANT, "")
    own = own_link(sign_in.confined_engine(), token, participant, access.caller())
    if own != token:
        st.session_state[_TOKEN] = own


def terms() -> Terms:
    """Return the study's terms; the link is opened once per session, also where it is refused.

    A participant's own link is kept in the tab, in place of the open link in the address.

    Raises:
        StudyError: the link is unknown, withdrawn or over.
    """
    try:
        return _opened()
    finally:
        if st.session_state[_PARTICIPANT]:
            own, given = st.session_state[_TOKEN], st.session_state[_GIVEN]
            tab_storage.store(tab_storage.LINK, own if own != given else "")


def _opened() -> Terms:
    if _REFUSED in st.session_state:
        raise st.session_state[_REFUSED]
    if _TERMS not in st.session_state:
        try:
            _own_token()
            st.session_state[_TERMS] = desk().open()
        except StudyError as error:
            if not isinstance(error, Busy):
                st.session_state[_REFUSED] = error
            raise
    return st.session_state[_TERMS]


def consented() -> bool:
    """Return whether the judge has consented; asked of the database until they have."""
    if not st.session_state.get(_CONSENTED):
        st.session_state[_CONSENTED] = desk().consented()
    return st.session_state[_CONSENTED]


_VIEW, _CHANGING, _LESSON, _PROBLEM = "view", "changing", "lesson", "problem"
_SAVED, _SINCE, _BRIEFED, _HANDLED, _COUNTS = "saved", "since", "briefed", "handled", "counts"
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


def changing() -> bool:
    """Return whether the trial on the screen has an answer that stands and may be replaced."""
    return bool(_session().get(_CHANGING))


def needs_briefing(view: TrialView) -> bool:
    """Return whether this is the first trial of its kind and its instructions are unread.

    Who answered one of the kind has read them: a judge who returns is not stopped again.
    """
    new = not view.progress.of_kind.get(view.kind)
    return new and not changing() and view.kind not in _session().get(_BRIEFED, ())


def practice_is_over(view: TrialView) -> bool:
    """Return whether this is the first trial that counts, after practice, and that is unread."""
    far = view.progress
    first = far.practice_total > 0 and far.done == 0 and not view.practice
    return first and not changing() and not _session().get(_COUNTS)


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


def handled() -> str:
    """Return the identifier of the last message of the desk that was handled; "" for none."""
    return _session().get(_HANDLED, "")


def can_change(view: TrialView | End) -> bool:
    """Return whether the last answer may be changed."""
    return view.progress.done > 0 and not getattr(view, "practice", False) and not changing()


# Callbacks. Each message knows the trial it was made for: one that comes late, from a page that has
# been left, changes nothing in another one.


def receive(message: DeskMessage | None = None) -> bool:
    """Handle a message of the desk, once; return whether there was one to handle.

    Args:
        message: by default the last one of this session's desk.
    """
    message = message or desk_component.received()
    if message is None or message.message_id == handled():
        return False
    _session()[_HANDLED] = message.message_id
    if message.act == desk_component.CONTINUE:
        _session()[_LESSON] = None
        _forget(_SAVED)
    elif message.act == desk_component.KEEP:
        if changing():
            _forget(_VIEW, _CHANGING, _SINCE, _SAVED)
    else:
        _save(message)
    return True


def _save(message: DeskMessage) -> None:
    """Write the answer; only then may the next trial show."""
    view, given = _session().get(_VIEW), message.given
    here = isinstance(view, TrialView) and view.trial_id == message.trial_id
    since = _session().get(_SINCE) if here else None

    def write(at: JudgeDesk) -> None:
        saved = at.answer(
            message.trial_id, given.answer, given.confidence, given.reason, shown_at=since,
            replaces=message.replaces, layout=message.layout,
        )  # fmt: skip
        _forget(_SINCE, _CHANGING)
        _session()[_SAVED] = True
        if saved.feedback is not None and here:
            _session()[_LESSON] = PracticeFeedback(view, given, saved.feedback)

    if not here:  # a repeat from before, or from a session that is gone
        try:
            write(desk())
        except PASSING as error:  # nobody knows whether it stands: the trial that is open says so
            _session()[_PROBLEM] = error
        except StudyError:
            pass  # it stands, or is too late
        _forget(_VIEW)
    elif trial_kind(view.kind).asks_confidence(given.answer) and not given.confidence:
        _session()[_PROBLEM] = StudyError("choose how sure you are", todo="then save")
    else:
        _act(write, _CHANGING)


def change_last() -> None:
    """Show the last trial again; its answer stands until another one is saved."""

    def reopen(at: JudgeDesk) -> None:
        view = at.last_trial()
        _forget(_SAVED)
        _session().update({_VIEW: view, _CHANGING: True, _SINCE: view.shown_at})

    try:
        reopen(desk())
    except (*PASSING, StudyError) as error:
        _session()[_PROBLEM] = error
        _forget(_VIEW)


def pause() -> None:
    """Pause the session (click callback)."""
    _act(JudgeDesk.pause, _SAVED, _LESSON, _CHANGING)


def resume() -> None:
    """End the pause (click callback)."""

    def go_on(at: JudgeDesk) -> None:
        at.resume()
        _forget(_LESSON)
        _session()[_SINCE] = datetime.now(UTC)  # the pause is not time for the trial

    _act(go_on)


def go_on() -> None:
    """Take over trials that others left open."""
    _act(JudgeDesk.go_on, _SAVED)


def consent() -> None:
    """Store the judge's consent (click callback)."""
    _act(JudgeDesk.consent)


def briefed(kind: str) -> None:
    """Note that the instructions of this kind were read."""
    _session()[_BRIEFED] = (*_session().get(_BRIEFED, ()), kind)
    _session()[_SINCE] = datetime.now(UTC)  # reading that is not time for the trial
    _forget(_SAVED)


def counts_now() -> None:
    """Note that the judge knows that answers count from here on."""
    _session()[_COUNTS] = True
    _session()[_SINCE] = datetime.now(UTC)  # reading that is not time for the trial
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
