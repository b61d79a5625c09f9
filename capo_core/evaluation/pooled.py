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
    order = group_orders(len(scores), k, seed=seed, groupings=groupings)
    if order is None:
        return None
    hit = given_to(group_sums(scores, order))[:, :, target]
    return group_mean(hit, order, item, n_items=n_items, groupings=groupings)


def group_orders(n: int, k: int, *, seed: int, groupings: int = GROUPINGS) -> np.ndarray | None:
    """Rows of n // k groups of k, [groupings, groups, k]; one division where k = 1, None where no
    group can be filled."""
    count = n // k
    if not count:
        return None
    rng = np.random.default_rng([seed, k])
    order = rng.permuted(np.tile(np.arange(n), (groupings, 1)), axis=1)[:, : count * k]
    if k == 1:
        order = order[:1]  # one by one there is nothing to draw
    return order.reshape(len(order), count, k)


def group_sums(scores: np.ndarray, order: np.ndarray) -> np.ndarray:
    """[groupings, groups, C]: the sum of each group's scores."""
    return scores[order].sum(axis=2, dtype=float)


def given_to(group: np.ndarray) -> np.ndarray:
    """[…, C]: 1 for the annotator with the highest of the scores [..., C], 1/m where m tie.

    0 for all where no explanation was scored.
    """
    best = group.max(axis=-1, keepdims=True) - TIE
    among = group >= best
    shares = among / among.sum(axis=-1, keepdims=True)
    return shares * np.abs(group).any(axis=-1, keepdims=True)


def group_mean(
    values: np.ndarray,
    order: np.ndarray,
    item: np.ndarray,
    *,
    n_items: int,
    groupings: int = GROUPINGS,
    share: bool = True,
) -> Score:
    """The mean of one value a group, [groupings, groups], with the influence of items on it.

    Args:
        order: rows of each group, [groupings, groups, k]; item: [n], the item of each row.
    """
    value = float(values.mean())
    draws, count, k = order.shape
    influence = np.zeros((draws, n_items))
    rows = np.arange(draws)[:, None]
    # Items of one stream are different, so that no addition is lost.
    influence[rows, item[order.reshape(draws, -1)]] = np.repeat((values - value) / count, k, axis=1)
    if k == 1:
        influence = np.broadcast_to(influence, (groupings, n_items))
    return Score(value, influence, count, share, _even(item, n_items), (0.0, 1.0))


def item_mean(
    values: np.ndarray,
    item: np.ndarray,
    *,
    n_items: int,
    share: bool = True,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Score:
    """The mean of `values` [n], one an item."""
    value = float(values.mean())
    influence = np.zeros((1, n_items))
    influence[0, item] = (values - value) / len(values)
    return Score(value, influence, len(values), share, _even(item, n_items), bounds)


def _even(item: np.ndarray, n_items: int) -> np.ndarray:
    """[items]: the same share for each item of a stream."""
    weight = np.zeros(n_items)
    weight[item] = 1 / len(item)
    return weight
