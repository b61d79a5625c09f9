"""Unsupervised separation: are two groups of explanations of one annotator closer together than
two groups of different annotators, without any training?
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from capo_core.stability.corpus import ExplanationCorpus
from capo_core.stats.ridge import MANY_ROWS, Matrix

_REPLICATES = 40  # half-samples for the interval
_CELLS = 2_000_000  # products worked on at once
_FEW = 16  # annotators up to which all pairs of cosines are compared at once


@dataclass(frozen=True)
class Separation:
    """AUC of the cosine of two group means, same annotator against different annotators.

    Attributes:
        k: explanations in each group; the two groups of a pair share no item.
        auc: probability that a same-annotator pair is closer than a different-annotator pair,
            0 to 1; chance 0.5.
        low, high: 95 % interval over items.
    """

    k: int
    auc: float
    low: float
    high: float
    n_items: int


def separations(
    matrix: Matrix, corpus: ExplanationCorpus, ks: tuple[int, ...], *, seed: int, draws: int = 200
) -> list[Separation]:
    """Compute the AUC at each of `ks`, averaged over `draws` random pairs of groups; a k for which
    the items do not suffice is left out.

    Cosines are taken around the mean of all explanations: what all of them share would press every
    cosine towards 1. The interval is that of the half-sample method (McCarthy 1969): the spread of
    the statistic over random halves of the items, less what comes from the finite number of draws.
    Above `MANY_ROWS` explanations, whole items are drawn up to that number.
    """
    rng = np.random.default_rng([seed, 0xA0C])
    if len(corpus) > MANY_ROWS:
        order = rng.permutation(len(corpus.item_ids))
        size = np.bincount(corpus.item, minlength=len(order))[order]
        rows = np.flatnonzero(np.isin(corpus.item, order[np.cumsum(size) <= MANY_ROWS]))
        matrix, corpus = matrix[rows], corpus.take(rows)
    gram = _gram(matrix)
    cells = _first_rows(corpus)
    items = np.unique(corpus.item)
    values = _draw(gram, corpus, cells, rng, ks, draws)
    halves = []
    for _ in range(_REPLICATES):
        half = rng.permutation(items)[: len(items) // 2]
        own = cells[np.isin(corpus.item[cells], half)]
        halves.append(_draw(gram, corpus, own, rng, ks, max(2, draws // 4)))
    found = []
    for index, k in enumerate(ks):
        here = values[:, index]
        if not np.isfinite(here).all():
            continue
        auc = float(here.mean())
        some = np.array([half[:, index] for half in halves])
        some = some[np.isfinite(some).all(axis=1)]
        if len(some) < _REPLICATES // 2:
            found.append(Separation(k, auc, 0.0, 1.0, len(items)))  # halves too small to tell
            continue
        noise = (some.var(axis=1, ddof=1) / some.shape[1]).mean()
        variance = max(some.mean(axis=1).var(ddof=1) - noise, 0) + here.var(ddof=1) / draws
        low, high = _logit_interval(auc, float(np.sqrt(variance)), draws * len(corpus.annotators))
        found.append(Separation(k, auc, low, high, len(items)))
    return found


def _first_rows(corpus: ExplanationCorpus) -> np.ndarray:
    """Select one row for each (item, annotator)."""
    cell = corpus.item.astype(np.int64) * len(corpus.annotators) + corpus.annotator
    return np.unique(cell, return_index=True)[1]


def _gram(matrix: Matrix) -> np.ndarray:
    """Products of all rows [n, n], around their mean: group means need no more of the vectors."""
    gram = matrix @ matrix.T
    gram = gram.toarray() if sparse.issparse(gram) else np.array(gram)
    column = gram.mean(axis=0)
    return gram - column - column[:, None] + column.mean()


def _draw(gram, corpus, cells, rng, ks, draws) -> np.ndarray:
    """AUC of each draw [draws, ks]: items cut in two halves, one group of every annotator from
    each; a group of k is the first k of a larger one. NaN where a half has too few."""
    classes = len(corpus.annotators)
    item, annotator = corpus.item[cells], corpus.annotator[cells]
    values = np.full((draws, len(ks)), np.nan)
    waiting: list[tuple[int, int, np.ndarray]] = []  # draw, explanations in a group, groups
    for index in range(draws):
        side = rng.random(len(corpus.item_ids)) < 0.5
        orders, counts = [], []
        for half in (side, ~side):
            order = rng.permutation(np.flatnonzero(half[item]))
            orders.append(order[np.argsort(annotator[order], kind="stable")])
            counts.append(np.bincount(annotator[order], minlength=classes))
        most = max((k for k in ks if k <= min(count.min() for count in counts)), default=0)
        groups = [
            cells[order[(np.cumsum(count) - count)[:, None] + np.arange(most)]]
            for order, count in zip(orders, counts, strict=True)
        ]
        waiting.append((index, most, np.array(groups)))
    for most in {most for _, most, _ in waiting} - {0}:
        own = [(index, groups) for index, size, groups in waiting if size == most]
        step = max(1, _CELLS // (classes * most) ** 2)
        for start in range(0, len(own), step):
            numbers, groups = zip(*own[start : start + step], strict=True)
            sizes = [k for k in ks if k <= most]
            found = _cosines(gram, np.array(groups), sizes)
            for at, cosines in enumerate(found):
                values[list(numbers), at] = _aucs(cosines)
    return values


def _cosines(gram: np.ndarray, groups: np.ndarray, ks: list[int]) -> Iterator[np.ndarray]:
    """Yield for each k the cosines [draws, C, C] of group means, one group from each half.

    Args:
        groups: rows [draws, 2, C, most]; a group of k is the first k of them.
    """
    flat, width = gram.ravel(), gram.shape[1]
    left, right = groups[:, 0], groups[:, 1]
    across = flat[left[:, :, :, None, None] * width + right[:, None, None]]
    within = flat[groups[..., None] * width + groups[..., None, :]]
    for k in ks:
        lengths = np.sqrt(np.maximum(within[..., :k, :k].sum(axis=(-2, -1)), 0))
        scale = lengths[:, 0, :, None] * lengths[:, 1, None, :]
        summed = across[:, :, :k, :, :k].sum(axis=(2, 4))
        yield summed / np.where(scale > 1e-12, scale, np.inf)


def _aucs(cosines: np.ndarray) -> np.ndarray:
    """Mann–Whitney statistic of the diagonal against the rest, ties one half, of each [draws]."""
    classes = cosines.shape[1]
    off = ~np.eye(classes, dtype=bool)
    same, different = cosines[:, ~off], cosines[:, off]
    if classes <= _FEW:
        lead = same[:, :, None] - different[:, None, :]
        return ((lead > 1e-9).mean(axis=(1, 2)) + (lead >= -1e-9).mean(axis=(1, 2))) / 2
    found = np.empty(len(cosines))
    for index, (own, others) in enumerate(zip(same, np.sort(different), strict=True)):
        below = np.searchsorted(others, own - 1e-9)
        upto = np.searchsorted(others, own + 1e-9, side="right")
        found[index] = (below + upto).mean() / 2 / len(others)
    return found


def _logit_interval(value: float, error: float, n: int) -> tuple[float, float]:
    """95 % interval on the logit scale, so that it stays within 0 and 1."""
    value = min(max(value, 0.5 / n), 1 - 0.5 / n)
    z = stats.norm.ppf(0.975)
    logit = np.log(value / (1 - value))
    half = z * error / (value * (1 - value))
    return float(1 / (1 + np.exp(half - logit))), float(1 / (1 + np.exp(-half - logit)))
