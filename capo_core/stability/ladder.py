"""What all rungs of a ladder share, drawn before a text is looked at.

The stability ladder and its controls as tables.

One rung of the ladder: a representation under a reduction (or a control), at every k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.stability import attribution
from capo_core.stability.attribution import (
    Information,
    PooledAccuracy,
    crossing,
    effective_trials,
    pool,
)
from capo_core.stability.config import StabilityConfig
from capo_core.stability.controls import same_label_accuracy, same_label_pairs
from capo_core.stability.corpus import ExplanationCorpus, Partition, partition
from capo_core.stability.permutation import NullDistribution, permutation_null, shuffles
from capo_core.stats.intervals import accuracy_interval
from capo_core.text.representations import Features

CONTROL_PERMUTATIONS = 200  # of controls and of the stricter null, at most


@dataclass(frozen=True)
class LadderSetup:
    """What all rungs of a ladder share: rows, partitions, and the permutations of the null.

    Attributes:
        null_rows: rows on which the null is computed: all, or whole items up to a limit.
        null_parts: their partitions; the very `parts` where all rows are used.
        moves, moves_within_label: see `permutation.shuffles`.
    """

    corpus: ExplanationCorpus
    config: StabilityConfig
    parts: list[Partition]
    null_rows: np.ndarray
    null_corpus: ExplanationCorpus
    null_parts: list[Partition]
    moves: np.ndarray
    moves_within_label: np.ndarray


def prepare_ladder(corpus: ExplanationCorpus, config: StabilityConfig) -> LadderSetup:
    """Draw everything that must be drawn before a text is looked at."""

    def partitions(of: ExplanationCorpus) -> list[Partition]:
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
    return LadderSetup(
        corpus,
        config,
        parts,
        rows,
        null_corpus,
        null_parts,
        shuffles(item, config.permutations, config.seed),
        shuffles(label, strict, config.seed + 1),
    )


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
class LadderPoint:
    """One representation under one reduction (or one control), at every k.

    Attributes:
        scores: held-out scores of the first partition, float32 [n, C].
        same_label: whose is whose (accuracy, low, high, items, pairs); None where no two annotators
            gave an item the same label.
    """

    representation: str
    reduction: str
    control: str
    pooled: tuple[PooledAccuracy, ...]
    null: NullDistribution | None
    strict: NullDistribution | None
    information: Information
    scores: np.ndarray
    same_label: tuple[float, float, float, int, int] | None


def compute_point(
    bench: LadderSetup,
    make: Callable[[], Features],
    names: tuple[str, str, str],
    *,
    permutations: int | None = None,
    strict: bool = False,
) -> LadderPoint:
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

    def null(moves: np.ndarray) -> NullDistribution | None:
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
    return LadderPoint(
        *names,
        tuple(point for point in pooled if point is not None),
        shuffled,
        null(bench.moves_within_label) if strict else None,
        attribution.information(scores, corpus, bench.parts),
        scores[0],
        same,
    )


COLUMNS = (
    "representation",
    "reduction",
    "k",
    "accuracy",
    "low",
    "high",
    "n_items",
    "n_groups",
    "chance",
    "null_mean",
    "null_high",
    "p_value",
)


def point_rows(rung: LadderPoint, chance: float) -> list[dict]:
    """The rung as rows of the ladder; null columns are None where no null was computed."""
    p_values = rung.null.p_values() if rung.null else None
    rows = []
    for point in rung.pooled:
        row = {
            "representation": rung.representation,
            "reduction": rung.reduction,
            "k": point.k,
            "accuracy": point.accuracy,
            "low": point.low,
            "high": point.high,
            "n_items": point.n_items,
            "n_groups": point.n_groups,
            "chance": chance,
            "null_mean": None,
            "null_high": None,
            "p_value": None,
        }
        # The null may rest on fewer rows; a k that fills no group there has no null.
        index = rung.null.ks.index(point.k) if rung.null else 0
        if rung.null is not None and np.isfinite(rung.null.observed[index]):
            values = rung.null.values[:, index]
            row["null_mean"] = float(values.mean())
            row["null_high"] = float(np.quantile(values, 0.975))
            row["p_value"] = float(p_values[index])
        rows.append(row)
    return rows


def ladder_frame(rungs: list[LadderPoint], chance: float) -> pd.DataFrame:
    """The ladder of all rungs that are no control."""
    rows = [row for rung in rungs if not rung.control for row in point_rows(rung, chance)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def controls_frame(rungs: list[LadderPoint], chance: float) -> pd.DataFrame:
    """All controls, with the same columns and `control`.

    Rows of `shuffled` and `shuffled_within_label` hold the null itself: its mean as accuracy, its
    2.5 and 97.5 % quantiles as low and high, and the p-value of the observed accuracy under it.
    """
    rows = []
    for rung in rungs:
        if rung.control:
            rows += [{"control": rung.control, **row} for row in point_rows(rung, chance)]
            continue
        for control, null in (("shuffled", rung.null), ("shuffled_within_label", rung.strict)):
            rows += [] if null is None else _null_rows(rung, null, control, chance)
        if rung.same_label is not None:
            accuracy, low, high, n_items, n_pairs = rung.same_label
            rows.append(
                {
                    "control": "same_label",
                    "representation": rung.representation,
                    "reduction": rung.reduction,
                    "k": 1,
                    "accuracy": accuracy,
                    "low": low,
                    "high": high,
                    "n_items": n_items,
                    "n_groups": n_pairs,
                    "chance": 0.5,
                    "null_mean": None,
                    "null_high": None,
                    "p_value": None,
                }
            )
    return pd.DataFrame(rows, columns=["control", *COLUMNS])


def _null_rows(
    rung: LadderPoint, null: NullDistribution, control: str, chance: float
) -> list[dict]:
    rows = []
    p_values = null.p_values()
    for point in rung.pooled:
        index = null.ks.index(point.k)
        values = null.values[:, index]
        if not np.isfinite(values).all():
            continue
        low, high = np.quantile(values, [0.025, 0.975])
        rows.append(
            {
                "control": control,
                "representation": rung.representation,
                "reduction": rung.reduction,
                "k": point.k,
                "accuracy": float(values.mean()),
                "low": float(low),
                "high": float(high),
                "n_items": point.n_items,
                "n_groups": point.n_groups,
                "chance": chance,
                "null_mean": float(values.mean()),
                "null_high": float(high),
                "p_value": float(p_values[index]),
            }
        )
    return rows


def information_frame(rungs: list[LadderPoint]) -> pd.DataFrame:
    """Bits per explanation and the k that reaches 90 %, with intervals.

    `k90_low` and `k90_high` are where the upper and lower ends of the accuracies' intervals cross
    90 %; None where they do not within the pool.
    """
    rows = []
    for rung in rungs:
        if rung.control:
            continue
        ks = [point.k for point in rung.pooled]
        bits = rung.information
        rows.append(
            {
                "representation": rung.representation,
                "reduction": rung.reduction,
                "bits": bits.bits,
                "low": bits.low,
                "high": bits.high,
                "n_items": bits.n_items,
                "k90": crossing(ks, [point.accuracy for point in rung.pooled], 0.9),
                "k90_low": crossing(ks, [point.high for point in rung.pooled], 0.9),
                "k90_high": crossing(ks, [point.low for point in rung.pooled], 0.9),
            }
        )
    frame = pd.DataFrame(rows)
    numbers = ["k90", "k90_low", "k90_high"]
    return frame.astype(dict.fromkeys(numbers, float)) if len(frame) else frame
