"""Aggregation-aware imitation: to whom k responses on different items would be given together."""

from __future__ import annotations

import numpy as np

from capo_core.evaluation.scores import Score
from capo_core.stability.pooling import TIE

GROUPINGS = 400  # random divisions into groups; their luck then hardly shows


def pooled_accuracy(
    scores: np.ndarray,
    item: np.ndarray,
    target: int,
    k: int,
    *,
    n_items: int,
    seed: int = 0,
    groupings: int = GROUPINGS,
) -> Score | None:
    """Share of groups of `k` responses that are given to the target.

    The responses [n] of one stream are divided into n // k groups of k, in `groupings` ways. A
    group's score is the sum of its responses' scores and goes to the annotator with the highest; a
    tie is shared; a group without a single explanation goes to nobody.

    Args:
        scores: [n, C] (see `attribution.attribute`). item: [n], 0 to `n_items` − 1.
        target: the column of the imitated annotator.

    Returns:
        The share with influences [groupings, n_items]; None where there are fewer than k responses.
    """
    n = len(scores)
    count = n // k
    if not count:
        return None
    rng = np.random.default_rng([seed, k])
    order = rng.permuted(np.tile(np.arange(n), (groupings, 1)), axis=1)[:, : count * k]
    if k == 1:
        order = order[:1]  # one by one there is nothing to draw
    group = scores[order].reshape(len(order), count, k, -1).sum(axis=2, dtype=float)
    best = group.max(axis=2, keepdims=True) - TIE
    hit = (group[:, :, target] >= best[:, :, 0]) / (group >= best).sum(axis=2)
    hit[~np.abs(group).any(axis=2)] = 0.0
    value = float(hit.mean())
    influence = np.zeros((len(order), n_items))
    rows = np.arange(len(order))[:, None]
    # Items of one stream are different, so that no addition is lost.
    influence[rows, item[order]] = np.repeat((hit - value) / count, k, axis=1)
    if k == 1:
        influence = np.broadcast_to(influence, (groupings, n_items))
    return Score(value, influence, count)


def item_mean(values: np.ndarray, item: np.ndarray, *, n_items: int, share: bool = True) -> Score:
    """The mean of `values` [n], one an item."""
    value = float(values.mean())
    influence = np.zeros((GROUPINGS, n_items))
    influence[:, item] = (values - value) / len(values)
    return Score(value, influence, len(values), share)
