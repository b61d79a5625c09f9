"""One rung of the ladder: a representation under a reduction (or a control), at every k."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from capo_core.stability import attribution
from capo_core.stability.attribution import Information
from capo_core.stability.bench import Bench
from capo_core.stability.controls import same_label_accuracy, same_label_pairs
from capo_core.stability.permutation import Null, permutation_null
from capo_core.stability.pooling import Pooled, accuracy_interval, effective_trials, pool
from capo_core.text.represent import Features


@dataclass(frozen=True)
class _Rows(Features):
    """Some rows of other features."""

    base: Features
    rows: np.ndarray

    @property
    def n_rows(self):
        return len(self.rows)

    def split(self, train, test):
        return self.base.split(self.rows[train], self.rows[test])


@dataclass(frozen=True)
class Rung:
    """One representation under one reduction (or one control), at every k.

    Attributes:
        scores: held-out scores of the first partition, float32 [n, C].
        same_label: whose is whose (accuracy, low, high, items, pairs); None where no two annotators
            gave an item the same label.
    """

    representation: str
    reduction: str
    control: str
    pooled: tuple[Pooled, ...]
    null: Null | None
    strict: Null | None
    information: Information
    scores: np.ndarray
    same_label: tuple[float, float, float, int, int] | None


def climb(
    bench: Bench,
    make: Callable[[], Features],
    names: tuple[str, str, str],
    *,
    permutations: int | None = None,
    strict: bool = False,
) -> Rung:
    """Compute one rung. `names` are representation, reduction and control ("" for none).

    Args:
        permutations: use only the first so many of the bench's.
        strict: also the null within labels, and the comparison at equal labels.
    """
    corpus, config = bench.corpus, bench.config
    features = make()
    made = [attribution.operators(features, part) for part in bench.parts]
    scores = [
        attribution.held_out_scores(features, corpus, part, operators)
        for part, operators in zip(bench.parts, made, strict=True)
    ]
    if bench.null_corpus is not corpus:
        on_rows = _Rows(features, bench.null_rows)
        made = [attribution.operators(on_rows, part) for part in bench.null_parts]

    def null(moves: np.ndarray) -> Null | None:
        if not len(moves):
            return None
        return permutation_null(made, bench.null_corpus, bench.null_parts, config.pool, moves)

    shuffled = null(bench.moves[:permutations])
    share = len(bench.null_corpus) / len(corpus)
    pooled = []
    for index, k in enumerate(config.pool):
        trials = effective_trials(shuffled.values[:, index], share) if shuffled else None
        pooled.append(pool(scores, corpus, bench.parts, k, trials))
    pairs = same_label_pairs(corpus) if strict else np.zeros((0, 2), dtype=np.int64)
    same = None
    if len(pairs):
        accuracy, error, n_items, n_pairs = same_label_accuracy(scores, corpus, bench.parts, pairs)
        low, high = accuracy_interval(accuracy, n_pairs, error)
        same = (accuracy, low, high, n_items, n_pairs)
    return Rung(
        *names,
        tuple(point for point in pooled if point is not None),
        shuffled,
        null(bench.moves_within_label) if strict else None,
        attribution.information(scores, corpus, bench.parts),
        scores[0],
        same,
    )
