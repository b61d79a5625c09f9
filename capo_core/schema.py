"""Schemas of the tables that all packages exchange.

Long pandas tables, one meaning per column name across the project. Identifiers and labels are
text. No text column holds a missing value: what is absent is the empty string, so that no caller
has to handle three kinds of missing values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from capo_core.errors import DataError
from capo_core.formatting import quoted_names


@dataclass(frozen=True)
class TableColumn:
    """A column: name, kind and meaning.

    Kinds are "text", "count" (a whole number of 0 or more) and "number" (any finite number).
    """

    name: str
    kind: str
    meaning: str
    allowed: tuple[str, ...] | None = None
    required: bool = False  # whether the text must not be empty


@dataclass(frozen=True)
class Table:
    """A table: name, key and columns, in order."""

    name: str
    key: tuple[str, ...]
    columns: tuple[TableColumn, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


ITEMS = Table(
    "items",
    ("item_id",),
    (
        TableColumn("item_id", "text", "identifier of the item", required=True),
        TableColumn(
            "text_a", "text", "first text of the item (premise, question 1)", required=True
        ),
        TableColumn(
            "text_b", "text", "second text (hypothesis, question 2); empty if there is none"
        ),
        TableColumn("split", "text", "part of the data", ("train", "validation", "test", "")),
    ),
)
ANNOTATIONS = Table(
    "annotations",
    ("annotation_id",),
    (
        TableColumn("annotation_id", "text", "identifier of the annotation", required=True),
        TableColumn("item_id", "text", "the item annotated", required=True),
        TableColumn("annotator_id", "text", "annotator who gave it", required=True),
        TableColumn("label", "text", "label, on the task's scale", required=True),
        TableColumn("explanation", "text", "in the annotator's words; empty if there is none"),
        TableColumn("valid", "text", "judged valid in a later round", ("true", "false", "unknown")),
    ),
)
CROWD = Table(
    "crowd",
    ("item_id", "label"),
    (
        TableColumn("item_id", "text", "the item labelled", required=True),
        TableColumn("label", "text", "one label of the task's scale", required=True),
        TableColumn("count", "count", "number of people who gave this label"),
    ),
)
PAIRS = Table(
    "pairs",
    ("pair_id",),
    (
        TableColumn("pair_id", "text", "identifier of the pair", required=True),
        TableColumn("item_id", "text", "the item both responses answer", required=True),
        TableColumn("target_annotator_id", "text", "annotator to imitate", required=True),
        TableColumn("chosen_annotation_id", "text", "the target's response", required=True),
        TableColumn(
            "rejected_annotation_id", "text", "response of another annotator", required=True
        ),
        TableColumn(
            "rejected_annotator_id", "text", "author of the rejected response", required=True
        ),
        TableColumn("same_label", "text", "whether both have the same label", ("true", "false")),
        TableColumn(
            "similarity", "number", "of the explanations, without the item's words; 0 to 1"
        ),
        TableColumn("weight", "number", "weight of the pair in training; 0 or more"),
    ),
)
OUTPUTS = Table(
    "outputs",
    ("output_id",),
    (
        TableColumn("output_id", "text", "identifier of the output", required=True),
        TableColumn("run_id", "text", "run that generated it", required=True),
        TableColumn("method", "text", "imitation method", required=True),
        TableColumn("target_annotator_id", "text", "annotator to imitate", required=True),
        TableColumn("item_id", "text", "the item answered", required=True),
        TableColumn("sample", "text", "number of the sample for the item: 0, 1, …", required=True),
        TableColumn("label", "text", "label parsed from the output; empty if none was found"),
        TableColumn("explanation", "text", "explanation parsed from it; empty if none was found"),
        TableColumn("raw_text", "text", "text as generated"),
        TableColumn("parsed", "text", "whether the output could be parsed", ("true", "false")),
        TableColumn("problem", "text", "why it could not be parsed; empty if it could"),
        TableColumn("prompt_tokens", "count", "tokens of the prompt"),
        TableColumn("output_tokens", "count", "tokens generated"),
    ),
)


def check(frame: pd.DataFrame, table: Table, *, source: str = "") -> pd.DataFrame:
    """Return the table's columns in order, checked.

    Raises:
        DataError: at the first violation; rows in its text count from 1 in the order of `frame`.
    """
    where = f"{source}, table {table.name}" if source else f"table {table.name}"
    missing = [name for name in table.names if name not in frame.columns]
    if missing:
        raise DataError(
            f"the column{'s' if len(missing) > 1 else ''} {quoted_names(missing)} "
            f"{'are' if len(missing) > 1 else 'is'} missing",
            where=where,
            expected=f"the columns {quoted_names(table.names)}; "
            f"found {quoted_names(frame.columns)}",
        )
    frame = frame.loc[:, table.names].reset_index(drop=True)
    for column in table.columns:
        _check_column(frame[column.name], column, where)
    repeated = frame.duplicated(list(table.key), keep="first")
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        key = ", ".join(f"{name} {frame.at[row, name]!r}" for name in table.key)
        raise DataError(
            f"{key} occurs twice",
            where=f"{where}, row {row + 1}",
            expected=f"each {' and '.join(table.key)} once",
        )
    return frame


def _check_column(values: pd.Series, column: TableColumn, where: str) -> None:
    def fail(bad: pd.Series, expected: str) -> None:
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise DataError(
                f"found {values.iloc[row]!r}",
                where=f"{where}, row {row + 1}, column '{column.name}'",
                expected=expected,
            )

    if column.kind == "count":
        numbers = pd.to_numeric(values, errors="coerce")
        fail(~((numbers >= 0) & (numbers % 1 == 0)), "a whole number of 0 or more")
        return
    if column.kind == "number":
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        fail(~numbers.map(math.isfinite).astype(bool), "a finite number")
        return
    fail(~values.map(lambda value: isinstance(value, str)).astype(bool), "text")
    if column.required:
        fail(values.str.strip() == "", f"{column.meaning}, not empty")
    if column.allowed is not None:
        fail(~values.isin(column.allowed), f"one of {quoted_names(column.allowed)}")
