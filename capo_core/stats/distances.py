"""Distances between two label distributions on the same items; all logarithms are natural.

`p` and `q` are distributions over the same labels in the same order, [items, labels], each row of
sum 1; the result is one number an item, [items]. 0 is equal, lower is closer.

The distance correlation compares the pattern over all items, whatever the distance on each
(Székely, Rizzo & Bakirov 2007, "Measuring and testing dependence by correlation of distances", the
biased sample version, its square root taken): two sources may be close on every item and yet
unrelated (uniform), or far from each other and closely related. It is written out here because it
takes weights (a bootstrap over items), which no library's does. The Jensen–Shannon distance is
written out because SciPy's normalises both sides once more, which changes the last digits of shares
that sum to 1 already.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import rel_entr
from scipy.stats import chi2

from capo_core.errors import ConfigError, DataError

# KL of a distribution with zeros is whatever this makes of them: it is part of the definition.
# The value is that of Chen et al. 2024 (Findings of EMNLP, "Seeing the Big through the Small").
CLIP = 1e-10
_ZERO = 1e-14  # divergences and variances below this are rounding of 0


def clipped(shares: np.ndarray, clip: float = CLIP) -> np.ndarray:
    """`shares` with nothing below `clip`, each row of sum 1 again."""
    if not 0 <= clip < 0.1:
        raise ConfigError(f"the clip is {clip!r}", expected="a number of 0 or more, below 0.1")
    shares = np.clip(shares, clip, 1.0)
    return shares / shares.sum(axis=1, keepdims=True)


def kl(p: np.ndarray, q: np.ndarray, *, clip: float = CLIP) -> np.ndarray:
    """Σ p·ln(p/q) after clipping both (Kullback & Leibler 1951); 0 or more, no upper bound.

    `p` is the human side: the result is the cost of assuming `q` where `p` is true. Infinite where
    `clip` is 0 and `q` rules out what `p` holds possible.
    """
    p, q = _both(p, q)
    divergence = rel_entr(clipped(p, clip), clipped(q, clip)).sum(axis=1)
    return np.maximum(divergence, 0.0)  # rounding may leave −1e-16


def js_distance(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Square root of the Jensen–Shannon divergence (Endres & Schindelin 2003); 0 to √ln 2 = 0.83.

    A metric, symmetric, and finite whatever the zeros: it needs no clip.
    """
    p, q = _both(p, q)
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=1) / 2
    # Rounding may leave ±1e-16 of equal distributions, and the root makes 1e-8 of it.
    return np.sqrt(np.where(divergence < _ZERO, 0.0, divergence))


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Half of Σ |p − q|; 0 to 1: the share of people who would have to change their label."""
    return manhattan(p, q) / 2


def manhattan(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Σ |p − q|; 0 to 2, NaN where a share is NaN."""
    p, q = _both(p, q)
    return np.abs(p - q).sum(axis=1)


def manhattan_per_label(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Soft distance for tasks in which a person may give several labels (VariErr NLI); 0 to 2.

    `p` and `q` [items, L] hold for each label the share of people who gave it, so that rows may sum
    to more than 1. Each label is a distribution of its own over "given" and "not given"; the
    distance of two of them is 2·|p − q|, averaged over the labels.
    """
    p, q = _both(p, q)
    return 2 * np.abs(p - q).mean(axis=1)


def wasserstein(p: np.ndarray, q: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean distance by which labels must be moved, in points of the ordinal scale `values` [L].

    Raises:
        ConfigError: the values do not ascend.
    """
    if np.any(np.diff(values) <= 0):
        raise ConfigError("the labels' values do not ascend", where="Wasserstein distance")
    p, q = _both(p, q)
    cumulated = np.abs(np.cumsum(p - q, axis=1)[:, :-1])
    return cumulated @ np.diff(np.asarray(values, dtype=float)).astype(float)


def entropy(p: np.ndarray) -> np.ndarray:
    """−Σ p·ln p; 0 where all agree, ln L where the L labels are equally frequent."""
    p = np.asarray(p, dtype=float)
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1)


def cross_entropy(p: np.ndarray, q: np.ndarray, *, clip: float = CLIP) -> np.ndarray:
    """−Σ p·ln q with `q` clipped: what a classifier is trained on; at best the entropy of p."""
    p, q = _both(p, q)
    return -np.sum(p * np.log(clipped(q, clip)), axis=1)


def _both(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    if p.shape != q.shape or p.ndim != 2:
        raise DataError(
            f"distributions of shape {p.shape} and {q.shape} cannot be compared",
            expected="the same items and the same labels on both sides",
        )
    return p, q


_ENOUGH = 30  # items, from which on the chi-square test of distance correlation holds its level
_SHUFFLES = 1999


def distance_correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None):
    """Distance correlation of two tables [items, L], 0 to 1; higher is better.

    0 where one of them has the same row for every item (so the definition says).

    Args:
        weights: [draws, items], each row of sum 1: how much each item counts. None counts all the
            same and gives one number, else one number a draw comes back, [draws].
    """
    a, b = cdist(x, x), cdist(y, y)
    single = weights is None
    if weights is None:
        weights = np.full((1, len(x)), 1 / len(x))
    wa, wb = weights @ a, weights @ b
    covariance = _covariance(a * b, wa, wb, weights)
    variances = _covariance(a * a, wa, wa, weights) * _covariance(b * b, wb, wb, weights)
    defined = variances > _ZERO**2
    squared = np.maximum(covariance, 0.0) / np.sqrt(np.where(defined, variances, 1.0))
    found = np.where(defined, np.sqrt(squared), 0.0)
    return float(found[0]) if single else found


def _covariance(ab: np.ndarray, wa: np.ndarray, wb: np.ndarray, w: np.ndarray) -> np.ndarray:
    """[draws]: squared distance covariance of distance matrices a and b, [items, items].

    Σ_ij w_i w_j A_ij B_ij over the doubly centred A and B, multiplied out, so that a draw costs a
    product of a vector with each matrix and no centring anew.

    Args:
        ab: products of the distances; wa, wb: the draws' mean distances, w @ a and w @ b.
    """
    cross = np.einsum("di,di->d", w @ ab, w)
    means = np.einsum("di,di->d", wa, w) * np.einsum("di,di->d", wb, w)
    return cross + means - 2 * np.einsum("di,di,di->d", w, wa, wb)


def independence_p(x: np.ndarray, y: np.ndarray) -> float:
    """Return the p-value of two tables [items, L] being unrelated, by their distance correlation.

    Chi-square test of the bias-corrected distance correlation C (Shen, Panda & Vogelstein 2022):
    P(χ²₁ ≥ n·C + 1), valid in any dimension; for fewer than 30 items, where it is too lenient, a
    permutation test of C. The plain distance correlation is above 0 also for unrelated tables, so
    that no interval of it tells. 1 where a table has the same row for every item, NaN for fewer
    than four items.
    """
    n = len(x)
    if n < 4:
        return math.nan
    a, b = (_u_centred(cdist(each, each)) for each in (x, y))
    variances = (a * a).sum() * (b * b).sum()
    if variances <= _ZERO:
        return 1.0
    together = (a * b).sum()
    if n >= _ENOUGH:
        return float(chi2.sf(n * together / math.sqrt(variances) + 1, 1))
    order = np.random.default_rng(n).permuted(np.tile(np.arange(n), (_SHUFFLES, 1)), axis=1)
    shuffled = (a * b[order[:, :, None], order[:, None, :]]).sum(axis=(1, 2))
    return float((1 + (shuffled >= together - 1e-12).sum()) / (1 + _SHUFFLES))


def _u_centred(a: np.ndarray) -> np.ndarray:
    """Return U-centred distances (Székely & Rizzo 2014), whose products have no bias."""
    n, rows = len(a), a.sum(axis=1)
    found = a - (rows[:, None] + rows) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(found, 0.0)
    return found
