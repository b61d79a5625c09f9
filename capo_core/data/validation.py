"""From raw annotations to a dataset: each is accepted or rejected with a reason, none disappears.

The rules by which an annotation is rejected have one function each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd

from capo_core.data.alike import bare, same_form
from capo_core.data.cleaning import join_annotators, without_empty_words, without_marks
from capo_core.data.column_names import PER_ANNOTATOR
from capo_core.data.columns import ColumnMapping
from capo_core.data.label_scales import MISSING, ResolvedLabels, resolve_labels
from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.mangled import check_identifiers
from capo_core.data.raw_annotations import RAW_COLUMNS, RawAnnotations
from capo_core.data.readers.encoding import BROKEN, map_text
from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.data.splits import PART_WORDS
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.formatting import count, name_list
from capo_core.schema import ANNOTATIONS, CROWD, ITEMS
from capo_core.task import Task

_TEXT = RAW_COLUMNS[2:]


class RowFilter:
    """The raw annotations that are still accepted; calling it rejects some, with a reason.

    Attributes:
        mask: [len(work)] whether a row is accepted so far.
    """

    def __init__(
        self, work: pd.DataFrame, rejected: RejectedRows, mapping: ColumnMapping | None = None
    ) -> None:
        self.work, self.rejected, self.mapping = work, rejected, mapping
        self.mask = np.ones(len(work), dtype=bool)

    def __call__(
        self, bad: pd.Series, column: str | None, reason: str | Callable[[dict], str]
    ) -> None:
        """Reject the rows marked `bad`; `column` None stands for the column of the label.

        The column is told by its name in the file where the mapping has it.
        """
        out = self.mask & bad.to_numpy(dtype=bool)
        for row in self.work[out].to_dict("records"):
            text = {key: row[key] for key in _TEXT if row[key]}
            self.rejected.add(
                row["row"],
                self._name_in_file(column, row) if column else row["column"] or "label",
                reason if isinstance(reason, str) else reason(row),
                json.dumps(text, ensure_ascii=False),
            )
        self.mask &= ~out

    def _name_in_file(self, role: str, row: dict) -> str:
        # Rows of joined files, told as "FILE:NUMBER", may be of other columns in each.
        if self.mapping is None or isinstance(row["row"], str):
            return role
        if role in PER_ANNOTATOR:
            own = [one for one in self.mapping.annotators if one.label == row["column"]]
            if len(own) == 1:  # all annotators may share the column of the label
                return getattr(own[0], role) or role
        if role == "item_id" and not self.mapping.item_id:
            role = "text_a"  # items without a column of their own are told apart by their texts
        return getattr(self.mapping, role) or role


def reject_broken_cells(work: pd.DataFrame, keep: RowFilter, limits: ImportLimits) -> None:
    """Reject rows with a cell that is too long, or holds NUL or undecodable characters."""
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


def missing_label_reason(written: str) -> str:
    """Return why a row without a label is rejected, with what its cell holds."""
    return (
        f"the label is missing ({written.strip()})" if written.strip() else "the label is missing"
    )


def unify_item_texts(work: pd.DataFrame, keep: RowFilter, notes: list[str], where: str) -> None:
    """Give every row of an item the same texts: fill in missing ones, reject rows that differ."""
    inside = work[keep.mask]
    for column in ("text_a", "text_b"):
        blank = map_text(inside[column], same_form) == ""
        known = inside[~blank].drop_duplicates("item_id").set_index("item_id")[column]
        filled = inside.loc[blank, "item_id"].map(known).dropna()
        work.loc[filled.index, column] = filled
        if len(filled):
            notes.append(
                f"{count(len(filled), 'row')} without {column}: filled in from the item's other "
                "rows"
            )
    keep(map_text(work["text_a"], same_form) == "", "text_a", "the item has no text")
    inside = work[keep.mask]
    first = inside.drop_duplicates("item_id").set_index("item_id")[["text_a", "text_b", "row"]]
    reference = first.reindex(work["item_id"]).reset_index(drop=True)
    differs, spaced = np.zeros(len(work), bool), np.zeros(len(work), bool)
    for column in ("text_a", "text_b"):
        unequal = (work[column] != reference[column]).to_numpy() & keep.mask
        here, there = work.loc[unequal, column], reference.loc[unequal, column]
        worded = np.zeros(len(work), dtype=bool)
        worded[unequal] = [
            same_form(a).split() != same_form(b).split() for a, b in zip(here, there, strict=True)
        ]
        differs |= worded
        spaced |= unequal & ~worded
        rewrite = unequal & ~worded
        work.loc[rewrite, column] = reference.loc[rewrite, column].to_numpy(dtype=object)
    conflicting = work.loc[differs, "item_id"].nunique()
    if conflicting > 1 and conflicting > 0.5 * len(first):
        raise DataError(
            f"{conflicting} of {len(first)} values of item_id occur with different texts",
            where=where,
            expected="one item_id per item",
            todo="choose another column for the item, or none, so that equal texts are one item",
            option="--map item_id=COLUMN, or --map item_id=",
        )
    if (spaced & ~differs).any():
        notes.append(
            f"{count(int((spaced & ~differs).sum()), 'row')} different from the item's first text "
            "only in white space, Unicode form or invisible marks: the first text is used"
        )
    rows = reference["row"].to_numpy()
    work["other_row"] = rows
    keep(
        pd.Series(differs),
        "text_a",
        lambda row: f"item {quoted(row['item_id'])} has other texts in row {row['other_row']}",
    )


def reject_duplicates(work: pd.DataFrame, keep: RowFilter, notes: list[str]) -> None:
    """Reject repeated annotations; several labels of one annotator on an item are only noted."""
    whole = ["item_id", "annotator_id", "label", "explanation"]
    for key, column, what in (
        (["annotation_id"], "annotation_id", "this annotation_id"),
        (whole, "explanation", "the same item, annotator, label and explanation"),
    ):
        inside = work[keep.mask & (work[key[0]] != "").to_numpy()]
        bad = np.zeros(len(work), dtype=bool)
        bad[inside.index[inside.duplicated(key)]] = True
        keep(pd.Series(bad), column, f"duplicate: {what} is in an earlier row")
    inside = work[keep.mask]
    again = inside.duplicated(["item_id", "annotator_id", "label"])
    more = inside.duplicated(["item_id", "annotator_id"]) & ~again
    if again.any():
        notes.append(
            f"{count(int(again.sum()), 'repeated label')} with another explanation: imported"
        )
    if more.any():
        notes.append(
            f"{count(int(more.sum()), 'further label')} by the same annotator on the same item: "
            "imported as separate rows"
        )


_VALID = {
    "true": ("true", "yes", "y", "1", "valid", "1.0", "t"),
    "false": ("false", "no", "n", "0", "invalid", "0.0", "f"),
    "unknown": ("", "unknown", "idk", "nan", "null"),
}
_SPLIT = {**PART_WORDS, "": ("", "nan", "null")}


def assemble(
    raw: RawAnnotations,
    *,
    name: str,
    task: Task | None,
    rejected: RejectedRows,
    notes: list[str],
    where: str,
    limits: ImportLimits = LIMITS,
) -> Dataset:
    """Return a dataset of the annotations that are sound.

    The others are added to `rejected`, so that raw annotations = annotations + newly rejected.
    `notes` receives what was changed or filled in. Identifiers and labels lose outer white space;
    texts and explanations stay as they are, for formatting is itself something to measure.

    Args:
        task: as the user gave it; None for that of the file, or else one inferred from the labels.

    Raises:
        DataError: nothing is left, or the item identifiers do not identify items.
    """
    notes.extend(raw.notes)
    work = raw.frame.loc[:, RAW_COLUMNS].reset_index(drop=True)
    work["mark"] = work["label"]  # as written, for messages
    keep = RowFilter(work, rejected, raw.mapping)
    reject_broken_cells(work, keep, limits)
    without_marks(work, ("item_id", "annotator_id", "label", "annotation_id"), notes)
    check_identifiers(work, where)
    work["explanation"] = without_empty_words(work["explanation"], notes)
    join_annotators(work, notes)
    keep(work["item_id"] == "", "item_id", "the item has no identifier and no text")
    keep(work["annotator_id"] == "", "annotator_id", "the annotator is missing")
    keep(work["label"].isin(MISSING), None, lambda row: missing_label_reason(row["mark"]))
    unify_item_texts(work, keep, notes, where)
    resolved = _labels(work, keep, task or raw.task, raw.roles, notes, where, limits)
    reject_duplicates(work, keep, notes)
    kept = work[keep.mask]
    if not len(kept):
        raise _nothing(len(work), rejected, where)
    kept = kept.assign(
        annotation_id=_identifiers(kept),
        valid=_normalised(kept["valid"], _VALID, "unknown", "validity", notes),
        split=_normalised(kept["split"], _SPLIT, "", "split", notes),
    )
    items = _items(kept, notes)
    items = _with_counted(items, raw)
    crowd = _crowd(raw.crowd, items, resolved.task, notes)
    _last_notes(kept, notes)
    return Dataset(
        name=name,
        task=resolved.task,
        items=_plain(items),
        annotations=_plain(kept.loc[:, ANNOTATIONS.names]),
        crowd=crowd,
        origin=raw.origin or f"imported from {where}",
        simulated=raw.simulated,
    )


def _labels(
    work: pd.DataFrame,
    keep: RowFilter,
    task: Task | None,
    roles: tuple[str, str],
    notes: list[str],
    where: str,
    limits: ImportLimits,
) -> ResolvedLabels:
    """Resolve the labels, write them into `work` and reject rows whose label is off the scale."""
    found = Counter(work.loc[keep.mask, "label"].tolist())
    if not found:
        raise _nothing(len(work), keep.rejected, where)
    resolved = resolve_labels(found, task, roles, where, limits)
    notes.extend(resolved.notes)
    labels = resolved.task.scale.labels
    scale = f"{labels[0]} to {labels[-1]}" if resolved.task.scale.ordinal else name_list(labels)
    keep(
        ~work["label"].isin(resolved.table.keys()),
        None,
        lambda row: f"the label {quoted(row['label'])} is not on the scale ({scale})",
    )
    work["label"] = map_text(work["label"], lambda label: resolved.table.get(label, label))
    return resolved


def _identifiers(kept: pd.DataFrame) -> pd.Series:
    """Return annotation identifiers as given, else of item, annotator and a running number."""
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
    folded = map_text(values, lambda text: bare(text).casefold())
    odd = folded[~folded.isin(known.keys())]
    if len(odd):
        notes.append(
            f"{count(len(odd), 'value')} of {what} not recognised, such as {quoted(odd.iloc[0])}: "
            f"read as {default or 'none'}"
        )
    return map_text(folded, lambda text: known.get(text, default))


def _items(kept: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    parts = kept[kept["split"] != ""].drop_duplicates(["item_id", "split"])
    torn = int(parts.duplicated("item_id").sum())
    if torn:
        notes.append(f"{count(torn, 'item')} in more than one split: the first is used")
    first = parts.drop_duplicates("item_id").set_index("item_id")["split"]
    items = kept.drop_duplicates("item_id").loc[:, ITEMS.names].reset_index(drop=True)
    split = first.to_dict()
    items["split"] = [split.get(item, "") for item in items["item_id"]]
    return items


def _with_counted(items: pd.DataFrame, raw: RawAnnotations) -> pd.DataFrame:
    """Return the items, and those without annotation that have crowd counts."""
    if raw.crowd is None or raw.items is None:
        return items
    more = raw.items.drop_duplicates("item_id")
    more = more[more["item_id"].isin(raw.crowd["item_id"])]
    more = more[
        ~more["item_id"].isin(items["item_id"]) & (map_text(more["text_a"], same_form) != "")
    ]
    return pd.concat([items, more.loc[:, ITEMS.names]], ignore_index=True)


def _crowd(crowd: pd.DataFrame | None, items: pd.DataFrame, task: Task, notes: list[str]):
    if crowd is None:
        return None
    sound = crowd["item_id"].isin(items["item_id"]) & crowd["label"].isin(task.scale.labels)
    if not sound.all():
        notes.append(f"{int((~sound).sum())} crowd counts belong to no item or label: ignored")
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
        notes.append(f"{without:,} of {len(kept):,} annotations without an explanation: imported")
    if kept["annotator_id"].nunique() == 1:
        notes.append("there is one annotator: comparisons between annotators need at least two")
    if kept["item_id"].nunique() == 1:
        notes.append("there is one item: comparisons between annotators need at least two")


def _nothing(read: int, rejected: RejectedRows, where: str) -> DataError:
    reasons = rejected.frame()["reason"]
    listed = "; ".join(
        f"{reason} ({count(int(times), 'time')})"
        for reason, times in reasons.value_counts().head(5).items()
    )
    read = read or len(reasons)  # a reader may have set all of them aside
    rows = "the only row cannot" if read == 1 else f"none of the {read:,} rows can"
    return DataError(
        f"{rows} be imported: {listed or 'there are none'}",
        where=where,
        expected="at least one annotation with an item, an annotator and a label",
        todo="check the columns and the label scale",
        option="--map, --labels, --ordinal",
    )
