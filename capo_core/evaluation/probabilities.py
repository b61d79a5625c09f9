"""Scores as probabilities: with how much certainty a group of responses is given to the target."""

from __future__ import annotations

import numpy as np
from scipy import optimize
from scipy.special import log_softmax, softmax

from capo_core.evaluation.pooled import GROUPINGS, group_mean, group_orders, group_sums
from capo_core.evaluation.scores import Score

FOLDS = 5  # in which the training texts are scored for the slope
_SLOPE_GROUPINGS = 20  # divisions of an author's training texts; one number is fitted from them


def fit_slope(scores: np.ndarray, author: np.ndarray) -> float:
    """The factor on scores [n, C] whose softmax gives the authors [n] the greatest likelihood.

    Authors are weighted equally. Fitted on human texts that the classifier had not seen, so that a
    probability of 0.7 is right in about 70 % of cases of such texts.
    """
    counts = np.bincount(author, minlength=scores.shape[1])
    weight = 1 / counts[author]
    rows = np.arange(len(author))

    def loss(log_slope: float) -> float:
        return -(weight * log_softmax(np.exp(log_slope) * scores, axis=1)[rows, author]).sum()

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def pooled_slope(scores: np.ndarray, author: np.ndarray, k: int, *, seed: int = 0) -> float | None:
    """The slope for sums of k texts of one author; None where an author has fewer than k."""
    sums, who = [], []
    for one in range(scores.shape[1]):
        rows = np.flatnonzero(author == one)
        order = group_orders(len(rows), k, seed=seed, groupings=_SLOPE_GROUPINGS)
        if order is None:
            return None
        groups = group_sums(scores[rows], order).reshape(-1, scores.shape[1])
        sums.append(groups)
        who.append(np.full(len(groups), one))
    return fit_slope(np.concatenate(sums), np.concatenate(who))


def pooled_probability(
    scores: np.ndarray,
    item: np.ndarray,
    target: int,
    k: int,
    slope: float,
    *,
    n_items: int,
    seed: int = 0,
) -> Score | None:
    """Mean probability of the target over groups of `k` responses, 0 to 1.

    A group without a single explanation counts as 0. See `pooled.pooled_accuracy` for the groups.
    """
    order = group_orders(len(scores), k, seed=seed, groupings=GROUPINGS)
    if order is None:
        return None
    group = group_sums(scores, order)
    chance = softmax(slope * group, axis=2)[:, :, target]
    chance[~np.abs(group).any(axis=2)] = 0.0
    return group_mean(chance, order, item, n_items=n_items, share=False)
