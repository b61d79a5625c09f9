"""The permutation null: the whole pipeline under annotators shuffled within each item.

Under the null hypothesis, given the item (and, in the stricter form, the label), an explanation
is independent of its author: the texts of an item may change places among its annotators. Each
permutation moves texts between places, while places (annotator, fold, group) stay: observed and
null statistic share every partition. Only label-free operators are computed from texts
(`ridge.operator`), so a permutation costs some columns of a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from capo_core.stability.attribution import TIE, Operators, shared_hits
from capo_core.stability.corpus import ExplanationCorpus, Partition, group_slices

_MANY = 16  # annotators above which sparse products and whole groups are quicker
_CELLS = 40_000_000  # scores held at once; decides how many permutations go together


@dataclass(frozen=True)
class NullDistribution:
    """Accuracies under the null.

    Attributes:
        values: [permutations, len(ks)], mean over partitions and groupings.
        observed: [len(ks)], the same statistic on the unpermuted data.
        ks: the pool sizes.
    """

    ks: tuple[int, ...]
    values: np.ndarray
    observed: np.ndarray

    def p_values(self) -> np.ndarray:
        """Return (1 + #{null ≥ observed}) / (1 + permutations) for each k; one-sided, never 0.

        Phipson & Smyth 2010. Sums in a different order differ in the last digits, so ties count
        with a tolerance.
        """
        beaten = (self.values >= self.observed - 1e-9).sum(axis=0)
        return (1 + beaten) / (1 + len(self.values))


def shuffles(strata: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` random permutations of rows within equal `strata` [count, n].

    Row j of the result says, for each place, which row's text lies there.
    """
    rng = np.random.default_rng([seed, 0x5BFF])
    n = len(strata)
    places = np.argsort(strata, kind="stable")
    result = np.empty((count, n), dtype=np.int32)
    for index in range(count):
        shuffled = np.lexsort((rng.random(n), strata))
        result[index, places] = shuffled
    return result


def permutation_null(
    operators: list[Operators],
    corpus: ExplanationCorpus,
    parts: list[Partition],
    ks: tuple[int, ...],
    moves: np.ndarray,
) -> NullDistribution:
    """Compute the null distribution of pooled accuracy under `moves` [permutations, n] (see
    `shuffles`).

    `operators` are the `attribution.operators` of each partition.
    """
    identity = np.arange(len(corpus), dtype=np.int32)[None]
    moves = np.concatenate([identity, moves])
    total = np.zeros((len(moves), len(ks)))
    for fold_operators, part in zip(operators, parts, strict=True):
        total += _one_partition(fold_operators, corpus, part, ks, moves)
    total /= len(parts)
    return NullDistribution(tuple(ks), total[1:], total[0])


def _one_partition(operators, corpus, part, ks, moves) -> np.ndarray:
    classes = len(corpus.annotators)
    hits = np.zeros((len(moves), len(ks), classes))
    counts = np.zeros((len(ks), classes))
    for index, k in enumerate(ks):
        groups = (np.diff(part.starts) // k).reshape(part.folds, classes)
        counts[index] = groups.sum(axis=0) * len(part.orders)
    # Where an annotator fills no group the statistic is undefined, and so is its p-value.
    defined = (counts > 0).all(axis=1)
    several = tuple(k for k, there in zip(ks, defined, strict=True) if there and k > 1)
    places = [ks.index(k) for k in several]
    for fold in range(part.folds):
        train, test = part.split(fold)
        share = np.bincount(corpus.annotator[train], minlength=classes) / len(train)
        runs = part.starts[fold * classes : (fold + 1) * classes + 1]
        orders = [order[runs[0] : runs[-1]] for order in part.orders]
        local = np.full(len(corpus), -1, dtype=np.int64)
        local[test] = np.arange(len(test))
        chunk = max(1, _CELLS // max(1, classes * (len(test) + len(train))))
        for begin in range(0, len(moves), chunk):
            some = moves[begin : begin + chunk]
            scores = _scores(operators[fold], corpus.annotator, train, some, share)
            here = hits[begin : begin + chunk]
            if 1 in ks and defined[ks.index(1)]:
                text = local[some[:, orders[0]]]  # groups of one are the same in every order
                single = _single_hits(scores, text, corpus.annotator[orders[0]])
                here[:, ks.index(1)] += single * len(orders)
            if not several:
                continue
            added = np.zeros((len(some), len(several), classes))
            for order in orders:
                _add_hits(scores, local[some[:, order]], runs - runs[0], several, added)
            here[:, places] += added
    counts[~defined] = np.nan
    return (hits / counts).mean(axis=2)


def _scores(operator, annotator, train, moves, share) -> np.ndarray:
    """Scores [classes, permutations, n_test] of the texts under each permutation of authors."""
    classes, count = len(share), len(moves)
    # The text moves[p, place] lies at `place`, so its author is the place's annotator. Places of
    # the training items hold texts of training items: shuffles stay within items.
    author = np.empty(moves.shape, dtype=np.int16)
    np.put_along_axis(author, moves, np.broadcast_to(annotator, moves.shape), axis=1)
    author = author[:, train]
    # An annotator without training rows in this fold has no score: 0, as everybody's mean.
    weight = np.divide(1, share, where=share > 0, out=np.zeros_like(share)).astype(np.float32)
    result = np.empty((classes, count, operator.shape[0]), dtype=np.float32)
    if classes <= _MANY:
        # The operator's rows sum to zero, and so do the classes' scores before weighting.
        result[-1] = 0
        for label in range(classes - 1):
            result[label] = (author == label).astype(np.float32) @ operator.T
            result[-1] -= result[label]
        result *= weight[:, None, None]
        return result
    rows = np.repeat(np.arange(count), len(train)) * classes + author.ravel()
    ones = np.ones(len(rows), dtype=np.float32)
    picker = sparse.csr_matrix(
        (ones, (rows, np.tile(np.arange(len(train)), count))), shape=(count * classes, len(train))
    )
    summed = np.asarray(picker @ operator.T).reshape(count, classes, -1)
    return summed.transpose(1, 0, 2) * weight[:, None, None]


def _single_hits(scores, text, annotator) -> np.ndarray:
    """Return the right attributions of single texts [permutations, classes], ties shared.

    `text` [permutations, places] numbers the test text at each place, `annotator` [places] is the
    place's.
    """
    classes, count, _ = scores.shape
    floor = scores.max(axis=0) - TIE
    which = np.arange(count)[:, None]
    own = scores[annotator[None, :], which, text]
    permutation, place = np.nonzero(own >= floor[which, text])
    here = text[permutation, place]
    tied = (scores[:, permutation, here] >= floor[permutation, here]).sum(axis=0)
    flat = permutation * classes + annotator[place]
    return np.bincount(flat, 1 / tied, count * classes).reshape(count, classes)


def _add_hits(scores, text, starts, ks, hits) -> None:
    """Add one order's right attributions to `hits` [permutations, ks, classes].

    `text` [permutations, places] numbers the test text that lies at each place.
    """
    classes, count, width = scores.shape
    flat = text + (np.arange(count) * width)[:, None]
    at_place = np.take(scores.reshape(classes, -1), flat.ravel(), axis=1)
    summed = np.zeros((classes, count, text.shape[1] + 1), dtype=np.float32)
    np.cumsum(at_place.reshape(classes, count, -1), axis=2, out=summed[:, :, 1:])
    if classes > _MANY:
        _add_hits_of_many(summed, starts, ks, hits)
        return
    for label in range(classes):
        begin, size = starts[label], starts[label + 1] - starts[label]
        for index, k in enumerate(ks):
            if size < k:
                continue
            # Groups of k are k neighbouring places, so that group sums are differences of slices.
            edges = summed[:, :, begin : begin + size // k * k + 1 : k]
            hits[:, index, label] += shared_hits(np.diff(edges, axis=2), label).sum(axis=1)


def _add_hits_of_many(summed, starts, ks, hits) -> None:
    """Add the hits for many annotators with few groups each: all groups of one k at once."""
    classes = summed.shape[0]
    for index, k in enumerate(ks):
        first, label = group_slices(starts, k)
        if not len(first):
            continue
        pooled = summed[:, :, first + k] - summed[:, :, first]
        floor = pooled.max(axis=0) - TIE
        own = pooled[label, :, np.arange(len(label))].T
        hit = (own >= floor).astype(np.float32)
        at = np.nonzero(hit)
        hit[at] /= (pooled[(slice(None), *at)] >= floor[at]).sum(axis=0)
        member = sparse.csr_matrix(
            (np.ones(len(label), np.float32), (np.arange(len(label)), label)),
            shape=(len(label), classes),
        )
        hits[:, index] += hit @ member
