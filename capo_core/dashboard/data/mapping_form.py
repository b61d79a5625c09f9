"""The mapping of an uploaded file: which column is what, with samples of the values of each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.data.form_words import FIELD_TITLES, NOT_IN_FILE, QUESTIONS
from capo_core.dashboard.ui.components import data_grid, show_note
from capo_core.dashboard.ui.text import markdown
from capo_core.data.column_names import wide_names
from capo_core.data.column_values import candidates
from capo_core.data.columns import (
    AnnotatorColumns,
    ColumnMapping,
    check_meaning,
    guess_mapping,
    lacking_roles,
)
from capo_core.data.made_columns import fields_inside, with_made_columns
from capo_core.data.proposals import prefixed_columns, sample_values, with_proposed_columns
from capo_core.data.readers.table import RawTable
from capo_core.errors import DataError
from capo_core.formatting import capitalised, listed, name_list

_LONG = ("item_id", "annotator_id", "label", "explanation", "text_a", "text_b", "valid", "split")
_WIDE = ("item_id", "text_a", "text_b", "split")
_REQUIRED = ("annotator_id", "label")
_EITHER = ("item_id", "text_a")


def choose_mapping(raw: RawTable, token: str, *, names_annotators: bool) -> ColumnMapping | None:
    """Show the guessed mapping for correction; return the corrected one, None if it lacks a role.

    Args:
        token: name of the upload; part of the widgets' keys, so that another file starts anew.
        names_annotators: whether the rows that name nobody are given an annotator otherwise.
    """
    frame = raw.frame
    guessed = guess_mapping(frame)
    if not guessed.wide and not guessed.annotator_id:
        proposed = prefixed_columns(frame, set(guessed.columns().values()))
        if proposed:
            guessed = guess_mapping(frame, ColumnMapping(annotators=proposed))
    guessed = with_proposed_columns(guessed, frame)
    columns = [str(name) for name in frame.columns]
    frame = with_made_columns(frame, fields_inside(frame))  # to choose from, too
    with st.expander("Map columns", expanded=True):
        data_grid(
            raw.frame.head(5),
            alt="Table: the first five rows of the file",
            key=f"import.{token}.preview",
            column_config={name: st.column_config.Column(width="small") for name in columns},
        )
        form = st.segmented_control(
            "One row per",
            ["long", "wide"],
            default="wide" if guessed.wide else "long",
            required=True,
            format_func={"long": "annotation", "wide": "item, with columns per annotator"}.get,
            key=f"import.{token}.form",
        )
        if form == "wide":
            mapping = _wide(guessed, frame, token)
        else:
            roles = _selectors(_LONG, guessed, frame, token, names_annotators)
            mapping = ColumnMapping(**roles, annotation_id=guessed.annotation_id)
        if form == "long" and not names_annotators and not mapping.annotator_id:
            _point_to_wide(frame, mapping)
        missing = lacking_roles(mapping)
        if form == "wide" and not mapping.wide:
            missing = ["annotators"]
        if names_annotators:
            missing = [role for role in missing if role != "annotator_id"]
        if missing:
            titles = [_needed(role) for role in missing]
            whose = ", or enter above whose rows these are" if "annotator_id" in missing else ""
            possible = possible_columns(frame, mapping, missing)
            st.info(f"Choose a column for {listed(titles)}{whose}, to see the preview.{possible}")
            return None
        for doubt in doubts(mapping, frame):
            st.warning(doubt)
    return mapping


def doubts(mapping: ColumnMapping, frame: pd.DataFrame) -> list[str]:
    """Return sentences on columns whose values say otherwise than what they are chosen for."""
    try:
        check_meaning(mapping, frame, "", ColumnMapping())
    except DataError as error:
        return [f"{markdown(capitalised(error.what))}. Is this what you mean?"]
    return []


def possible_columns(frame: pd.DataFrame, mapping: ColumnMapping, missing: list[str]) -> str:
    """Return a sentence on the columns that may have the missing roles by their values; "" if none.

    The texts are candidates for the label too: "response" may be an answer.
    """
    used = set(mapping.columns().values()) - {mapping.text_a, mapping.text_b}
    parts = [
        f"{FIELD_TITLES[role]} – {name_list(map(markdown, found))}"
        for role in missing
        if role in FIELD_TITLES and (found := candidates(frame, role, used))
    ]
    return f" Possible by their values: {'; '.join(parts)}." if parts else ""


def _needed(role: str) -> str:
    if role == "text_a":
        return f"{FIELD_TITLES['item_id']} or {FIELD_TITLES['text_a']}"
    if role == "annotators":
        return "the label of at least one annotator"
    return FIELD_TITLES.get(role, role)


def _selectors(
    roles: tuple[str, ...],
    guessed: ColumnMapping,
    frame: pd.DataFrame,
    token: str,
    names_annotators: bool,
) -> dict[str, str]:
    columns = [str(name) for name in frame.columns]
    chosen: dict[str, str] = {}
    show_note("* required; of Item and First text at least one.")
    for row in range(0, len(roles), 4):
        for place, role in zip(st.columns(4), roles[row : row + 4], strict=False):
            required = role in _REQUIRED and not (role == "annotator_id" and names_annotators)
            with place:
                first = getattr(guessed, role) or ""
                value = st.selectbox(
                    FIELD_TITLES[role] + (" \\*" if required or role in _EITHER else ""),
                    ["", *columns],
                    index=columns.index(first) + 1 if first in columns else 0,
                    format_func=lambda value: value or NOT_IN_FILE,
                    key=f"import.{token}.{role}",
                )
                chosen[role] = value
                if value:
                    st.caption(markdown(sample_values(frame[value])))
                elif required:
                    st.caption(":red[Required]")
                elif role == "explanation":
                    st.caption("Needed for stability and imitation")
    repeated = [name for name in set(chosen.values()) if name and
                list(chosen.values()).count(name) > 1]  # fmt: skip
    for name in sorted(repeated):
        titles = [FIELD_TITLES[role] for role, column in chosen.items() if column == name]
        st.error(f"{markdown(name)} is chosen for {listed(titles)}; choose another column for one.")
    return chosen


def _wide(guessed: ColumnMapping, frame: pd.DataFrame, token: str) -> ColumnMapping:
    columns = [str(name) for name in frame.columns]
    roles = _selectors(_WIDE, guessed, frame, token, names_annotators=True)
    lines = pd.DataFrame(
        [
            (one.annotator_id, one.label, one.explanation, one.id_column)
            for one in guessed.annotators
        ],
        columns=["annotator", "label", "explanation", "id_column"],
        dtype=object,
    )
    show_note(
        "One line per annotator: name, label column, explanation column. Where the annotator is "
        "not the same person in every row, the last column says where the row names the person."
    )
    choice = st.column_config.SelectboxColumn
    edited = st.data_editor(
        lines,
        num_rows="dynamic",
        hide_index=True,
        key=f"import.{token}.wide",
        column_config={
            "annotator": st.column_config.TextColumn("Annotator *", required=True),
            "label": choice("Label column *", options=columns, required=True),
            "explanation": choice("Explanation column", options=["", *columns]),
            "id_column": choice("Annotator column", options=["", *columns]),
        },
    ).fillna("")
    annotators = tuple(
        AnnotatorColumns(
            str(row.annotator).strip(), row.label, row.explanation, id_column=row.id_column
        )
        for row in edited.itertuples()
        if str(row.annotator).strip() and row.label
    )
    for one in annotators[:2]:
        samples = [
            f"{markdown(column)}: {markdown(sample_values(frame[column]))}"
            for column in (one.label, one.explanation)
            if column in columns
        ]
        st.caption(f"{markdown(one.annotator_id)} · " + " · ".join(samples))
    if not annotators:
        return ColumnMapping(**roles, annotator_id="", label="")
    return ColumnMapping(**roles, annotators=annotators)


def _point_to_wide(frame: pd.DataFrame, mapping: ColumnMapping) -> None:
    """Name the columns that may be annotators of a wide table, where no column is the annotator."""
    names = wide_names(frame, set(mapping.columns().values()))
    if names.labelled:
        found = ", ".join(markdown(who) for who in list(names.labelled)[:6])
        show_note(f"If {found} are annotators, choose One row per: item.")


def choose_fields(
    path: Path, format_: str, token: str, *, encoding: str | None
) -> ColumnMapping | None:
    """Show which fields of a tool's export are label, explanation and texts; None to detect all."""
    fields = cache.tool_fields(path, format_, encoding=encoding)
    roles = {role: FIELD_TITLES[role] for role in ("label", "explanation", "text_a", "text_b")}
    if not any(len(fields.get(role, ())) > 1 for role in roles):
        return None
    chosen: dict[str, str] = {}
    with st.expander(QUESTIONS):
        places = st.columns(4)
        for place, (role, title) in zip(places, roles.items(), strict=True):
            options = ["", *fields.get(role, ())]
            if role == "explanation":
                options.append(NOT_IN_FILE)
            with place:
                value = st.selectbox(
                    title,
                    options,
                    format_func=lambda name: name or "Detect",
                    key=f"import.{token}.field.{role}",
                )
            if value:
                chosen[role] = "" if value == NOT_IN_FILE else value
    return ColumnMapping(**chosen) if chosen else None
