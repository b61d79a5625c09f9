"""The download of the annotator atlas, with texts or without."""

from __future__ import annotations

from functools import partial

import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.overview import PAGE
from capo_core.dashboard.ui.components import section_heading, show_note
from capo_core.dashboard.ui.exports import download
from capo_core.provenance import Provenance
from capo_core.workspace import Workspace


def offer(context: PageContext) -> None:
    """Show the two buttons that write the atlas of the chosen dataset; it is made on a click."""
    name = context.entry.name
    section_heading("Annotator atlas")
    show_note(
        "This dataset and its results as one HTML file that opens in any browser without a server "
        "and is searchable, for instance as an attachment to a paper. Its answers show which "
        "method wrote which text: while a study of these data is blind, keep it from the judges."
    )
    with st.container(horizontal=True):
        for label, kind, texts in (
            ("Atlas (HTML)", "atlas", True),
            ("Atlas without texts", "atlas-without-texts", False),
        ):
            make = partial(_page, context.workspace, name, texts=texts)
            download(PAGE, label, f"{name}-{kind}.html", "text/html", make)


def _page(workspace: Workspace, name: str, provenance: Provenance, *, texts: bool) -> str:
    # The atlas states the provenance of each of its parts itself.
    from capo_core.atlas.content import gather
    from capo_core.atlas.page import atlas_page

    return atlas_page(gather(workspace, name), texts=texts)
