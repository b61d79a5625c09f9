"""What callbacks read of the session does not give way to the click that comes next."""

import pytest
from streamlit.runtime.state import session_state_proxy
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.runtime.state.session_state import SessionState

from capo_core.dashboard.ui import url_state


class Interrupted(Exception):
    """As Streamlit ends a callback at its next look at the session when another click waits."""


@pytest.fixture
def session(monkeypatch):
    inner, waiting = SessionState(), []

    def give_way():
        if waiting:
            raise Interrupted

    safe = SafeSessionState(inner, give_way)
    monkeypatch.setattr(session_state_proxy, "get_session_state", lambda: safe)
    return inner, waiting


def test_a_plain_look_is_interrupted_and_ours_is_not(session):
    inner, waiting = session
    inner["box"] = "typed"
    waiting.append("a click")
    with pytest.raises(Interrupted):
        url_state.st.session_state["box"]
    assert url_state.now("box") == "typed"


def test_what_is_kept_is_read_and_changed_without_giving_way(session):
    _, waiting = session
    url_state.session_dict("mine")["a"] = 1
    waiting.append("a click")
    url_state.session_dict("mine")["b"] = 2
    assert url_state.session_dict("mine") == {"a": 1, "b": 2}


def test_a_box_is_set_only_where_it_holds_something_else(session):
    inner, _ = session
    assert url_state.typed("box", "a") == {"key": "box", "value": "a"}
    assert "box" not in inner  # the browser begins with the default
    inner["box"] = "b"
    url_state.typed("box", "a")
    assert inner["box"] == "a"
