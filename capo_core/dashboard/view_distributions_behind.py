"""The way from a point of a picture to its item, as on the page Compare."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import state

PAGE = "distributions"
_PLACE = "capo-behind"
_LED = f"{PAGE}.led"  # how often a reader was led there
_NOW = f"{PAGE}.lead"


def open_item(item_id: str) -> None:
    """Show an item, and bring it into sight."""
    state.put(PAGE, {"item": item_id, "part": None})
    st.session_state[_LED] = st.session_state.get(_LED, 0) + 1
    st.session_state[_NOW] = True


def place():
    """The container that a reader is led to."""
    return st.container(key=_PLACE)


def lead() -> None:
    """Scroll to `place`, if somebody has just asked for an item."""
    if not st.session_state.pop(_NOW, False):
        return
    # The count makes each script another one: the same again would not be run.
    st.html(
        f"<script>/* {st.session_state[_LED]} */ document.querySelector('.st-key-{_PLACE}')"
        "?.scrollIntoView({behavior: 'smooth', block: 'start'})</script>",
        unsafe_allow_javascript=True,
    )
