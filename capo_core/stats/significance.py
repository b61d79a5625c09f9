"""Paired tests of one method against another on the same items, and corrections for their
number."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.stats import binomtest, norm
from scipy.stats import t as student

from capo_core.stats.bootstrap import ROUNDING, ResampledScore, ScoreDifference

SIGNIFICANCE_LEVEL = 0.05  # adjusted p-values up to this are called a difference
FEWEST = 6  # items with which a two-sided sign-flip test can reach .05: 2 / 2⁶ = .031
FLIPS = 9999
_EXACT = 13  # up to so many items all 2^n signs are gone through
_FEW_DRAWS = 10  # of a bootstrap, below which their share is no p-value that stands a correction
_MANY = 2_000  # items, beyond which `sign_flips` draws none
SIGN_FLIP = "sign-flip permutation by item"
BOOTSTRAP = "paired bootstrap over items"


def sign_flip(contributions: np.ndarray, *, flips: int = FLIPS, seed: int = 0) -> float:
    """Two-sided p-value that a sum of item contributions [items] is as far from 0 by chance.

    If two methods do not differ, swapping them on an item has probability 1/2 and changes the
    sign of the item's contribution to the difference (Fisher's randomisation test). Exact for few
    items, else from `flips` random ones, the observed counted among them (Phipson & Smyth 2010).
    For pooled measures the contributions are first-order, and so is the test.
    """
    added = contributions[np.abs(contributions) > ROUNDING]
    if not len(added):
        return 1.0
    observed = abs(added.sum()) - ROUNDING * np.abs(added).sum()
    if len(added) <= _EXACT:
        signs = 1 - 2 * (np.arange(2 ** len(added))[:, None] >> np.arange(len(added)) & 1)
        return float((np.abs(signs @ added) >= observed).mean())
    flipped = _signs(len(added), flips, seed) @ added
    return float((1 + (np.abs(flipped) >= observed).sum()) / (1 + flips))


def sign_flips(contributions: np.ndarray, *, flips: int = FLIPS, seed: int = 0) -> np.ndarray:
    """Return `sign_flip` of each column of contributions [items, columns], quickly; NaN where a
    contribution is not finite.

    The same signs serve all columns. Beyond `_MANY` items the sum under random signs is normal
    with the variance Σ x² (Lindeberg), and is not drawn.
    """
    n, found = len(contributions), np.full(contributions.shape[1], np.nan)
    moved = np.abs(contributions) > ROUNDING
    drawn = []
    for column in np.flatnonzero(np.isfinite(contributions).all(axis=0)):
        added = contributions[moved[:, column], column]
        if len(added) <= _EXACT:
            found[column] = sign_flip(added)
        elif n > _MANY:
            found[column] = 2 * norm.sf(abs(added.sum()) / np.sqrt((added**2).sum()))
        else:
            drawn.append(column)
    if drawn:
        rows = np.where(moved, contributions, 0.0)[:, drawn]
        observed = np.abs(rows.sum(axis=0)) - ROUNDING * np.abs(rows).sum(axis=0)
        further = (np.abs(_signs(n, flips, seed) @ rows) >= observed).sum(axis=0)
        found[drawn] = (1 + further) / (1 + flips)
    return found


@lru_cache(maxsize=4)  # a report tests hundreds of differences on the same items
def _signs(n: int, flips: int, seed: int) -> np.ndarray:
    """Random signs [flips, n], 1 or −1."""
    rng = np.random.default_rng([seed, 0x51C4])
    return 1.0 - 2.0 * rng.integers(0, 2, size=(flips, n), dtype=np.int8)


def bootstrap_p(difference: ResampledScore) -> float:
    """Two-sided p-value of a difference that is no average: how often the bootstrap strays as far
    from its mean as the difference is from 0. NaN where too few draws are defined.

    By D draws it would be 1/(1 + D) at least, which no correction for many comparisons lets pass:
    of 9 methods 36 pairs and 18 references, 54/1001. Where fewer than `_FEW_DRAWS` draws stray so
    far, their number says little, and the p-value is that of Student's t with the draws' standard
    deviation and n − 1 degrees of freedom (`bootstrap_z`), at most what so many draws would give.
    (The deviation is widened by √((n + 1)/(n − 1)), by which a Bayesian bootstrap varies too
    little.)

    What differs by rounding alone counts as equal. Matrix products of the same numbers differ in
    their last digits by the number of BLAS threads, so that two equal scores may be 1e-17 apart.
    """
    draws = difference.draws[np.isfinite(difference.draws)]
    if len(draws) < 2:
        return math.nan
    strayed = (np.abs(draws - draws.mean()) >= abs(difference.value) - ROUNDING).sum()
    if strayed >= _FEW_DRAWS or np.ptp(draws) < ROUNDING or difference.n < 2:
        return float((1 + strayed) / (1 + len(draws)))
    n = difference.n
    narrow = math.sqrt((n - 1) / (n + 1))
    by_spread = bootstrap_z(narrow * difference.value, draws, degrees=n - 1)
    return float(min(by_spread, (1 + _FEW_DRAWS) / (1 + len(draws))))


def bootstrap_z(value: float, draws: np.ndarray, *, degrees: float = math.inf) -> float:
    """Return the two-sided p-value of a value by the standard deviation of its bootstrap draws.

    Unlike a share of draws it is not bounded by their number, so that it stands a correction for
    many comparisons. NaN where fewer than two draws are finite.

    Args:
        degrees: of freedom of Student's t, 1 or more; without a limit it is the normal one.
    """
    finite = draws[np.isfinite(draws)]
    if len(finite) < 2 or not math.isfinite(value):
        return math.nan
    spread = float(finite.std())
    if spread < ROUNDING:
        return 1.0 if abs(value) < ROUNDING else 0.0
    away = abs(value) / spread
    return float(2 * (norm.sf(away) if math.isinf(degrees) else student.sf(away, degrees)))


def p_value_of(difference: ScoreDifference | ResampledScore, *, seed: int = 0) -> tuple[float, str]:
    """The p-value of a paired difference and the name of its test; NaN where there is none."""
    if isinstance(difference, ResampledScore):
        return bootstrap_p(difference), BOOTSTRAP
    added = difference.contributions
    if added is None:
        return math.nan, ""
    return sign_flip(added, seed=seed), SIGN_FLIP


def carries_order(low: float, high: float, p: float, n: int) -> bool:
    """Return whether a difference is decided: its p-value is at most .05, and its 95 % interval
    does not hold 0. Where test and interval disagree, no order is claimed; NaN decides nothing, nor
    does an interval without width (a bootstrap of equal values; what is as wide as a rounding error
    has none), nor fewer than `FEWEST` items.

    Args:
        p: adjusted for the number of comparisons. n: items.
    """
    wide = low + ROUNDING < high
    return bool(n >= FEWEST and p <= SIGNIFICANCE_LEVEL and wide and (low > 0 or high < 0))


def side_of_chance(value: float, low: float, high: float, n: int, chance: float) -> str:
    """Return where a share is decided to be: "above" chance, "below" it, or "".

    Its interval must leave chance out, and so must an exact binomial test of its n, which is
    `FEWEST` at least: Wilson's interval of 1 of 1 is [.21, 1], above the chance of five annotators,
    and every fifth guess is right.
    """
    side = "above" if low > chance else "below" if high < chance else ""
    if not side or n < FEWEST:
        return ""
    hits = min(n, max(0, round(value * n)))
    return side if binomtest(hits, n, chance).pvalue <= SIGNIFICANCE_LEVEL else ""


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values adjusted for the family-wise error rate (Holm 1979), same order; NaN stays NaN."""
    result = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    result[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return result


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """p-values adjusted for the false discovery rate (Benjamini & Hochberg 1995), same order.

    `scipy.stats.false_discovery_control` multiplies by n/rank where this multiplies by n and then
    divides: its last binary digit differs for every third p-value. Saved reports are equal to the
    last digit, so this order of operations stays; a test holds both to 1e-15.
    """
    n = len(p_values)
    order = np.argsort(p_values)[::-1]
    scaled = p_values[order] * n / np.arange(n, 0, -1)
    result = np.empty(n)
    result[order] = np.minimum(np.minimum.accumulate(scaled), 1.0) if n else scaled
    return result


def benjamini_yekutieli(p_values: np.ndarray) -> np.ndarray:
    """p-values adjusted for the false discovery rate under any dependence (Benjamini & Yekutieli
    2001, Theorem 1.3), same order; NaN stays NaN and is not counted as a test.

    >>> benjamini_yekutieli(np.array([0.01, 0.04, np.nan])).round(3).tolist()
    [0.03, 0.06, nan]
    """
    result = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    harmonic = (1 / np.arange(1, len(known) + 1)).sum()
    result[known] = np.minimum(benjamini_hochberg(p_values[known]) * harmonic, 1.0)
    return result
