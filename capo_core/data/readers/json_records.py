"""JSON Lines and JSON arrays as records; whatever is wrong is rejected with a reason."""

from __future__ import annotations

import json
import re
from typing import Any

from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.errors import DataError

_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


class Record(dict):
    """A JSON object that keeps repeated keys with all their values, in `pairs`."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    @property
    def repeated(self) -> list[str]:
        """Keys that occur more than once."""
        if len(self) == len(self.pairs):
            return []
        names = [key for key, _ in self.pairs]
        return sorted({name for name in names if names.count(name) > 1})


def parse(text: str) -> Any:
    """Return the JSON value; objects are `Record`s. Raise `ValueError` with a readable message."""
    try:
        return json.loads(text, object_pairs_hook=Record)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_leniently(text: str) -> tuple[Any, bool]:
    """Return (value, repaired): as `parse`, but trailing commas are removed first if needed."""
    try:
        return parse(text), False
    except ValueError:
        repaired = _TRAILING_COMMA.sub(lambda match: match.group(1) or "", text)
        if repaired == text:
            raise
        return parse(repaired), True


def looks_like_lines(text: str) -> bool:
    """Return whether this is one JSON object per line, rather than one value in the whole file.

    Judged by the first lines, several of which must be complete objects; a single object on a
    single line counts too.
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
    """Return (line number, object) for each line; other values and repeated keys are rejected.

    Raises:
        DataError: no line is an object.
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
            first or "the file holds no JSON object",
            where=where,
            expected="one JSON object per line",
        )
    return records


def read_array(values: list, rejected: RejectedRows, where: str) -> list[tuple[int, Record]]:
    """Return (position from 1, object) for each element of a JSON array; others are rejected."""
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
    """Return why this is not a usable record, or ""."""
    if not isinstance(value, Record):
        kind = {list: "an array", str: "text", type(None): "null"}.get(type(value), "a number")
        return f"this is {kind}, not a JSON object"
    if value.repeated:
        return f"the key {', '.join(map(quoted, value.repeated))} occurs twice in one object"
    return ""


def parse_whole(text: str, where: str) -> tuple[Any, list[str]]:
    """Return the whole file as one JSON value, and notes; `DataError` with line and column."""
    try:
        value, repaired = parse_leniently(text)
    except ValueError as error:
        raise DataError(
            f"the file is not valid JSON: {error}",
            where=where,
            expected="one object per line (JSONL), or an array of objects",
            todo="if the download was cut off, download it again",
        ) from None
    return value, ["trailing commas were ignored"] if repaired else []
