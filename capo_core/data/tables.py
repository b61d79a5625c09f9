"""Entries to a Dataset: every entry is kept or set aside with a reason, none disappears."""

from __future__ import annotations

import pandas as pd

from capo_core.data.aside import Aside, shown
from capo_core.data.cells import each
from capo_core.data.entries import ENTRY, Entries
from capo_core.data.labels import MISSING, settle
from capo_core.data.limits import LIMITS, Limits
from capo_core.data.screening import (
    Keeper,
    broken_cells,
    duplicates,
    missing_label,
    one_text_per_item,
    present,
)
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.schema import ANNOTATIONS, CROWD, ITEMS
from capo_core.task import Task

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
    entries: Entries,
    *,
    name: str,
    task: Task | None,
    aside: Aside,
    notes: list[str],
    where: str,
    simulated: bool = False,
    limits: Limits = LIMITS,
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
    work = entries.frame.loc[:, ENTRY].reset_index(drop=True)
    work["mark"] = work["label"]  # as written, for messages
    keep = Keeper(work, aside)
    broken_cells(work, keep, limits)
    for column in ("item_id", "annotator_id", "label", "annotation_id"):
        work[column] = each(work[column], _bare)
    work["explanation"] = each(work["explanation"], present(notes))
    keep(work["item_id"] == "", "item_id", "the item has no identifier and no text")
    keep(work["annotator_id"] == "", "annotator_id", "the annotator is missing")
    keep(work["label"].isin(MISSING), None, lambda row: missing_label(row["mark"]))
    one_text_per_item(work, keep, notes, where)
    settled = _labels(work, keep, task or entries.task, entries.roles, notes, where, limits)
    duplicates(work, keep, notes)
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
    settled = settle(found, task, roles, where, limits)
    notes.extend(settled.notes)
    labels = settled.task.scale.labels
    scale = f"{labels[0]} to {labels[-1]}" if settled.task.scale.ordinal else ", ".join(labels)
    keep(
        ~work["label"].isin(settled.table.keys()),
        None,
        lambda row: f"the label {shown(row['label'])} is not on the scale ({scale})",
    )
    work["label"] = each(work["label"], lambda label: settled.table.get(label, label))
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
    folded = each(values, lambda text: text.strip().casefold())
    odd = folded[~folded.isin(known.keys())]
    if len(odd):
        notes.append(
            f"{len(odd)} values of {what}, such as {shown(odd.iloc[0])}, are not understood and "
            f"are read as {default or 'none'}"
        )
    return each(folded, lambda text: known.get(text, default))


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


def _with_counted(items: pd.DataFrame, entries: Entries) -> pd.DataFrame:
    """The items, and those without annotation that have crowd counts."""
    if entries.crowd is None or entries.items is None:
        return items
    more = entries.items.drop_duplicates("item_id")
    more = more[more["item_id"].isin(entries.crowd["item_id"])]
    more = more[~more["item_id"].isin(items["item_id"]) & (each(more["text_a"], str.strip) != "")]
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


def _nothing(read: int, aside: Aside, where: str) -> DataError:
    reasons = aside.frame()["reason"].value_counts()
    listed = "; ".join(f"{reason} ({count} times)" for reason, count in reasons.head(5).items())
    return DataError(
        f"no annotation is left of {read} read: {listed or 'there are none'}",
        where=where,
        expected="at least one annotation with an item, an annotator and a label",
        todo="check the columns with --map and the scale of the labels",
    )
