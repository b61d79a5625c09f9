"""The permutation null: the whole pipeline under annotators shuffled within each item.

Under the null hypothesis, given the item (and, in the stricter form, the label), an explanation
is independent of its author: the texts of an item may change places among its annotators. Each
permutation moves texts between places, while places (annotator, fold, group) stay: observed and
null statistic share every partition. Only label-free operators are computed from texts
(`ridge.operator`), so a permutation costs some columns of a matrix product. Of few annotators
even fewer: the authors of an item's texts are the same in each permutation, so that one of the
texts follows from the others (`_Contrasts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse

from capo_core.stability.attribution import TIE, Operators
from capo_core.stability.corpus import ExplanationCorpus, Partition, group_slices
from capo_core.stats import ridge

_MANY = 16  # annotators above which sparse products and whole groups are quicker
_CACHED = 700_000  # numbers worked on at once for few annotators
_CELLS = 40_000_000  # and for many; both decide how many permutations go together


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


def testable_pools(
    corpus: ExplanationCorpus, parts: list[Partition], ks: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the `ks` at which every annotator fills a group in every partition.

    At the others the statistic is undefined: with many annotators and few explanations of each,
    at all of them.
    """
    classes = len(corpus.annotators)
    return tuple(k for k in ks if all((_groups(part, classes, k) > 0).all() for part in parts))


def _groups(part: Partition, classes: int, k: int) -> np.ndarray:
    """Count the groups of `k` of each annotator [classes], in all folds and orders."""
    groups = (np.diff(part.starts) // k).reshape(part.folds, classes)
    return groups.sum(axis=0) * len(part.orders)


def permutation_null(
    operators: list[Operators] | None,
    corpus: ExplanationCorpus,
    parts: list[Partition],
    ks: tuple[int, ...],
    moves: np.ndarray,
) -> NullDistribution:
    """Compute the null distribution of pooled accuracy under `moves` [permutations, n] of texts
    within their items (see `shuffles`).

    `operators` are the `attribution.operators` of each partition; they are not used where none of
    the `ks` is testable (`testable_pools`).
    """
    wanted = testable_pools(corpus, parts, ks)
    total = np.full((len(moves) + 1, len(ks)), np.nan)
    if not wanted:
        return NullDistribution(tuple(ks), total[1:], total[0])
    identity = np.arange(len(corpus), dtype=np.int32)[None]
    moves = np.ascontiguousarray(np.concatenate([identity, moves]).T)
    # The text moves[place] lies at `place`, so its author is the place's annotator.
    author = np.empty(moves.shape, dtype=np.int16)
    place = np.broadcast_to(corpus.annotator[:, None], moves.shape)
    np.put_along_axis(author, moves, place, axis=0)
    found = sum(
        _one_partition(fold_operators, corpus, part, wanted, moves, author)
        for fold_operators, part in zip(operators, parts, strict=True)
    )
    total[:, [ks.index(k) for k in wanted]] = found / len(parts)
    return NullDistribution(tuple(ks), total[1:], total[0])


def _one_partition(operators, corpus, part, ks, moves, author) -> np.ndarray:
    """Accuracies [permutations, ks] at testable `ks`; `moves` and `author` are [rows,
    permutations]."""
    classes, count = len(corpus.annotators), moves.shape[1]
    hits = np.zeros((count, len(ks), classes))
    counts = np.array([_groups(part, classes, k) for k in ks])
    for fold in range(part.folds):
        train, test = part.split(fold)
        share = np.bincount(corpus.annotator[train], minlength=classes) / len(train)
        # An annotator without training rows in this fold has no score: 0, as everybody's mean.
        weight = np.divide(1, share, where=share > 0, out=np.zeros_like(share)).astype(np.float32)
        runs = part.starts[fold * classes : (fold + 1) * classes + 1]
        orders = [order[runs[0] : runs[-1]] for order in part.orders]
        local = np.full(len(corpus), -1, dtype=np.int64)
        local[test] = np.arange(len(test))
        if classes <= _MANY:
            contrasts = _Contrasts.of(
                operators[fold], corpus.item[train], author[train, 0], classes
            )
            train = train[contrasts.rows]
            add = _FewAnnotators(contrasts, orders, runs - runs[0], ks, weight)
        else:
            add = _ManyAnnotators(operators[fold], orders, runs - runs[0], ks, weight)
        step = add.chunk(len(train))
        text = local[moves[orders[0]]]  # the text at each place, in the first order
        for begin in range(0, count, step):
            some = slice(begin, begin + step)
            hits[some] += add.hits(author[train, some], text[:, some])
    return (hits / counts).mean(axis=2)


@dataclass(frozen=True)
class _Contrasts:
    """An operator on the training texts without the last of each item.

    Permutations within items leave it as it is how often each annotator is an author of an item:
    A·Y = Σ (A_r − A_last)·Y_r over the other texts r, plus Σ A_last·(the item's authors).

    Attributes:
        rows: which of the training rows these texts are.
        operator: A_r − A_last [n_test, rows].
        fixed: what no permutation changes [n_test, classes].
    """

    rows: np.ndarray
    operator: ridge.Operator
    fixed: np.ndarray

    @classmethod
    def of(cls, operator, item: np.ndarray, author: np.ndarray, classes: int) -> _Contrasts:
        """Return them from the item of each training row [n_train] and one of the authors'
        arrangements [n_train]."""
        order = np.argsort(item, kind="stable")
        last = np.append(np.diff(item[order]) != 0, True)
        number = (np.cumsum(last) - last)[~last]  # of the item of each text that is kept
        rows, ends = order[~last], order[last]
        place = np.empty(len(item), dtype=np.int64)
        place[order] = np.cumsum(last) - last
        authors = np.bincount(place * classes + author, minlength=len(ends) * classes)
        authors = authors.reshape(-1, classes).astype(np.float32)
        whole = operator.right if isinstance(operator, ridge.Factors) else operator
        end = whole[:, ends]
        less = whole[:, rows] - end[:, number]
        if isinstance(operator, ridge.Factors):
            made = ridge.Factors(operator.left, less)
            return cls(rows, made, operator.left @ (end @ authors))
        return cls(rows, less, end @ authors)


class _FewAnnotators:
    """Right attributions of a fold's groups, for few annotators with many groups each.

    A permutation is a column of every array here, so that rows are picked and added as a whole;
    sums of k explanations are made from those of fewer.
    """

    def __init__(self, contrasts, orders, starts, ks, weight) -> None:
        self.contrasts, self.starts, self.ks, self.weight = contrasts, starts, ks, weight
        self.orders = len(orders)
        self.several = _nested_groups(orders, starts, tuple(k for k in ks if k > 1))

    def chunk(self, n_train: int) -> int:
        """Return the number of permutations that go together: what they need stays in cache."""
        rows = n_train + (len(self.weight) + 2) * max(1, int(self.starts[-1]))
        return int(np.clip(_CACHED // rows, 64, 4096))

    def hits(self, author: np.ndarray, text: np.ndarray) -> np.ndarray:
        """Return the hits, float64 [permutations, ks, classes].

        Args:
            author: of each training text of the contrasts [rows, permutations].
            text: the test text that lies at each place of the first order [places, permutations].
        """
        classes, count = len(self.weight), author.shape[1]
        single = np.empty((classes, *text.shape), dtype=np.float32)
        at = (text * count + np.arange(count)).ravel()
        operator, fixed = self.contrasts.operator, self.contrasts.fixed
        last = np.zeros((len(fixed), count), dtype=np.float32)
        for label in range(classes):
            # The operator's rows sum to zero, and so do the classes' scores before weighting.
            if label < classes - 1:
                scores = operator @ (author == label).astype(np.float32)
                scores += fixed[:, label, None]
                last -= scores
            else:
                scores = last
            np.take(scores.ravel(), at, out=single[label].ravel(), mode="clip")
            single[label] *= self.weight[label]
        found = np.zeros((count, len(self.ks), classes))
        levels = {1: single}
        for index, k in enumerate(self.ks):
            if k == 1:  # groups of one are the same in every order
                found[:, index] = _hits(single, self.starts) * self.orders
                continue
            source, members, starts = self.several[k]
            below = levels[source]
            pooled = below[:, members[0]]
            for member in members[1:]:
                pooled += below[:, member]
            levels[k] = pooled
            found[:, index] = _hits(pooled, starts)
        return found


def _nested_groups(orders, starts, ks) -> dict[int, tuple[int, np.ndarray, np.ndarray]]:
    """Return how the groups of each k in all `orders` are made from those of a smaller one.

    k → (the smaller k, members [their number, groups], the first group of each label [labels + 1]);
    groups are sorted by label, and those of 1 are the places of the first order.
    """
    place = np.empty(int(max(order.max() for order in orders)) + 1, dtype=np.int64)
    place[orders[0]] = np.arange(len(orders[0]))
    runs = [
        place[order[begin:end]]
        for begin, end in pairwise(starts)  # one label after the other
        for order in orders
    ]
    first = {1: None}  # the first group of each run among those of k
    made = {}
    for k in ks:
        source = max(k_ for k_ in first if k % k_ == 0)
        number = np.array([len(run) // k for run in runs])
        members = []
        for index, (run, n) in enumerate(zip(runs, number, strict=True)):
            within = np.arange(n * (k // source))
            found = run[within] if source == 1 else first[source][index] + within
            members.append(found.reshape(n, k // source))
        first[k] = np.concatenate([[0], np.cumsum(number)])
        columns = np.ascontiguousarray(np.concatenate(members).T)
        made[k] = (source, columns, first[k][:: len(orders)])
    return made


def _hits(pooled: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Count the right attributions of each label's groups, ties shared, [permutations, labels].

    `pooled` [labels, groups, permutations]; the groups of a label are neighbours from `starts`.
    """
    labels, _, count = pooled.shape
    found = np.zeros((count, labels))
    for label, (begin, end) in enumerate(pairwise(starts)):
        if begin == end:
            continue
        own = pooled[label, begin:end]
        rest = [other for other in range(labels) if other != label]
        other = pooled[rest[0], begin:end]
        for index in rest[1:]:
            other = np.maximum(other, pooled[index, begin:end])
        lead = own - other
        right = lead >= -TIE
        found[:, label] = right.sum(axis=0, dtype=np.uint16)
        close = np.flatnonzero(right & (lead <= TIE))
        if len(close):
            group, permutation = np.divmod(close, count)
            tied = pooled[:, begin + group, permutation]
            shares = 1 / (tied >= tied.max(axis=0) - TIE).sum(axis=0)
            found[:, label] += np.bincount(permutation, shares - 1, count)
    return found


class _ManyAnnotators:
    """Right attributions of a fold's groups, for many annotators with few groups each: sparse
    products, and all groups of one k at once."""

    def __init__(self, operator, orders, starts, ks, weight) -> None:
        self.operator, self.starts, self.ks, self.weight = operator, starts, ks, weight
        place = np.empty(int(max(order.max() for order in orders)) + 1, dtype=np.int64)
        place[orders[0]] = np.arange(len(orders[0]))
        self.orders = [place[order] for order in orders]
        self.annotator = np.repeat(np.arange(len(weight)), np.diff(starts))

    def chunk(self, n_train: int) -> int:
        """Return the number of permutations that go together."""
        return max(1, _CELLS // (len(self.weight) * (self.operator.shape[0] + n_train)))

    def hits(self, author: np.ndarray, text: np.ndarray) -> np.ndarray:
        """Return the hits, float64 [permutations, ks, classes]; arguments as for few."""
        scores, text = self._scores(author), np.ascontiguousarray(text.T)
        found = np.zeros((len(text), len(self.ks), len(self.weight)))
        several = tuple(k for k in self.ks if k > 1)
        if 1 in self.ks:
            single = _single_hits(scores, text, self.annotator)
            found[:, self.ks.index(1)] = single * len(self.orders)
        if several:
            added = np.zeros((len(text), len(several), len(self.weight)))
            for order in self.orders:
                _add_hits_of_many(scores, text[:, order], self.starts, several, added)
            found[:, [self.ks.index(k) for k in several]] = added
        return found

    def _scores(self, author: np.ndarray) -> np.ndarray:
        """Scores [classes, permutations, n_test] of the texts under each permutation."""
        (n_train, count), classes = author.shape, len(self.weight)
        rows = (np.arange(count) * classes + author).ravel()
        ones = np.ones(len(rows), dtype=np.float32)
        picker = sparse.csr_matrix(
            (ones, (rows, np.repeat(np.arange(n_train), count))), shape=(count * classes, n_train)
        )
        summed = ridge.apply(self.operator, picker.T).T.reshape(count, classes, -1)
        return summed.transpose(1, 0, 2) * self.weight[:, None, None]


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


def _add_hits_of_many(scores, text, starts, ks, hits) -> None:
    """Add one order's right attributions to `hits` [permutations, ks, classes].

    `text` [permutations, places] numbers the test text that lies at each place.
    """
    classes, count, width = scores.shape
    flat = text + (np.arange(count) * width)[:, None]
    at_place = np.take(scores.reshape(classes, -1), flat.ravel(), axis=1)
    summed = np.zeros((classes, count, text.shape[1] + 1), dtype=np.float32)
    np.cumsum(at_place.reshape(classes, count, -1), axis=2, out=summed[:, :, 1:])
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
