"""The measures of a comparison with their draws, for one source beside another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from capo_core.distributions import metrics
from capo_core.distributions.shape import distance_correlation
from capo_core.task import LabelScale

KL, JSD, TVD = "KL", "JSD", "TVD"
MANHATTAN, WASSERSTEIN = "Manhattan", "Wasserstein"
ENTROPY, ENTROPY_CORRELATION, SHAPE = "entropy", "entropy correlation", "D.Corr"
# Distance correlation looks at all pairs of items: of many items it is drawn less often, and of
# more than these not at all.
MOST_ITEMS = 6_000
DRAWN_PAIRS = 4_000_000_000
HIGHER_IS_NEARER = (ENTROPY_CORRELATION, SHAPE)


def measures_of(scale: LabelScale) -> tuple[str, ...]:
    """The measures that fit a scale, in the order in which they are shown."""
    moved = (WASSERSTEIN,) if scale.ordinal else ()
    return (KL, JSD, TVD, SHAPE, MANHATTAN, *moved, ENTROPY, ENTROPY_CORRELATION)


def item_values(
    p: np.ndarray, q: np.ndarray, scale: LabelScale, clip: float
) -> dict[str, np.ndarray]:
    """The measures that have a value for every item, each [items]."""
    found = {
        KL: metrics.kl(p, q, clip=clip),
        JSD: metrics.js_distance(p, q),
        TVD: metrics.total_variation(p, q),
        MANHATTAN: metrics.manhattan(p, q),
    }
    if scale.ordinal:
        values = np.array([scale.number(label) for label in scale.labels], dtype=float)
        found[WASSERSTEIN] = metrics.wasserstein(p, q, values)
    return {**found, ENTROPY: metrics.entropy(q)}


def item_table(
    items: Sequence[str], name: str, p: np.ndarray, q: np.ndarray, scale: LabelScale, clip: float
) -> pd.DataFrame:
    """`item_values` as a table, with the entropy on the other side beside them."""
    values = item_values(p, q, scale, clip)
    return pd.DataFrame(
        {"item_id": list(items), "source": name, **values, "entropy_against": metrics.entropy(p)}
    )


def measured(
    p: np.ndarray, q: np.ndarray, scale: LabelScale, weights: np.ndarray, clip: float
) -> Iterator[tuple[str, float, np.ndarray, str]]:
    """(measure, value, draws, note) for each measure of the scale.

    Args:
        p, q: [items, labels], the people's side first; without items nothing is defined.
        weights: [draws, items], each row of sum 1: how much each item counts in a draw.
    """
    if not len(p):
        for measure in measures_of(scale):
            yield measure, np.nan, np.array([]), "no item in both"
        return
    by_item = item_values(p, q, scale, clip)
    constant = np.ptp(q, axis=0).max() < 1e-12
    for measure in measures_of(scale):
        if measure in by_item:
            values = by_item[measure]
            yield measure, float(values.mean()), weights @ values, ""
        elif measure == SHAPE and len(p) > MOST_ITEMS:
            note = f"not computed for more than {MOST_ITEMS:,} items: it compares each with each"
            yield measure, np.nan, np.array([]), note
        elif measure == SHAPE:
            value = distance_correlation(p, q)
            draws = distance_correlation(p, q, weights[: max(100, DRAWN_PAIRS // len(p) ** 2)])
            # Reweighting alone raises a V-statistic by O(1/n): the draws are set about the value.
            draws = np.clip(draws - draws.mean() + value, 0.0, 1.0)
            note = "0 by definition: the source says the same of every item" if constant else ""
            yield measure, value, draws, note
        else:
            pair = metrics.entropy(p), metrics.entropy(q)
            value = float(_correlation(*pair, np.full((1, len(p)), 1 / len(p)))[0])
            note = "" if np.isfinite(value) else "undefined: one side has one entropy for all items"
            yield measure, value, _correlation(*pair, weights), note


def _correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's correlation of two vectors [items] under weights [draws, items]; NaN if undefined.

    On a constant side rounding is told from variance by the size of the numbers.
    """
    x, y = x - x.mean(), y - y.mean()
    moments = [weights @ v for v in (x, y, x * x, y * y, x * y)]
    mx, my, mxx, myy, mxy = moments
    variance = np.maximum(mxx - mx**2, 0) * np.maximum(myy - my**2, 0)
    flat = min(np.ptp(x), np.ptp(y)) < 1e-9
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (mxy - mx * my) / np.sqrt(variance)
    return np.full(len(weights), np.nan) if flat else np.clip(found, -1, 1)
