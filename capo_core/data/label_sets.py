"""Cells with several labels at once: found, asked about, and read as the user answers.

`["joy", "anger"]`, `{"choices": ["Joy", "Anger"]}` and `joy;anger` are two labels of one annotator,
or one label that is a set; no file says which.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from capo_core.data.alike import bare, same_text
from capo_core.data.label_scales import MISSING, decimal_number
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.readers.encoding import cell_text, map_text
from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import count
from capo_core.task import Task

# Ways to read a cell with several labels → what the form says.
LABEL_SETS = {
    "each": "Each is a label of the annotator",
    "set": "Together they are one label",
}
BETWEEN = " + "  # between the labels of a set that is one label
# Keys under which annotation tools put the labels of a cell.
_KEYS = ("choices", "labels", "label", "choice", "values", "value", "selected")
# A cell with one of the first is a set if its parts occur anywhere else; with one of the others,
# which sentences have too, only if each part is a label by itself, or (comma) if short parts change
# places.
_MARKS = (";", "|", "\n", "；", "؛", "┋")
_COMMAS = (",", "，", "、", "،", "､")
_DOUBTFUL_MARKS = (*_COMMAS, "/", "&")


@dataclass(frozen=True)
class LabelSets:
    """The labels of a file that are no plain text.

    Attributes:
        sets: label as written → the labels in it, without repetition; () for an empty list.
        nested: labels that are JSON of another kind, which no scale can hold.
    """

    sets: dict[str, tuple[str, ...]]
    nested: frozenset[str] = frozenset()

    def several(self) -> list[str]:
        """Return the written labels that hold more than one."""
        return [written for written, labels in self.sets.items() if len(labels) > 1]


def find_label_sets(frequency: Mapping[str, int]) -> LabelSets:
    """Return which labels are sets of labels, judged by all labels of a file.

    >>> find_label_sets({"joy": 3, "anger": 2, "joy;anger": 1}).sets
    {'joy;anger': ('joy', 'anger')}
    >>> find_label_sets({'["joy"]': 1, "yes; I think so": 1}).sets
    {'["joy"]': ('joy',)}
    """
    sets: dict[str, tuple[str, ...]] = {}
    nested, plain = set(), []
    for label in frequency:
        value = _value(label)
        if value is None:
            plain.append(label)
            continue
        labels = _labels_of(value)
        if labels is None:
            nested.add(label)
        else:
            sets[label] = labels
    return LabelSets(sets | _divided(plain), frozenset(nested))


def _value(label: str) -> Any:
    """Return the list or object that a label is, as JSON or as Python writes it; None if none."""
    if label[:1] not in ("[", "{") or label[-1:] not in ("]", "}"):
        return None
    try:
        value = json.loads(label)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(label)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return value if isinstance(value, list | dict | tuple) else None


def _labels_of(value: Any) -> tuple[str, ...] | None:
    """Return the labels in a list, or in the only list of an object; None for anything else."""
    if isinstance(value, dict):
        known = [key for key in _KEYS if key in value]
        if len(value) != 1 or not known:
            return () if not value else None
        inner = value[known[0]]
        value = inner if isinstance(inner, list | tuple) else [inner]
    if any(isinstance(each, dict | list | tuple) for each in value):
        parts = [_labels_of(each) for each in value if isinstance(each, dict)]
        if len(parts) != len(value) or any(part is None for part in parts):
            return None
        texts = [text for part in parts for text in part or ()]
    else:
        texts = [cell_text(each).strip() for each in value]
    return tuple(dict.fromkeys(text for text in texts if text not in MISSING))


def _divided(plain: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the labels that other labels make up, with a mark between them."""
    if plain and all(decimal_number(label) for label in plain):
        return {}  # "3,5" is a number
    whole = {same_text(label) for label in plain}
    found: dict[str, tuple[str, ...]] = {}
    for mark in (*_MARKS, *_DOUBTFUL_MARKS):
        ended = mark in _MARKS and all(label.rstrip().endswith(mark) for label in plain)
        parts = {
            label: tuple(dict.fromkeys(map(str.strip, _bare(label, mark).split(mark))))
            for label in plain
            if mark in label and label not in found
        }
        if plain and ended:  # Microsoft Forms: "joy;anger;" and "joy;"
            return {label: each for label, each in parts.items() if all(each)}
        parts = {label: each for label, each in parts.items() if len(each) > 1 and all(each)}
        uses = Counter(same_text(part) for each in parts.values() for part in each)
        moving = _moving(parts) if mark in _COMMAS else set()
        for label, each in parts.items():
            keys = [same_text(part) for part in each]
            elsewhere = (
                all(key in whole or uses[key] > 1 for key in keys)
                if mark in _MARKS
                else all(key in whole for key in keys)
                or (bool(moving & set(keys)) and all(len(key.split()) <= 3 for key in keys))
            )
            if elsewhere:
                found[label] = each
    return found


def _bare(label: str, mark: str) -> str:
    """Return a label without a mark at its end."""
    return label.rstrip().removesuffix(mark) if mark in _MARKS else label


def _moving(parts: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the parts that stand first in one label and later in another.

    As "anger" in "joy, anger" and "anger, fear": of a sentence with a comma none does.
    """
    first = {same_text(each[0]) for each in parts.values()}
    return first & {same_text(part) for each in parts.values() for part in each[1:]}


def check_label_sets(how: str) -> str:
    """Return `how`, one of `LABEL_SETS` or "" for not answered; raise `ConfigError` otherwise."""
    if how and how not in LABEL_SETS:
        raise ConfigError(
            f"label sets cannot be read as {how!r}",
            expected=f"one of {', '.join(LABEL_SETS)}",
            option="--label-sets",
        )
    return how


def read_label_sets(
    raw: RawAnnotations,
    how: str,
    task: Task | None,
    rejected: RejectedRows,
    notes: list[str],
    where: str,
) -> tuple[RawAnnotations, int]:
    """Return the annotations with one label each, and by how many rows that makes more.

    A list of one label is that label; an empty list is no label; a nested value of another kind is
    rejected. Labels of `task` are never taken apart.

    Args:
        how: "each", "set", or "" where the user has not said.

    Raises:
        DataError: there are sets, and `how` is "".
    """
    written = map_text(raw.frame["label"], bare)
    frequency = Counter(written.tolist())
    known = set(task.scale.labels) if task is not None else set()
    for label in (*known, *MISSING):
        frequency.pop(label, None)
    found = find_label_sets(frequency)
    if not found.sets and not found.nested:
        return raw, 0
    several = found.several()
    if several and not how:
        n = sum(frequency[label] for label in several)
        raise DataError(
            f"{count(n, 'annotation')} with several labels in one cell, such as "
            f"{quoted(several[0])}",
            where=where,
            expected="one label in a cell, or word on what several mean",
            todo="say whether each is a label of the annotator, or together they are one label",
            option="--label-sets each, or --label-sets set",
        )
    frame = raw.frame.assign(label=written)
    nested = frame["label"].isin(found.nested).to_numpy(dtype=bool)
    for row in frame[nested].to_dict("records"):
        reason = "the label is a list or an object that holds no labels"
        rejected.add(row["row"], row["column"] or "label", reason, row["label"])
    frame = frame[~nested]
    # Rejected here, they are no longer among the raw annotations: the sum stays.
    rows = len(frame)
    if how == "each":
        parts = [list(found.sets.get(label, (label,))) or [""] for label in frame["label"].tolist()]
        frame = frame.assign(label=parts).explode("label", ignore_index=True)
        if frame["annotation_id"].any():
            own = frame.groupby(["row", "column", "annotation_id"], sort=False).cumcount()
            frame["annotation_id"] = [
                f"{name}-{nth + 1}" if name and nth else name
                for name, nth in zip(frame["annotation_id"].tolist(), own.tolist(), strict=True)
            ]
    else:
        joined = {label: one_label(labels) for label, labels in found.sets.items()}
        frame = frame.assign(label=[joined.get(label, label) for label in frame["label"].tolist()])
    notes.append(_note(found, frequency, several, how))
    return replace(raw, frame=frame.reset_index(drop=True)), len(frame) - rows


def one_label(labels: tuple[str, ...]) -> str:
    """Return the label of a set: its labels in alphabetical order."""
    return BETWEEN.join(sorted(labels, key=lambda label: (label.casefold(), label)))


def _note(found: LabelSets, frequency: Mapping[str, int], several: list[str], how: str) -> str:
    n = sum(frequency[label] for label in several)
    if not n:
        return "labels written as lists of one label are read as this label"
    example = found.sets[several[0]]
    if how == "set":
        return (
            f"{count(n, 'cell')} with several labels: together they are one label, in alphabetical "
            f"order, such as {quoted(one_label(example))}"
        )
    return (
        f"{count(n, 'cell')} with several labels, such as {quoted(several[0])}: each label is an "
        "annotation of its own, with the same explanation"
    )
