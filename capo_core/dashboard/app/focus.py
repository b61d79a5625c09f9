"""Focus of keyboard and screen reader after a change of page or view.

Pages change without the browser's loading anything, and what was clicked is often gone afterwards:
the focus would fall back to the beginning of the document, before the menu, and a screen reader
would say nothing of the new page.
"""

from __future__ import annotations

import streamlit as st

# On a new page the focus goes to its heading, unless something in the page has been chosen
# meanwhile; on a new view of the same page only where what had the focus is gone. The first page
# of a tab is left alone: there the browser begins at the top, with the link that skips the menu.
_SCRIPT = """
export default function ({ data }) {
  const before = window.capoPlace;
  window.capoPlace = data;
  if (!before || (before.page === data.page && before.view === data.view)) return;
  const quiet = '[data-testid="stApp"][data-test-script-state="notRunning"]';
  const look = (left) => {
    if (window.capoPlace !== data) return;
    const title = document.querySelector('[data-testid="stMain"] h1');
    if (!title || !document.querySelector(quiet)) {
      if (left) setTimeout(look, 50, left - 1);
      return;
    }
    const has = document.activeElement;
    const lost = !has || has === document.body || !has.isConnected;
    const menu = before.page !== data.page && has && has.closest('[data-testid="stSidebar"]');
    if (!lost && !menu) return;
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
  };
  setTimeout(look, 50, 1200);
}
"""
_focus = st.components.v2.component("focus", js=_SCRIPT)


def follow(page: str, view: str) -> None:
    """Move the focus to the title of `page` where this run of the script changed page or view."""
    _focus(data={"page": page, "view": view}, key="capo-focus")
