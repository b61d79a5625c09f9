"""The ladder: attribution accuracy of each representation under each reduction, at every k.

A point of the ladder is one representation under one reduction, or under a control, with its
permutation null. All points share partitions and permutations, which are drawn before a text is
looked at.
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
    information_from,
    information_gains,
    pooled_accuracy,
    pooled_in_partition,
)
from capo_core.stability.config import StabilityConfig
from capo_core.stability.controls import matched_accuracy, pair_hits, same_label_pairs
from capo_core.stability.corpus import ExplanationCorpus, Partition, partition
from capo_core.stability.evidence import evidence_rows
from capo_core.stability.permutation import (
    NullDistribution,
    permutation_null,
    shuffles,
    testable_pools,
)
from capo_core.stats.intervals import accuracy_interval
from capo_core.text.representations import Features

CONTROL_PERMUTATIONS = 200  # of controls and of the stricter null, at most


@dataclass(frozen=True)
class LadderSetup:
    """Rows, partitions and permutations of the null, shared by all points of a ladder.

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
    """Draw the partitions and permutations."""

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
    # Where every item has one annotator, no shuffle within items changes anything.
    permutations = config.permutations if shared_items(corpus) else 0
    strict = min(permutations, CONTROL_PERMUTATIONS)
    return LadderSetup(
        corpus,
        config,
        parts,
        rows,
        null_corpus,
        null_parts,
        shuffles(item, permutations, config.seed),
        shuffles(label, strict, config.seed + 1),
    )


def shared_items(corpus: ExplanationCorpus) -> int:
    """Count the items that two annotators or more explained."""
    cells = np.unique(corpus.item.astype(np.int64) * len(corpus.annotators) + corpus.annotator)
    return int((np.bincount(cells // len(corpus.annotators)) > 1).sum())


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

    def operator(self, train, test):
        return self.base.operator(self.rows[train], self.rows[test])


@dataclass(frozen=True)
class LadderPoint:
    """Results of a representation under a reduction (or control), at every k.

    Attributes:
        scores: held-out scores of the first partition, of the rows of its evidence, float32
            [rows, C] (see `evidence.evidence_rows`).
        n_shared: items with two annotators or more, without which there is no null.
        same_label: accuracy of matching texts with equal labels to their annotators (accuracy, low,
            high, items, pairs); None where no two annotators gave an item the same label.
    """

    representation: str
    reduction: str
    control: str
    pooled: tuple[PooledAccuracy, ...]
    null: NullDistribution | None
    strict: NullDistribution | None
    information: Information | None
    scores: np.ndarray
    same_label: tuple[float, float, float, int, int] | None
    n_shared: int


def compute_point(
    setup: LadderSetup,
    make: Callable[[], Features],
    names: tuple[str, str, str],
    *,
    permutations: int | None = None,
    strict: bool = False,
) -> LadderPoint:
    """Compute one point. `names` are representation, reduction and control ("" for none).

    Args:
        permutations: number of the setup's permutations to use, from the first.
        strict: also the null within labels, and the comparison at equal labels.
    """
    corpus, config = setup.corpus, setup.config
    features = make()
    operators = [attribution.operators(features, part) for part in setup.parts]
    pairs = same_label_pairs(corpus) if strict else np.zeros((0, 2), dtype=np.int64)
    found: dict[int, list] = {k: [] for k in config.pool}
    gains, hits, evidence = [], [], None
    # One partition after the other, since scores of many annotators fill the memory.
    for part, fold_operators in zip(setup.parts, operators, strict=True):
        scores = attribution.held_out_scores(features, corpus, part, fold_operators)
        for k, results in found.items():
            results.append(pooled_in_partition(scores, part, corpus, k))
        if not names[2]:  # controls report no bits
            gains.append(information_gains(scores, part, corpus))
        if len(pairs):
            hits.append(pair_hits(scores, corpus, pairs))
        if evidence is None:
            evidence = scores[evidence_rows(corpus, part)].astype(np.float32)
        del scores
    if not testable_pools(setup.null_corpus, setup.null_parts, config.pool):
        operators = None  # the null is undefined, whatever the texts are
    elif setup.null_corpus is not corpus:
        on_rows = _Rows(features, setup.null_rows)
        operators = [attribution.operators(on_rows, part) for part in setup.null_parts]

    def null(moves: np.ndarray) -> NullDistribution | None:
        if not len(moves):
            return None
        return permutation_null(operators, setup.null_corpus, setup.null_parts, config.pool, moves)

    shuffled = null(setup.moves[:permutations])
    share = len(setup.null_corpus) / len(corpus)
    pooled = []
    for index, (k, results) in enumerate(found.items()):
        trials = effective_trials(shuffled.values[:, index], share) if shuffled else None
        pooled.append(pooled_accuracy(results, corpus, setup.parts, k, trials))
    same = None
    if len(pairs):
        accuracy, error, n_items, n_pairs = matched_accuracy(hits, corpus, pairs)
        low, high = accuracy_interval(accuracy, n_pairs, error)
        same = (accuracy, low, high, n_items, n_pairs)
    return LadderPoint(
        *names,
        tuple(at_k for at_k in pooled if at_k is not None),
        shuffled,
        null(setup.moves_within_label) if strict else None,
        information_from(gains, corpus, setup.parts) if gains else None,
        evidence,
        same,
        shared_items(corpus),
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
    "top5",
    "top5_low",
    "top5_high",
    "mean_rank",
    "mean_rank_low",
    "mean_rank_high",
    "n_annotators",
    "n_shared",
)


def point_rows(point: LadderPoint, chance: float) -> list[dict]:
    """Return the point as rows of the ladder; null columns are None without a null.

    `top5` and `mean_rank` with their intervals are None for at most `attribution.MANY` annotators.
    """
    p_values = point.null.p_values() if point.null else None
    rows = []
    for at_k in point.pooled:
        row = {
            "representation": point.representation,
            "reduction": point.reduction,
            "k": at_k.k,
            "accuracy": at_k.accuracy,
            "low": at_k.low,
            "high": at_k.high,
            "n_items": at_k.n_items,
            "n_groups": at_k.n_groups,
            "chance": chance,
            "null_mean": None,
            "null_high": None,
            "p_value": None,
            "n_annotators": round(1 / chance),
            "n_shared": point.n_shared,
        }
        for name, values in (("top5", at_k.top), ("mean_rank", at_k.rank)):
            ends = dict.fromkeys(("", "_low", "_high"))
            ends = ends if values is None else dict(zip(ends, values, strict=True))
            row |= {f"{name}{end}": value for end, value in ends.items()}
        # The null may rest on fewer rows; a k that fills no group there has no null.
        index = point.null.ks.index(at_k.k) if point.null else 0
        if point.null is not None and np.isfinite(point.null.observed[index]):
            values = point.null.values[:, index]
            row["null_mean"] = float(values.mean())
            row["null_high"] = float(np.quantile(values, 0.975))
            row["p_value"] = float(p_values[index])
        rows.append(row)
    return rows


def ladder_frame(points: list[LadderPoint], chance: float) -> pd.DataFrame:
    """Return the ladder: all points that are no control."""
    rows = [row for point in points if not point.control for row in point_rows(point, chance)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def controls_frame(points: list[LadderPoint], chance: float) -> pd.DataFrame:
    """Return all controls, with the same columns and `control`.

    Rows of `shuffled` and `shuffled_within_label` hold the null itself: its mean as accuracy, its
    2.5 and 97.5 % quantiles as low and high, and the p-value of the observed accuracy under it.
    """
    rows = []
    for point in points:
        if point.control:
            rows += [{"control": point.control, **row} for row in point_rows(point, chance)]
            continue
        for control, null in (("shuffled", point.null), ("shuffled_within_label", point.strict)):
            rows += [] if null is None else _null_rows(point, null, control, chance)
        if point.same_label is not None:
            accuracy, low, high, n_items, n_pairs = point.same_label
            rows.append(
                {
                    "control": "same_label",
                    "representation": point.representation,
                    "reduction": point.reduction,
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
    point: LadderPoint, null: NullDistribution, control: str, chance: float
) -> list[dict]:
    rows = []
    p_values = null.p_values()
    for at_k in point.pooled:
        index = null.ks.index(at_k.k)
        values = null.values[:, index]
        if not np.isfinite(values).all():
            continue
        low, high = np.quantile(values, [0.025, 0.975])
        rows.append(
            {
                "control": control,
                "representation": point.representation,
                "reduction": point.reduction,
                "k": at_k.k,
                "accuracy": float(values.mean()),
                "low": float(low),
                "high": float(high),
                "n_items": at_k.n_items,
                "n_groups": at_k.n_groups,
                "chance": chance,
                "null_mean": float(values.mean()),
                "null_high": float(high),
                "p_value": float(p_values[index]),
            }
        )
    return rows


def information_frame(points: list[LadderPoint]) -> pd.DataFrame:
    """Return bits per explanation and the k that reaches 90 %, with intervals.

    `k90_low` and `k90_high` are where the upper and lower ends of the accuracies' intervals cross
    90 %; None where they do not within the pool.
    """
    rows = []
    for point in points:
        if point.control:
            continue
        ks = [at_k.k for at_k in point.pooled]
        bits = point.information
        rows.append(
            {
                "representation": point.representation,
                "reduction": point.reduction,
                "bits": bits.bits,
                "low": bits.low,
                "high": bits.high,
                "n_items": bits.n_items,
                "k90": crossing(ks, [at_k.accuracy for at_k in point.pooled], 0.9),
                "k90_low": crossing(ks, [at_k.high for at_k in point.pooled], 0.9),
                "k90_high": crossing(ks, [at_k.low for at_k in point.pooled], 0.9),
            }
        )
    frame = pd.DataFrame(rows)
    numbers = ["k90", "k90_low", "k90_high"]
    return frame.astype(dict.fromkeys(numbers, float)) if len(frame) else frame
