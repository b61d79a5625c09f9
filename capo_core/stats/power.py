"""Smallest difference that a paired comparison can detect, from its standard error or its design.

A paired difference with standard error s over G items is significant at level α with probability
1 − β where its true value is

    δ = (t_{1−α/2} + t_{1−β}) · s,   G − 1 degrees of freedom

(Cohen 1988, ch. 2; with the clustered s of Hemming et al. 2011, "Sample size calculations for
cluster randomised controlled trials", for several answers to one item). For differences of shares
that is too little. The sign-flip test measures an item by its square, which holds the difference
too, and the sum of N answers takes whole numbers only: of one answer an item it moves by two, and
the test is significant from a value on that lies one above the continuous limit on average
(McNemar's exact test). So

    δ = d + z_{1−β} · s,   d = q · √(m/G) + 1/N

with m the mean square of the items' differences where the mean is d: of an item's difference with
variance V = G·s² and third central moment μ₃ it is, by its regression on the mean,

    m = V + δ² − (2δ + μ₃/V) · (δ − d)

and q the quantile of a sum of G signed values with kurtosis K, which has lighter tails than the
normal one (Cornish & Fisher 1938): q = z − (z³ − 3z)/12 · K/G with z = z_{1−α/2}. This is solved
for δ, d being the least difference observed that is significant; of one answer an item, before
there are answers, the power of McNemar's exact test is solved for δ. Also, the observed s may be
too small: methods that agree on nearly every item have one near 0, and yet a sign-flip test is only
significant where c items at least speak for one side and none for the other, 2^(1−c) ≤ α. A true
difference of δ brings about c such items among N answers with probability 1 − β where

    P(X ≥ c) = 1 − β,   X binomial with N and δ

(at α = .05: c = 6, and 7.8 points at N = 100). The smallest difference is the larger of the two.

Before there are answers, s follows from a `PairedDesign`. A single answer's difference between two
methods has standard deviation σ; differences on one item correlate by ρ between targets and by ρ_s
between seeds of one target:

    s² = σ²/G · [ρ + (ρ_s − ρ)/T + (1 − ρ_s)/(T·S)]

Of shares, σ² is the share p of answers that exactly one method has right minus δ²; with
c = s² G/σ², μ₃ = c² δ (1 − 3p + 2δ²) and K = 3 + c (1/p − 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv
from scipy.stats import binom, nct, norm
from scipy.stats import t as student

from capo_core.errors import ConfigError
from capo_core.stats.bootstrap import AnyScore, ResampledScore

POWER = 0.8
LEVEL = 0.05
MOST_EXACT = 1000  # items up to which the test's exact power is solved for


def smallest_difference(
    error: float,
    items: int,
    *,
    comparisons: int = 1,
    answers: int = 0,
    power: float = POWER,
    level: float = LEVEL,
) -> float:
    """Return the smallest true difference that is significant with probability `power`.

    Args:
        error: standard error of the difference, clustered by item.
        items: items (clusters) it is over.
        comparisons: differences that share one correction; the level of each is `level` divided by
            them, which is the first step of Holm's.
        answers: of a difference of shares, the answers behind each; 0 for other differences.

    Returns:
        1 where no difference of shares can be significant, there being too few items. NaN where it
        is not known (no items, and of others fewer than two, or no standard error).

    >>> round(smallest_difference(0.05, 100), 3)
    0.141
    >>> round(smallest_difference(0.0, 100, answers=100), 3)
    0.078
    """
    level = level / comparisons
    needed = math.ceil(1 - math.log2(level))  # items that must all speak for one side
    if answers and 0 < items < needed:
        return 1.0
    if items < 2 or not math.isfinite(error) or error < 0 or (error == 0 and not answers):
        return math.nan
    degrees = items - 1
    if not answers:
        return error * float(student.isf(level / 2, degrees) + student.ppf(power, degrees))
    least = float(betaincinv(needed, answers - needed + 1, power))
    as_if_normal = (error**2 * items, 0.0, 3.0)
    return max(_of_shares(lambda _: as_if_normal, items, answers, power, level), least)


def _of_shares(
    moments: Callable[[float], tuple[float, float, float]],
    items: int,
    answers: int,
    power: float,
    level: float,
) -> float:
    """Return the smallest difference of shares (see the module); 1 where that would not suffice.

    Args:
        moments: variance, third central moment and kurtosis of an item's difference, from its true
            value.
    """
    limit, further = float(norm.isf(level / 2)), float(norm.ppf(power))
    bend = (limit**3 - 3 * limit) / 12 / items

    def lacking(true: float) -> float:
        variance, third, kurtosis = moments(true)
        lowest = true - further * math.sqrt(max(variance, 0.0) / items)
        slope = 2 * true + (third / variance if variance > 0 else 0.0)
        square = max(variance + true**2 - slope * (true - lowest), 0.0)
        return (limit - bend * kurtosis) * math.sqrt(square / items) + 1 / answers - lowest

    return float(brentq(lacking, 0.0, 1.0)) if lacking(1.0) < 0 else 1.0


def detectable(difference: AnyScore, *, comparisons: int = 1) -> float:
    """Return the smallest true difference that a comparison like this one can detect.

    By the standard error of `difference` (see `bootstrap.difference`); NaN as in
    `smallest_difference`.
    """
    if isinstance(difference, ResampledScore):
        error = float(np.nanstd(difference.draws)) if np.isfinite(difference.draws).any() else 0.0
        return smallest_difference(error, difference.n, comparisons=comparisons)
    sides, influence = getattr(difference, "sides", ()), difference.influence
    # Of groups of answers an item has a part in many, and the test is not that coarse.
    single = len(influence) == 1 or bool((influence == influence[0]).all())
    share = single and bool(sides) and all(side.share for side in sides)
    return smallest_difference(
        difference.error, difference.items, comparisons=comparisons,
        answers=difference.n if share else 0,
    )  # fmt: skip


def power_at(
    difference: float, error: float, items: int, *, comparisons: int = 1, level: float = LEVEL
) -> float:
    """Return the probability that a true difference is significant (two-sided t-test); NaN for
    fewer than two items or an error of 0."""
    if items < 2 or not error > 0:
        return math.nan
    degrees = items - 1
    limit = student.isf(level / comparisons / 2, degrees)
    away = difference / error
    return float(nct.sf(limit, degrees, away) + nct.cdf(-limit, degrees, away))


def _by_mcnemar(items: int, discordant: float, power: float, level: float) -> float:
    """Return the difference that McNemar's exact test finds with probability `power`, one answer an
    item; NaN where it does not even if one method is never right alone.

    Args:
        discordant: share of items on which exactly one of the methods is right.
    """
    number = np.arange(items + 1)
    shares = binom.pmf(number, items, discordant)
    needed = binom.isf(level / 2, number, 0.5) + 1  # of the discordant items, for one side

    def found(difference: float) -> float:
        ahead = (1 + difference / discordant) / 2
        either = binom.sf(needed - 1, number, ahead) + binom.cdf(number - needed, number, ahead)
        return float(shares @ either) - power

    most = discordant * (1 - 1e-9)
    return float(brentq(found, 0.0, most)) if discordant < 1 and found(most) > 0 else math.nan


@dataclass(frozen=True)
class PairedDesign:
    """A comparison of two methods on the same items.

    Attributes:
        items, targets, seeds: how many there are of each; every target answers every item.
        spread: σ, standard deviation of a single answer's difference. Of shares: the square root
            of the share of answers that exactly one of the two methods has right.
        between_targets: ρ, correlation of differences on one item between targets, 0 to 1.
        between_seeds: ρ_s, correlation between seeds of one target, ρ to 1.
        share: whether it is a difference of shares.

    Raises:
        ConfigError: a number is out of its range.
    """

    items: int
    targets: int = 1
    seeds: int = 1
    spread: float = math.sqrt(0.5)
    between_targets: float = 0.0
    between_seeds: float = 0.0
    share: bool = True

    def __post_init__(self) -> None:
        for name, right, expected in (
            ("items", self.items >= 1, "1 or more"),
            ("targets", self.targets >= 1, "1 or more"),
            ("seeds", self.seeds >= 1, "1 or more"),
            ("spread", self.spread > 0, "above 0"),
            ("between_targets", 0 <= self.between_targets <= 1, "0 to 1"),
            ("between_seeds", self.between_targets <= self.between_seeds <= 1,
             "at least between_targets, at most 1"),
        ):  # fmt: skip
            if not right:
                raise ConfigError(
                    f"found {getattr(self, name)}", where=f"paired design, {name}",
                    expected=expected,
                )  # fmt: skip

    @property
    def error(self) -> float:
        """Standard error of the mean difference over items, targets and seeds."""
        return self.spread * math.sqrt(self._left / self.items)

    @property
    def _left(self) -> float:
        """Variance of an item's mean difference, as a share of a single answer's."""
        left = self.between_targets
        left += (self.between_seeds - self.between_targets) / self.targets
        return left + (1 - self.between_seeds) / (self.targets * self.seeds)

    def _moments(self, true: float) -> tuple[float, float, float]:
        """Return variance, third central moment and kurtosis of an item's mean difference of
        shares, as if it were the mean of 1 / `_left` independent answers of −1, 0 and 1."""
        apart, left = self.spread**2, self._left
        third = true * (1 - 3 * apart + 2 * true**2) if true <= apart else 0.0
        return left * (apart - true**2), left**2 * third, 3 + (1 / apart - 3) * left

    def smallest_difference(self, *, comparisons: int = 1, power: float = POWER) -> float:
        """Return the smallest true difference found with probability `power` (see the module); NaN
        where so few items find none."""
        if not self.share:
            return smallest_difference(self.error, self.items, comparisons=comparisons, power=power)
        least = smallest_difference(
            0.0, self.items, comparisons=comparisons, power=power,
            answers=self.items * self.targets,
        )  # fmt: skip
        if not least < 1:
            return math.nan
        solved = _of_shares(
            self._moments, self.items, self.items * self.targets * self.seeds, power,
            LEVEL / comparisons,
        )  # fmt: skip
        if self.targets == self.seeds == 1 and self.items <= MOST_EXACT:
            exact = _by_mcnemar(self.items, self.spread**2, power, LEVEL / comparisons)
            solved = solved if math.isnan(exact) else exact
        return max(solved, least)


def items_for_equivalence(spread: float, margin: float, *, power: float = POWER) -> int:
    """Return the items at which two equal sources are shown equivalent within ±`margin`.

    n = σ² (z_{.95} + z_{(1+power)/2})² / m² (Chow, Shao & Wang 2008, ch. 3, for a true difference
    of 0), in the normal approximation.

    >>> items_for_equivalence(0.3**0.5, 0.1)
    257
    """
    factor = float(norm.isf(LEVEL) + norm.ppf((1 + power) / 2))
    return math.ceil((spread * factor / margin) ** 2)
