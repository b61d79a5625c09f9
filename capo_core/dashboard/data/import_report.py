"""What became of the rows of a file: rows kept, rows skipped, and the reasons.

A file of its own, since both the preview of an import and the page of a dataset show it.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.ui.components import Field, show_note, table
from capo_core.dashboard.ui.text import escape
from capo_core.formatting import count


def import_report(
    *,
    rows_read: int,
    rows_kept: int,
    set_aside: pd.DataFrame,
    notes,
    unit: str,
    key: str,
    name: str,
) -> None:
    """How many rows were read and kept, why the others were not, with those to download."""
    st.html(
        '<div class="capo-figures">'
        f"<div><span>{escape(unit)} read</span><b>{rows_read:,}</b></div>"
        f"<div><span>kept</span><b>{rows_kept:,}</b></div>"
        f"<div><span>set aside</span><b>{len(set_aside):,}</b></div></div>"
    )
    for text in notes:
        show_note(f"· {text[:1].upper()}{text[1:]}.".replace("..", "."))
    if len(set_aside):
        reasons = set_aside["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
        with st.expander(f"{count(len(set_aside), 'row')} set aside, and why", expanded=True):
            table(
                reasons,
                {"reason": Field("Reason", width="large"), "rows": Field("Rows", None, 0)},
                key=f"{key}.reasons",
                file_name=f"{name}-reasons",
                download=False,
            )
            table(
                set_aside,
                {
                    "row": Field("Row", "The row in the file."),
                    "column": Field("Column"),
                    "reason": Field("Reason", width="medium"),
                    "text": Field("What stood there", width="large"),
                },
                key=f"{key}.aside",
                file_name=f"{name}-set-aside",
            )
