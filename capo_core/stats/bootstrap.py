"""Scores with the influence of each item, from which intervals and differences follow.

Scores of one table are computed on the same items. A score's influence function over items (the
infinitesimal jackknife, Efron 1982, ch. 6) is linear: a mean of scores has the mean of their
influences, and a difference the difference. So the interval of a paired difference is exact about
what the two sides share, also where they pool several responses.

What is no average over items (macro-F1, kappa, divergences) is a `ResampledScore`: its value under
draws of the Bayesian bootstrap over items. The draws' weights are the same for all scores of a
table, so that means and differences of draws are draws of means and differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import t as student_t

from capo_core.stats.intervals import (
    Z95,
    Estimate,
    accuracy_interval,
    bayesian_weights,
    central_interval,
)

DRAWS = 1000  # of the bootstrap over items
ROUNDING = 1e-12  # by which equal numbers may differ after sums in another order
_ANYWHERE = (-math.inf, math.inf)


@dataclass(frozen=True)
class Score:
    """A number with its influence function over items.

    Attributes:
        value: the number; a share (0 to 1) where `share`.
        influence: [G, items]: what the number gains, to first order, when an item's weight grows,
            in each of G independent random groupings; G = 1 where nothing is random.
        n: what was counted (responses, or groups of responses).
        share: whether the value is a share of n, which keeps its interval within 0…1.
        weight: [items], each item's share in the number, 1 in all; None where it is not known.
        bounds: the least and the greatest value the measure can have.
    """

    value: float
    influence: np.ndarray
    n: int
    share: bool = True
    weight: np.ndarray | None = None
    bounds: tuple[float, float] = _ANYWHERE

    @property
    def error(self) -> float:
        """Standard error over items.

        With several groupings only products of different ones count: their draws are independent,
        so that random variation of a grouping is not mistaken for a difference between items.
        """
        count = len(self.influence)
        squares = (self.influence**2).sum()
        if count == 1:
            return float(np.sqrt(squares))
        cross = (self.influence.sum(axis=0) ** 2).sum() - squares
        return float(np.sqrt(max(0.0, cross / (count * (count - 1)))))

    @property
    def items(self) -> int:
        """Number of items that have a part in the number."""
        if self.weight is not None:
            return int((self.weight > 0).sum())
        return int(self.influence.any(axis=0).sum())

    def estimate(self) -> Estimate:
        """The number with its 95 % interval over items; a mean over one item has none.

        Of a share it is Wilson's, of other means Student's.
        """
        if not self.share and self.items == 1:
            return Estimate(self.value, math.nan, math.nan, self.n)
        if self.share:
            # At 0 and 1 no item differs from another; what remains is the number of trials.
            low, high = accuracy_interval(self.value, self.n, self.error)
        else:
            half = Z95 * small_sample(self.items) * self.error
            low, high = self.value - half, self.value + half
        return Estimate(self.value, *_within(low, high, self.bounds), self.n)


@dataclass(frozen=True)
class ResampledScore:
    """A number that is no average over items, with its values under a bootstrap over items.

    Attributes:
        draws: [DRAWS]; NaN where the measure is undefined in a draw.
        n: responses that were counted.
    """

    value: float
    draws: np.ndarray
    n: int
    bounds: tuple[float, float] = _ANYWHERE

    def estimate(self) -> Estimate:
        """The number with its 95 % interval: the draws' percentiles around their mean.

        They are moved from the draws' mean onto the value, since a resample's divergence is
        systematically too large, and its agreement too small. No interval where all draws are the
        same number (of one item, say), which is no certainty; a difference of 0 is [0, 0].
        """
        if abs(self.value) > ROUNDING and np.ptp(self.draws) < ROUNDING:
            return Estimate(self.value, math.nan, math.nan, self.n)
        low, high = central_interval(self.draws - np.nanmean(self.draws))
        return Estimate(
            self.value, *_within(self.value + low, self.value + high, self.bounds), self.n
        )


AnyScore = Score | ResampledScore


def _within(low: float, high: float, bounds: tuple[float, float]) -> tuple[float, float]:
    return max(low, bounds[0]), min(high, bounds[1])


def resample(
    statistic: Callable[[np.ndarray], np.ndarray],
    item: np.ndarray,
    *,
    n_items: int,
    bounds: tuple[float, float] = _ANYWHERE,
) -> ResampledScore | None:
    """Compute `statistic` on all responses and under the bootstrap over items.

    Args:
        statistic: from weights [draws, n] of n responses to values [draws]; NaN is undefined.
        item: [n], the item of each response, 0 to `n_items` − 1.

    Returns:
        None where the statistic of all responses is not defined.
    """
    if not len(item):
        return None
    value = float(statistic(np.ones((1, len(item))))[0])
    if not math.isfinite(value):
        return None
    rng = np.random.default_rng(0x17E35)  # the same for all scores: draws are paired by item
    draws = [statistic(w[:, item]) for w in bayesian_weights(rng, DRAWS, n_items)]
    return ResampledScore(value, np.concatenate(draws), len(item), bounds)


def mean(scores: Sequence[AnyScore], *, repeated: bool = False) -> AnyScore:
    """The mean of scores on the same items, each counted the same; all are of one kind.

    Args:
        repeated: the scores are of the same thing done again (seeds, samples): their n is not
            added up, since more of them make an interval no narrower than its items allow.
    """
    counts = [score.n for score in scores]
    n = min(counts) if repeated else sum(counts)
    value = float(np.mean([score.value for score in scores]))
    first = scores[0]
    if isinstance(first, ResampledScore):
        return ResampledScore(
            value, np.mean([score.draws for score in scores], axis=0), n, first.bounds
        )
    known = all(score.weight is not None for score in scores)
    return Score(
        value,
        np.mean([score.influence for score in scores], axis=0),
        n,
        all(score.share for score in scores),
        np.mean([score.weight for score in scores], axis=0) if known else None,
        first.bounds,
    )


def draws_of(score: AnyScore, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a score under item weights [draws, items] with mean 1; its own draws where it has any.

    A share of 0 or 1 has no influences; what remains uncertain is the number of trials: its draws
    vary as Jeffreys' posterior does, unpaired. Others vary by `small_sample` more than the weights.
    """
    if isinstance(score, ResampledScore):
        return score.draws
    if score.share and score.value in (0.0, 1.0):
        hits = score.value * score.n
        posterior = rng.beta(hits + 0.5, score.n - hits + 0.5, size=len(weights))
        return score.value + posterior - posterior.mean()
    n = score.n if score.weight is None else np.count_nonzero(score.weight)
    return score.value + small_sample(n) * (weights @ score.influence.mean(axis=0))


@lru_cache(maxsize=4096)
def small_sample(n: int) -> float:
    """Return by how much a bootstrap over `n` items varies too little, and a standard error from
    influences with it.

    Its weights have the variance 1/n and not 1/(n − 1), and its percentiles are normal and not
    Student's: √(n / (n − 1)) · t(.975; n − 1) / z(.975), 1.44 for 6 items and 1.02 for 100.
    """
    n = max(n, 2)
    return float(math.sqrt(n / (n - 1)) * student_t.ppf(0.975, n - 1) / Z95)


def difference(one: AnyScore, other: AnyScore) -> AnyScore:
    """Return `one` − `other`, paired by item; a `ScoreDifference` if both are `Score`s."""
    value, n = one.value - other.value, min(one.n, other.n)
    bounds = (one.bounds[0] - other.bounds[1], one.bounds[1] - other.bounds[0])
    if isinstance(one, ResampledScore):
        return ResampledScore(value, one.draws - other.draws, n, bounds)
    influence = one.influence - other.influence
    return ScoreDifference(value, influence, n, share=False, bounds=bounds, sides=(one, other))


@dataclass(frozen=True)
class ScoreDifference(Score):
    """The difference of two scores.

    Attributes:
        sides: the two scores.
    """

    sides: tuple[Score, ...] = ()

    @property
    def items(self) -> int:
        """Number of items that have a part in the difference."""
        weights = [side.weight for side in self.sides]
        if not weights or any(weight is None for weight in weights):
            return super().items
        return int(np.any([weight > 0 for weight in weights], axis=0).sum())

    @property
    def contributions(self) -> np.ndarray | None:
        """Return each item's contribution to the difference, [items]; None without weights.

        The contributions sum to the difference.

        Where both sides have the same items this is their difference on the item times its weight.
        """
        one, other = self.sides
        if one.weight is None or other.weight is None:
            return None
        return self.influence.mean(axis=0) + self.value * (one.weight + other.weight) / 2

    def estimate(self) -> Estimate:
        """Return the difference with its interval; at an extreme, from the sides' intervals.

        Extreme: a side is 0 or 1, or no item differs.

        In these cases the influences carry no information on the number of trials. The interval is
        then Newcombe's (1998, method 10), as if unpaired: wider, never without width unless all
        items are the same.
        """
        one, other = self.sides
        flat = self.error < 1e-9 or {one.value, other.value} & {0.0, 1.0}
        same = self.contributions is not None and np.abs(self.contributions).max() < ROUNDING
        if not (one.share and other.share and flat) or same:
            return super().estimate()
        first, second = one.estimate(), other.estimate()
        below = math.hypot(first.value - first.low, second.high - second.value)
        above = math.hypot(first.high - first.value, second.value - second.low)
        return Estimate(
            self.value, max(-1.0, self.value - below), min(1.0, self.value + above), self.n
        )
