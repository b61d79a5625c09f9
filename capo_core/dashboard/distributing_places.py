"""Where a label distribution lies in a picture, and which distributions lie at one place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from capo_core.stability.intervals import bayesian_weights
from capo_core.task import LabelScale

TERNARY, PLANE, BARS = "ternary", "plane", "bars"
HEIGHT = np.sqrt(3) / 2  # of the triangle whose sides are 1
# Corners of the first, second and third label: the middle one of a scale stands on top.
CORNERS = np.array([[0.0, 0.0], [0.5, HEIGHT], [1.0, 0.0]])


def kind_of(scale: LabelScale) -> str:
    """The picture that fits a label scale."""
    if scale.ordinal:
        return PLANE
    return TERNARY if len(scale.labels) == 3 else BARS


def places(shares: np.ndarray, scale: LabelScale) -> np.ndarray:
    """[items, 2]: in the triangle of three labels; on an ordinal scale, mean and spread.

    Args:
        shares: [items, labels], rows of sum 1.
    """
    if kind_of(scale) == TERNARY:
        return shares @ CORNERS
    values = np.array([scale.number(label) for label in scale.labels], dtype=float)
    mean = shares @ values
    variance = np.maximum(shares @ values**2 - mean**2, 0.0)
    return np.column_stack([mean, np.sqrt(variance)])


def heaps(at: np.ndarray, item_ids: Sequence[str], order: np.ndarray) -> pd.DataFrame:
    """Distributions at the same place as one: x, y, n, item_id of the one with the most `order`.

    Args:
        at: [items, 2]. order: [items], the distance by which the item of a heap is chosen.
    """
    frame = pd.DataFrame(
        {"x": at[:, 0].round(4), "y": at[:, 1].round(4), "item_id": list(item_ids), "order": order}
    )
    frame = frame.sort_values("order", ascending=False, kind="stable")
    found = frame.groupby(["x", "y"], sort=False).agg(
        n=("item_id", "size"), item_id=("item_id", "first")
    )
    return found.reset_index()


def steps(shares: np.ndarray) -> np.ndarray:
    """Cumulated shares, [labels] or [items, labels]: how many say this label or a lower one."""
    return np.minimum(np.cumsum(shares, axis=-1), 1.0)


def mean_shares(
    shares: np.ndarray, *, draws: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often each label is given over all items: mean and ends of its 95 % interval.

    [labels] each; by a Bayesian bootstrap over items.
    """
    rng = np.random.default_rng(seed)
    weights = np.concatenate(list(bayesian_weights(rng, draws, len(shares))))
    drawn = (weights / weights.sum(axis=1, keepdims=True)) @ shares
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return shares.mean(axis=0), low, high
