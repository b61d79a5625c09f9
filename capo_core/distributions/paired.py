"""Paired differences between sources: intervals, tests, and their correction for the number.

Means over items are tested by sign flips by item, measures of whole tables by the bootstrap;
p-values are adjusted by Holm's method within a family of pairs. What counts as a significant
difference is decided by `significance.carries_order`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from capo_core.stats.bootstrap import ROUNDING, small_sample
from capo_core.stats.intervals import Z95, alike_interval, central_interval
from capo_core.stats.power import smallest_difference
from capo_core.stats.significance import bootstrap_z, carries_order, holm, sign_flips

UNDECIDED = "undecided"
DIFFERENCES = (
    "source", "against", "measure", "value", "low", "high", "n", "p", "p_holm", "nearer",
    "detectable",
)  # fmt: skip


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
    """Return the 95 % interval of a bootstrap over `n` items; NaN for a single one.

    A bootstrap of few items varies too little. The percentiles are those of a normal quantile that
    is widened as much as Student's interval is (expanded percentiles, Hesterberg 2015, section 5):
    the outer .85 % of the draws on either side of 10 items, 2.3 % of 100.
    """
    if n < 2:
        return np.nan, np.nan
    return central_interval(draws, float(2 * norm.cdf(Z95 * small_sample(n)) - 1))


def tested(
    measure: str, pairs: Sequence[MeasuredPair], *, higher_is_closer: bool, seed: int = 0
) -> list[tuple]:
    """Return rows of `DIFFERENCES` for a family of pairs in one measure.

    `detectable` is the smallest true difference found with 80 % power at the first step of Holm's
    method (`stats.power`), by the standard error of the paired differences.
    """
    p_values = _p_values(pairs, seed)
    rows = []
    for pair, p, p_holm in zip(pairs, p_values, holm(p_values), strict=True):
        low, high = _interval(pair)
        nearer = UNDECIDED
        if carries_order(low, high, p_holm, pair.n):
            nearer = pair.first if (low > 0) == higher_is_closer else pair.second
        least = smallest_difference(_error(pair), pair.n, comparisons=len(pairs))
        rows.append(
            (pair.first, pair.second, measure, pair.value, low, high, pair.n, p, p_holm, nearer,
             least)
        )  # fmt: skip
    return rows


def _interval(pair: MeasuredPair) -> tuple[float, float]:
    """Return the 95 % interval of a difference; of items that all differ by the same, whose draws
    have no width, `alike_interval`."""
    low, high = interval(pair.draws, pair.n)
    differ = abs(pair.value) > ROUNDING
    if pair.by_item is not None and differ and not low + ROUNDING < high and pair.n > 1:
        return alike_interval(pair.value, pair.n) if np.isfinite(pair.value) else (low, high)
    return low, high


def _error(pair: MeasuredPair) -> float:
    """Return the standard error of a difference: of a mean over items by the items' own spread,
    else that of the draws; NaN where it is not known."""
    if pair.n < 2:
        return np.nan
    if pair.by_item is not None:
        with np.errstate(invalid="ignore"):  # infinite where KL has no clip
            return float(np.std(pair.by_item, ddof=1) / np.sqrt(pair.n))
    finite = pair.draws[np.isfinite(pair.draws)]
    return float(finite.std()) if len(finite) > 1 else np.nan


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
