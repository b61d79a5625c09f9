"""The one writer of JSON: valid everywhere, without NaN and Infinity, which JSON does not have.

Numbers that are not finite are written as null. Whoever writes them says why beside them, in a
`note` or a `reason`, where a reader needs it.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any


def plain(value: Any) -> Any:
    """Return `value` as what JSON has: numbers that are not finite as None, and NumPy's numbers and
    arrays, tuples, dates and pandas' missing values as numbers, lists, ISO texts and None.

    >>> plain({"mean": float("nan"), "range": (0, float("inf"))})
    {'mean': None, 'range': [0, None]}
    """
    if isinstance(value, (str, bool, int, type(None))):
        return value
    if isinstance(value, float):
        return float(value) if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):  # of NumPy, not imported here
        return plain(value.tolist())
    if type(value).__name__ in ("NaTType", "NAType"):  # of pandas, not imported here
        return None
    if isinstance(value, date):
        return value.isoformat()
    return value


def json_text(
    value: Any, *, indent: int | None = 2, ascii_only: bool = False, sort_keys: bool = False
) -> str:
    """Return `value` as JSON; see `plain` for what is no JSON.

    Args:
        indent: spaces of each level; None writes one line.
        ascii_only: escape all other letters, so that no terminal and no broken letter matters.

    Raises:
        TypeError: something in it is neither JSON nor known to `plain`.
    """
    return json.dumps(
        plain(value),
        indent=indent,
        ensure_ascii=ascii_only,
        sort_keys=sort_keys,
        allow_nan=False,
    )


def json_line(value: Any, *, ascii_only: bool = False, sort_keys: bool = False) -> str:
    """Return `value` as JSON on one line, without the line's end."""
    return json_text(value, indent=None, ascii_only=ascii_only, sort_keys=sort_keys)


def canonical_json(value: Any) -> str:
    """Return `value` as compact JSON in which equal values are equal texts."""
    return json.dumps(
        plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
