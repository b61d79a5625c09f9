"""The rules by which an entry is kept or set aside, one function each."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd

from capo_core.data.aside import Aside, shown
from capo_core.data.cells import BROKEN, each
from capo_core.data.entries import ENTRY
from capo_core.data.labels import MISSING
from capo_core.data.limits import Limits
from capo_core.errors import DataError

_TEXT = ENTRY[2:]


class Keeper:
    """Which entries are still in, and the one way out: with column and reason."""

    def __init__(self, work: pd.DataFrame, aside: Aside) -> None:
        self.work, self.aside = work, aside
        self.mask = np.ones(len(work), dtype=bool)

    def __call__(
        self, bad: pd.Series, column: str | None, reason: str | Callable[[dict], str]
    ) -> None:
        out = self.mask & bad.to_numpy(dtype=bool)
        for row in self.work[out].to_dict("records"):
            text = {key: row[key] for key in _TEXT if row[key]}
            self.aside.add(
                row["row"],
                column or row["column"] or "label",
                reason if isinstance(reason, str) else reason(row),
                json.dumps(text, ensure_ascii=False),
            )
        self.mask &= ~out


def broken_cells(work: pd.DataFrame, keep: Keeper, limits: Limits) -> None:
    for column in _TEXT:
        lengths = pd.Series([len(text) for text in work[column].tolist()])
        keep(
            lengths > limits.cell_characters,
            column,
            lambda row, c=column: (
                f"the cell has {len(row[c]):,} characters, more than {limits.cell_characters:,}"
            ),
        )
        keep(
            work[column].str.contains("\x00", regex=False).astype(bool),
            column,
            "the cell holds a NUL character, which is no text",
        )
        keep(
            work[column].str.contains(BROKEN, regex=False).astype(bool),
            column,
            "the cell holds a broken character (bytes that are not valid in this encoding)",
        )


def present(notes: list[str]) -> Callable[[str], str]:
    """Explanations that hold nothing become ""; the rest stays as written."""
    told = []

    def clean(text: str) -> str:
        stripped = text.strip()
        if stripped not in MISSING:
            return text
        if stripped and not told:
            told.append(True)
            notes.append(f"explanations that only say {shown(stripped)} are read as absent")
        return ""

    return clean


def missing_label(written: str) -> str:
    return (
        f"the label is missing ({written.strip()})" if written.strip() else "the label is missing"
    )


def one_text_per_item(work: pd.DataFrame, keep: Keeper, notes: list[str], where: str) -> None:
    """One text per item: filled in where a row leaves it out, and the same in every row."""
    inside = work[keep.mask]
    for column in ("text_a", "text_b"):
        blank = each(inside[column], str.strip) == ""
        known = inside[~blank].drop_duplicates("item_id").set_index("item_id")[column]
        filled = inside.loc[blank, "item_id"].map(known).dropna()
        work.loc[filled.index, column] = filled
        if len(filled):
            notes.append(f"{len(filled)} rows leave out {column}: taken from the item's other rows")
    keep(each(work["text_a"], str.strip) == "", "text_a", "the item has no text")
    inside = work[keep.mask]
    first = inside.drop_duplicates("item_id").set_index("item_id")[["text_a", "text_b", "row"]]
    reference = first.reindex(work["item_id"]).reset_index(drop=True)
    differs, spaced = np.zeros(len(work), bool), np.zeros(len(work), bool)
    for column in ("text_a", "text_b"):
        unequal = (work[column] != reference[column]).to_numpy() & keep.mask
        here, there = work.loc[unequal, column], reference.loc[unequal, column]
        worded = np.zeros(len(work), dtype=bool)
        worded[unequal] = [a.split() != b.split() for a, b in zip(here, there, strict=True)]
        differs |= worded
        spaced |= unequal & ~worded
        rewrite = unequal & ~worded
        work.loc[rewrite, column] = reference.loc[rewrite, column].to_numpy(dtype=object)
    conflicting = work.loc[differs, "item_id"].nunique()
    if conflicting > 1 and conflicting > 0.5 * len(first):
        raise DataError(
            f"{conflicting} of {len(first)} values of item_id stand with different texts",
            where=where,
            expected="one item_id for one item",
            todo="map item_id to another column, or leave it out (--map item_id=) so that equal "
            "texts are one item",
        )
    if (spaced & ~differs).any():
        notes.append(
            f"{int((spaced & ~differs).sum())} rows differ from their item's first text "
            "in white space only: the first is used"
        )
    rows = reference["row"].to_numpy()
    work["other_row"] = rows
    keep(
        pd.Series(differs),
        "text_a",
        lambda row: f"item {shown(row['item_id'])} has other texts in row {row['other_row']}",
    )


def duplicates(work: pd.DataFrame, keep: Keeper, notes: list[str]) -> None:
    whole = ["item_id", "annotator_id", "label", "explanation"]
    for key, column, what in (
        (["annotation_id"], "annotation_id", "this annotation_id"),
        (whole, "explanation", "the same item, annotator, label and explanation"),
    ):
        inside = work[keep.mask & (work[key[0]] != "").to_numpy()]
        bad = np.zeros(len(work), dtype=bool)
        bad[inside.index[inside.duplicated(key)]] = True
        keep(pd.Series(bad), column, f"duplicate: {what} stands in an earlier row")
    inside = work[keep.mask]
    again = inside.duplicated(["item_id", "annotator_id", "label"])
    more = inside.duplicated(["item_id", "annotator_id"]) & ~again
    if again.any():
        notes.append(
            f"{int(again.sum())} annotations repeat a label with another explanation: kept"
        )
    if more.any():
        notes.append(
            f"{int(more.sum())} annotations are a further label by the same annotator on "
            "the same item: kept as rows of their own"
        )
