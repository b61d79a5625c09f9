"""Which column is what: the guess, and selectors to correct it; the same for the label scale."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.components import note
from capo_core.data import labels
from capo_core.data.mapping import AnnotatorColumns, Mapping, guess
from capo_core.data.read_table import RawTable
from capo_core.task import NLI, PARAPHRASE, Task

_NONE = "— no such column —"
_LONG = {
    "item_id": "Item",
    "annotator_id": "Annotator",
    "label": "Label",
    "explanation": "Explanation",
    "text_a": "First text",
    "text_b": "Second text",
    "valid": "Judged valid",
    "split": "Split",
}
_SHARED = ("item_id", "text_a", "text_b", "split")
_TASKS = {
    "found": "as found in the file",
    "nli": "natural language inference",
    "paraphrase": "paraphrase, -5 to 5",
    "nominal": "labels without order …",
    "ordinal": "numbers from … to …",
}


def mapping(raw: RawTable, token: str) -> Mapping:
    """The mapping as guessed and corrected; `token` names the upload, whose answers these are."""
    guessed = guess(raw.frame)
    columns = [str(name) for name in raw.frame.columns]
    with st.expander("Which column is what", expanded=True):
        st.dataframe(raw.frame.head(5), hide_index=True, key=f"import.{token}.preview")
        form = st.segmented_control(
            "One row is",
            ["long", "wide"],
            default="wide" if guessed.wide else "long",
            required=True,
            format_func={"long": "one annotation", "wide": "one item, a column per annotator"}.get,
            key=f"import.{token}.form",
        )
        if form == "wide":
            return _wide(guessed, columns, token)
        roles = _selectors(_LONG, guessed, columns, token)
        return Mapping(**roles, annotation_id=guessed.annotation_id)


def _selectors(
    names: dict[str, str], guessed: Mapping, columns: list[str], token: str
) -> dict[str, str]:
    chosen = {}
    places = st.columns(4)
    for position, (role, title) in enumerate(names.items()):
        with places[position % 4]:
            first = getattr(guessed, role) or ""
            chosen[role] = st.selectbox(
                title,
                ["", *columns],
                index=columns.index(first) + 1 if first in columns else 0,
                format_func=lambda value: value or _NONE,
                key=f"import.{token}.{role}",
            )
    return chosen


def _wide(guessed: Mapping, columns: list[str], token: str) -> Mapping:
    shared = {role: _LONG[role] for role in _SHARED}
    roles = _selectors(shared, guessed, columns, token)
    frame = pd.DataFrame(
        [(one.annotator_id, one.label, one.explanation) for one in guessed.annotators],
        columns=["annotator", "label", "explanation"],
        dtype=object,
    )
    note("One line per annotator: the name, and the columns with their labels and explanations.")
    choice = st.column_config.SelectboxColumn
    edited = st.data_editor(
        frame,
        num_rows="dynamic",
        hide_index=True,
        key=f"import.{token}.wide",
        column_config={
            "annotator": st.column_config.TextColumn("Annotator", required=True),
            "label": choice("Column of the label", options=columns, required=True),
            "explanation": choice("Column of the explanation", options=["", *columns]),
        },
    ).fillna("")
    annotators = tuple(
        AnnotatorColumns(str(row.annotator).strip(), row.label, row.explanation)
        for row in edited.itertuples()
        if str(row.annotator).strip() and row.label
    )
    return Mapping(**roles, annotators=annotators)


def task(token: str) -> Task | None:
    """The task and label scale as chosen; None to take what is found."""
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        kind = st.selectbox(
            "Labels",
            list(_TASKS),
            format_func=_TASKS.__getitem__,
            key=f"import.{token}.task",
            help="Ordered scales know that 4 is closer to 5 than to 1. Say it here where the file "
            "does not show it.",
        )
    if kind in ("nli", "paraphrase"):
        return NLI if kind == "nli" else PARAPHRASE
    if kind == "found":
        return None
    with right:
        said = st.text_input(
            "The labels in order, with commas" if kind == "nominal" else "From : to",
            placeholder="agree, unsure, disagree" if kind == "nominal" else "1:5",
            key=f"import.{token}.scale.{kind}",
        )
    if not said.strip():
        return None
    scale = labels.nominal(said) if kind == "nominal" else labels.ordinal(said)
    return Task("annotation", scale)
