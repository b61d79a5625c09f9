"""The button that brings back the form which another one replaced (see `ui.stored_form`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from capo_core.dashboard.app.page import guarded
from capo_core.dashboard.ui.stored_form import bring_back, former_place
from capo_core.workspace import read_object


def offer_former(place: Path, page: str, act: Callable[[Path], None] = bring_back) -> None:
    """Show the button that brings the former form back; nothing where there is none.

    Args:
        place: where the form is stored. page: name of the page, for the button's key.
    """
    if read_object(former_place(place)) is None:
        return
    st.button(
        "Bring back the former form",
        key=f"{page}.form.former",
        type="tertiary",
        icon=":material/undo:",
        on_click=guarded,
        args=(act, place),
        help="The form as it was before another one was loaded into it. The present one is kept in "
        "its place.",
    )
