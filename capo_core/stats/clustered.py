"""Means of judgments with intervals clustered by judge and by item.

Judgments by one judge are alike, and so are judgments of one item; an interval that takes them as
independent is too narrow. The variance of a mean is that of Cameron, Gelbach & Miller (2011),
"Robust inference with multiway clustering": by judge plus by item minus by both, each with
G/(G − 1) for G clusters. By chance the difference can come near 0; half of what the judgments
themselves vary by is taken as the least. Quantiles are Student's.

Chosen by simulated coverage (`benchmarks/judge_quality.py`); the two-way bootstrap covers too much
with few judges, since it counts the residual variance twice (Owen 2007, "The pigeonhole
bootstrap").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.stats import t as student

from capo_core.stats.intervals import json_value, wilson

MIN_CLUSTERS = 3
NO_WIDTH = 1e-9  # a standard error below this is that of sums of zeros
FEW = f"fewer than {MIN_CLUSTERS} judges or items: too few for an interval over them"
SAME = "all answers are the same: no interval can be computed"
PAIRED = "the two differ for no judge and no item: no interval can be computed"
ALIKE = "all answers alike: the interval takes judgments as independent"


@dataclass(frozen=True)
class ClusteredMean:
    """A mean with its interval, judgments clustered by judge and item.

    Attributes:
        n: judgments; judges, items: how many there are of each.
        degrees: of freedom of `se`, for tests.
        wilson_low, wilson_high: of a share, as if all judgments were independent; NaN for means.
        note: why there is no interval, or what it rests on.
    """

    value: float
    low: float
    high: float
    se: float
    n: int
    judges: int
    items: int
    wilson_low: float = math.nan
    wilson_high: float = math.nan
    note: str = ""
    degrees: float = math.nan

    @property
    def detectable(self) -> float:
        """Return the smallest difference from a reference that so large an error finds in 80 % of
        studies, (t₀.₉₇₅ + t₀.₈) · se (Bloom 1995); NaN where the error is not known."""
        if not self.se > NO_WIDTH or self.note:
            return math.nan
        return float(student.ppf([0.975, 0.8], self.degrees).sum()) * self.se

    def to_dict(self) -> dict:
        return {field.name: json_value(getattr(self, field.name)) for field in fields(self)}


def two_way(influence: np.ndarray, judge: np.ndarray, item: np.ndarray) -> tuple[float, float]:
    """Return the variance of a sum of influences [n], clustered by judge and item, and Student's
    quantile.

    The variance is NaN with fewer than MIN_CLUSTERS judges or items. Degrees of freedom after
    Satterthwaite (1946), each part with its clusters − 1, and at least the smaller of these: few
    judges cost much only where judges differ much.
    """
    variance, degrees = two_way_variance(influence, judge, item)
    return variance, quantile(degrees)


def quantile(degrees: float) -> float:
    """Return Student's 97.5 % quantile; NaN where there are no degrees of freedom."""
    return math.nan if math.isnan(degrees) else float(student.ppf(0.975, degrees))


def two_way_variance(
    influence: np.ndarray, judge: np.ndarray, item: np.ndarray
) -> tuple[float, float]:
    """Return the variance as `two_way`, and its degrees of freedom; NaN with too few clusters."""
    by_judge, judges = _one_way(influence, judge)
    by_item, items = _one_way(influence, item)
    if min(judges, items) < MIN_CLUSTERS:
        return math.nan, math.nan
    cell = np.unique(judge, return_inverse=True)[1] * items
    by_both, _cells = _one_way(influence, cell + np.unique(item, return_inverse=True)[1])
    variance = max(by_judge + by_item - by_both, by_both / 2)
    noise = by_judge**2 / (judges - 1) + by_item**2 / (items - 1)
    # Without any difference between judges or items nothing tells how much they can differ.
    degrees = variance**2 / noise if variance > NO_WIDTH**2 else 0.0
    return variance, max(degrees, min(judges, items) - 1)


def _one_way(influence: np.ndarray, group: np.ndarray) -> tuple[float, int]:
    """Return the variance of the sum by one clustering, and its number of clusters."""
    names, number = np.unique(group, return_inverse=True)
    size = len(names)
    if size < 2:
        return 0.0, size
    sums = np.bincount(number, influence, size)
    return float(size / (size - 1) * (sums**2).sum()), size


def share(hit: np.ndarray, judge: np.ndarray, item: np.ndarray) -> ClusteredMean:
    """Return a share of judgments with Wilson's interval (1927), as many trials as the clustered
    variance makes the judgments worth, and Student's quantile."""
    hit = np.asarray(hit, dtype=float)
    n, judges, items = len(hit), len(np.unique(judge)), len(np.unique(item))
    if not n:
        return ClusteredMean(
            math.nan, math.nan, math.nan, math.nan, 0, 0, 0, 0.0, 1.0, "no judgment"
        )
    value = float(hit.mean())
    simple = wilson(float(hit.sum()), n)
    variance, degrees = two_way_variance((hit - value) / n, judge, item)
    if math.isnan(degrees):
        return ClusteredMean(value, math.nan, math.nan, math.nan, n, judges, items, *simple, FEW)
    if value in (0.0, 1.0):
        return ClusteredMean(value, *simple, 0.0, n, judges, items, *simple, ALIKE, degrees)
    worth = value * (1 - value) / variance
    low, high = wilson(value * worth, worth, quantile(degrees))
    error = math.sqrt(variance)
    return ClusteredMean(value, low, high, error, n, judges, items, *simple, degrees=degrees)


def mean(
    values: np.ndarray,
    judge: np.ndarray,
    item: np.ndarray,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> ClusteredMean:
    """Return a mean ± Student's quantile times the clustered standard error, within `bounds`."""
    values = np.asarray(values, dtype=float)
    n, judges, items = len(values), len(np.unique(judge)), len(np.unique(item))
    if not n:
        return ClusteredMean(math.nan, math.nan, math.nan, math.nan, 0, 0, 0, note="no judgment")
    value = float(values.mean())
    variance, degrees = two_way_variance((values - value) / n, judge, item)
    if math.isnan(degrees):
        return ClusteredMean(value, math.nan, math.nan, math.nan, n, judges, items, note=FEW)
    if np.ptp(values) == 0:
        return ClusteredMean(value, math.nan, math.nan, 0.0, n, judges, items, note=SAME,
                             degrees=degrees)  # fmt: skip
    error = math.sqrt(variance)
    half = quantile(degrees) * error
    low, high = max(value - half, bounds[0]), min(value + half, bounds[1])
    return ClusteredMean(value, low, high, error, n, judges, items, degrees=degrees)


def difference(
    values_a: np.ndarray,
    judge_a: np.ndarray,
    item_a: np.ndarray,
    values_b: np.ndarray,
    judge_b: np.ndarray,
    item_b: np.ndarray,
) -> ClusteredMean:
    """Return the mean of a minus the mean of b; judges and items in both make it more precise."""
    a, b = np.asarray(values_a, dtype=float), np.asarray(values_b, dtype=float)
    judge, item = np.concatenate([judge_a, judge_b]), np.concatenate([item_a, item_b])
    n, judges, items = len(judge), len(np.unique(judge)), len(np.unique(item))
    if not len(a) or not len(b):
        return ClusteredMean(math.nan, math.nan, math.nan, math.nan, n, judges, items,
                         note="one of the two has no judgment")  # fmt: skip
    value = float(a.mean() - b.mean())
    influence = np.concatenate([(a - a.mean()) / len(a), -(b - b.mean()) / len(b)])
    variance, degrees = two_way_variance(influence, judge, item)
    if math.isnan(degrees):
        return ClusteredMean(value, math.nan, math.nan, math.nan, n, judges, items, note=FEW)
    error = math.sqrt(variance)
    if error < NO_WIDTH:
        return ClusteredMean(value, math.nan, math.nan, error, n, judges, items, note=PAIRED,
                             degrees=degrees)  # fmt: skip
    half = quantile(degrees) * error
    return ClusteredMean(
        value, value - half, value + half, error, n, judges, items, degrees=degrees
    )


def share_difference(
    hit_a: np.ndarray,
    judge_a: np.ndarray,
    item_a: np.ndarray,
    hit_b: np.ndarray,
    judge_b: np.ndarray,
    item_b: np.ndarray,
) -> ClusteredMean:
    """Return a share less another, as `difference`, within −1 and 1.

    Where all answers on one side are alike they tell nothing of how judges and items differ: the
    interval is then Newcombe's (1998, method 10) of the two shares' own, as if unpaired.
    """
    found = difference(hit_a, judge_a, item_a, hit_b, judge_b, item_b)
    if math.isnan(found.se):
        return found
    one, two = share(hit_a, judge_a, item_a), share(hit_b, judge_b, item_b)
    if not {one.value, two.value} & {0.0, 1.0}:
        return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))
    below = math.hypot(one.value - one.low, two.high - two.value)
    above = math.hypot(one.high - one.value, two.value - two.low)
    if math.isnan(below):  # one side alone has too few judges or items
        return replace(found, low=math.nan, high=math.nan, note=FEW)
    low, high = max(found.value - below, -1.0), min(found.value + above, 1.0)
    return replace(found, low=low, high=high, note=ALIKE)
