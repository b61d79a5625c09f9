"""Position bias: a model's preference for a position among the options, whatever its content."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from capo_core.distributions.paired import interval
from capo_core.stats.intervals import bayesian_weights, json_value

_DRAWS = 1000  # of the bootstrap over items
Interval = tuple[float, float]


@dataclass(frozen=True)
class PositionBias:
    """Effect of option positions, before and after averaging over orders.

    Attributes:
        by_place: mean share of the first, second, … position; 1 / L each without bias. Each
            label is equally often at each position, so that content cancels.
        one_order: mean distance (TVD, 0 to 1) between two estimates of an item that differ in
            the order of the options only.
        averaged: the same between estimates that are means over half of the orders each, every
            label at every position equally often in both; NaN where there are too few orders.
        n: items.
        intervals: 95 %, Bayesian bootstrap over items: "by_place" (one a place), "one_order",
            "averaged", and "gain", of `gain`. NaN where there is no value, and of a single item.
    """

    by_place: tuple[float, ...]
    one_order: float
    averaged: float
    n: int
    intervals: dict[str, tuple[Interval, ...]] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        """Reduction by averaging: `one_order` − `averaged`."""
        return self.one_order - self.averaged

    @property
    def preference(self) -> float:
        """TVD of `by_place` from equal shares: 0 no bias, (L − 1) / L always one position."""
        shares = np.array(self.by_place)
        return float(np.abs(shares - 1 / len(shares)).sum() / 2)

    def to_dict(self) -> dict:
        return {
            "by_place": list(self.by_place),
            "preference": self.preference,
            "one_order": json_value(self.one_order),
            "averaged": json_value(self.averaged),
            "gain": json_value(self.gain),
            "n": self.n,
            "intervals": {
                name: [[json_value(low), json_value(high)] for low, high in found]
                for name, found in self.intervals.items()
            },
        }


def position_bias(
    frame: pd.DataFrame, columns: Sequence[str], orders: Sequence[Sequence[int]]
) -> PositionBias:
    """Return the bias in shares by item and order.

    Args:
        frame: item_id, order, and the shares of the labels in `columns`; views are averaged.
        orders: label at each position; see `estimate.orders_of`.
    """
    means = frame.groupby(["item_id", "order"], sort=False)[list(columns)].mean()
    items = means.index.get_level_values(0).unique()
    shares = means.to_numpy().reshape(len(items), len(orders), len(columns))
    placed = np.stack([shares[:, k, list(order)] for k, order in enumerate(orders)], axis=1)
    by_place = placed.mean(axis=1)
    apart = np.mean(
        [np.abs(shares[:, a] - shares[:, b]).sum(axis=1) / 2
         for a, b in itertools.combinations(range(len(orders)), 2)],
        axis=0,
    )  # fmt: skip
    averaged = np.full(len(items), np.nan)
    halves = _balanced_halves(orders)
    if halves is not None:
        one, other = (shares[:, list(half)].mean(axis=1) for half in halves)
        averaged = np.abs(one - other).sum(axis=1) / 2
    weights = np.concatenate(list(bayesian_weights(np.random.default_rng(0), _DRAWS, len(items))))
    weights /= weights.sum(axis=1, keepdims=True)
    return PositionBias(
        tuple(float(x) for x in by_place.mean(axis=0)),
        float(apart.mean()),
        float(averaged.mean()),
        len(items),
        {
            "by_place": tuple(interval(draws, len(items)) for draws in (weights @ by_place).T),
            "one_order": (interval(weights @ apart, len(items)),),
            "averaged": (interval(weights @ averaged, len(items)),),
            "gain": (interval(weights @ (apart - averaged), len(items)),),
        },
    )


def _balanced_halves(orders: Sequence[Sequence[int]]) -> tuple[list[int], list[int]] | None:
    """Return two halves of the orders, each with every label equally often at every position.

    All orders of three labels fall into the three rotations of one and of its mirror; None where
    the orders cannot be divided so (rotations alone).
    """
    rotations: dict[tuple[int, ...], list[int]] = {}
    for number, order in enumerate(orders):
        start = list(order).index(0)
        rotations.setdefault((*order[start:], *order[:start]), []).append(number)
    whole = [rows for rows in rotations.values() if len(rows) == len(orders[0])]
    if len(whole) < 2:
        return None
    half = len(whole) // 2
    return (
        [row for rows in whole[:half] for row in rows],
        [row for rows in whole[half : 2 * half] for row in rows],
    )
