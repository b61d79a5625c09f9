"""What a tab keeps for itself, so that a refresh leads back: a judge's link, an owner's sign-in.

It lies in the tab's own storage (`sessionStorage`), which other tabs and the next visitor do not
have. A judge's token leaves the address bar (and what is copied from it, photographed or
bookmarked) by this. Where a browser keeps nothing, the address stays as it is.
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
    """Have the tab keep `value`, or the token that stands in its address."""
    _keeper(data={"name": name, "keep": value, "ask": False}, key=f"keep-{name}")


def request(name: str) -> str:
    """What the tab kept; `PENDING` until it has answered, `NONE` where there is nothing."""
    data = {"name": name, "keep": "", "ask": True}
    found = _keeper(data=data, key=f"ask-{name}", on_found_change=lambda: None).found
    return found or PENDING
