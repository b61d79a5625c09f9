"""The way from a score or a picture to the answers behind it."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import state
from capo_core.dashboard.view_methods_choice import PAGE

_PLACE = "capo-behind"
_LED = f"{PAGE}.led"  # how often a reader was led there
_NOW = f"{PAGE}.lead"
_SETTINGS = ("item", "as", "outcome", "given", "label", "order")


def open_answers(method: str, **query: str | None) -> None:
    """Show the answers of a method ("" for all), and bring them into sight.

    Args:
        query: settings of `view_methods_items`; those not named have their defaults.
    """
    state.put(PAGE, {**dict.fromkeys(_SETTINGS), **query, "method": method, "part": "answers"})
    st.session_state[_LED] = st.session_state.get(_LED, 0) + 1
    st.session_state[_NOW] = True


def place():
    """The container that a reader is led to."""
    return st.container(key=_PLACE)


def lead() -> None:
    """Scroll to `place`, if somebody has just asked for what is there."""
    if not st.session_state.pop(_NOW, False):
        return
    # The count makes each script another one: the same again would not be run.
    st.html(
        f"<script>/* {st.session_state[_LED]} */ document.querySelector('.st-key-{_PLACE}')"
        "?.scrollIntoView({behavior: 'smooth', block: 'start'})</script>",
        unsafe_allow_javascript=True,
    )
