"""Attribution of held-out explanations to annotators, one by one and pooled.

Pooled: several explanations of one annotator, on different held-out items, attributed together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from capo_core.stability.corpus import ExplanationCorpus, Partition, group_slices
from capo_core.stats import ridge
from capo_core.stats.intervals import accuracy_interval
from capo_core.stats.ridge import MANY_ROWS
from capo_core.text.representations import Features

_TEMPERATURE_ROWS = 5000  # one number is fitted; more rows would not change it


def one_hot(annotator: np.ndarray, annotators: int) -> np.ndarray:
    """Targets [n, C], 1 at the annotator."""
    return np.eye(annotators, dtype=np.float32)[annotator]


Operators = list[np.ndarray]


def operators(features: Features, part: Partition) -> Operators | None:
    """Return the label-free operator of each fold (see `ridge`); None for too many rows."""
    if len(part.fold) > MANY_ROWS:
        return None
    return [ridge.operator(*features.split(*part.split(fold))) for fold in range(part.folds)]


def held_out_scores(
    features: Features,
    corpus: ExplanationCorpus,
    part: Partition,
    fold_operators: Operators | None = None,
) -> np.ndarray:
    """Compute scores [n, C] of every row by a classifier that saw no row of its item or block.

    Higher is more like that annotator; comparable within a fold, with 0 for "like everybody".
    `fold_operators` are the partition's `operators`, where they are computed already.
    """
    classes = len(corpus.annotators)
    result = np.zeros((len(corpus), classes), dtype=np.float32)
    for fold in range(part.folds):
        train, test = part.split(fold)
        targets = one_hot(corpus.annotator[train], classes)
        share = np.maximum(targets.mean(axis=0), 1e-12)  # nobody of this class: all scores are 0
        if fold_operators is not None:
            scores = fold_operators[fold] @ targets
        else:
            scores = ridge.scores(*features.split(train, test), targets)
        result[test] = scores / share
    return result


def probabilities(scores: np.ndarray, corpus: ExplanationCorpus, part: Partition) -> np.ndarray:
    """Softmax of scores [n, C], its temperature fitted, fold by fold, on the other folds' rows."""
    result = np.empty(scores.shape)
    for fold in range(part.folds):
        train, test = part.split(fold)
        some = train[:: -(-len(train) // _TEMPERATURE_ROWS)]
        slope = _temperature(scores[some], corpus.annotator[some])
        result[test] = _softmax(slope * scores[test])
    return result


def _temperature(scores: np.ndarray, annotator: np.ndarray) -> float:
    """The factor on scores that minimises the log-loss, classes weighted equally."""
    weight = 1 / np.bincount(annotator, minlength=scores.shape[1])[annotator]
    rows = np.arange(len(annotator))

    def loss(log_slope: float) -> float:
        chosen = _log_softmax(np.exp(log_slope) * scores)[rows, annotator]
        return -(weight * chosen).sum()

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def _log_softmax(values: np.ndarray) -> np.ndarray:
    values = values - values.max(axis=1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def _softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(_log_softmax(values))


@dataclass(frozen=True)
class Information:
    """Information of one explanation about its annotator.

    Attributes:
        bits: log2(C) minus the held-out cross-entropy in bits; at most log2(C), about 0 at chance
            (a little below it, for the cost of the fit).
    """

    bits: float
    low: float
    high: float
    n_items: int


def information(
    scores: list[np.ndarray], corpus: ExplanationCorpus, parts: list[Partition]
) -> Information:
    """Compute bits per explanation, averaged over partitions, annotators counted equally.

    The interval is normal, with the infinitesimal-jackknife standard error over items.
    """
    classes = len(corpus.annotators)
    gain = np.zeros((len(corpus.item_ids), classes))
    count = np.zeros_like(gain)
    for score, part in zip(scores, parts, strict=True):
        rows = np.flatnonzero(part.tested)
        chosen = probabilities(score, corpus, part)[rows, corpus.annotator[rows]]
        place = (corpus.item[rows], corpus.annotator[rows])
        np.add.at(gain, place, np.log2(np.maximum(chosen, 1e-12)) + np.log2(classes))
        np.add.at(count, place, 1)
    total = np.maximum(count.sum(axis=0), 1)
    mean = gain.sum(axis=0) / total
    influence = ((gain - count * mean) / total / classes).sum(axis=1)
    half = stats.norm.ppf(0.975) * float(np.sqrt((influence**2).sum()))
    bits = float(mean.mean())
    return Information(bits, bits - half, bits + half, int((count.sum(axis=1) > 0).sum()))


TIE = 1e-4  # scores are of the order of 1; below this a difference is float32 rounding of sums


@dataclass(frozen=True)
class PooledAccuracy:
    """Accuracy of attribution from k explanations.

    Attributes:
        k: explanations in a group.
        accuracy: share of groups attributed correctly, annotators counted equally, 0 to 1.
        low, high: 95 % interval (see `accuracy_interval` and `effective_trials`).
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
    """Attribute groups of `k`: (hit [groups] 0…1, annotator, first position).

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
    """Score 1 if class `label` is highest of [classes, …], 1/m if m classes tie, else 0."""
    floor = pooled.max(axis=0) - TIE
    own = pooled[label] >= floor
    if pooled.shape[0] > 8:  # many classes: count ties only where this class is among the best
        own = own.astype(np.float32)
        at = np.nonzero(own)
        own[at] /= (pooled[(slice(None), *at)] >= floor[at]).sum(axis=0)
        return own
    return own / np.maximum((pooled >= floor).sum(axis=0), 1)


def pool(
    scores: list[np.ndarray],
    corpus: ExplanationCorpus,
    parts: list[Partition],
    k: int,
    trials: float | None = None,
) -> PooledAccuracy | None:
    """Compute the accuracy at `k`, averaged over partitions and groupings; None where no group can
    be filled for some annotator.

    Args:
        trials: effective number of independent trials, see `effective_trials`; None takes the
            number of groups in one partition, which is too few (the interval too wide) for k > 1.
    """
    means, influences = [], []
    for score, part in zip(scores, parts, strict=True):
        found = _one_partition(score, corpus, part, k)
        if found is None:
            return None
        mean, influence, n_groups = found
        means.append(mean)
        influences.append(influence)
    accuracy = float(np.mean(means))
    error = _item_error(np.array(influences))
    low, high = accuracy_interval(accuracy, trials or float(n_groups), error)
    n_items = len(np.unique(corpus.item[parts[0].tested]))
    return PooledAccuracy(k, accuracy, low, high, n_items, n_groups)


def _one_partition(score, corpus, part, k) -> tuple[float, np.ndarray, int] | None:
    """Accuracy under one partition, each item's influence on it [items], groups in a grouping.

    An item's influence is the sum over its groups of (hit − accuracy), to first order what the
    accuracy gains when the item's weight grows (the infinitesimal jackknife).
    """
    classes, n_items = len(corpus.annotators), len(corpus.item_ids)
    hits, count = np.zeros(classes), np.zeros(classes)
    influence, members = np.zeros((n_items, classes)), np.zeros((n_items, classes))
    n_groups = 0
    for order in part.orders:
        hit, annotator, first = group_hits(score, order, part.starts, k)
        hits += np.bincount(annotator, hit, classes)
        count += np.bincount(annotator, minlength=classes)
        rows = order[first[:, None] + np.arange(k)]
        place = (corpus.item[rows].ravel(), np.repeat(annotator, k))
        np.add.at(influence, place, np.repeat(hit, k))
        np.add.at(members, place, 1)
        n_groups = len(hit)
    if (count == 0).any():
        return None
    mean = hits / count
    influence = ((influence - members * mean) / count / classes).sum(axis=1)
    return float(mean.mean()), influence, n_groups


def _item_error(influences: np.ndarray) -> float:
    """Standard error over items, from influences [partitions, items].

    Products of different partitions only: their groupings are independent, so that the chance of
    being grouped with this item or that one does not count as a difference between items.
    """
    count = len(influences)
    if count < 2:
        return 0.0
    cross = (influences.sum(axis=0) ** 2).sum() - (influences**2).sum()
    return float(np.sqrt(max(0.0, cross / (count * (count - 1)))))


def effective_trials(null_values: np.ndarray, share: float = 1.0) -> float | None:
    """Return the number of independent trials with the spread of accuracy under permutation.

    m = μ(1 − μ) / Var, with mean μ and variance over the permutations `null_values` [P]. It counts
    what no formula for independent groups counts: that folds share training data, that groupings
    overlap, that the same texts are tested in every partition. On simulated data, below and far
    above chance, √(p(1 − p) / m) is the true standard error within a tenth (docs/methods.md).

    Args:
        share: rows on which the null was computed, as a share of all.

    Returns:
        m, or None where fewer than 20 permutations, or a constant, carry no information.
    """
    if len(null_values) < 20 or not np.isfinite(null_values).all():
        return None
    mean, variance = float(null_values.mean()), float(null_values.var(ddof=1))
    return mean * (1 - mean) / variance / share if variance > 1e-12 else None


def crossing(ks: list[int], accuracies: list[float], target: float) -> float | None:
    """Return the k at which accuracy reaches `target`, linear in log2 k between the points; None if
    it is not reached. At most the first k where the first point is above already."""
    for index, (k, value) in enumerate(zip(ks, accuracies, strict=True)):
        if value >= target:
            if index == 0:
                return float(k)
            k0, v0 = ks[index - 1], accuracies[index - 1]
            share = (target - v0) / (value - v0)
            return float(2 ** (np.log2(k0) + share * (np.log2(k) - np.log2(k0))))
    return None
