"""Is the pattern over all items the same, whatever the distance on each? Distance correlation.

Székely, Rizzo & Bakirov 2007, "Measuring and testing dependence by correlation of distances", the
biased sample version, its square root taken. Two sources may be near on every item and yet follow
each other in nothing (uniform), or far apart and follow each other well.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

_ZERO = 1e-14  # variances below this are rounding of 0: all items have the same distribution


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
    covariance = _covariance(a, b, weights)
    variances = _covariance(a, a, weights) * _covariance(b, b, weights)
    defined = variances > _ZERO**2
    squared = np.maximum(covariance, 0.0) / np.sqrt(np.where(defined, variances, 1.0))
    found = np.where(defined, np.sqrt(squared), 0.0)
    return float(found[0]) if single else found


def _covariance(a: np.ndarray, b: np.ndarray, w: np.ndarray) -> np.ndarray:
    """[draws]: squared distance covariance of distance matrices [items, items].

    Σ_ij w_i w_j A_ij B_ij over the doubly centred A and B, multiplied out, so that a draw costs a
    product of a vector with each matrix and no centring anew.
    """
    wa, wb = w @ a, w @ b
    cross = np.einsum("di,di->d", w @ (a * b), w)
    means = np.einsum("di,di->d", wa, w) * np.einsum("di,di->d", wb, w)
    return cross + means - 2 * np.einsum("di,di,di->d", w, wa, wb)
