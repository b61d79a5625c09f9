"""While something slow is computed beside the page: a line, and a look now and then."""

from __future__ import annotations

import time

import streamlit as st

from capo_core.dashboard.words import markdown

EVERY_S = 1.0


def waiting(words: str) -> None:
    """Say what is being computed; the page runs again after a moment, which finds it or waits on.

    To be called where the result is to stand.
    """
    st.fragment(_again, run_every=EVERY_S)(words, time.monotonic())


def _again(words: str, since: float) -> None:
    if time.monotonic() - since > EVERY_S / 2:
        st.rerun()
    st.markdown(f":gray[{markdown(words)}]")
