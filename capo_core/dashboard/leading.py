"""The way down a page, from a score or a picture to the texts behind it."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import state

_PLACE = "capo-behind"
_WAY = "leading"  # `page` → how often a reader was led there; `page.now` where one is to be led


def ask(page: str) -> None:
    """To be called by what is clicked: once the page has run, its `place` comes into sight."""
    way = state.kept(_WAY)
    way[page] = way.get(page, 0) + 1
    way[f"{page}.now"] = True


def place():
    """The container that a reader is led to; a page has one."""
    return st.container(key=_PLACE)


def lead(page: str) -> None:
    """Scroll to `place`, if somebody has just asked for what is there."""
    way = state.kept(_WAY)
    if not way.pop(f"{page}.now", False):
        return
    # The count makes each script another one: the same again would not be run.
    st.html(
        f"<script>/* {way[page]} */ document.querySelector('.st-key-{_PLACE}')"
        "?.scrollIntoView({behavior: 'smooth', block: 'start'})</script>",
        unsafe_allow_javascript=True,
    )
