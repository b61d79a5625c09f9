"""Paired differences between sources: intervals, tests, and their correction for the number.

Means over items are tested by sign flips by item, measures of whole tables by the bootstrap;
p-values are adjusted by Holm's method within a family of pairs. A difference counts as significant
where the adjusted p-value is at most .05, its 95 % interval excludes 0, and there are `FEWEST`
items or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capo_core.stats.intervals import central_interval
from capo_core.stats.significance import bootstrap_z, holm, sign_flips

LEVEL = 0.05
FEWEST = 6  # with fewer items no sign-flip test can reach .05
UNDECIDED = "undecided"
DIFFERENCES = ("source", "against", "measure", "value", "low", "high", "n", "p", "p_holm", "nearer")


@dataclass(frozen=True)
class MeasuredPair:
    """Two sources in one measure on the same items.

    Attributes:
        value: the first source's minus the second's; `draws`: the same in the bootstrap.
        by_item: [items], where the value is their mean; None for a measure of whole tables.
        p: a p-value of another test than these two; None for none.
    """

    first: str
    second: str
    value: float
    draws: np.ndarray
    n: int
    by_item: np.ndarray | None = None
    p: float | None = None


def interval(draws: np.ndarray, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a bootstrap over `n` items; NaN for a single one."""
    return central_interval(draws) if n > 1 else (np.nan, np.nan)


def tested(
    measure: str, pairs: Sequence[MeasuredPair], *, higher_is_closer: bool, seed: int = 0
) -> list[tuple]:
    """Return rows of `DIFFERENCES` for a family of pairs in one measure."""
    p_values = _p_values(pairs, seed)
    rows = []
    for pair, p, p_holm in zip(pairs, p_values, holm(p_values), strict=True):
        low, high = interval(pair.draws, pair.n)
        nearer = UNDECIDED
        if pair.n >= FEWEST and p_holm <= LEVEL and (low > 0 or high < 0):
            nearer = pair.first if (low > 0) == higher_is_closer else pair.second
        rows.append(
            (pair.first, pair.second, measure, pair.value, low, high, pair.n, p, p_holm, nearer)
        )
    return rows


def _p_values(pairs: Sequence[MeasuredPair], seed: int) -> np.ndarray:
    """Return the p-value of each pair; those on the same items are tested together."""
    found = np.array(
        [bootstrap_z(pair.value, pair.draws) if pair.p is None else pair.p for pair in pairs],
        dtype=float,
    )
    by_size: dict[int, list[int]] = {}
    for place, pair in enumerate(pairs):
        if pair.by_item is not None:
            by_size.setdefault(pair.n, []).append(place)
    for places in by_size.values():
        columns = np.column_stack([pairs[place].by_item for place in places])
        found[places] = sign_flips(columns, seed=seed)
    return found
