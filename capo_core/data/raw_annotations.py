"""Annotations as a file states them: one row per annotation, not yet validated."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.data.alike import same_form
from capo_core.data.columns import ColumnMapping, normalised_name
from capo_core.data.readers.encoding import map_text
from capo_core.data.readers.table import RawTable
from capo_core.task import Task

# `row` is the place in the file (int); `column` the column of the label there; all else is text,
# "" if there is nothing.
RAW_COLUMNS = [
    "row",
    "column",
    "item_id",
    "annotator_id",
    "label",
    "explanation",
    "text_a",
    "text_b",
    "valid",
    "split",
    "annotation_id",
]
_CELL = ("label", "explanation", "valid")  # the columns an annotator has in wide form
_PLAIN_TEXT = {"text", "text_a", "text_b", "text1", "text2", "text_1", "text_2", "input", "target"}


@dataclass(frozen=True)
class RawAnnotations:
    """The annotations that a format reads from a file, and what else the file states.

    Attributes:
        frame: one row per annotation, columns `RAW_COLUMNS`.
        unit: what such a row is in the file: "rows", "cells", "explanations", "annotations".
        roles: names of the two texts in the file; "" if it has none.
        notes: what was filled in or changed.
        task: the task, if the file states it.
        crowd: crowd counts (item_id, label, count), if the file has them.
        items: all items (columns of the items table), if there may be some without annotation.
        origin: one line on where the data come from.
        simulated: whether no person wrote the data.
        numbered: whether nothing but their texts identifies the items, which are numbered.
        mapping: role → column, for a table. delimiter, sheet: as found; "" where there is none.
    """

    frame: pd.DataFrame
    unit: str
    roles: tuple[str, str]
    notes: tuple[str, ...] = ()
    task: Task | None = None
    crowd: pd.DataFrame | None = None
    items: pd.DataFrame | None = None
    origin: str = ""
    simulated: bool = False
    numbered: bool = False
    mapping: ColumnMapping | None = None
    delimiter: str = ""
    sheet: str = ""


def role_name(column: str) -> str:
    """Return the name of a text by its column: "Question1" → "question 1"; "" for "text_a"."""
    name = normalised_name(column)
    return "" if name in _PLAIN_TEXT else re.sub(r"(?<=[a-z])(?=\d)", " ", name.replace("_", " "))


def raw_annotations_of(raw: RawTable, mapping: ColumnMapping) -> RawAnnotations:
    """Return the annotations of a table by a complete mapping (see `columns.guess_mapping`)."""
    roles = (role_name(mapping.text_a or ""), role_name(mapping.text_b or ""))
    return _wide(raw, mapping, roles) if mapping.wide else _long(raw, mapping, roles)


def _column(raw: RawTable, name: str | None) -> np.ndarray:
    if not name:
        return np.full(len(raw.frame), "", dtype=object)
    return raw.frame[name].to_numpy(dtype=object)


def _long(raw: RawTable, mapping: ColumnMapping, roles: tuple[str, str]) -> RawAnnotations:
    frame = pd.DataFrame(
        {"row": raw.rows, "column": mapping.label}, columns=RAW_COLUMNS, dtype=object
    )
    for role in RAW_COLUMNS[2:]:
        frame[role] = _column(raw, getattr(mapping, role))
    notes: list[str] = []
    _fill_items(frame, mapping, notes)
    return RawAnnotations(frame, "rows", roles, tuple(notes))


def _wide(raw: RawTable, mapping: ColumnMapping, roles: tuple[str, str]) -> RawAnnotations:
    """Return one row for each cell (annotator × item) with a label or an explanation in it."""
    shared = pd.DataFrame({"row": raw.rows}, dtype=object)
    for role in ("item_id", "text_a", "text_b", "split"):
        shared[role] = _column(raw, getattr(mapping, role))
    notes: list[str] = []
    _fill_items(shared, mapping, notes)
    parts, empty = [], 0
    for one in mapping.annotators:
        cells = {role: _column(raw, getattr(one, role)) for role in _CELL}
        # A label that all share says nothing on who wrote an explanation of it.
        labels = np.full(len(shared), "") if mapping.shared_label else cells["label"]
        filled = np.array(
            [
                bool(label.strip() or why.strip())
                for label, why in zip(labels, cells["explanation"], strict=True)
            ],
            dtype=bool,
        )
        who = _column(raw, one.id_column)[filled] if one.id_column else one.annotator_id
        part = shared[filled].assign(column=one.label, annotator_id=who)
        parts.append(part.assign(annotation_id="", **{r: v[filled] for r, v in cells.items()}))
        empty += int((~filled).sum())
    frame = pd.concat(parts, ignore_index=True).loc[:, RAW_COLUMNS]
    frame = frame.sort_values("row", kind="stable", ignore_index=True)
    if empty:
        cells = len(shared) * len(mapping.annotators)
        notes.append(f"{empty:,} of {cells:,} cells are empty: that annotator did not label it")
    return RawAnnotations(frame, "cells", roles, tuple(notes))


def _fill_items(frame: pd.DataFrame, mapping: ColumnMapping, notes: list[str]) -> None:
    """Fill in identifiers from the texts, or texts from the identifiers, if one is not mapped."""
    if not mapping.item_id:
        compared = (map_text(frame[column], same_form) for column in ("text_a", "text_b"))
        pairs = list(zip(*compared, strict=True))
        numbers: dict[tuple[str, str], int] = {}
        for pair in pairs:
            if pair[0]:
                numbers.setdefault(pair, len(numbers) + 1)
        frame["item_id"] = [str(numbers[pair]) if pair[0] else "" for pair in pairs]
        notes.append("no column identifies the item: equal texts are one item, numbered in order")
    elif not mapping.text_a:
        frame["text_a"] = frame["item_id"]
        notes.append(
            "no column holds the annotated text: the item's identifier is used in its place, so "
            "reductions that use the input are meaningless"
        )
