"""The link by which a browser session came: its token, and the desk that it opens.

The token lies in the session's memory on the server and, for a refresh, in the tab (see
`keeper`); the desk looks it up again at every step.
"""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import judge_store, keeper, state, who
from capo_core.errors import StudyError
from capo_core.study.judging import JudgeDesk
from capo_core.study.store import Busy
from capo_core.study.terms import Terms

START = "judging."  # of all that a session keeps for its judge
_TOKEN, _TERMS, _REFUSED, _CONSENTED = (
    START + name for name in ("token", "terms", "refused", "consented")
)


def token() -> str:
    """The link's token: of the address, of this session, or kept by the tab from before.

    `keeper.PENDING` until the tab has answered, `keeper.NONE` where there is none.
    """
    given = st.query_params.get(who.TOKEN_KEY) or keeper.PENDING
    if given:
        _adopt(given)
    if _TOKEN in st.session_state:
        keeper.keep(keeper.LINK)
        return st.session_state[_TOKEN]
    found = keeper.ask(keeper.LINK)
    if found not in (keeper.PENDING, keeper.NONE):
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
    return JudgeDesk(judge_store.engine(), state.now(_TOKEN), caller=who.caller())


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
