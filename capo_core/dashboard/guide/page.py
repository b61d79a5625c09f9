"""The page Guide: one document of the project's documentation, and the choice of another."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.guide import PAGE
from capo_core.dashboard.guide.documents import DOCUMENTS, Heading, Picture, contents, parts
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import show_errors


def show(context: PageContext) -> None:
    """Show the document in the address, below the choice of another."""
    name = url_state.choice(
        st.selectbox,
        "Document",
        list(DOCUMENTS),
        page=PAGE,
        key="doc",
        clears=("at",),
        format_func=lambda name: DOCUMENTS[name][0],
        width=420,
    )
    with show_errors():
        found = parts(name)
        if listed := contents(found):
            with st.container(border=True, key="capo-contents"):
                st.markdown(listed)
        for part in found:
            if isinstance(part, Picture):
                st.image(part.path, alt=part.alt)
            elif isinstance(part, Heading):
                heading = st.header if part.level == 2 else st.subheader
                heading(part.text, anchor=part.anchor)
            else:
                st.markdown(part)
        anchors = [part.anchor for part in found if isinstance(part, Heading)]
        if (at := url_state.get("at")) in anchors:
            st.html(
                f"<script>document.getElementById('{at}')?.scrollIntoView()</script>",
                unsafe_allow_javascript=True,
            )
