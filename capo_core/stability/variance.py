"""Variance components of a representation: item, annotator and residual.

Two-way random effects without replication, summed over the dimensions of the representation:

    y_ia = mean + item_i + annotator_a + rest_ia

For any two cells of such a table, half the squared distance between them has the expectation

    same item, different annotators          annotator + rest
    same annotator, different items          item + rest
    different items, different annotators    item + annotator + rest

so the three means over pairs, D_item, D_annotator and D_both, give unbiased estimates whatever
the pattern of missing cells:

    item = D_both − D_item;  annotator = D_both − D_annotator;  rest = D_item + D_annotator − D_both

On a complete table they equal the analysis-of-variance estimates, (MS − MS_rest) divided by the
number of annotators or of items (Searle, Casella & McCulloch 1992, Variance Components, ch. 4).
Unlike shares of sums of squares they are not inflated by noise, and a component that is not there
is estimated around 0, below it as often as above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from capo_core.errors import ConfigError
from capo_core.stats.cells import Cells, gather
from capo_core.stats.intervals import Estimate, bayesian_weights, central_interval

_FEW = 64  # cells of an annotator, where there are more annotators than this


@dataclass(frozen=True)
class PairDistances:
    """Sums for means over pairs of cells, without forming a pair; linear in the cells.

    Attributes:
        blocks: per annotator the values [cells × d], the items [cells] and the squared norms; of
            those with more than `_FEW` cells.
        grams: per other annotator the products of the values [cells × cells], items and norms.
        by_item: sums of the values of each item [items × d], of the annotators of `grams`.
        item_pairs, item_apart: float64 [items], ordered pairs of cells within an item, and the
            sum of squared distances over its unordered pairs.
        scale: mean squared norm, to tell rounding from variance.
    """

    blocks: tuple[tuple, ...]
    grams: tuple[tuple, ...]
    by_item: np.ndarray | sparse.csr_matrix
    item_pairs: np.ndarray
    item_apart: np.ndarray
    scale: float

    @property
    def n_items(self) -> int:
        return len(self.item_pairs)

    @classmethod
    def of(cls, values, items: np.ndarray, annotators: np.ndarray) -> PairDistances:
        """Return the sums of values [cells × d] (dense or sparse), one cell per item and annotator.

        Items are numbered 0 to n−1, all of them present.
        """
        scale = float(_squares(values).mean())
        if not sparse.issparse(values):
            # Distances do not change, but sums around 0 keep their digits.
            values = values - values.mean(axis=0, dtype=np.float64).astype(values.dtype)
        squares = _squares(values)
        n_items = int(items.max()) + 1
        ones = np.ones(len(items), dtype=values.dtype)
        adding = sparse.csr_matrix(
            (ones, (items, np.arange(len(items)))), shape=(n_items, len(items))
        )
        n = np.bincount(items, minlength=n_items).astype(float)
        # Sum over the unordered pairs of a group: Σ |y − y'|² = n Σ |y|² − |Σ y|².
        apart = n * np.bincount(items, weights=squares, minlength=n_items)
        apart -= _squares(adding @ values)
        order = np.argsort(annotators, kind="stable")
        rows = np.split(order, np.flatnonzero(np.diff(annotators[order])) + 1)
        # One of many annotators with few cells each costs its pairs of cells, not d.
        small = [r for r in rows if len(r) <= _FEW and len(rows) > _FEW]
        large = [r for r in rows if not (len(r) <= _FEW and len(rows) > _FEW)]
        own = np.concatenate(small) if small else np.zeros(0, dtype=int)
        return cls(
            tuple((values[r], items[r], squares[r]) for r in large),
            tuple((_products(values[r]), items[r], squares[r]) for r in small),
            adding[:, own] @ values[own],
            n * (n - 1),
            apart,
            scale,
        )

    def means(self, weights: np.ndarray) -> np.ndarray:
        """Return half the mean squared distance over pairs of cells, [3 × draws]: pairs that share
        the item only, the annotator only, and neither; `weights` [draws × items] are item weights.

        A pair of cells of two items weighs the product of their weights. An item is never paired
        with itself as if it were two: that is what makes a resampled table's annotators look
        alike, and why weights and not copies of items are used.
        """
        weights = np.asarray(weights, dtype=np.float64)
        draws = len(weights)
        squared = weights**2
        same_annotator, annotator_pairs = np.zeros(draws), np.zeros(draws)
        sums, spread, mass, mass_squared = 0.0, np.zeros(draws), np.zeros(draws), np.zeros(draws)

        def add(w: np.ndarray, items: np.ndarray, squares: np.ndarray, length: np.ndarray) -> None:
            own, own_squares, own_spread = w.sum(axis=1), squared[:, items].sum(axis=1), w @ squares
            same_annotator[:] += own * own_spread - length
            annotator_pairs[:] += own**2 - own_squares
            spread[:] += own_spread
            mass[:] += own
            mass_squared[:] += own_squares

        for values, items, squares in self.blocks:
            w = weights[:, items]
            total = _weighted(w, values)
            sums = sums + total
            add(w, items, squares, _squares(total))
        for products, items, squares in self.grams:
            w = weights[:, items]
            add(w, items, squares, ((w @ products) * w).sum(axis=1))
        if self.grams:
            sums = sums + _weighted(weights, self.by_item)
        same_item, item_pairs = squared @ self.item_apart, squared @ self.item_pairs
        neither = mass * spread - _squares(sums) - same_item - same_annotator
        pairs = mass**2 - mass_squared - item_pairs - annotator_pairs
        return np.array(
            [
                _ratio(weights @ self.item_apart, weights @ self.item_pairs),
                _ratio(same_annotator, annotator_pairs),
                _ratio(neither, pairs),
            ]
        )


def _products(values) -> np.ndarray:
    """Return the products of all rows, float64 [rows × rows]."""
    found = values @ values.T
    return np.asarray(found.toarray() if sparse.issparse(found) else found, dtype=np.float64)


def _ratio(total: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    defined = pairs > 1e-9
    return np.where(defined, total / np.where(defined, pairs, 1), np.nan)


def _squares(values) -> np.ndarray:
    """Return squared norms, float64 [rows]."""
    if sparse.issparse(values):
        return np.asarray(values.multiply(values).sum(axis=1), dtype=np.float64).ravel()
    return np.einsum("nd,nd->n", values, values, dtype=np.float64)


def _weighted(weights: np.ndarray, values) -> np.ndarray:
    """Return weighted sums of rows, [draws × d]."""
    if sparse.issparse(values):
        return (values.T @ weights.T).T
    return weights.astype(values.dtype, copy=False) @ values


MIN_ITEMS = 10
_DESIGNS = ("auto", "complete", "all")


@dataclass(frozen=True)
class VarianceShares:
    """Shares of the total, which sum to 1; an estimate below 0 is not cut off.

    Attributes:
        item, annotator, residual: shares with 95 % intervals (bootstrap over items; the
            annotators are fixed).
        total: the sum of the three components, in squared units of the representation.
        design: "complete" where only items with all annotators were used, else "all".
        n_items, n_annotators, n_cells: what was used.
        note: a remark for readers; may be empty.
    """

    item: Estimate
    annotator: Estimate
    residual: Estimate
    total: float
    design: str
    n_items: int
    n_annotators: int
    n_cells: int
    note: str = ""

    def to_dict(self) -> dict:
        """Return one flat row: item, item_low, item_high, annotator, …, note; undefined is None."""
        row: dict = {}
        for name in ("item", "annotator", "residual"):
            estimate = getattr(self, name).to_dict()
            row |= {name: estimate["value"]}
            row |= {f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
        total = float(self.total) if np.isfinite(self.total) else None
        return row | {
            "total": total,
            "design": self.design,
            "n_items": self.n_items,
            "n_annotators": self.n_annotators,
            "n_cells": self.n_cells,
            "note": self.note,
        }


def shares(
    matrix: np.ndarray | sparse.sparray | sparse.spmatrix,
    items: Sequence,
    annotators: Sequence,
    *,
    design: str = "auto",
    draws: int = 300,
    seed: int = 0,
) -> VarianceShares:
    """Compute the shares of item, annotator and residual in `matrix` [n × d], dense or sparse.

    Several rows by one annotator on one item enter as their mean.

    Args:
        items, annotators: [n], identifiers.
        design: "complete" uses only items that all annotators have, "all" every item with two or
            more; "auto" takes "complete" where that keeps half of the latter and at least ten.
        draws: of the Bayesian bootstrap over items; 0 gives no intervals.

    Raises:
        ConfigError: the lengths differ, or there is no such design.
    """
    if design not in _DESIGNS:
        raise ConfigError(f"there is no design {design!r}", expected=", ".join(_DESIGNS))
    if matrix.shape[0] != len(items):
        raise ConfigError(f"{matrix.shape[0]} rows came with {len(items)} items")
    cells = gather(items, annotators)
    each = cells.annotators_per_item()
    complete = each == cells.n_annotators
    if design == "auto":
        enough = complete.sum() >= max(MIN_ITEMS, 0.5 * (each >= 2).sum())
        design = "complete" if enough else "all"
    used = complete if design == "complete" else each >= 2
    if cells.n_annotators < 2 or used.sum() < 2:
        reason = (
            "fewer than two annotators" if cells.n_annotators < 2 else "fewer than two shared items"
        )
        return _undefined(f"not defined: {reason}", design, cells, used)
    mask = used[cells.items]
    values = (cells.averaging().astype(_precision(matrix)) @ matrix)[mask]
    item = (np.cumsum(used) - 1)[cells.items[mask]]
    pairs = PairDistances.of(values, item, cells.annotators[mask])
    d = pairs.means(np.ones((1, pairs.n_items)))[:, 0]
    if not np.isfinite(d).all():
        return _undefined("not defined: no annotator has two items", design, cells, used)
    if d[2] <= 1e-10 * pairs.scale:
        return _undefined("not defined: nothing varies", design, cells, used)
    drawn = [np.zeros((3, 0))]
    if pairs.n_items >= MIN_ITEMS:
        rng = np.random.default_rng(seed)
        for weights in bayesian_weights(rng, draws, pairs.n_items, block=64 * pairs.n_items):
            drawn.append(_shares(pairs.means(weights)))
    intervals = [central_interval(row) for row in np.concatenate(drawn, axis=1)]
    estimates = [
        Estimate(float(value), *interval, pairs.n_items)
        for value, interval in zip(_shares(d), intervals, strict=True)
    ]
    few = f"fewer than {MIN_ITEMS} items: too few for intervals"
    n_annotators = len(np.unique(cells.annotators[mask]))
    counts = (pairs.n_items, n_annotators, int(mask.sum()))
    return VarianceShares(
        *estimates, float(d[2]), design, *counts, few if pairs.n_items < MIN_ITEMS else ""
    )


def _precision(matrix) -> type:
    return np.float32 if matrix.dtype == np.float32 else np.float64


def _shares(d: np.ndarray) -> np.ndarray:
    """Item, annotator and rest as shares of their sum, which is D_both; first axis as in `means`.

    Where a draw leaves nothing that varies the shares are NaN.
    """
    total = np.where(d[2] > 0, d[2], np.nan)
    return np.array([1 - d[0] / total, 1 - d[1] / total, (d[0] + d[1]) / total - 1])


def _undefined(reason: str, design: str, cells: Cells, used: np.ndarray) -> VarianceShares:
    n_items = int(used.sum())
    none = Estimate(np.nan, np.nan, np.nan, n_items, reason)
    n_cells = int(used[cells.items].sum())
    return VarianceShares(
        none, none, none, np.nan, design, n_items, cells.n_annotators, n_cells, reason
    )
