"""Items with label distributions as a classifier sees them, and scores of what it says."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from capo_core.distributions import metrics
from capo_core.distributions.judgments import Judgments
from capo_core.errors import DataError
from capo_core.stability.intervals import bayesian_weights

WEIGHTED_F1, KL, CROSS_ENTROPY = "weighted F1", "KL", "cross-entropy"
MEASURES = (WEIGHTED_F1, KL, CROSS_ENTROPY)


@dataclass(frozen=True)
class SoftSet:
    """Texts and distributions, row by row.

    Attributes:
        pairs: (text_a, text_b); text_b "" for one-text tasks.
        shares: [items, labels].
        without: items of the set that the source does not speak of, left out.
    """

    name: str
    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    shares: np.ndarray = field(repr=False)
    item_ids: tuple[str, ...] = field(repr=False)
    labels: tuple[str, ...] = ()
    without: int = 0

    def __len__(self) -> int:
        return len(self.pairs)


def soft_set(judgments: Judgments, source: str, *, leave_out: frozenset[str] = frozenset()):
    """The items of `judgments` with the distributions of a source.

    Args:
        leave_out: items not to take (those of another set).

    Raises:
        ConfigError: there is no such source. DataError: nothing is left.
    """
    found = judgments.source(source)
    place = {item: row for row, item in enumerate(found.item_ids)}
    rows = [row for row in judgments.items.itertuples() if row.item_id not in leave_out]
    kept = [row for row in rows if row.item_id in place]
    if not kept:
        raise DataError(f"no item is left with a distribution of {source!r}", where=judgments.name)
    return SoftSet(
        f"{judgments.name}, {source}",
        tuple((row.text_a, row.text_b) for row in kept),
        found.shares[[place[row.item_id] for row in kept]],
        tuple(row.item_id for row in kept),
        found.labels,
        len(rows) - len(kept),
    )


def scores(true: np.ndarray, said: np.ndarray) -> dict[str, float]:
    """Weighted F1 of the most frequent labels, mean KL(true ‖ said) and mean cross-entropy.

    Published KL of this line of work is a third of ours for three labels: its code averages over
    items and labels alike (`kl_div(reduction="mean")`); here each item's KL is the sum.

    Args:
        true, said: [items, labels].
    """
    even = np.full((1, len(true)), 1 / len(true))
    return {name: float(values[0]) for name, values in weighted_scores(true, said, even).items()}


def weighted_scores(
    true: np.ndarray, said: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """The same under weights of the items, [draws, items], rows of sum 1; [draws] each."""
    return {
        WEIGHTED_F1: weighted_f1(true.argmax(axis=1), said.argmax(axis=1), weights),
        KL: weights @ metrics.kl(true, said),
        CROSS_ENTROPY: weights @ metrics.cross_entropy(true, said),
    }


def weighted_f1(true: np.ndarray, said: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[draws]: F1 of each label, weighted by how often it is true; as scikit-learn's
    `f1_score(average="weighted", sample_weight=…)`, for all draws at once.

    Args:
        true, said: a label's number for each item. weights: [draws, items], rows of sum 1.
    """
    total = np.zeros(len(weights))
    for label in np.unique(true):
        support, taken = weights @ (true == label), weights @ (said == label)
        hits = weights @ ((true == label) & (said == label))
        total += support * 2 * hits / (support + taken)
    return total


def drawn_scores(
    true: np.ndarray, said: list[np.ndarray], *, draws: int = 1000, seed: int = 0
) -> dict[str, np.ndarray]:
    """The scores' means over classifiers (seeds), [draws] each.

    A draw weighs the items anew (Bayesian bootstrap) and draws the seeds with replacement, so that
    the luck of a training counts as well as that of the items. Equally many items and seeds give
    the same draws, so that differences of two results are paired.
    """
    rng = np.random.default_rng(seed)
    weights = np.concatenate(list(bayesian_weights(rng, draws, len(true))))
    weights /= weights.sum(axis=1, keepdims=True)
    chosen = rng.integers(0, len(said), (draws, len(said)))
    each = [weighted_scores(true, one, weights) for one in said]
    return {
        name: np.take_along_axis(
            np.stack([one[name] for one in each], axis=1), chosen, axis=1
        ).mean(axis=1)
        for name in MEASURES
    }


def mean_scores(true: np.ndarray, said: list[np.ndarray]) -> dict[str, float]:
    """The scores' means over classifiers."""
    each = [scores(true, one) for one in said]
    return {name: float(np.mean([one[name] for one in each])) for name in MEASURES}
