"""JSON Lines and JSON arrays as records, with everything that is wrong kept and named."""

from __future__ import annotations

import json
import re
from typing import Any

from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.errors import DataError

_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


class Record(dict):
    """A JSON object that remembers keys standing in it more than once, and all their values."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    @property
    def repeated(self) -> list[str]:
        if len(self) == len(self.pairs):
            return []
        names = [key for key, _ in self.pairs]
        return sorted({name for name in names if names.count(name) > 1})


def parse(text: str) -> Any:
    """JSON; objects are `Record`s. Raises `ValueError` with a message that can be shown."""
    try:
        return json.loads(text, object_pairs_hook=Record)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_leniently(text: str) -> tuple[Any, bool]:
    """`(value, mended)`: as `parse`, but trailing commas are allowed, as in published files."""
    try:
        return parse(text), False
    except ValueError:
        mended = _TRAILING_COMMA.sub(lambda match: match.group(1) or "", text)
        if mended == text:
            raise
        return parse(mended), True


def looks_like_lines(text: str) -> bool:
    """Is this one JSON object a line, rather than one value over the whole file?

    Judged by the first lines, more than one of which must be whole objects by themselves; a single
    object on a single line counts too.
    """
    lines = [line for line in text[: 2**22].split("\n") if line.strip()][:20]
    if not lines or not lines[0].lstrip().startswith("{"):
        return False
    whole = 0
    for line in lines:
        try:
            whole += isinstance(parse(line), dict)
        except ValueError:
            continue
    return whole >= 2 or (whole == 1 and len(lines) <= 2)


def read_lines(text: str, rejected: RejectedRows, where: str) -> list[tuple[int, Record]]:
    """`(line, object)` for each line; what is no object, or repeats a key, is set aside.

    Raises:
        DataError: not one line is an object.
    """
    records, first = [], ""
    # Not splitlines(): it would also cut at U+2028, which JSON allows inside text.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = parse(line)
        except ValueError as error:
            first = first or f"line {number} is not JSON: {error}"
            reason = f"the line is not JSON: {str(error).replace('line 1, ', '')}"
            rejected.add(number, "", reason, line)
            continue
        if problem := problem_of(value):
            first = first or f"line {number}: {problem}"
            rejected.add(number, "", problem, line)
            continue
        records.append((number, value))
    if not records:
        raise DataError(
            first or "the file holds no JSON object", where=where, expected="one JSON object a line"
        )
    return records


def read_array(values: list, rejected: RejectedRows, where: str) -> list[tuple[int, Record]]:
    """`(position from 1, object)` for each element of a JSON array."""
    records = []
    for number, value in enumerate(values, 1):
        if problem := problem_of(value):
            rejected.add(number, "", problem, json.dumps(value, ensure_ascii=False))
        else:
            records.append((number, value))
    if not records:
        raise DataError(
            "the JSON array holds no objects", where=where, expected="an array of JSON objects"
        )
    return records


def problem_of(value: Any) -> str:
    """Why this is not a usable record, or ""."""
    if not isinstance(value, Record):
        kind = {list: "an array", str: "text", type(None): "null"}.get(type(value), "a number")
        return f"this is {kind}, not a JSON object"
    if value.repeated:
        return f"the key {', '.join(map(quoted, value.repeated))} stands twice in one object"
    return ""


def parse_whole(text: str, where: str) -> tuple[Any, list[str]]:
    """The whole file as one JSON value, and notes; `DataError` naming line and column."""
    try:
        value, mended = parse_leniently(text)
    except ValueError as error:
        raise DataError(
            f"the file is not valid JSON: {error}",
            where=where,
            expected="one object a line (JSONL), or an array of objects",
            todo="if it was cut off while downloading, get it again",
        ) from None
    return value, ["trailing commas were ignored"] if mended else []
