"""Files of judgments and explanations: reading, merging and writing.

Judgments come from a table with a column of shares or counts for each label, or from a JSON file
with one object per item, in the format of published datasets:

    {"premise": …, "hypothesis": …, "chaos probs": [0.1, 0.7, 0.2], "varierr labels": [1, 3, 0],
     "mnli labels": ["n", [0, 4, 1]], "comments": [["why", "n"], …]}

The type of a field is detected from its values and must be the same in every line: shares or counts
in the order of the labels or as an object {label: number}, a list of labels, a label with counts, a
label, or pairs of explanation and label. Texts may lie in an object `example`, as in ChaosNLI's
files. Labels may be abbreviated as long as they stay distinct. Votes on explanations come from a
CSV file; generated explanations are written as a file that `read_judgments` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.count_columns import columns_of_labels, shares_like
from capo_core.data.crowd_counts import flat, is_label_numbers
from capo_core.data.readers.encoding import decode
from capo_core.data.readers.json_records import (
    looks_like_lines,
    parse_whole,
    read_array,
    read_lines,
)
from capo_core.data.readers.table import read_table
from capo_core.data.rejected_rows import RejectedRows
from capo_core.distributions.judgments import (
    CROWD,
    EXPLANATIONS,
    ROUNDING,
    UNIFORM,
    Judgments,
    LabelDistribution,
)
from capo_core.distributions.sources import HUMANS
from capo_core.errors import DataError
from capo_core.export_formats import json_lines
from capo_core.formatting import count, quoted_names
from capo_core.provenance import NAME, Provenance, stated, together
from capo_core.task import NLI, LabelScale, Task
from capo_core.workspace import atomic_file, content_hash

Rows = Sequence[tuple[int, Any]]  # line in the file, value
_SHARES, _BESIDE, _PAIRS, _LABEL = "shares", "label and counts", "explanations", "label"


@dataclass(frozen=True)
class FileField:
    """One parsed field of a file.

    Attributes:
        column: name in the file; name: name of the source.
        shares: [lines, labels], NaN where a line has none; None for a field without labels.
        people: [lines]: number of answers in a row; NaN if unknown.
        said: for each line its explanations with their labels; None for other fields.
    """

    column: str
    name: str
    shares: np.ndarray | None
    people: np.ndarray
    said: list[list[tuple[str, str]]] | None = None


def fields_of(column: str, rows: Rows, labels: Sequence[str], file: str) -> list[FileField]:
    """Return the judgments in a field; none if it holds no judgment, two where labels have counts.

    It is told by the first line whose value is a judgment, so that a line with something else,
    the first one as any other, is refused and not the whole field left out.

    Raises:
        DataError: another line holds something of another shape, a distribution that does not
            sum to one, or a label that is unknown.
    """
    rows = [(line, _in_order(value, column, labels)) for line, value in rows]
    shape = next(filter(None, (_shape(value, column, labels) for _, value in rows)), "")
    if shape == _SHARES:
        return [_distribution(column, column, rows, labels, file)]
    if shape == _BESIDE:
        return _beside_counts(column, rows, labels, file)
    if shape == _PAIRS:
        return [_explanations(column, rows, labels, file)]
    if shape == _LABEL:
        return [_single(column, column, rows, labels, file)]
    return []


def _in_order(value: Any, column: str, labels: Sequence[str]) -> Any:
    """Return an object {label: number} or a list of labels as a list in the order of the labels.

    Any other value is returned unchanged.
    """
    if is_label_numbers(value):
        found = [short_label(str(name), labels) for name in value]
        if None in found or len(set(found)) < len(found):
            return value
        numbers = dict(zip(found, value.values(), strict=True))
        return [numbers.get(label, 0) for label in labels]
    if isinstance(value, list) and value and "label" in column.lower():
        found = [short_label(each, labels) if isinstance(each, str) else None for each in value]
        if None not in found:
            return [found.count(label) for label in labels]
    return value


def left_out(column: str, rows: Rows) -> str:
    """Return notes on fields without judgments: none for texts and numbers, but lists and objects
    may have been intended as judgments.
    """
    line = next((line for line, value in rows if isinstance(value, (list, dict)) and value), None)
    if line is None:
        return ""
    return f"the field {column!r} is left out: its lists or objects (line {line}) are no judgments"


def _shape(value: Any, column: str, labels: Sequence[str]) -> str:
    """Return the kind of judgment of a value; "" if it is none."""
    if isinstance(value, list) and value and _numbers(value):
        return _SHARES
    if _label_and_counts(value):
        return _BESIDE
    if isinstance(value, list) and value and all(_pair(each) for each in value):
        return _PAIRS
    if isinstance(value, str) and "label" in column and short_label(value, labels) is not None:
        return _LABEL
    return ""


def short_label(text: str, labels: Sequence[str]) -> str | None:
    """Return the one label that `text` equals or abbreviates; None if there is not exactly one."""
    text = text.strip().lower()
    exact = [label for label in labels if label.lower() == text]
    begins = [label for label in labels if text and label.lower().startswith(text)]
    found = exact or begins
    return found[0] if len(found) == 1 else None


def _distribution(
    column: str, name: str, rows: Rows, labels: Sequence[str], file: str
) -> FileField:
    shares = np.full((len(rows), len(labels)), np.nan)
    people = np.full(len(rows), np.nan)
    for row, (line, value) in enumerate(rows):
        if value is None:
            continue
        where = _place(file, line, column)
        if not isinstance(value, list) or not _numbers(value) or len(value) != len(labels):
            raise DataError(
                f"found {value!r}",
                where=where,
                expected=f"{len(labels)} numbers, for {quoted_names(labels)}",
                todo="correct the line, or list the file's labels in order (--labels)",
            )
        numbers = np.array(value, dtype=float)
        if not np.isfinite(numbers).all() or (numbers < 0).any():
            raise DataError(
                f"found {value!r}",
                where=where,
                expected="numbers of 0 or more",
                todo="correct the line, or use null where the item has no judgment",
            )
        total = numbers.sum()
        if abs(total - 1) <= ROUNDING * len(labels) + 1e-9:
            shares[row] = numbers / total
        elif total > 0 and np.all(numbers == np.round(numbers)):
            shares[row], people[row] = numbers / total, total
        else:
            raise DataError(
                f"the distribution {value!r} sums to {total:.4g}, not to 1",
                where=where,
                expected="shares of sum 1, or whole numbers of people",
                todo="correct the line, or use null where the item has no judgment",
            )
    return FileField(column, name, shares, people)


def _beside_counts(column: str, rows: Rows, labels: Sequence[str], file: str) -> list[FileField]:
    """Parse `["n", [0, 4, 1]]`: a chosen label, and the counts it was chosen from."""
    for line, value in rows:
        if value is not None and not _label_and_counts(value):
            raise DataError(
                f"found {value!r}",
                where=_place(file, line, column),
                expected="a label and a list of counts",
                todo="correct the line, or use null where the item has no judgment",
            )
    chosen = [(line, None if value is None else value[0]) for line, value in rows]
    counts = [(line, None if value is None else value[1]) for line, value in rows]
    return [
        _single(column, f"{column}, single label", chosen, labels, file),
        _distribution(column, f"{column}, distribution", counts, labels, file),
    ]


def _single(column: str, name: str, rows: Rows, labels: Sequence[str], file: str) -> FileField:
    shares = [_one_hot(value, labels, _place(file, line, column)) for line, value in rows]
    return FileField(column, name, np.array(shares), np.ones(len(rows)))


def _explanations(column: str, rows: Rows, labels: Sequence[str], file: str) -> FileField:
    shares = np.full((len(rows), len(labels)), np.nan)
    people = np.full(len(rows), np.nan)
    said: list[list[tuple[str, str]]] = []
    for row, (line, value) in enumerate(rows):
        pairs = []
        for each in value or []:
            label = short_label(each[1], labels) if _pair(each) else None
            if label is None:
                raise DataError(
                    f"an explanation has the unknown label {each[1]!r}"
                    if _pair(each)
                    else f"found {each!r}",
                    where=_place(file, line, column),
                    expected=f"pairs of explanation and one of {quoted_names(labels)}",
                    todo="correct the line, or list the file's labels (--labels)",
                )
            if each[0].strip():
                pairs.append((each[0], label))
        if pairs:
            counts = np.array([sum(label == one for _, one in pairs) for label in labels], float)
            shares[row], people[row] = counts / counts.sum(), counts.sum()
        said.append(pairs)
    return FileField(column, f"labels of {column}", shares, people, said)


def _one_hot(value: Any, labels: Sequence[str], where: str) -> np.ndarray:
    if value is None:
        return np.full(len(labels), np.nan)
    label = short_label(value, labels) if isinstance(value, str) else None
    if label is None:
        raise DataError(
            f"found the unknown label {value!r}",
            where=where,
            expected=f"one of {quoted_names(labels)}, or an unambiguous prefix",
            todo="correct the line, or list the file's labels (--labels)",
        )
    return np.array([float(label == one) for one in labels])


def _numbers(value: list) -> bool:
    return all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)


def _label_and_counts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], list)
        and _numbers(value[1])
    )


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(x, str) for x in value)


def _place(file: str, line: int, column: str) -> str:
    return f"{file}, line {line}, field {column!r}"


COLUMNS = ("item_id", "source", "position", "votes")


def read_votes(path: Path | str) -> dict[tuple[str, str, int], float]:
    """Return (item, source, position) → votes, from a CSV file with these columns.

    Raises:
        DataError: the file cannot be read, a column is missing, or a value is not a number.
    """
    path = Path(path)
    try:
        frame = pd.read_csv(path, dtype={"item_id": str, "source": str})
    except (OSError, ValueError) as error:
        raise DataError(f"the votes cannot be read ({error})", where=str(path)) from None
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(
            f"the column {missing[0]!r} is missing",
            where=path.name,
            expected=f"the columns {quoted_names(COLUMNS)}",
        )
    numbers = frame[["position", "votes"]].apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna().any(axis=1) | (numbers["position"] < 0)
    if bad.any():
        raise DataError(
            "a position or a number of votes is not a number",
            where=f"{path.name}, row {int(bad.to_numpy().argmax()) + 1}",
        )
    keys = zip(frame["item_id"], frame["source"], numbers["position"].astype(int), strict=True)
    return dict(zip(keys, numbers["votes"].astype(float), strict=True))


def write_explanations(
    judgments: Judgments, said: pd.DataFrame, path: Path, provenance: Provenance
) -> None:
    """Write one JSON object per item with explanations: its texts, and pairs under each source.

    Raises:
        DataError: the file cannot be written.
    """
    names = [normalised_name(role) for role in (judgments.task.role_a, judgments.task.role_b)]
    keys = ("premise", "hypothesis") if names == ["premise", "hypothesis"] else ("text_a", "text_b")
    by_item = dict(list(said.groupby("item_id", sort=False)))
    lines = []
    for row in judgments.items.itertuples():
        rows = by_item.get(row.item_id)
        if rows is None:
            continue
        pairs = {
            source: list(zip(own["explanation"], own["label"], strict=True))
            for source, own in rows.groupby("source", sort=False)
        }
        texts = {keys[0]: row.text_a, **({keys[1]: row.text_b} if row.text_b else {})}
        lines.append({**texts, **pairs})
    try:
        with atomic_file(path, "w") as file:
            file.write(json_lines(lines, provenance))
    except OSError as error:
        raise DataError(f"the file cannot be written ({error.strerror})", where=str(path)) from None


# What a crowd's distribution is called in published files, beginnings, in lower case.
_CROWD = ("crowd", "chaos", "human", "label_counter", "label_count", "label_dist", "soft_label")
_IDENTIFIERS = ("uid", "id", "item_id", "pair_id", NAME)  # fields that are never judgments


def read_judgments(
    path: Path | str, labels: Sequence[str] | None = None, *, bare: bool = False
) -> Judgments:
    """Return the items, sources and explanations in a file.

    Items are known by their texts, so that several files about the same items go together.

    Args:
        labels: the order of the labels in its lists; None takes NLI's entailment, neutral,
            contradiction.
        bare: whether items that nobody judged are enough.

    Raises:
        DataError: the file cannot be read, a distribution does not sum to one, a label is
            unknown, or an item occurs twice; the message names the line.
    """
    path = Path(path)
    rows, notes = _records(path, bare)
    rows = [(line, flat(row)) for line, row in rows]
    task = _task(labels or _labels_in(rows))
    key_a, key_b = _text_keys(rows[0][1], path)
    items = [_item(line, row, key_a, key_b, path) for line, row in rows]
    frame = pd.DataFrame(items, columns=["item_id", "text_a", "text_b"])
    repeated = frame["item_id"].duplicated()
    if repeated.any():
        line = rows[int(repeated.to_numpy().argmax())][0]
        raise DataError("the item occurs twice in the file", where=f"{path.name}, line {line}")
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
    if not bare and not sources and not any(field.said for field in fields):
        raise DataError(
            "the file has neither label distributions nor explanations",
            where=path.name,
            expected=f"a field with a list of {len(task.scale.labels)} shares or counts",
        )
    data = together(one.data for one in stated(row.get(NAME) for _, row in rows))
    said = _explanation_table(fields, frame)
    found = Judgments(path.stem, task, frame, tuple(sources), said, notes, data)
    return found.with_uniform()


def merge_judgments(first: Judgments, other: Judgments) -> Judgments:
    """Merge two sets of judgments of the same items, matched by text, under the first's
    identifiers.

    Items of the second only are left out, and counted in the notes.

    Raises:
        DataError: they have other labels, or no item in common.
    """
    if first.task.scale.labels != other.task.scale.labels:
        raise DataError(
            f"{first.name} and {other.name} have different labels",
            expected=f"{quoted_names(first.task.scale.labels)} in both",
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
                LabelDistribution(
                    name,
                    source.labels,
                    items,
                    source.shares[rows],
                    source.people[rows],
                    source.about,
                )
            )
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
            f"{left:,} of {len(other.items):,} items of {other.name} not in {first.name}; left out"
        )
    both = first.with_sources(more).with_explanations(said)
    data = together((first.data, other.data))
    return replace(both, notes=(*first.notes, *notes), data=data)


def _labels_in(rows: list[tuple[int, dict[str, Any]]]) -> list[str] | None:
    """Return the labels that objects {label: number} name, sorted; None if they are NLI's."""
    names = {
        str(name)
        for _, row in rows
        for value in row.values()
        if is_label_numbers(value)
        for name in value
    }
    if not names or all(short_label(name, NLI.scale.labels) for name in names):
        return None
    numbers = all(name.lstrip("-").isdecimal() for name in names)
    return sorted(names, key=int) if numbers else sorted(names)


def _task(labels: Sequence[str] | None) -> Task:
    if labels is None or tuple(labels) == NLI.scale.labels:
        return NLI
    numbers = all(label.lstrip("-").isdecimal() for label in labels)
    return Task("judgment", LabelScale(tuple(labels), ordinal=numbers))


def _records(path: Path, bare: bool) -> tuple[list[tuple[int, dict[str, Any]]], tuple[str, ...]]:
    """Return the objects with their line numbers, and notes on those that could not be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror})", where=str(path)) from None
    if raw.startswith((b"PAR1", b"PK\x03\x04")):
        return _table_records(path, bare)
    text, _, notes = decode(raw, path.name)
    if text.strip() and text.lstrip()[0] not in "{[":
        return _table_records(path, bare)
    aside = RejectedRows()
    if looks_like_lines(text):
        rows = read_lines(text, aside, path.name)
    else:
        value, more = parse_whole(text, path.name)
        notes = [*notes, *more]
        if not isinstance(value, list):
            raise DataError("the file is not a list of objects", where=path.name)
        rows = read_array(value, aside, path.name)
    if len(aside):
        first = aside.frame().iloc[0]
        notes = [*notes, f"{count(len(aside), 'line')} left out, the first one: {first['reason']}"]
    return rows, tuple(notes)


def _table_records(
    path: Path, bare: bool
) -> tuple[list[tuple[int, dict[str, Any]]], tuple[str, ...]]:
    """Return the rows of a table with a column of shares, or of counts, for each label; with `bare`
    also those of a table without such columns.

    Raises:
        DataError: the file holds no table, or no such columns.
    """
    table = read_table(path)
    records = table.frame.to_dict("records")
    columns = {name: name for name in shares_like(records)} or columns_of_labels(records)
    if not columns and bare:
        return list(zip(table.rows.tolist(), records, strict=True)), tuple(table.notes)
    if not columns:
        raise DataError(
            "the table has no columns with shares or counts of labels",
            where=path.name,
            expected="a column for each label, with numbers from 0 to 1 that sum to 1 or with "
            "whole numbers of people; or JSON with one object per item",
        )
    made = {NAME: table.provenance[0].line} if table.provenance else {}
    rows = [
        (
            row,
            {name: cell for name, cell in record.items() if name not in columns}
            | {"label_dist": {label: float(record[name]) for name, label in columns.items()}}
            | made,
        )
        for row, record in zip(table.rows.tolist(), records, strict=True)
    ]
    return rows, (*table.notes, f"label distributions of the columns {quoted_names(columns)}")


def _names(rows: list[tuple[int, dict[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(name for _, row in rows for name in row))


def _text_keys(row: dict[str, Any], path: Path) -> tuple[str, str]:
    """Return the fields with the item's two texts; the second is "" for single-text tasks."""
    named = {normalised_name(name): name for name in row if isinstance(row[name], str)}
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


def _sources(fields: list[FileField], items: tuple[str, ...], labels) -> list[LabelDistribution]:
    """Return a source for each distribution; the crowd first. Labels of explanations, or the crowd
    in another field, that repeat a distribution of the file are no source of their own.
    """
    found: list[LabelDistribution] = []
    shares = [field for field in fields if field.shares is not None]
    named = [field for field in shares if field.name.lower().startswith(_CROWD)]
    only = [field for field in shares if field.name.lower() == "label" and len(shares) == 1]
    crowd = (named or only or [None])[0]
    for field in sorted(shares, key=lambda field: field is not crowd):
        there = [row for row in range(len(items)) if np.isfinite(field.shares[row]).all()]
        source = LabelDistribution(
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
        again = field.said or field.name.lower().startswith(_CROWD)
        if not (again and twin):
            found.append(source)
    return found


def _explanation_table(fields: list[FileField], items: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for field in fields:
        source = HUMANS if field.column.lower() == "comments" else field.column
        for item, pairs in zip(items["item_id"], field.said or (), strict=False):
            rows += [
                (item, source, position, label, text)
                for position, (text, label) in enumerate(pairs)
            ]
    return pd.DataFrame(rows, columns=EXPLANATIONS.names)
