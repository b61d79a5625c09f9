"""Entry point of the dashboard: page configuration, and navigation by role: owner, judge or
stranger."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import streamlit as st

from capo_core.dashboard.app import access, page, sign_in
from capo_core.dashboard.app.pages import pages

MANY = 50  # modules that a page has imported when it is worth looking at them for the last time
_modules = 0
ICON = str(Path(__file__).with_name("icon.svg"))


def main() -> None:
    """Draw the page that the address names."""
    if access.is_owner():
        st.set_page_config("CAPO Lab", ICON, layout="wide", initial_sidebar_state="auto")
    else:  # judges and strangers see no page names
        st.set_page_config("Judging", ICON, layout="wide", initial_sidebar_state="collapsed")
    navigation().run()
    spare_modules()


def spare_modules() -> None:
    """Take what imported modules hold out of the garbage collector's sight, once a page has
    imported many.

    Streamlit collects all generations after every run of a page. With the modules of the analysis
    that is a quarter of a million objects which live as long as the server: 0.16 of the 0.2 to 0.4
    CPU seconds of a click.
    """
    global _modules
    if len(sys.modules) >= _modules + MANY:
        _modules = len(sys.modules)
        gc.collect()
        gc.freeze()


def navigation() -> st.Page:
    """Return the requested page, out of those that the visitor's role may open.

    Other pages are not registered at all: a judge has the judging page, a stranger the sign-in.
    Streamlit's own menu is hidden: its links drop the query, and a page that then restores its view
    could not be left by the browser's Back. `page` draws the links.
    """
    if access.is_owner():
        found = [page.registered(name) for name in pages()]
    elif access.is_judge():
        found = [*_sign_ins("Judging"), _judging()]
    else:
        found = _sign_ins("Sign in")
    return st.navigation(found, position="hidden")


def _judging() -> st.Page:
    def show() -> None:
        from capo_core.dashboard.judging import page as judging

        judging.show()

    return st.Page(show, title="Judging", url_path=access.JUDGE_PATH)


def _sign_ins(title: str) -> list[st.Page]:
    """Return the sign-in in place of the first page and of the requested owner's page."""
    asked = access.path()
    places = ["", *([asked] if asked in pages() else [])]
    return [
        st.Page(sign_in.show, title=title, url_path=place or None, default=not place)
        for place in places
    ]
