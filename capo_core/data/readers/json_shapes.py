"""Records in JSON that is neither an array of objects nor one object per line.

As pandas writes a table (by columns, split, lists), as the Hugging Face dataset viewer answers,
with a part of the split or an annotator under each key, or with the items' identifiers as keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from capo_core.data.column_names import SYNONYMS, normalised_name
from capo_core.data.readers.json_records import Record
from capo_core.data.splits import part_named
from capo_core.formatting import name_list

_IDENTIFIERS = {"id", "uid", "item_id", "pair_id", "pairID", "guid"}
_LEAST = 2  # records that have something in common


@dataclass(frozen=True)
class ShapedRecords:
    """The records of a file, and in words how they were written."""

    records: list[Record]
    note: str


def records_in(value: Any) -> ShapedRecords | None:
    """Return the records of a JSON object of one of these shapes; None for others.

    >>> records_in({"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}).records
    [{'text': 'a', 'label': 'x'}, {'text': 'b', 'label': 'y'}]
    """
    if not isinstance(value, dict) or not value:
        return None
    return next((found for shape in _SHAPES if (found := shape(value))), None)


def _record(pairs: Mapping[str, Any]) -> Record:
    return Record([(str(key), value) for key, value in pairs.items()])


def _split_table(value: Mapping[str, Any]) -> ShapedRecords | None:
    names, rows = value.get("columns"), value.get("data")
    if not (isinstance(names, list) and isinstance(rows, list) and rows):
        return None
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        return None
    records = [_record(dict(zip(map(str, names), row, strict=True))) for row in rows]
    return ShapedRecords(records, "the rows are under 'data', their names under 'columns'")


def _viewer(value: Mapping[str, Any]) -> ShapedRecords | None:
    """Return the rows of an answer of the dataset viewer, with the names of its classes."""
    rows = value.get("rows")
    if not isinstance(rows, list) or not rows:
        return None
    if not all(isinstance(row, dict) and isinstance(row.get("row"), dict) for row in rows):
        return None
    names = {
        each["name"]: each["type"]["names"]
        for each in value.get("features") or []
        if isinstance(each, dict)
        and isinstance(each.get("type"), dict)
        and isinstance(each["type"].get("names"), list)
    }
    records = [
        _record({key: _class(inner, names.get(key)) for key, inner in row["row"].items()})
        for row in rows
    ]
    return ShapedRecords(records, "the rows of the Hugging Face dataset viewer")


def _class(value: Any, names: list[str] | None) -> Any:
    if names is None or type(value) is not int:
        return value
    return names[value] if 0 <= value < len(names) else ""


def _by_columns(value: Mapping[str, Any]) -> ShapedRecords | None:
    columns = list(value.values())
    if len(columns) < _LEAST or not all(isinstance(each, dict) and each for each in columns):
        return None
    keys = list(columns[0])
    if any(list(each) != keys for each in columns) or not all(map(str.isdecimal, map(str, keys))):
        return None  # records with identifiers as their keys have names inside
    records = [_record({name: value[name][key] for name in value}) for key in keys]
    return ShapedRecords(records, "written by columns, as pandas does")


def _by_lists(value: Mapping[str, Any]) -> ShapedRecords | None:
    columns = list(value.values())
    if len(columns) < _LEAST or not all(isinstance(each, list) for each in columns):
        return None
    sizes = {len(each) for each in columns}
    if len(sizes) > 1 or sizes < {_LEAST}:
        return None
    if any(isinstance(inner, dict) for each in columns for inner in each):
        return None
    rows = zip(*columns, strict=True)
    records = [_record(dict(zip(value, row, strict=True))) for row in rows]
    return ShapedRecords(records, "written by columns, a list for each")


def _by_parts(value: Mapping[str, Any]) -> ShapedRecords | None:
    if not all(part_named(str(key)) and isinstance(each, list) for key, each in value.items()):
        return None
    records = []
    for key, rows in value.items():
        if not all(isinstance(row, dict) for row in rows):
            return None
        records += [_record({"split": key} | dict(row)) for row in rows]
    return ShapedRecords(records, f"a list for each part: {', '.join(value)}") if records else None


def _by_people(value: Mapping[str, Any]) -> ShapedRecords | None:
    """Return the records of a list for each annotator, whom the keys name.

    Only where the records name nobody and the lists are about the same items: of other items, a
    key may be a domain or a language.
    """
    lists = list(value.values())
    if len(lists) < _LEAST or any(part_named(str(key)) for key in value):
        return None
    if not all(isinstance(rows, list) and rows for rows in lists):
        return None
    if not all(isinstance(row, dict) for rows in lists for row in rows):
        return None
    names = {normalised_name(key) for rows in lists for row in rows for key in row}
    if names & set(SYNONYMS["annotator_id"]) or not names & set(SYNONYMS["label"]):
        return None
    items = [{_item(row) for row in rows} for rows in lists]
    if not all(_share_most(first, second) for first, second in pairwise(items)):
        return None
    records = [
        _record({"annotator_id": key} | dict(row)) for key, rows in value.items() for row in rows
    ]
    named = name_list(list(map(str, value)))
    return ShapedRecords(records, f"a list for each annotator, on the same items: {named}")


def _item(row: Mapping[str, Any]) -> str:
    """Return what identifies the item of a record: its identifier, else its text."""
    by_name = {normalised_name(key): value for key, value in row.items()}
    for name in ("id", *SYNONYMS["item_id"], *SYNONYMS["text_a"]):
        if name in by_name:
            return str(by_name[name])
    return ""


def _share_most(first: set[str], second: set[str]) -> bool:
    common = (first & second) - {""}
    return len(common) >= max(_LEAST, 0.5 * min(len(first), len(second)))


def _under_a_key(value: Mapping[str, Any]) -> ShapedRecords | None:
    """Return the records of the one list in an object that says something of the whole file."""
    lists = {key: each for key, each in value.items() if isinstance(each, list)}
    names = {normalised_name(str(key)) for key in value}
    if len(lists) != 1 or names & set(SYNONYMS["text_a"]):
        return None
    ((key, rows),) = lists.items()
    if len(rows) < _LEAST or not all(isinstance(row, dict) for row in rows):
        return None
    texts = set(SYNONYMS["text_a"])
    if not all(texts & set(map(normalised_name, row)) for row in rows):
        return None
    return ShapedRecords([_record(row) for row in rows], f"read the array under the key {key!r}")


def _by_identifiers(value: Mapping[str, Any]) -> ShapedRecords | None:
    rows = list(value.values())
    if len(rows) < _LEAST or not all(isinstance(each, dict) and each for each in rows):
        return None
    common = set.intersection(*(set(each) for each in rows))
    if len(common) < _LEAST or {"annotations", "text"} <= common:  # LeWiDi, which reads itself
        return None
    named = bool(common & _IDENTIFIERS)
    records = [
        _record(dict(each) if named else {"id": key} | dict(each)) for key, each in value.items()
    ]
    return ShapedRecords(records, "one object of records, whose keys are the items' identifiers")


_SHAPES: tuple[Callable[[Mapping[str, Any]], ShapedRecords | None], ...] = (
    _split_table,
    _viewer,
    _by_columns,
    _by_lists,
    _by_parts,
    _by_people,
    _under_a_key,
    _by_identifiers,
)
