"""Items with label distributions as a classifier sees them, and scores of what it says."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sklearn.metrics import f1_score

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


def scores(true: np.ndarray, said: np.ndarray, weights: np.ndarray | None = None) -> dict:
    """Weighted F1 of the most frequent labels, mean KL(true ‖ said) and mean cross-entropy.

    Published KL of this line of work is a third of ours for three labels: its code averages over
    items and labels alike (`kl_div(reduction="mean")`); here each item's KL is the sum.

    Args:
        true, said: [items, labels]. weights: [items], how much each counts; None the same.
    """
    weights = np.full(len(true), 1 / len(true)) if weights is None else weights / weights.sum()
    f1 = f1_score(
        true.argmax(axis=1), said.argmax(axis=1), average="weighted", sample_weight=weights,
        zero_division=0.0,
    )  # fmt: skip
    return {
        WEIGHTED_F1: float(f1),
        KL: float(weights @ metrics.kl(true, said)),
        CROSS_ENTROPY: float(weights @ metrics.cross_entropy(true, said)),
    }


def drawn_scores(
    true: np.ndarray, said: list[np.ndarray], *, draws: int = 500, seed: int = 0
) -> dict[str, np.ndarray]:
    """The scores' means over classifiers (seeds), [draws] each.

    A draw weighs the items anew (Bayesian bootstrap) and draws the seeds with replacement, so that
    the luck of a training counts as well as that of the items. Equally many items and seeds give
    the same draws, so that differences of two results are paired.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in MEASURES}
    for block in bayesian_weights(rng, draws, len(true)):
        for weights in block:
            chosen = rng.integers(0, len(said), len(said)).tolist()
            found = {k: scores(true, said[k], weights) for k in set(chosen)}
            for name in MEASURES:
                drawn[name].append(float(np.mean([found[k][name] for k in chosen])))
    return {name: np.array(values) for name, values in drawn.items()}


def mean_scores(true: np.ndarray, said: list[np.ndarray]) -> dict[str, float]:
    """The scores' means over classifiers."""
    each = [scores(true, one) for one in said]
    return {name: float(np.mean([one[name] for one in each])) for name in MEASURES}
