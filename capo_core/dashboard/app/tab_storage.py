"""Values in a tab's `sessionStorage`, which survive a reload: a judge's link, an owner's sign-in.

Other tabs and the next visitor do not have them. A judge's token is removed from the address bar
once it is stored, so that it is not copied or bookmarked; without storage it stays there.
"""

from __future__ import annotations

import streamlit as st

LINK = "judge-link"
PASS = "owner-pass"
NONE = "none"
PENDING = ""
_SCRIPT = """
export default function ({ data, setStateValue, parentElement }) {
  let found = "none";
  try {
    const query = new URLSearchParams(window.location.search);
    const given = data.keep || (data.name === "judge-link" && query.get("t"));
    if (given) {
      window.sessionStorage.setItem(data.name, given);
      if (query.has("t") && data.name === "judge-link") {
        window.history.replaceState(window.history.state, "", window.location.pathname);
      }
    }
    found = window.sessionStorage.getItem(data.name) || "none";
  } catch (refused) {
    found = "none";
  }
  if (data.ask && !parentElement.keeperAsked) {
    parentElement.keeperAsked = true;
    setStateValue("found", found);
  }
}
"""
_keeper = st.components.v2.component("keeper", js=_SCRIPT)


def store(name: str, value: str = "") -> None:
    """Store `value` in the tab, or the token in its address."""
    _keeper(data={"name": name, "keep": value, "ask": False}, key=f"keep-{name}")


def request(name: str) -> str:
    """Return the stored value; `PENDING` until the browser answers, `NONE` without one."""
    data = {"name": name, "keep": "", "ask": True}
    found = _keeper(data=data, key=f"ask-{name}", on_found_change=lambda: None).found
    return found or PENDING
