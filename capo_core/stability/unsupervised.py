"""The claim in its purest form: without any training, do two groups of explanations of one
annotator lie closer together than two groups of different annotators?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from capo_core.stability.corpus import Corpus
from capo_core.text.represent import Matrix

_REPLICATES = 40  # half-samples for the interval
_DENSE_CELLS = 20_000_000  # n-grams up to this size are quicker dense


@dataclass(frozen=True)
class Separation:
    """How well the cosine of two group means tells "same annotator" from "different annotators".

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


def separation(
    matrix: Matrix, corpus: Corpus, k: int, *, seed: int, draws: int = 200
) -> Separation | None:
    """AUC at `k`, averaged over `draws` random pairs of groups; None where items do not suffice.

    Cosines are taken around the mean of all explanations: what all of them share would press every
    cosine towards 1. The interval is that of the half-sample method (McCarthy 1969): the spread of
    the statistic over random halves of the items, less what comes from the finite number of draws.
    """
    rng = np.random.default_rng([seed, k, 0xA0C])
    if sparse.issparse(matrix):
        small = matrix.shape[0] * matrix.shape[1] <= _DENSE_CELLS
        matrix = matrix.toarray() if small else matrix.tocsr()
    cells = _first_rows(corpus)
    values = _draw(matrix, corpus, cells, rng, k, draws)
    if values is None:
        return None
    auc = float(values.mean())
    spread, noise = [], []
    items = np.unique(corpus.item)
    for _ in range(_REPLICATES):
        half = rng.permutation(items)[: len(items) // 2]
        part = _draw(matrix, corpus, cells[np.isin(corpus.item[cells], half)], rng, k, draws // 4)
        if part is not None:
            spread.append(part.mean())
            noise.append(part.var(ddof=1) / len(part))
    n_items = len(items)
    if len(spread) < _REPLICATES // 2:
        return Separation(k, auc, 0.0, 1.0, n_items)  # halves too small: nothing can be said
    variance = max(np.var(spread, ddof=1) - np.mean(noise), 0) + values.var(ddof=1) / draws
    low, high = _logit_interval(auc, float(np.sqrt(variance)), draws * len(corpus.annotators))
    return Separation(k, auc, low, high, n_items)


def _first_rows(corpus: Corpus) -> np.ndarray:
    """One row for each (item, annotator)."""
    cell = corpus.item.astype(np.int64) * len(corpus.annotators) + corpus.annotator
    return np.unique(cell, return_index=True)[1]


def _draw(matrix, corpus, cells, rng, k, draws) -> np.ndarray | None:
    """AUC of each draw: items cut in two halves, one group of every annotator from each."""
    centre = np.asarray(matrix.mean(axis=0)).ravel()
    classes = len(corpus.annotators)
    item, annotator = corpus.item[cells], corpus.annotator[cells]
    values = []
    for _ in range(draws):
        side = rng.random(len(corpus.item_ids)) < 0.5
        groups = []
        for half in (side, ~side):
            order = rng.permutation(np.flatnonzero(half[item]))
            order = order[np.argsort(annotator[order], kind="stable")]
            count = np.bincount(annotator[order], minlength=classes)
            if (count < k).any():
                return None
            begin = np.cumsum(count) - count
            rows = cells[order[begin[:, None] + np.arange(k)]]
            groups.append(_mean(matrix, rows, centre))
        cosine = groups[0] @ groups[1].T
        values.append(_auc(cosine))
    return np.array(values) if values else None


def _mean(matrix: Matrix, rows: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Unit-length means [C, d], around `centre` [d], of the groups `rows` [C, k]."""
    if sparse.issparse(matrix):
        classes, k = rows.shape
        picker = sparse.csr_matrix(
            (np.ones(rows.size), (np.repeat(np.arange(classes), k), rows.ravel())),
            shape=(classes, matrix.shape[0]),
        )
        mean = np.asarray((picker @ matrix).todense()) / k
    else:
        mean = matrix[rows].mean(axis=1)
    mean = mean - centre
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    return mean / np.where(length > 0, length, 1)


def _auc(cosine: np.ndarray) -> float:
    """Mann–Whitney statistic of the diagonal against the rest, ties one half."""
    off = ~np.eye(len(cosine), dtype=bool)
    same, different = np.diag(cosine), np.sort(cosine[off])
    below = np.searchsorted(different, same - 1e-9)
    upto = np.searchsorted(different, same + 1e-9, side="right")
    return float((below + upto).mean() / 2 / len(different))


def _logit_interval(value: float, error: float, n: int) -> tuple[float, float]:
    """95 % interval on the logit scale, so that it stays within 0 and 1."""
    value = min(max(value, 0.5 / n), 1 - 0.5 / n)
    z = stats.norm.ppf(0.975)
    logit = np.log(value / (1 - value))
    half = z * error / (value * (1 - value))
    return float(1 / (1 + np.exp(half - logit))), float(1 / (1 + np.exp(-half - logit)))
