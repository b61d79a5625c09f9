"""Annotator profiles on random halves of the items, and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from capo_core.stability.cells import Cells


@dataclass(frozen=True)
class Halves:
    """What halvings are drawn from.

    Attributes:
        values: [cells × d], dense or sparse, one vector per item and annotator.
        items, annotators: int [cells].
        cells: where the numbers of items and annotators come from.
        matched: every annotator has every item, so that the same items can serve all.
    """

    values: np.ndarray | sparse.csr_matrix
    items: np.ndarray
    annotators: np.ndarray
    cells: Cells
    matched: bool

    def most(self) -> int:
        """The largest number per half that the middle annotator can bring."""
        counts = np.bincount(self.annotators, minlength=self.cells.n_annotators)
        middle = int(np.median(counts)) // 2
        # Random halves of unmatched items differ in size: leave room for that.
        return middle if self.matched else max(int(middle - np.sqrt(middle)), 0)

    def draw(
        self, sizes: Sequence[int], draws: int, rng: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Similarities of profiles: as they are, with items weighted at random, and shuffled.

        Each is a list over `sizes` of arrays [draws × annotators × annotators], first half ×
        second half; NaN for an annotator with fewer than the size in either half.
        """
        a_n = self.cells.n_annotators
        kinds = tuple([np.empty((draws, a_n, a_n)) for _ in sizes] for _ in range(3))
        ones = np.ones(len(self.items))
        for draw in range(draws):
            order = rng.permutation(self.cells.n_items)
            weights = rng.exponential(size=self.cells.n_items)[self.items]
            mixed = self._exchanged(rng)
            for kind, who, weight in zip(
                kinds,
                (self.annotators, self.annotators, mixed),
                (ones, weights, ones),
                strict=True,
            ):
                for k, found in enumerate(self._similarities(sizes, order, who, weight)):
                    kind[k][draw] = found
        return kinds

    def _exchanged(self, rng: np.random.Generator) -> np.ndarray:
        """Annotators exchanged at random: within items, or among all cells if not `matched`.

        Where an item has few of the annotators, an exchange within it would leave a good part of
        the cells with their authors.
        """
        if not self.matched:
            return rng.permutation(self.annotators)
        shuffled = np.lexsort((rng.random(len(self.items)), self.items))
        result = np.empty_like(self.annotators)
        result[shuffled] = self.annotators[np.argsort(self.items, kind="stable")]
        return result

    def _ranks(self, sizes, order: np.ndarray, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which half each cell lies in, and its rank among the annotator's cells there.

        Matched: the items in random order are cut after the largest size, so that ranks are
        those of items and the same for all. Else items are split in two, and each annotator's
        own are ranked.
        """
        place = order[self.items]
        if self.matched:
            present = np.unique(place)
            rank, half = np.searchsorted(present, place), len(present) // 2
            second = (rank >= half).astype(int)
            return second, rank - half * second
        half = (place >= self.cells.n_items // 2).astype(int)
        group = half * self.cells.n_annotators + who
        sorted_cells = np.lexsort((place, group))
        start = np.searchsorted(group[sorted_cells], np.arange(2 * self.cells.n_annotators))
        rank = np.empty(len(place), dtype=np.int64)
        rank[sorted_cells] = np.arange(len(place)) - start[group[sorted_cells]]
        return half, rank

    def _similarities(self, sizes, order, who, weights) -> list[np.ndarray]:
        """[annotators × annotators] per size; larger sizes add to the sums of smaller ones."""
        half, rank = self._ranks(sizes, order, who)
        a_n = self.cells.n_annotators
        row = half * a_n + who
        available = np.bincount(row, minlength=2 * a_n)
        sums, mass, done, results = 0.0, np.zeros(2 * a_n), 0, []
        for n in sizes:
            new = np.flatnonzero((rank >= done) & (rank < n))
            adding = sparse.csr_matrix(
                (weights[new].astype(self.values.dtype), (row[new], new)),
                shape=(2 * a_n, len(self.items)),
            )
            product = adding @ self.values
            sums = sums + (product.toarray() if sparse.issparse(product) else product)
            mass = mass + np.bincount(row[new], weights=weights[new], minlength=2 * a_n)
            done = n
            enough = available >= n
            profiles = sums / np.where(mass > 0, mass, 1)[:, None]
            results.append(
                _correlations(profiles[:a_n], profiles[a_n:], enough[:a_n] & enough[a_n:])
            )
        return results


def _correlations(first: np.ndarray, second: np.ndarray, there: np.ndarray) -> np.ndarray:
    """[annotators × annotators] Pearson, after centring the profiles of each half on their mean."""
    result = np.full((len(there), len(there)), np.nan)
    if there.sum() < 2:
        return result
    unit = []
    for profiles in (first[there], second[there]):
        centred = profiles - profiles.mean(axis=0)
        centred = centred - centred.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(centred, axis=1, keepdims=True)
        # Profiles that differ by rounding only have no direction to compare.
        defined = norm > 1e-6 * np.linalg.norm(profiles, axis=1, keepdims=True).max()
        unit.append(np.where(defined, centred / np.where(defined, norm, 1), np.nan))
    result[np.ix_(there, there)] = unit[0] @ unit[1].T
    return result
