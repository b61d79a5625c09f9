"""Attribution of held-out explanations to annotators, one by one and pooled.

Pooled: several explanations of one annotator, on different held-out items, attributed together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse, stats

from capo_core.stability.corpus import ExplanationCorpus, Partition, group_slices
from capo_core.stats import ridge
from capo_core.stats.intervals import accuracy_interval
from capo_core.stats.ridge import MANY_ROWS
from capo_core.text.representations import Features

_TEMPERATURE_ROWS = 5000  # one number is fitted; more rows would not change it
_TEMPERATURE_CELLS = 2_000_000  # nor would more scores, where annotators are many
_CELLS = 4_000_000  # scores of many annotators worked on at once
_SPARSE = 64  # annotators above which targets are sparse


def one_hot(annotator: np.ndarray, annotators: int) -> ridge.Matrix:
    """Targets [n, C], 1 at the annotator; sparse for many annotators."""
    if annotators > _SPARSE:
        ones = np.ones(len(annotator), dtype=np.float32)
        shape = (len(annotator), annotators)
        return sparse.csr_matrix((ones, (np.arange(len(annotator)), annotator)), shape=shape)
    return np.eye(annotators, dtype=np.float32)[annotator]


Operators = list[ridge.Operator]


def operators(features: Features, part: Partition) -> Operators | None:
    """Return the label-free operator of each fold (see `ridge`); None for too many rows."""
    if len(part.fold) > MANY_ROWS:
        return None
    return [features.operator(*part.split(fold)) for fold in range(part.folds)]


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
        share = np.bincount(corpus.annotator[train], minlength=classes) / len(train)
        share = np.maximum(share, 1e-12).astype(np.float32)  # nobody of a class: scores are 0
        if fold_operators is not None:
            scores = ridge.apply(fold_operators[fold], targets)
        else:
            scores = ridge.scores(*features.split(train, test), targets)
        result[test] = scores / share
    return result


def _own_log_probability(
    scores: np.ndarray, corpus: ExplanationCorpus, part: Partition
) -> np.ndarray:
    """Natural logarithm of the author's probability [n]: the softmax of scores [n, C], its
    temperature fitted, fold by fold, on the other folds' rows."""
    result = np.empty(len(scores))
    most = min(_TEMPERATURE_ROWS, max(_TEMPERATURE_CELLS // scores.shape[1], 1))
    for fold in range(part.folds):
        train, test = part.split(fold)
        some = train[:: -(-len(train) // most)]
        slope = _temperature(scores[some], corpus.annotator[some])
        for rows in _chunks(test, scores.shape[1]):
            own = corpus.annotator[rows]
            result[rows] = _log_softmax(slope * scores[rows])[np.arange(len(rows)), own]
    return result


def _chunks(rows: np.ndarray, cells_a_row: int) -> Iterator[np.ndarray]:
    """Parts of `rows` whose cells fit into memory at once."""
    step = max(1, _CELLS // max(1, cells_a_row))
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _temperature(scores: np.ndarray, annotator: np.ndarray) -> float:
    """The factor on scores that minimises the log-loss, classes weighted equally."""
    weight = 1 / np.bincount(annotator, minlength=scores.shape[1])[annotator]
    rows = np.arange(len(annotator))
    shifted = scores - scores.max(axis=1, keepdims=True)
    own = shifted[rows, annotator]

    def loss(log_slope: float) -> float:
        chosen = _log_softmax(np.exp(log_slope) * scores)[rows, annotator]
        return -(weight * chosen).sum()

    def loss_of_many(log_slope: float) -> float:
        # Single precision, and one pass over the scores: they are what this costs.
        slope = np.float32(np.exp(log_slope))
        total = np.exp(slope * shifted).sum(axis=1, dtype=np.float64)
        return -(weight * (slope * own - np.log(total))).sum()

    if scores.shape[1] > _SPARSE:
        loss = loss_of_many

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def _log_softmax(values: np.ndarray) -> np.ndarray:
    values = values - values.max(axis=1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


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
    gains = [information_gains(*pair, corpus) for pair in zip(scores, parts, strict=True)]
    return information_from(gains, corpus, parts)


def information_gains(score: np.ndarray, part: Partition, corpus: ExplanationCorpus) -> np.ndarray:
    """Return the bits by which each tested explanation names its author, float64 [tested]."""
    own = _own_log_probability(score, corpus, part)[part.tested]
    return np.maximum(own, np.log(1e-12)) / np.log(2) + np.log2(len(corpus.annotators))


def information_from(
    gains: list[np.ndarray], corpus: ExplanationCorpus, parts: list[Partition]
) -> Information:
    """Return the information from `information_gains` of each partition."""
    classes = len(corpus.annotators)
    rows = np.concatenate([np.flatnonzero(part.tested) for part in parts])
    gain, annotator, item = np.concatenate(gains), corpus.annotator[rows], corpus.item[rows]
    total = np.maximum(np.bincount(annotator, minlength=classes), 1)
    mean = np.bincount(annotator, gain, classes) / total
    influence = np.bincount(item, (gain - mean[annotator]) / total[annotator] / classes)
    half = stats.norm.ppf(0.975) * float(np.sqrt((influence**2).sum()))
    bits = float(mean.mean())
    return Information(bits, bits - half, bits + half, len(np.unique(item)))


MANY = 20  # annotators above which the rank of the right one is reported beside accuracy
TOP = 5  # places that count as found then
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
        top: share of groups whose annotator is among the `TOP` likeliest, with its interval;
            None for at most `MANY` annotators.
        rank: mean place of the right annotator, 1 is best and (C + 1) / 2 chance, with its
            interval; None as for `top`. Ties count as half, and share their places.
    """

    k: int
    accuracy: float
    low: float
    high: float
    n_items: int
    n_groups: int
    top: tuple[float, float, float] | None = None
    rank: tuple[float, float, float] | None = None


def group_hits(scores: np.ndarray, order: np.ndarray, starts: np.ndarray, k: int):
    """Attribute groups of `k`: (hit [groups] 0…1, annotator, first position).

    A group's score is the sum of its explanations' scores; a tie is shared.
    """
    first, run = group_slices(starts, k)
    annotator = run % scores.shape[1]
    return _places(scores, order, first, annotator, k)[0], annotator, first


def _places(scores, order, first, annotator, k, ranks: bool = False) -> np.ndarray:
    """Return what each group's scores say of its annotator, float64 [1 or 3, groups].

    Hit (0 … 1, ties shared); with `ranks` also: among the `TOP` likeliest (a share, where ties
    decide), and rank from 1.
    """
    found = np.empty((3 if ranks else 1, len(first)))
    for groups in _chunks(np.arange(len(first)), k * scores.shape[1]):
        rows = order[first[groups, None] + np.arange(k)]
        pooled = scores[rows[:, 0]].astype(float) if k == 1 else scores[rows].sum(1, dtype=float)
        own = pooled[np.arange(len(groups)), annotator[groups]][:, None]
        floor = pooled.max(axis=1, keepdims=True) - TIE
        right = np.flatnonzero((own >= floor).ravel())
        hit = np.zeros(len(groups))
        hit[right] = 1 / (pooled[right] >= floor[right]).sum(axis=1)
        found[0, groups] = hit
        if ranks:
            above = (pooled > own + TIE).sum(axis=1)
            ties = (pooled >= own - TIE).sum(axis=1) - above
            found[1, groups] = np.clip((TOP - above) / ties, 0, 1)
            found[2, groups] = above + (ties + 1) / 2
    return found


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
    found = [pooled_in_partition(*pair, corpus, k) for pair in zip(scores, parts, strict=True)]
    return pooled_accuracy(found, corpus, parts, k, trials)


@dataclass(frozen=True)
class PartitionAccuracy:
    """Statistics under one partition: accuracy, and for many annotators top places and rank.

    Attributes:
        mean: [1 or 3], annotators counted equally.
        influence: [1 or 3, items]; an item's influence is the sum over its groups of (value −
            mean), to first order what the statistic gains when the item's weight grows (the
            infinitesimal jackknife).
        spread: variance of the rank within annotators; NaN for few annotators.
        n_groups: groups in a grouping.
    """

    mean: np.ndarray
    influence: np.ndarray
    spread: float
    n_groups: int


def pooled_in_partition(
    score: np.ndarray, part: Partition, corpus: ExplanationCorpus, k: int
) -> PartitionAccuracy | None:
    """Compute the statistics at `k` under one partition; None where an annotator has no group."""
    classes, n_items = len(corpus.annotators), len(corpus.item_ids)
    first, run = group_slices(part.starts, k)
    annotator = run % classes
    count = np.bincount(annotator, minlength=classes) * len(part.orders)
    if (count == 0).any():
        return None
    # Groups of one are the same in every order.
    orders = part.orders[:1] if k == 1 else part.orders
    values = [_places(score, order, first, annotator, k, classes > MANY) for order in orders]
    weight = len(part.orders) / len(orders) / count / classes
    kinds = len(values[0])
    mean = sum(
        np.array([np.bincount(annotator, row, classes) for row in value]) for value in values
    ) * (len(part.orders) / len(orders) / count)
    influence = np.zeros((kinds, n_items))
    for order, value in zip(orders, values, strict=True):
        items = corpus.item[order[first[:, None] + np.arange(k)]].ravel()
        for kind in range(kinds):
            own = (value[kind] - mean[kind, annotator]) * weight[annotator]
            influence[kind] += np.bincount(items, np.repeat(own, k), n_items)
    spread = np.nan
    if kinds > 1:
        spread = float(np.mean([((v[2] - mean[2, annotator]) ** 2).mean() for v in values]))
    return PartitionAccuracy(mean.mean(axis=1), influence, spread, len(first))


def pooled_accuracy(
    found: list[PartitionAccuracy | None],
    corpus: ExplanationCorpus,
    parts: list[Partition],
    k: int,
    trials: float | None = None,
) -> PooledAccuracy | None:
    """Return the mean over partitions (see `pool`); None where one of them has none."""
    if any(one is None for one in found):
        return None
    means = np.mean([one.mean for one in found], axis=0)
    errors = [
        _item_error(np.array([one.influence[kind] for one in found])) for kind in range(len(means))
    ]
    n_groups = found[-1].n_groups
    trials = trials or float(n_groups)
    if len(means) > 1:
        # The null of many annotators hardly varies: no more trials than explanations.
        trials = min(trials, float(n_groups * k))
    accuracy = float(means[0])
    low, high = accuracy_interval(accuracy, trials, errors[0])
    top = rank = None
    if len(means) > 1:
        share = float(np.clip(means[1], 0, 1))
        top = (share, *accuracy_interval(share, trials, errors[1]))
        spread = float(np.mean([one.spread for one in found]))
        half = stats.norm.ppf(0.975) * max(errors[2], float(np.sqrt(spread / trials)))
        place = float(means[2])
        rank = (place, max(1.0, place - half), min(float(len(corpus.annotators)), place + half))
    n_items = len(np.unique(corpus.item[parts[0].tested]))
    return PooledAccuracy(k, accuracy, low, high, n_items, n_groups, top, rank)


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
