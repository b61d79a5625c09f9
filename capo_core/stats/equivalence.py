"""Equivalence: two one-sided tests (TOST) of a paired difference against a margin fixed beforehand.

A difference that is not significant is no equivalence: few items make every difference
insignificant. Two sources are equivalent within ±m at level α where both one-sided hypotheses
"the difference is m or more" and "it is −m or less" are rejected (Schuirmann 1987; Lakens 2017),
which is the same as that the 1 − 2α interval (here 90 %) lies within ±m:

    p = max( P(T ≥ (d + m)/s), P(T ≤ (d − m)/s) ),   T with G − 1 degrees of freedom

with s the standard error of d clustered over G items. Of a difference of shares, s is at least
what it is where the true difference is the margin: then at least a share m of n answers differ, so
that s² ≥ m (1 − m)/n. Without it two sources that agree on five items would be equivalent. Also, a
difference of shares takes whole numbers of answers only: |d| is taken larger by half of one, as in
Yates's correction, with as many independent answers as m (1 − m)/s² says, G to n. Without it the
test claimed equivalence in up to 10 % where the true difference was the margin.

What is no average has draws of a bootstrap over items; p is then the larger of the shares of draws
on or beyond either margin, counted as (1 + hits)/(1 + draws).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.stats import t as student

from capo_core.errors import ConfigError
from capo_core.stats.agreement import alpha_of_items
from capo_core.stats.bootstrap import DRAWS, AnyScore, ResampledScore
from capo_core.stats.intervals import bayesian_weights, central_interval, json_value

LEVEL = 0.05
MIN_ITEMS = 10  # below so many a standard error over items is too uncertain itself
EQUIVALENT, DIFFERENT, UNDECIDED = "equivalent", "different", "undecided"
# Why a test would show nothing: by this measure everything is as good as the human's own.
INSENSITIVE = "others' or random answers are within the margin as well"
_SHUFFLES = 20  # of an annotator's labels over the items, for their mean α


@dataclass(frozen=True)
class EquivalenceTest:
    """Two one-sided tests of one difference.

    Attributes:
        value: the difference. low, high: its 90 % interval, which the verdict is read from.
        margin: both sides of 0.
        p: of the two one-sided tests together; small where the two are equivalent.
        n: items.
        note: why there is no test.
    """

    value: float
    low: float
    high: float
    margin: float
    p: float
    n: int
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return EQUIVALENT (p ≤ .05), DIFFERENT (the interval lies beyond a margin) or
        UNDECIDED."""
        return verdict_of(self.p, self.low, self.high, self.margin)

    def to_dict(self) -> dict:
        found = {field.name: json_value(getattr(self, field.name)) for field in fields(self)}
        return {**found, "verdict": self.verdict}


def verdict_of(p: float, low: float, high: float, margin: float) -> str:
    """Return the verdict of two one-sided tests, with a p-value that may have been adjusted."""
    if p <= LEVEL:
        return EQUIVALENT
    return DIFFERENT if low > margin or high < -margin else UNDECIDED


def tost(
    value: float,
    error: float,
    margin: float,
    *,
    items: int,
    answers: int = 0,
    degrees: float | None = None,
) -> EquivalenceTest:
    """Test a difference with a known standard error.

    Args:
        error: clustered over `items`.
        answers: of a difference of shares, how many answers are behind it; 0 for other differences.
        degrees: of freedom of `error`; items − 1 unless given.

    Raises:
        ConfigError: the margin is not above 0.

    >>> test = tost(0.02, 0.04, 0.1, items=100)
    >>> round(test.p, 3), test.verdict
    (0.024, 'equivalent')
    """
    _check_margin(margin)
    if items < MIN_ITEMS or not math.isfinite(error):
        return EquivalenceTest(value, math.nan, math.nan, margin, math.nan, items, _few(items))
    step = 0.0
    if answers and margin < 1:
        differing = margin * (1 - margin)
        error = max(error, math.sqrt(differing / answers))
        step = 0.5 / min(answers, max(items, differing / error**2))
    degrees = items - 1 if degrees is None else degrees
    if error == 0:
        p = 0.0 if abs(value) < margin else 1.0
        return EquivalenceTest(value, value, value, margin, p, items)
    p = max(
        student.sf((value + margin - step) / error, degrees),
        student.cdf((value - margin + step) / error, degrees),
    )
    half = float(student.isf(LEVEL, degrees)) * error + step
    return EquivalenceTest(value, value - half, value + half, margin, float(p), items)


def paired_tost(
    differences: Sequence[float], item: Sequence, margin: float, *, share: bool = False
) -> EquivalenceTest:
    """Test the mean of paired differences [n], clustered by `item` [n].

    The standard error is that of Liang & Zeger (1986) with G/(G − 1) for G items.

    Args:
        share: the differences are of hits (−1, 0, 1), see `tost`.
    """
    apart = np.asarray(differences, dtype=float)
    if not len(apart):
        _check_margin(margin)
        return EquivalenceTest(math.nan, math.nan, math.nan, margin, math.nan, 0, _few(0))
    number = np.unique(np.asarray(item), return_inverse=True)[1]
    size = int(number.max()) + 1
    value = float(apart.mean())
    sums = np.bincount(number, apart - value, size)
    error = math.sqrt(size / max(size - 1, 1) * float((sums**2).sum())) / len(apart)
    return tost(value, error, margin, items=size, answers=len(apart) if share else 0)


def tost_of(difference: AnyScore, margin: float) -> EquivalenceTest:
    """Test a difference of two scores on the same items (`bootstrap.difference`)."""
    if isinstance(difference, ResampledScore):
        return bootstrap_tost(difference.value, difference.draws, margin, items=difference.n)
    items, sides = difference.items, getattr(difference, "sides", ())
    share = bool(sides) and all(side.share for side in sides)
    error = difference.error * math.sqrt(items / max(items - 1, 1))
    return tost(difference.value, error, margin, items=items, answers=difference.n if share else 0)


def bootstrap_tost(
    value: float, draws: np.ndarray, margin: float, *, items: int
) -> EquivalenceTest:
    """Test a difference by its draws under a paired bootstrap over items.

    Draws are moved from their mean onto the value. NaN where fewer than half of them are defined.
    """
    _check_margin(margin)
    known = draws[np.isfinite(draws)]
    if items < MIN_ITEMS or len(known) < max(2, len(draws) / 2):
        why = _few(items) if items < MIN_ITEMS else "not defined in most bootstrap draws"
        return EquivalenceTest(value, math.nan, math.nan, margin, math.nan, items, why)
    moved = value + known - known.mean()
    p = max((1 + (moved >= margin).sum()), (1 + (moved <= -margin).sum())) / (1 + len(moved))
    low, high = central_interval(moved, 1 - 2 * LEVEL)
    return EquivalenceTest(value, low, high, margin, float(min(p, 1.0)), items)


def _check_margin(margin: float) -> None:
    if not margin > 0:
        raise ConfigError(
            f"the equivalence margin is {margin}",
            expected="a number above 0, chosen before the results are known",
        )


def insensitive(test: EquivalenceTest, why: str = INSENSITIVE) -> EquivalenceTest:
    """Return the difference without a test, for a measure that would call anything equivalent; one
    that is beyond the margin stays so."""
    if math.isnan(test.p) or test.verdict == DIFFERENT:
        return test
    return replace(test, low=math.nan, high=math.nan, p=math.nan, note=why)


def _few(items: int) -> str:
    return f"{items} items, fewer than {MIN_ITEMS}: too few for an equivalence test"


@dataclass(frozen=True)
class AlphaSubstitution:
    """Krippendorff's α of a group of annotators, and with one of them replaced.

    Attributes:
        people: α of the people. replaced: with the substitute in one annotator's place.
        test: of replaced − people.
    """

    people: float
    replaced: float
    test: EquivalenceTest


def alpha_substitution(
    people: np.ndarray,
    place: int,
    substitutes: Sequence[np.ndarray],
    ordinal: bool,
    margin: float,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> AlphaSubstitution:
    """Test whether a group agrees as well with a substitute in the place of one of its annotators.

    Krippendorff's α of all people, and of all but one with the substitute instead, by a paired
    bootstrap over items, and two one-sided tests of the difference (He et al. 2025, "Can We Hide
    Machines in the Crowd?", arXiv 2510.06658). Only items count on which annotator and substitute
    both have a label and another annotator has one too. Where the annotator's own labels, shuffled
    over the items, would change α by no more than the margin, there is no test: of many annotators,
    or of some who hardly agree, none makes a difference.

    Args:
        people: [items, annotators, labels], each cell's labels as shares that sum to 1; 0 where
            an annotator has none.
        place: the annotator who is replaced.
        substitutes: the replacement's labels [items, labels] in each of its repetitions (seeds,
            samples), over which α is averaged; 0 where it has none.
        ordinal: whether the labels are ordered, see `agreement.alpha_distances`.

    Raises:
        ConfigError: the margin is not above 0.
    """
    there = people.sum(axis=2) > 0
    others = np.delete(there, place, axis=1).any(axis=1)
    rows = there[:, place] & others
    for one in substitutes:
        rows = rows & (one.sum(axis=1) > 0)
    items = int(rows.sum())
    nothing = EquivalenceTest(math.nan, math.nan, math.nan, margin, math.nan, items, _few(items))
    _check_margin(margin)
    if not items or not len(substitutes):
        return AlphaSubstitution(math.nan, math.nan, nothing)
    of_people = alpha_of_items(people[rows], ordinal)
    groups = []
    for one in substitutes:
        group = people[rows].copy()
        group[:, place] = one[rows]
        groups.append(alpha_of_items(group, ordinal))
    ones = np.ones((1, items))
    before = float(of_people(ones)[0])
    after = float(np.mean([alpha(ones)[0] for alpha in groups]))
    if not (math.isfinite(before) and math.isfinite(after)):
        why = "α is not defined: every label is the same"
        undefined = EquivalenceTest(math.nan, math.nan, math.nan, margin, math.nan, items, why)
        return AlphaSubstitution(before, after, undefined)
    rng = np.random.default_rng([seed, 0xA1FA])
    found = []
    for weights in bayesian_weights(rng, draws, items):
        weights *= items / weights.sum(axis=1, keepdims=True)
        found.append(_mean(groups, weights) - of_people(weights))
    test = bootstrap_tost(after - before, np.concatenate(found), margin, items=items)
    if before - _at_random(people[rows], place, ordinal, seed) <= margin:
        test = insensitive(test)
    return AlphaSubstitution(before, after, test)


def _at_random(people: np.ndarray, place: int, ordinal: bool, seed: int) -> float:
    """Return the mean α of the group with one annotator's labels shuffled over the items."""
    rng = np.random.default_rng([seed, 0x5AFF])
    ones = np.ones((1, len(people)))
    found = []
    for _ in range(_SHUFFLES):
        group = people.copy()
        group[:, place] = group[rng.permutation(len(group)), place]
        found.append(float(alpha_of_items(group, ordinal)(ones)[0]))
    return float(np.mean(found))


def _mean(groups: Sequence[Callable[[np.ndarray], np.ndarray]], weights: np.ndarray) -> np.ndarray:
    return np.mean([alpha(weights) for alpha in groups], axis=0)
