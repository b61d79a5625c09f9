"""The pages of the house, who may open them, and how one gets to them."""

from __future__ import annotations

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.pages_manager import PagesManager

from capo_core.dashboard.app import access, sign_in

# page → its file and its name in the navigation
PAGES = {
    "overview": ("pages/overview.py", "Overview"),
    "data": ("pages/data.py", "Data"),
    "annotators": ("pages/annotators.py", "Annotators"),
    "stability": ("pages/stability.py", "Stability"),
    "distributions": ("pages/distributions.py", "Distributions"),
    "finetune": ("pages/finetune.py", "Fine-tune"),
    "compare": ("pages/compare.py", "Compare"),
    "studies": ("pages/studies.py", "Studies"),
}


JUDGE_PAGE = "pages/judge.py"


def navigation():
    """The page that was asked for, out of those that are open to who asks.

    What somebody may not open is not registered for them: a judge has the judge's page, a stranger
    the door. Streamlit's own menu stays hidden: its links drop the query, and a page that then
    puts its view back into the address could not be left by the browser's Back. `frame` draws the
    links.
    """
    if access.is_owner():
        pages = [
            st.Page(path, title=title, url_path=name, default=name == "overview")
            for name, (path, title) in PAGES.items()
        ]
    elif access.is_judge():
        pages = [
            *_doors("Judging"),
            st.Page(JUDGE_PAGE, title="Judging", url_path=access.JUDGE_PATH),
        ]
    else:
        pages = _doors("Sign in")
    return st.navigation(pages, position="hidden")


def _doors(title: str) -> list:
    """The door in place of the first page and of the owner's page that was asked for."""
    places = ["", *([access.path()] if access.path() in PAGES else [])]
    return [
        st.Page(sign_in.show, title=title, url_path=place or None, default=not place)
        for place in places
    ]


def come_in_by_the_door() -> None:
    """Run the app, not the bare page, where Streamlit took the folder `pages/` for its own.

    A server whose very first visitor opens an inner page (a bookmark, or a tab that was open over
    a restart) runs that page in Streamlit's older way, past `app.py`. Declaring the navigation
    once ends that for good.
    """
    if PagesManager.uses_pages_directory:
        navigation()
        st.rerun()


def page_link(page: str, label: str, query: dict[str, str], width: str = "content") -> None:
    """A link to a page; only its words where the page runs alone, outside of the app."""
    try:
        st.page_link(PAGES[page][0], label=label, query_params=query, width=width)
    except StreamlitAPIException:
        st.caption(label)
