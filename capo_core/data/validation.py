"""Entries to a Dataset: every entry is kept or set aside with a reason, none disappears.

The rules by which an entry is kept or set aside, one function each.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd

from capo_core.data.label_scales import MISSING, resolve_labels
from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.raw_annotations import RAW_COLUMNS, RawAnnotations
from capo_core.data.readers.encoding import BROKEN, map_text
from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.schema import ANNOTATIONS, CROWD, ITEMS
from capo_core.task import Task

_TEXT = RAW_COLUMNS[2:]


class RowFilter:
    """Which entries are still in, and the one way out: with column and reason."""

    def __init__(self, work: pd.DataFrame, aside: RejectedRows) -> None:
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


def reject_broken_cells(work: pd.DataFrame, keep: RowFilter, limits: ImportLimits) -> None:
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
            notes.append(f"explanations that only say {quoted(stripped)} are read as absent")
        return ""

    return clean


def missing_label_reason(written: str) -> str:
    return (
        f"the label is missing ({written.strip()})" if written.strip() else "the label is missing"
    )


def unify_item_texts(work: pd.DataFrame, keep: RowFilter, notes: list[str], where: str) -> None:
    """One text per item: filled in where a row leaves it out, and the same in every row."""
    inside = work[keep.mask]
    for column in ("text_a", "text_b"):
        blank = map_text(inside[column], str.strip) == ""
        known = inside[~blank].drop_duplicates("item_id").set_index("item_id")[column]
        filled = inside.loc[blank, "item_id"].map(known).dropna()
        work.loc[filled.index, column] = filled
        if len(filled):
            notes.append(f"{len(filled)} rows leave out {column}: taken from the item's other rows")
    keep(map_text(work["text_a"], str.strip) == "", "text_a", "the item has no text")
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
        lambda row: f"item {quoted(row['item_id'])} has other texts in row {row['other_row']}",
    )


def reject_duplicates(work: pd.DataFrame, keep: RowFilter, notes: list[str]) -> None:
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


_VALID = {
    "true": ("true", "yes", "y", "1", "valid", "1.0", "t"),
    "false": ("false", "no", "n", "0", "invalid", "0.0", "f"),
    "unknown": ("", "unknown", "idk", "nan", "null"),
}
_SPLIT = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing"),
    "": ("", "nan", "null"),
}


def assemble(
    entries: RawAnnotations,
    *,
    name: str,
    task: Task | None,
    aside: RejectedRows,
    notes: list[str],
    where: str,
    simulated: bool = False,
    limits: ImportLimits = LIMITS,
) -> Dataset:
    """A Dataset of the entries that are sound.

    The others go to `aside`, so that entries = annotations + newly set aside. `notes` receives
    what was changed or supplied. Identifiers and labels lose outer white space; texts and
    explanations stay as they are, for formatting is itself something to measure.

    Args:
        task: as the user says; None for that of the entries, or else one inferred from the labels.

    Raises:
        DataError: nothing is left, or the item identifiers do not identify items.
    """
    notes.extend(entries.notes)
    work = entries.frame.loc[:, RAW_COLUMNS].reset_index(drop=True)
    work["mark"] = work["label"]  # as written, for messages
    keep = RowFilter(work, aside)
    reject_broken_cells(work, keep, limits)
    for column in ("item_id", "annotator_id", "label", "annotation_id"):
        work[column] = map_text(work[column], _bare)
    work["explanation"] = map_text(work["explanation"], present(notes))
    keep(work["item_id"] == "", "item_id", "the item has no identifier and no text")
    keep(work["annotator_id"] == "", "annotator_id", "the annotator is missing")
    keep(work["label"].isin(MISSING), None, lambda row: missing_label_reason(row["mark"]))
    unify_item_texts(work, keep, notes, where)
    settled = _labels(work, keep, task or entries.task, entries.roles, notes, where, limits)
    reject_duplicates(work, keep, notes)
    kept = work[keep.mask]
    if not len(kept):
        raise _nothing(len(work), aside, where)
    kept = kept.assign(
        annotation_id=_identifiers(kept),
        valid=_normalised(kept["valid"], _VALID, "unknown", "validity", notes),
        split=_normalised(kept["split"], _SPLIT, "", "split", notes),
    )
    items = _items(kept, notes)
    items = _with_counted(items, entries)
    crowd = _crowd(entries.crowd, items, settled.task, notes)
    _last_notes(kept, notes)
    return Dataset(
        name=name,
        task=settled.task,
        items=_plain(items),
        annotations=_plain(kept.loc[:, ANNOTATIONS.names]),
        crowd=crowd,
        origin=entries.origin or f"imported from {where}",
        simulated=simulated,
    )


def _bare(text: str) -> str:
    """Without outer white space and the invisible marks that files begin with."""
    return text.strip().strip("\ufeff\u200b").strip()


def _labels(work, keep, task, roles, notes, where, limits):
    found = list(dict.fromkeys(work.loc[keep.mask, "label"]))
    if not found:
        raise _nothing(len(work), keep.aside, where)
    settled = resolve_labels(found, task, roles, where, limits)
    notes.extend(settled.notes)
    labels = settled.task.scale.labels
    scale = f"{labels[0]} to {labels[-1]}" if settled.task.scale.ordinal else ", ".join(labels)
    keep(
        ~work["label"].isin(settled.table.keys()),
        None,
        lambda row: f"the label {quoted(row['label'])} is not on the scale ({scale})",
    )
    work["label"] = map_text(work["label"], lambda label: settled.table.get(label, label))
    return settled


def _identifiers(kept: pd.DataFrame) -> pd.Series:
    """Annotation identifiers as given, else made of item, annotator and a running number."""
    given = kept["annotation_id"]
    nth = kept.groupby(["item_id", "annotator_id"]).cumcount() + 1
    made = kept["item_id"] + "-" + kept["annotator_id"] + "-" + nth.astype(str)
    result = given.where(given != "", made)
    if result.duplicated().any():  # an identifier holds a "-", or looks like one made here
        taken, number, unique = set(given), 0, []
        for own in given:
            while not own:
                number += 1
                own = f"annotation-{number}" if f"annotation-{number}" not in taken else ""
            unique.append(own)
        result = pd.Series(unique, index=kept.index, dtype=object)
    return result


def _normalised(values, table, default: str, what: str, notes: list[str]) -> pd.Series:
    known = {written: value for value, ways in table.items() for written in ways}
    folded = map_text(values, lambda text: text.strip().casefold())
    odd = folded[~folded.isin(known.keys())]
    if len(odd):
        notes.append(
            f"{len(odd)} values of {what}, such as {quoted(odd.iloc[0])}, are not understood and "
            f"are read as {default or 'none'}"
        )
    return map_text(folded, lambda text: known.get(text, default))


def _items(kept: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    parts = kept[kept["split"] != ""].drop_duplicates(["item_id", "split"])
    torn = int(parts.duplicated("item_id").sum())
    if torn:
        notes.append(f"{torn} items stand in more than one split: the first is used")
    first = parts.drop_duplicates("item_id").set_index("item_id")["split"]
    items = kept.drop_duplicates("item_id").loc[:, ITEMS.names].reset_index(drop=True)
    split = first.to_dict()
    items["split"] = [split.get(item, "") for item in items["item_id"]]
    return items


def _with_counted(items: pd.DataFrame, entries: RawAnnotations) -> pd.DataFrame:
    """The items, and those without annotation that have crowd counts."""
    if entries.crowd is None or entries.items is None:
        return items
    more = entries.items.drop_duplicates("item_id")
    more = more[more["item_id"].isin(entries.crowd["item_id"])]
    more = more[
        ~more["item_id"].isin(items["item_id"]) & (map_text(more["text_a"], str.strip) != "")
    ]
    return pd.concat([items, more.loc[:, ITEMS.names]], ignore_index=True)


def _crowd(crowd: pd.DataFrame | None, items: pd.DataFrame, task: Task, notes: list[str]):
    if crowd is None:
        return None
    sound = crowd["item_id"].isin(items["item_id"]) & crowd["label"].isin(task.scale.labels)
    if not sound.all():
        notes.append(f"{int((~sound).sum())} crowd counts belong to no item or label: left out")
    crowd = crowd.loc[sound, CROWD.names].drop_duplicates(["item_id", "label"])
    if not len(crowd):
        return None
    text = crowd.astype({"item_id": "str", "label": "str"})
    return text.assign(count=text["count"].astype("int64"))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype("str").reset_index(drop=True)


def _last_notes(kept: pd.DataFrame, notes: list[str]) -> None:
    without = int((kept["explanation"] == "").sum())
    if without:
        notes.append(f"{without} of {len(kept)} annotations have no explanation: kept")
    if kept["annotator_id"].nunique() == 1:
        notes.append("there is one annotator: comparisons between annotators need at least two")
    if kept["item_id"].nunique() == 1:
        notes.append("there is one item: comparisons between annotators need at least two")


def _nothing(read: int, aside: RejectedRows, where: str) -> DataError:
    reasons = aside.frame()["reason"].value_counts()
    listed = "; ".join(f"{reason} ({count} times)" for reason, count in reasons.head(5).items())
    return DataError(
        f"no annotation is left of {read} read: {listed or 'there are none'}",
        where=where,
        expected="at least one annotation with an item, an annotator and a label",
        todo="check the columns with --map and the scale of the labels",
    )
