"""What all rungs of a ladder share, drawn before a text is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capo_core.stability.config import StabilityConfig
from capo_core.stability.corpus import Corpus
from capo_core.stability.folds import Partition, partition
from capo_core.stability.permutation import shuffles

CONTROL_PERMUTATIONS = 200  # of controls and of the stricter null, at most


@dataclass(frozen=True)
class Bench:
    """What all rungs of a ladder share: rows, partitions, and the permutations of the null.

    Attributes:
        null_rows: rows on which the null is computed: all, or whole items up to a limit.
        null_parts: their partitions; the very `parts` where all rows are used.
        moves, moves_within_label: see `permutation.shuffles`.
    """

    corpus: Corpus
    config: StabilityConfig
    parts: list[Partition]
    null_rows: np.ndarray
    null_corpus: Corpus
    null_parts: list[Partition]
    moves: np.ndarray
    moves_within_label: np.ndarray


def set_up(corpus: Corpus, config: StabilityConfig) -> Bench:
    """Draw everything that must be drawn before a text is looked at."""

    def partitions(of: Corpus) -> list[Partition]:
        return [
            partition(of, folds=config.folds, groupings=config.groupings, seed=config.seed + index)
            for index in range(config.seeds)
        ]

    parts = partitions(corpus)
    rows = np.arange(len(corpus))
    null_corpus, null_parts = corpus, parts
    if len(corpus) > config.null_rows:
        order = np.random.default_rng([config.seed, 0x9011]).permutation(len(corpus.item_ids))
        size = np.bincount(corpus.item, minlength=len(order))[order]
        rows = np.flatnonzero(np.isin(corpus.item, order[np.cumsum(size) <= config.null_rows]))
        null_corpus = corpus.take(rows)
        null_parts = partitions(null_corpus)
    item = null_corpus.item
    label = item.astype(np.int64) * len(corpus.labels) + null_corpus.label
    strict = min(config.permutations, CONTROL_PERMUTATIONS)
    return Bench(
        corpus,
        config,
        parts,
        rows,
        null_corpus,
        null_parts,
        shuffles(item, config.permutations, config.seed),
        shuffles(label, strict, config.seed + 1),
    )
