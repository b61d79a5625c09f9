"""Judgments from a JSON file, one object an item, as the makers of such data publish them.

    {"premise": …, "hypothesis": …, "chaos probs": [0.1, 0.7, 0.2], "varierr labels": [1, 3, 0],
     "mnli labels": ["n", [0, 4, 1]], "comments": [["why", "n"], …]}

A field is read by what is in it, the same in every line: shares or counts in the order of the
labels, a label beside counts, a label, or pairs of explanation and label. Labels may be shortened
as far as they stay distinct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.data.aside import Aside
from capo_core.data.decode import decode
from capo_core.data.mapping import SYNONYMS, normal
from capo_core.data.read_json import array_of, lines_of, looks_like_lines, whole
from capo_core.distributions.file_fields import Field, fields_of, left_out
from capo_core.distributions.from_dataset import HUMANS
from capo_core.distributions.judgments import CROWD, SAID, UNIFORM, Judgments
from capo_core.distributions.source import Source
from capo_core.errors import DataError
from capo_core.schema import listed
from capo_core.task import NLI, LabelScale, Task
from capo_core.workspace import content_hash

# What a crowd's distribution is called in published files, beginnings, in lower case.
_CROWD = ("crowd", "chaos", "human")
_IDENTIFIERS = ("uid", "id", "item_id", "pair_id")


def read_judgments(path: Path | str, labels: Sequence[str] | None = None) -> Judgments:
    """The items, sources and explanations in a file.

    Items are known by their texts, so that several files about the same items go together.

    Args:
        labels: the order of the labels in its lists; None takes NLI's entailment, neutral,
            contradiction.

    Raises:
        DataError: the file cannot be read, a distribution does not sum to one, a label is
            unknown, or an item stands twice; it says which line.
    """
    path = Path(path)
    task = _task(labels)
    rows, notes = _records(path)
    key_a, key_b = _text_keys(rows[0][1], path)
    items = [_item(line, row, key_a, key_b, path) for line, row in rows]
    frame = pd.DataFrame(items, columns=["item_id", "text_a", "text_b"])
    repeated = frame["item_id"].duplicated()
    if repeated.any():
        line = rows[int(repeated.to_numpy().argmax())][0]
        raise DataError("the item stands twice in the file", where=f"{path.name}, line {line}")
    fields = []
    for name in _names(rows):
        if name in (key_a, key_b) or name.lower() in _IDENTIFIERS:
            continue
        values = [(line, row.get(name)) for line, row in rows]
        found = fields_of(name, values, task.scale.labels, path.name)
        fields += found
        if not found and (said := left_out(name, values)):
            notes = (*notes, said)
    sources = _sources(fields, tuple(frame["item_id"]), task.scale.labels)
    if not sources and not any(field.said for field in fields):
        raise DataError(
            "there is neither a label distribution nor an explanation in the file",
            where=path.name,
            expected=f"a field with a list of {len(task.scale.labels)} shares or counts",
        )
    found = Judgments(path.stem, task, frame, tuple(sources), _said(fields, frame), notes)
    return found.with_uniform()


def together(first: Judgments, other: Judgments) -> Judgments:
    """Two readings of the same items, told by their texts, as one under the first's identifiers.

    Items of the second only are left out, and counted in the notes.

    Raises:
        DataError: they have other labels, or no item in common.
    """
    if first.task.scale.labels != other.task.scale.labels:
        raise DataError(
            f"{first.name} and {other.name} have different labels",
            expected=f"{listed(first.task.scale.labels)} in both",
        )
    own = {(row.text_a, row.text_b): row.item_id for row in first.items.itertuples()}
    mine = {
        row.item_id: own[row.text_a, row.text_b]
        for row in other.items.itertuples()
        if (row.text_a, row.text_b) in own
    }
    if not mine:
        raise DataError(
            f"{first.name} and {other.name} have no item in common",
            expected="the same texts in both",
        )
    taken = {source.name for source in first.sources}
    more = []
    for source in other.sources:
        rows = [row for row, item in enumerate(source.item_ids) if item in mine]
        name = source.name if source.name not in taken else f"{source.name} ({other.name})"
        if rows and source.name != UNIFORM:
            items = tuple(mine[source.item_ids[row]] for row in rows)
            more.append(
                Source(name, source.labels, items, source.shares[rows], source.people[rows],
                       source.about)
            )  # fmt: skip
    said = other.explanations[other.explanations["item_id"].isin(mine)]
    clash = set(said["source"]) & set(first.explanations["source"])
    said = said.assign(
        item_id=said["item_id"].map(mine),
        source=[f"{one} ({other.name})" if one in clash else one for one in said["source"]],
    )
    notes = list(other.notes)
    if len(mine) < len(other.items):
        left = len(other.items) - len(mine)
        notes.append(
            f"{left} of {len(other.items)} items of {other.name} are not in {first.name}; left out"
        )
    both = first.with_sources(more).with_explanations(said)
    return replace(both, notes=(*first.notes, *notes))


def _task(labels: Sequence[str] | None) -> Task:
    if labels is None or tuple(labels) == NLI.scale.labels:
        return NLI
    numbers = all(label.lstrip("-").isdecimal() for label in labels)
    return Task("judgment", LabelScale(tuple(labels), ordinal=numbers))


def _records(path: Path) -> tuple[list[tuple[int, dict[str, Any]]], tuple[str, ...]]:
    """The objects with their lines, and what must be said of those that could not be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror})", where=str(path)) from None
    text, _, notes = decode(raw, path.name)
    aside = Aside()
    if looks_like_lines(text):
        rows = lines_of(text, aside, path.name)
    else:
        value, more = whole(text, path.name)
        notes = [*notes, *more]
        if not isinstance(value, list):
            raise DataError("the file is no list of objects", where=path.name)
        rows = array_of(value, aside, path.name)
    if len(aside):
        first = aside.frame().iloc[0]
        notes = [*notes, f"{len(aside)} lines are left out, the first one: {first['reason']}"]
    return rows, tuple(notes)


def _names(rows: list[tuple[int, dict[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(name for _, row in rows for name in row))


def _text_keys(row: dict[str, Any], path: Path) -> tuple[str, str]:
    """The fields with the item's two texts; the second "" where there is one text."""
    named = {normal(name): name for name in row if isinstance(row[name], str)}
    found = [
        next((named[one] for one in SYNONYMS[role] if one in named), "")
        for role in ("text_a", "text_b")
    ]
    if not found[0]:
        raise DataError(
            "no field holds the item's text",
            where=path.name,
            expected="a field such as premise, context, text or sentence1",
        )
    return found[0], found[1]


def _item(line: int, row: dict[str, Any], key_a: str, key_b: str, path: Path):
    texts = [row.get(key) if key else "" for key in (key_a, key_b)]
    if not all(isinstance(text, str) for text in texts) or not texts[0].strip():
        raise DataError("the item has no text", where=f"{path.name}, line {line}")
    return content_hash(*texts)[:12], texts[0], texts[1]


def _sources(fields: list[Field], items: tuple[str, ...], labels) -> list[Source]:
    """A source for each distribution; the crowd first. Labels of explanations that repeat a
    distribution of the file are no source of their own."""
    found: list[Source] = []
    shares = [field for field in fields if field.shares is not None]
    named = [field for field in shares if field.name.lower().startswith(_CROWD)]
    only = [field for field in shares if field.name.lower() == "label" and len(shares) == 1]
    crowd = (named or only or [None])[0]
    for field in sorted(shares, key=lambda field: field is not crowd):
        there = [row for row in range(len(items)) if np.isfinite(field.shares[row]).all()]
        source = Source(
            CROWD if field is crowd else field.name,
            tuple(labels),
            tuple(items[row] for row in there),
            field.shares[there],
            field.people[there],
            f"the field {field.column!r}",
        )
        twin = any(
            one.item_ids == source.item_ids and np.allclose(one.shares, source.shares)
            for one in found
        )
        if not (field.said and twin):
            found.append(source)
    return found


def _said(fields: list[Field], items: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for field in fields:
        source = HUMANS if field.column.lower() == "comments" else field.column
        for item, pairs in zip(items["item_id"], field.said or (), strict=False):
            rows += [
                (item, source, position, label, text)
                for position, (text, label) in enumerate(pairs)
            ]
    return pd.DataFrame(rows, columns=SAID.names)
