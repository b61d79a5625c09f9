"""The page Guide: one document of the project's documentation, and the choice of another."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.guide import PAGE
from capo_core.dashboard.guide.documents import DOCUMENTS, Picture, parts
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import section_heading, show_errors


def show(context: PageContext) -> None:
    """Show the document in the address, below the choice of another."""
    name = url_state.choice(
        st.selectbox,
        "Document",
        list(DOCUMENTS),
        page=PAGE,
        key="doc",
        format_func=lambda name: DOCUMENTS[name][0],
        width=420,
    )
    section_heading(DOCUMENTS[name][0])
    with show_errors():
        for part in parts(name):
            if isinstance(part, Picture):
                st.image(part.path, alt=part.alt)
            else:
                st.markdown(part)
