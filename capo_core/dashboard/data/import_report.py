"""The import log: rows read, imported and skipped, with the reasons.

Shown both in the preview of an import and on the page of a dataset.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.ui.components import Field, show_key_numbers, show_note, table
from capo_core.dashboard.ui.text import markdown
from capo_core.data.formats.esnli import PLACES
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
    """Show how many rows were read and imported, and the skipped ones with their reasons.

    Args:
        set_aside: the skipped rows: row, column, reason, text.
        unit: plural of what is counted, such as "rows".
    """
    show_key_numbers(
        [
            (f"{unit} read", f"{rows_read:,}"),
            ("imported", f"{rows_kept:,}"),
            ("skipped", f"{len(set_aside):,}"),
        ]
    )
    for text in notes:
        end = "" if text.endswith((".", "…")) else "."
        sentence = f"{text[:1].upper()}{text[1:]}{end}"
        if PLACES in text:  # what follows would be read as of people
            st.warning(markdown(sentence))
        else:
            show_note(f"· {sentence}")
    if len(set_aside):
        reasons = set_aside["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
        with st.expander(f"{count(len(set_aside), 'skipped row')}, with reasons", expanded=True):
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
                    "row": Field("Row", "Row number in the file; of joined files, with the file."),
                    "column": Field("Column"),
                    "reason": Field("Reason", width="medium"),
                    "text": Field("Original value", width="large"),
                },
                key=f"{key}.skipped",
                file_name=f"{name}-skipped-rows",
            )
