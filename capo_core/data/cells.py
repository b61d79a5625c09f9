"""A cell's value as text, whatever kind of file it comes from."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from typing import Any

import pandas as pd

# Stands for a character that could not be read. It is one of Unicode's "noncharacters", which no
# text contains; unlike Python's lone surrogates, pandas and Arrow can hold it.
BROKEN = "\ufdd0"
_SURROGATE = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> str:
    """`text` with `BROKEN` for each lone surrogate."""
    return text if text.isascii() else _SURROGATE.sub(BROKEN, text)


def cell_text(value: Any) -> str:
    """Text as it stands; nothing (None, NaN) as ""; whole floats without ".0"; nested as JSON."""
    if isinstance(value, str):
        return without_surrogates(value)
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
        return without_surrogates(json.dumps(value, ensure_ascii=False, default=str))
    return str(value)


def each(values: pd.Series, function: Callable[[str], str]) -> pd.Series:
    """`function` of each text, as objects whatever the texts look like."""
    return pd.Series(
        [function(value) for value in values.tolist()], index=values.index, dtype=object
    )


def unique_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Header cells as distinct, non-empty column names, and notes on what was renamed."""
    seen: dict[str, int] = {}
    result, notes = [], []
    for position, name in enumerate(names, 1):
        name = " ".join(name.strip().strip("\ufeff\u200b").split()) or f"column {position}"
        name = without_surrogates(name).replace(BROKEN, "\ufffd").replace("\x00", "\\x00")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            again = f"{name} ({seen[name]})"
            notes.append(f"the column {name!r} stands twice; the later one is called {again!r}")
            seen[again] = 1
            name = again
        result.append(name)
    return result, notes
