"""The import log: rows read, imported and skipped, with the reasons.

Shown both in the preview of an import and on the page of a dataset.
"""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.ui.components import Field, show_key_numbers, show_note, table
from capo_core.dashboard.ui.text import markdown
from capo_core.data.doubtful_annotators import DOUBTFUL
from capo_core.data.formats.esnli import PLACES
from capo_core.data.importing import ImportReport
from capo_core.formatting import capitalised, count


def import_report(report: ImportReport, *, key: str, name: str) -> None:
    """Show how many rows were read and imported, and the skipped ones with their reasons.

    Args:
        key: of the widgets. name: of the dataset, in the names of files.
    """
    rejected = report.rejected
    show_key_numbers(
        [
            (f"{report.unit} read", f"{report.rows_read:,}"),
            ("imported", f"{report.rows_kept:,}"),
            ("skipped", f"{len(rejected):,}"),
        ]
    )
    for text in report.notes:
        end = "" if text.endswith((".", "…")) else "."
        sentence = f"{capitalised(text)}{end}"
        if PLACES in text or DOUBTFUL in text:  # what follows would be read as of people
            st.warning(markdown(sentence))
        else:
            show_note(f"· {sentence}")
    if len(rejected):
        reasons = rejected["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
        with st.expander(f"{count(len(rejected), 'skipped row')}, with reasons", expanded=True):
            table(
                reasons,
                {"reason": Field("Reason", width="large"), "rows": Field("Rows", None, 0)},
                key=f"{key}.reasons",
                file_name=f"{name}-reasons",
                download=False,
            )
            table(
                rejected,
                {
                    "row": Field("Row", "Row number in the file; of joined files, with the file."),
                    "column": Field("Column"),
                    "reason": Field("Reason", width="medium"),
                    "text": Field("Original value", width="large"),
                },
                key=f"{key}.skipped",
                file_name=f"{name}-skipped-rows",
            )
