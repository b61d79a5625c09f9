"""Mean squared distances over pairs of cells, without ever forming a pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class PairDistances:
    """What the means over pairs are made of; cost and memory are linear in the cells.

    Attributes:
        blocks: per annotator the values [cells × d], the items [cells] and the squared norms.
        item_pairs, item_apart: float64 [items], ordered pairs of cells within an item, and the
            sum of squared distances over its unordered pairs.
        scale: mean squared norm, to tell rounding from variance.
    """

    blocks: tuple[tuple, ...]
    item_pairs: np.ndarray
    item_apart: np.ndarray
    scale: float

    @property
    def n_items(self) -> int:
        return len(self.item_pairs)

    @classmethod
    def of(cls, values, items: np.ndarray, annotators: np.ndarray) -> PairDistances:
        """From values [cells × d] (dense or sparse), one cell per item and annotator.

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
        rows = [np.flatnonzero(annotators == a) for a in np.unique(annotators)]
        blocks = tuple((values[r], items[r], squares[r]) for r in rows)
        return cls(blocks, n * (n - 1), apart, scale)

    def means(self, weights: np.ndarray) -> np.ndarray:
        """[3 × draws]: half the mean squared distance over pairs of cells that share the item
        only, the annotator only, and neither; `weights` [draws × items] are those of items.

        A pair of cells of two items weighs the product of their weights. An item is never paired
        with itself as if it were two: that is what makes a resampled table's annotators look
        alike, and why weights and not copies of items are used.
        """
        weights = np.asarray(weights, dtype=np.float64)
        draws = len(weights)
        squared = weights**2
        same_annotator, annotator_pairs = np.zeros(draws), np.zeros(draws)
        sums, spread, mass, mass_squared = 0.0, np.zeros(draws), np.zeros(draws), np.zeros(draws)
        for values, items, squares in self.blocks:
            w = weights[:, items]
            total = _weighted(w, values)
            own, own_squares, own_spread = w.sum(axis=1), squared[:, items].sum(axis=1), w @ squares
            same_annotator += own * own_spread - _squares(total)
            annotator_pairs += own**2 - own_squares
            sums = sums + total
            spread, mass = spread + own_spread, mass + own
            mass_squared += own_squares
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


def _ratio(total: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    defined = pairs > 1e-9
    return np.where(defined, total / np.where(defined, pairs, 1), np.nan)


def _squares(values) -> np.ndarray:
    """float64 [rows]: squared norms."""
    if sparse.issparse(values):
        return np.asarray(values.multiply(values).sum(axis=1), dtype=np.float64).ravel()
    return np.einsum("nd,nd->n", values, values, dtype=np.float64)


def _weighted(weights: np.ndarray, values) -> np.ndarray:
    """[draws × d]: weighted sums of rows."""
    if sparse.issparse(values):
        return (values.T @ weights.T).T
    return weights.astype(values.dtype, copy=False) @ values
