"""Cross-validation folds and groups of explanations: fixed before any text is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capo_core.errors import DataError
from capo_core.stability.corpus import Corpus


@dataclass(frozen=True)
class Partition:
    """One seed's folds and groupings; the observed statistic and its null share it.

    Attributes:
        fold: the fold in which a row is tested [n].
        tested: rows that are tested [n], one for each (item, annotator): where an annotator gave
            two labels to an item, one of the two explanations is drawn, since both would enter a
            group as if they were independent. All rows train.
        orders: `groupings` permutations of the tested rows. Within each, rows are sorted by fold
            and annotator and shuffled inside; a group of k is k consecutive rows of one such run.
        starts: the beginning of each run in an order, and its end [runs + 1].
    """

    fold: np.ndarray
    tested: np.ndarray
    orders: tuple[np.ndarray, ...]
    starts: np.ndarray
    folds: int

    def split(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers that train and that are tested in `fold`."""
        here = self.fold == fold
        return np.flatnonzero(~here), np.flatnonzero(here)


def partition(corpus: Corpus, *, folds: int, groupings: int, seed: int) -> Partition:
    """Draw one partition. No item, and no two items that share a text, is on both sides.

    Raises:
        DataError: fewer blocks of items than folds.
    """
    rng = np.random.default_rng([seed, 0xF01D])
    sizes = np.bincount(corpus.block)
    if len(sizes) < folds:
        raise DataError(
            f"{len(sizes)} separate items cannot be divided into {folds} folds",
            expected=f"at least {folds} items that share no text",
            todo="import more items, or ask for fewer folds",
        )
    fold = _balanced(sizes, folds, rng)[corpus.block]
    rows = rng.permutation(len(corpus))
    cell = corpus.item[rows].astype(np.int64) * len(corpus.annotators) + corpus.annotator[rows]
    tested = np.zeros(len(corpus), dtype=bool)
    tested[rows[np.unique(cell, return_index=True)[1]]] = True
    run = fold.astype(np.int64) * len(corpus.annotators) + corpus.annotator
    chosen = np.flatnonzero(tested)
    orders = []
    for _ in range(groupings):
        shuffled = rng.permutation(chosen)
        orders.append(shuffled[np.argsort(run[shuffled], kind="stable")])
    counts = np.bincount(run[chosen], minlength=folds * len(corpus.annotators))
    return Partition(fold, tested, tuple(orders), np.concatenate([[0], np.cumsum(counts)]), folds)


def _balanced(sizes: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """A fold for each block, so that folds hold about the same number of rows."""
    load = np.zeros(folds)
    fold = np.empty(len(sizes), dtype=np.int64)
    order = rng.permutation(len(sizes))
    big = sizes > max(1.0, sizes.sum() / (20 * folds))
    # Large blocks first, each to the emptiest fold; the many small ones are dealt out in turn.
    for block in sorted(order[big[order]], key=lambda b: -sizes[b]):
        fold[block] = load.argmin()
        load[fold[block]] += sizes[block]
    small = order[~big[order]]
    if len(small):
        if not big.any():
            fold[small] = np.arange(len(small)) % folds
        else:
            for block in small:
                fold[block] = load.argmin()
                load[fold[block]] += sizes[block]
    return fold


def group_slices(starts: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """First position and run of every group of `k`; what does not fill a group is left out."""
    counts = np.diff(starts) // k
    run = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return starts[run] + within * k, run
