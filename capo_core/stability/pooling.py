"""Pooling: several explanations of one annotator, on different held-out items, judged together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from capo_core.stability.corpus import Corpus
from capo_core.stability.folds import Partition, group_slices

_TIE = 1e-6  # scores are of the order of 1; below this a difference is rounding


@dataclass(frozen=True)
class Pooled:
    """Accuracy of attribution from k explanations.

    Attributes:
        k: explanations in a group.
        accuracy: share of groups given to the right annotator, annotators counted equally, 0 to 1.
        low, high: 95 % interval (see `accuracy_interval`).
        n_items: items whose explanations were tested.
        n_groups: groups in one partition (they share no explanation).
    """

    k: int
    accuracy: float
    low: float
    high: float
    n_items: int
    n_groups: int


def group_hits(scores: np.ndarray, order: np.ndarray, starts: np.ndarray, k: int):
    """Which groups of `k` are attributed rightly: (hit [groups] 0…1, annotator, first position).

    A group's score is the sum of its explanations' scores; a tie is shared.
    """
    classes = scores.shape[1]
    first, run = group_slices(starts, k)
    total = np.concatenate([np.zeros((1, classes)), np.cumsum(scores[order], axis=0, dtype=float)])
    pooled = total[first + k] - total[first]
    annotator = run % classes
    hit = np.empty(len(run))
    for label in range(classes):
        rows = annotator == label
        hit[rows] = shared_hits(pooled[rows].T, label)
    return hit, annotator, first


def shared_hits(pooled: np.ndarray, label: int) -> np.ndarray:
    """1 where class `label` has the highest of the scores [classes, …], 1/m where m classes tie."""
    floor = pooled.max(axis=0) - _TIE
    own = pooled[label] >= floor
    if pooled.shape[0] > 8:  # many classes: count ties only where this class is among the best
        own = own.astype(np.float32)
        at = np.nonzero(own)
        own[at] /= (pooled[(slice(None), *at)] >= floor[at]).sum(axis=0)
        return own
    return own / np.maximum((pooled >= floor).sum(axis=0), 1)


def pool(scores: list[np.ndarray], corpus: Corpus, parts: list[Partition], k: int) -> Pooled | None:
    """Accuracy at `k`, averaged over partitions and groupings; None where no group can be filled
    for some annotator."""
    classes, n_items = len(corpus.annotators), len(corpus.item_ids)
    hits, count = np.zeros(classes), np.zeros(classes)
    influence = np.zeros((n_items, classes))  # Σ over the groups an item is in: hit − accuracy
    members = np.zeros((n_items, classes))
    n_groups = 0
    for score, part in zip(scores, parts, strict=True):
        for order in part.orders:
            hit, annotator, first = group_hits(score, order, part.starts, k)
            if not len(hit):
                return None
            hits += np.bincount(annotator, hit, classes)
            count += np.bincount(annotator, minlength=classes)
            rows = order[first[:, None] + np.arange(k)]
            place = (corpus.item[rows].ravel(), np.repeat(annotator, k))
            np.add.at(influence, place, np.repeat(hit, k))
            np.add.at(members, place, 1)
        n_groups = max(n_groups, len(hit))
    if (count == 0).any():
        return None
    mean = hits / count
    influence = (influence - members * mean) / count / classes
    error = np.sqrt((influence.sum(axis=1) ** 2).sum())
    accuracy = float(mean.mean())
    low, high = accuracy_interval(accuracy, float(error), n_groups)
    return Pooled(k, accuracy, low, high, int((members.sum(axis=1) > 0).sum()), n_groups)


def accuracy_interval(
    accuracy: float, error: float, n_groups: int, level: float = 0.95
) -> tuple[float, float]:
    """Wilson's interval with the effective number of trials that `error` implies.

    `error` is the infinitesimal-jackknife standard error over items: each item's weight enters
    every group it is in (a group's weight is linear in its items' weights, the first-order
    Bayesian bootstrap). The plain bootstrap would put an item twice into one group. Where every
    group is right, or none, the error is zero and the number of groups takes its place.
    """
    spread = accuracy * (1 - accuracy)
    n = spread / error**2 if error > 0 and spread > 0 else float(n_groups)
    z = stats.norm.ppf(0.5 + level / 2)
    middle = (accuracy + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(spread / n + z**2 / (4 * n**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def crossing(ks: list[int], accuracies: list[float], target: float) -> float | None:
    """The k at which accuracy reaches `target`, linear in log2 k between the points; None if it
    is not reached. At most the first k where the first point is above already."""
    for index, (k, value) in enumerate(zip(ks, accuracies, strict=True)):
        if value >= target:
            if index == 0:
                return float(k)
            k0, v0 = ks[index - 1], accuracies[index - 1]
            share = (target - v0) / (value - v0)
            return float(2 ** (np.log2(k0) + share * (np.log2(k) - np.log2(k0))))
    return None
