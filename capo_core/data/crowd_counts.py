"""Datasets of crowd counts alone: how many people chose each label, and nobody's annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from capo_core.data.label_scales import resolve_labels
from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.rejected_rows import RejectedRows
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.formatting import count
from capo_core.schema import ANNOTATIONS, CROWD, ITEMS
from capo_core.task import Task

NO_ANNOTATORS = (
    "The dataset holds crowd counts: how often each label was given, and nobody's own "
    "annotations. Label distributions can use it; stability, imitation and studies need annotators"
)


@dataclass(frozen=True)
class LabelCounts:
    """Numbers of people by label (label → count), or the reason why a value holds none."""

    counts: Mapping[str, int]
    problem: str = ""


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the texts of its nested `example` beside the other fields."""
    inner = record.get("example")
    if not isinstance(inner, dict):
        return dict(record)
    return {**inner, **{name: value for name, value in record.items() if name != "example"}}


def is_label_numbers(value: Any) -> bool:
    """Return whether this is an object of at least two labels with numbers."""
    return (
        isinstance(value, Mapping)
        and len(value) > 1
        and all(isinstance(each, int | float) and not isinstance(each, bool)
                for each in value.values())
    )  # fmt: skip


def only_counts(raw: RawAnnotations) -> bool:
    """Return whether a file holds crowd counts and no annotation at all."""
    return not len(raw.frame) and raw.crowd is not None and raw.items is not None


def require_annotators(dataset: Dataset) -> None:
    """Raise `DataError` for a dataset of crowd counts alone."""
    if not len(dataset.annotations):
        raise DataError(
            f"{dataset.name} has no annotators. {NO_ANNOTATORS}",
            todo="compare its label distributions",
            option=f"distributions compare --dataset {dataset.name}",
        )


def counts_of(value: Any, people: float | None = None) -> LabelCounts:
    """Return the counts in an object label → number.

    Shares of sum 1 become counts if the number of people is known and fits them.

    >>> counts_of({"e": 70, "n": 30}).counts, counts_of({"e": 0.67, "n": 0.33}, 3).counts
    ({'e': 70, 'n': 30}, {'e': 2, 'n': 1})
    """
    if not isinstance(value, Mapping) or not value:
        return LabelCounts({}, "no object of labels and numbers")
    numbers = {}
    for label, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not number >= 0:
            return LabelCounts({}, f"{label!r} has {number!r}, which is no number of 0 or more")
        numbers[str(label)] = float(number)
    total = sum(numbers.values())
    if not 0 < total < float("inf"):
        return LabelCounts({}, "all counts are 0")
    whole = all(number.is_integer() for number in numbers.values())
    if whole and (total > 1 or people == 1):
        return LabelCounts({label: int(number) for label, number in numbers.items()})
    if people is None:
        return LabelCounts({}, "these are shares, and the number of people is not in the file")
    counts = {label: round(number / total * people) for label, number in numbers.items()}
    near = all(
        abs(number / total - counts[label] / people) <= 0.006 for label, number in numbers.items()
    )
    if not near or sum(counts.values()) != people:
        return LabelCounts({}, f"the shares are not those of {people:g} people")
    return LabelCounts(counts)


def crowd_dataset(
    raw: RawAnnotations,
    *,
    name: str,
    task: Task | None,
    rejected: RejectedRows,
    notes: list[str],
    where: str,
    limits: ImportLimits = LIMITS,
) -> Dataset:
    """Return a dataset of items and crowd counts without any annotation.

    Raises:
        DataError: an item has no text, or occurs with other texts.
    """
    notes.extend(raw.notes)
    found = list(dict.fromkeys(raw.crowd["label"].tolist()))
    resolved = resolve_labels(found, task or raw.task, raw.roles, where, limits)
    notes.extend(resolved.notes)
    off = [label for label in found if label not in resolved.table]
    if off:
        raise DataError(
            f"the label {off[0]!r} is not on the scale",
            where=where,
            expected=f"one of {', '.join(resolved.task.scale.labels)}",
        )
    items = raw.items.drop_duplicates("item_id").loc[:, ITEMS.names]
    crowd = raw.crowd.assign(label=[resolved.table[label] for label in raw.crowd["label"]])
    crowd = crowd.groupby(["item_id", "label"], sort=False, as_index=False)["count"].sum()
    crowd = crowd.loc[:, CROWD.names].astype({"item_id": "str", "label": "str", "count": "int64"})
    people = crowd.groupby("item_id")["count"].sum()
    low, high = int(people.min()), int(people.max())
    span = count(low, "label") if low == high else f"{low} to {high} labels"
    notes.append(f"{span} for each of {count(len(items), 'item')}")
    notes.append(NO_ANNOTATORS)
    return Dataset(
        name=name,
        task=resolved.task,
        items=items.astype("str").reset_index(drop=True),
        annotations=pd.DataFrame(columns=ANNOTATIONS.names, dtype="str"),
        crowd=crowd,
        origin=raw.origin or f"imported from {where}",
        simulated=raw.simulated,
    )
