"""Columns that a mapping makes of others: joined identifiers, and fields inside objects.

`system+doc+seg` are three columns joined by "-"; `info.post` is the field `post` of the objects in
`info`, and `summaries.0.text` one of the first object in a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from capo_core.data.column_names import is_nested, normalised_name
from capo_core.data.formats.answers import parsed_cell, texts_of
from capo_core.data.readers.encoding import cell_text

# Lists of answers: the first of them is nobody's in particular.
_ANSWERS = {"label", "labels", "annotation", "annotations", "ratings", "answers", "judgments",
            "judgements", "votes", "reviews", "classifications"}  # fmt: skip
_DEEP = 4  # levels of objects that are looked into for proposals


def with_made_columns(frame: pd.DataFrame, wanted: Iterable[str]) -> pd.DataFrame:
    """Return the table with those of the wanted columns that can be made of its columns.

    >>> frame = pd.DataFrame({"doc": ["d"], "seg": ["2"], "info": ['{"post": "Hi"}']})
    >>> with_made_columns(frame, ["doc+seg", "info.post"])[["doc+seg", "info.post"]].values.tolist()
    [['d-2', 'Hi']]
    """
    made = {}
    for name in dict.fromkeys(wanted):
        if name in frame.columns:
            cells = [parsed_cell(text) for text in frame[name].tolist()]
            if any(map(_are_turns, cells)):
                made[name] = [_inner(value, ()) for value in cells]
            continue
        parts = name.split("+")
        if len(parts) > 1 and all(part in frame.columns for part in parts):
            made[name] = _joined(frame, parts)
        elif found := _outer(name, frame):
            outer, path = found
            cells = [_inner(parsed_cell(text), path) for text in frame[outer].tolist()]
            if any(cells):
                made[name] = cells
    return frame.assign(**made) if made else frame


def _joined(frame: pd.DataFrame, parts: Sequence[str]) -> list[str]:
    columns = [frame[part].tolist() for part in parts]
    rows = ([cell.strip() for cell in row] for row in zip(*columns, strict=True))
    return ["-".join(row) if all(row) else "" for row in rows]


def _outer(name: str, frame: pd.DataFrame) -> tuple[str, list[str]] | None:
    """Return the column that holds the objects, and the path inside them."""
    steps = name.split(".")
    for n in range(len(steps) - 1, 0, -1):
        if ".".join(steps[:n]) in frame.columns:
            return ".".join(steps[:n]), steps[n:]
    return None


def _inner(value: Any, path: Sequence[str]) -> str:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ""
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return texts_of({"": value})[""]  # turns of a conversation
    return cell_text(value)


def fields_inside(frame: pd.DataFrame, most: int = 60) -> list[str]:
    """Return the fields inside the objects of a table's columns, such as `info.post`.

    Only to propose them: none of lists of answers, and none of a file that is one object.
    """
    found: dict[str, int] = {}
    if len(frame) < 2:
        return []
    sample = frame.head(20)
    for outer in map(str, frame.columns):
        if not is_nested(frame[outer]):
            continue
        for text in sample[outer].tolist():
            for path in _paths(parsed_cell(text), outer, _DEEP):
                found[path] = found.get(path, 0) + 1
    # Keys that differ from row to row are identifiers.
    return [path for path, n in found.items() if n >= 0.5 * len(sample)][:most]


def _paths(value: Any, path: str, levels: int) -> list[str]:
    if levels == 0 or path.count(".") > _DEEP:
        return []
    if isinstance(value, dict):
        inner = [_paths(each, f"{path}.{key}", levels - 1) for key, each in value.items()]
        return [one for each in inner for one in each]
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        if _are_turns(value):
            return [path]
        if _ANSWERS & set(normalised_name(path).split("_")):
            return []
        inner = [_paths(each, f"{path}.{n}", levels - 1) for n, each in enumerate(value[:3])]
        return [one for each in inner for one in each]
    return [path] if "." in path and cell_text(value).strip() else []


def _are_turns(value: Any) -> bool:
    """Return whether a value is a list of objects of who spoke and what was said."""
    return isinstance(value, list) and bool(value) and all(
        isinstance(each, dict)
        and {"role", "author", "speaker"} & set(each)
        and {"content", "text"} & set(each)
        for each in value
    )  # fmt: skip
