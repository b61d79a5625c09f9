"""Parts of sentences on an evaluation: rows in a list, shares and numbers with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from capo_core.formatting import (
    PERCENT,
    Statement,
    count,
    number,
    number_interval,
    percent_interval,
    share_of,
)

Values = Mapping[str, Any]


def phrase(template: str, **values: Any) -> Statement:
    """Return a part of a statement: a template with its values."""
    return Statement("part", template, values)


def phrases(template: str, rows: Iterable[Values]) -> list[Statement]:
    """Return `template` with the values of each row; a list of them is "A, B and C"."""
    return [phrase(template, **row) for row in rows]


def is_known(value: float | None) -> bool:
    """Return whether there is such a number."""
    return value is not None and not math.isnan(value)


def share_with_interval(row: Values, *, single: bool) -> str:
    """Return "63 % [58–68]"; of few cases "11 of 12 [62–98 %]".

    Args:
        row: value, low, high and n.
        single: whether the share is of these n cases, and no mean over annotators.
    """
    shown, interval = share_of(row["value"], row["n"], single=single), ""
    if is_known(row["low"]) and is_known(row["high"]):
        interval = percent_interval(row["low"], row["high"])
    if " of " in shown and interval:
        interval = f"{interval[:-1]}{PERCENT}]"
    return f"{shown} {interval}".strip()


def interval_text(low: float | None, high: float | None, digits: int = 2) -> str:
    """Return the interval of a number, "[0.12–0.20]", "[−0.03 to 0.20]"; "" without one.

    One that excludes 0 has decimals enough not to be printed with an end of 0.
    """
    return number_interval(low, high, digits, apart=True)


def number_with_interval(value: float, low: float, high: float, digits: int = 2) -> str:
    """Return "0.31 [0.25–0.37]"; the number alone where it has no interval."""
    return f"{number(value, digits)} {interval_text(low, high, digits)}".strip()


def n_text(sizes: Iterable[float]) -> str:
    """Return "n = 40", or "n = 9 to 14" where sizes differ.

    >>> n_text([14, 9, 9])
    'n = 9 to 14'
    """
    known = [int(size) for size in sizes]
    least, most = min(known), max(known)
    return f"n = {least:,}" if least == most else f"n = {least:,} to {most:,}"


def cases(row: Values, single: bool, unit: str = "text") -> str:
    """Return "63 % [58–68] of 100 texts"; of few ones "11 of 12 texts [62–98 %]"."""
    shown = share_with_interval(row, single=single)
    if " of " in shown:
        head, _, interval = shown.partition(" [")
        counted = f"{head} {unit if row['n'] == 1 else unit + 's'}"
        return f"{counted} [{interval}" if interval else counted
    return f"{shown} of {count(row['n'], unit)}"
