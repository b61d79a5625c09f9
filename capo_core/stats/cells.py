"""Grouping of rows into cells: a cell holds all responses of one annotator to one item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from capo_core.errors import ConfigError


@dataclass(frozen=True)
class Cells:
    """The distinct (item, annotator) pairs of n rows, sorted by annotator, then item.

    Attributes:
        items, annotators: int64 [cells], numbers from 0.
        of_row: int64 [n], the cell of each row.
        annotator_names: names of the annotators' numbers, in order of first appearance.
        n_items: number of distinct items.
    """

    items: np.ndarray
    annotators: np.ndarray
    of_row: np.ndarray
    annotator_names: tuple
    n_items: int

    @property
    def n(self) -> int:
        return len(self.items)

    @property
    def n_annotators(self) -> int:
        return len(self.annotator_names)

    def averaging(self) -> sparse.csr_matrix:
        """Return the [cells × n] matrix whose product with rows is the mean row of each cell.

        Two answers by one annotator on one item are not independent: they enter as their mean.
        """
        rows = np.bincount(self.of_row, minlength=self.n)
        n = len(self.of_row)
        return sparse.csr_matrix(
            (1.0 / rows[self.of_row], (self.of_row, np.arange(n))), shape=(self.n, n)
        )

    def annotators_per_item(self) -> np.ndarray:
        """Number of annotators of each item, int64 [n_items]."""
        return np.bincount(self.items, minlength=self.n_items)

    def by_item(self) -> sparse.csr_matrix:
        """Return the [items × cells] matrix that sums the cells of each item."""
        return sparse.csr_matrix(
            (np.ones(self.n), (self.items, np.arange(self.n))), shape=(self.n_items, self.n)
        )


def gather(items: Sequence, annotators: Sequence) -> Cells:
    """Return the cells of rows given by two columns of identifiers.

    Raises:
        ConfigError: the columns have different lengths.
    """
    if len(items) != len(annotators):
        raise ConfigError(f"{len(items)} items came with {len(annotators)} annotators")
    item, item_names = pd.factorize(np.asarray(items))
    annotator, annotator_names = pd.factorize(np.asarray(annotators))
    size = max(len(item_names), 1)
    keys, of_row = np.unique(annotator * size + item, return_inverse=True)
    cell_annotator, cell_item = np.divmod(keys, size)
    return Cells(
        cell_item, cell_annotator, of_row.reshape(-1), tuple(annotator_names), len(item_names)
    )
