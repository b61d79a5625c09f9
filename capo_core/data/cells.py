"""A cell's value as text, whatever kind of file it comes from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any


def cell_text(value: Any) -> str:
    """Text as it stands; nothing (None, NaN) as ""; whole floats without ".0"; nested as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        # Tables with gaps hold whole numbers as floats.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping | Sequence):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def unique_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Header cells as distinct, non-empty column names, and notes on what was renamed."""
    seen: dict[str, int] = {}
    result, notes = [], []
    for position, name in enumerate(names, 1):
        name = " ".join(name.strip().strip("\ufeff\u200b").split()) or f"column {position}"
        name = name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            again = f"{name} ({seen[name]})"
            notes.append(f"the column {name!r} stands twice; the later one is called {again!r}")
            seen[again] = 1
            name = again
        result.append(name)
    return result, notes
