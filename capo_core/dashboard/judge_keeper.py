"""A judge's link, kept by the tab it was opened in, so that a refresh leads back.

The token leaves the address bar (and what is copied from it, photographed or bookmarked) as soon
as the page is there, and lies in the tab's own storage, which other tabs and the next visitor do
not have. Where a browser keeps nothing, the address stays as it is.
"""

from __future__ import annotations

import streamlit as st

NONE = "none"
PENDING = ""
_SCRIPT = """
export default function ({ data, setStateValue, parentElement }) {
  const name = "judge-link";
  try {
    const given = new URLSearchParams(window.location.search).get("t");
    if (given) {
      window.sessionStorage.setItem(name, given);
      window.history.replaceState(window.history.state, "", window.location.pathname);
    }
    if (data.ask && !parentElement.judgeAsked) {
      parentElement.judgeAsked = true;
      setStateValue("found", window.sessionStorage.getItem(name) || "none");
    }
  } catch (refused) {
    if (data.ask && !parentElement.judgeAsked) {
      parentElement.judgeAsked = true;
      setStateValue("found", "none");
    }
  }
}
"""
_keeper = st.components.v2.component("judge_keeper", js=_SCRIPT)


def keep() -> None:
    """Have the tab keep the token that stands in its address."""
    _keeper(data={"ask": False}, key="judge-keeper", height=0)


def ask() -> str:
    """The token that the tab kept; `PENDING` until it has answered, `NONE` where there is none."""
    found = _keeper(
        data={"ask": True}, key="judge-asker", on_found_change=lambda: None, height=0
    ).found
    return found or PENDING
