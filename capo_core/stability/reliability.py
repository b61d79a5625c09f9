"""Split-half reliability: similarity of annotator profiles between random halves of the items.

A profile is the mean vector of an annotator's explanations in one half; halves share no item. In
each half the profiles are centred on their common mean (the grand mean of that half, so that what
the items of the half are about drops out; not the item's own mean, which would tie the annotators
of an item to each other). The similarity of two profiles is the Pearson correlation of their
dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from capo_core.errors import ConfigError
from capo_core.stats.cells import Cells, gather
from capo_core.stats.intervals import central_interval, json_rows

# The items in random order [items], and the author and the weight of every cell [cells].
_Way = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SplitHalves:
    """Data from which halvings are drawn.

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
        """Return the largest number per half that the median annotator has."""
        counts = np.bincount(self.annotators, minlength=self.cells.n_annotators)
        middle = int(np.median(counts)) // 2
        # Random halves of unmatched items differ in size: leave room for that.
        return middle if self.matched else max(int(middle - np.sqrt(middle)), 0)

    def draw(
        self, sizes: Sequence[int], draws: int, rng: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Return similarities of profiles: observed, with items weighted at random, and shuffled.

        Each is a list over `sizes` of arrays [3 × draws × annotators]: of an annotator's two
        profiles, the mean with others' (first half × second half), and 1 where the closest profile
        is their own; NaN for an annotator with fewer than the size in either half.
        """
        a_n = self.cells.n_annotators
        # All three ways of a draw one after the other.
        found = [np.empty((3, 3 * draws, a_n)) for _ in sizes]
        ones = np.ones(len(self.items))
        numbers = 2 * a_n * self.values.shape[1]
        together = max(_CACHED // numbers // 3 * 3, 3 if 3 * numbers <= _NUMBERS else 1)
        ways: list[_Way] = []
        done = 0
        for draw in range(draws):
            order = rng.permutation(self.cells.n_items)
            weights = rng.exponential(size=self.cells.n_items)[self.items]
            mixed = self._exchanged(rng)
            ways += [(order, self.annotators, ones), (order, self.annotators, weights)]
            ways.append((order, mixed, ones))
            if len(ways) < together and draw < draws - 1:
                continue
            for first in range(0, len(ways), together):
                some = ways[first : first + together]
                at = slice(done, done + len(some))
                for k, similarity in enumerate(self._similarities(sizes, some)):
                    own, others = _own_and_others(similarity)
                    found[k][:, at] = own, others, _identified(similarity)
                done += len(some)
            ways = []
        return tuple([one[:, kind::3] for one in found] for kind in range(3))

    def _exchanged(self, rng: np.random.Generator) -> np.ndarray:
        """Shuffle annotators: within items, or among all cells if not `matched`.

        Where an item has few of the annotators, an exchange within it would leave a good part of
        the cells with their authors.
        """
        if not self.matched:
            return rng.permutation(self.annotators)
        shuffled = np.lexsort((rng.random(len(self.items)), self.items))
        result = np.empty_like(self.annotators)
        result[shuffled] = self.annotators[np.argsort(self.items, kind="stable")]
        return result

    def _ranks(self, order: np.ndarray, authors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the half of each cell, and its rank among the annotator's cells there.

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
        group = half * self.cells.n_annotators + authors
        sorted_cells = np.lexsort((place, group))
        start = np.searchsorted(group[sorted_cells], np.arange(2 * self.cells.n_annotators))
        rank = np.empty(len(place), dtype=np.int64)
        rank[sorted_cells] = np.arange(len(place)) - start[group[sorted_cells]]
        return half, rank

    def _similarities(self, sizes: Sequence[int], ways: list[_Way]) -> list[np.ndarray]:
        """Compute [ways × annotators × annotators] per size; larger sizes extend sums of smaller
        ones."""
        a_n = self.cells.n_annotators
        rows = len(ways) * 2 * a_n
        ranks, row = [], []
        for index, (order, authors, _) in enumerate(ways):
            half, rank = self._ranks(order, authors)
            ranks.append(rank)
            row.append((2 * index + half) * a_n + authors)
        available = np.bincount(np.concatenate(row), minlength=rows)
        sums, mass, done, results = 0.0, np.zeros(rows), 0, []
        for n in sizes:
            new = [np.flatnonzero((rank >= done) & (rank < n)) for rank in ranks]
            cell = np.concatenate(new)
            place = np.concatenate([own[at] for own, at in zip(row, new, strict=True)])
            weight = np.concatenate([w[at] for (*_, w), at in zip(ways, new, strict=True)])
            adding = sparse.csr_matrix(
                (weight.astype(self.values.dtype), (place, cell)), shape=(rows, len(self.items))
            )
            product = adding @ self.values
            sums = sums + (product.toarray() if sparse.issparse(product) else product)
            mass = mass + np.bincount(place, weights=weight, minlength=rows)
            done = n
            profiles = sums / np.where(mass > 0, mass, 1)[:, None]
            enough = (available >= n).reshape(len(ways), 2, a_n).all(axis=1)
            results.append(_correlations(profiles.reshape(len(ways), 2, a_n, -1), enough))
        return results


def _correlations(profiles: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return Pearson correlations [ways × annotators × annotators] of profiles [ways × 2 ×
    annotators × d] centred in each half; NaN for annotators who are not `there`."""
    ways, annotators = there.shape
    if not there.all() and ways > 1:
        return np.concatenate([_correlations(profiles[[way]], there[[way]]) for way in range(ways)])
    result = np.full((ways, annotators, annotators), np.nan)
    own = np.flatnonzero(there.all(axis=0))
    if len(own) < 2:
        return result
    if len(own) < annotators:
        profiles = profiles[:, :, own]
    centred = profiles - profiles.mean(axis=2, keepdims=True)
    centred -= centred.mean(axis=3, keepdims=True)
    norm = np.sqrt(np.einsum("whad,whad->wha", centred, centred))
    # Profiles that differ by rounding only have no direction to compare.
    length = np.sqrt(np.einsum("whad,whad->wha", profiles, profiles))
    norm = np.where(norm > 1e-6 * length.max(axis=2)[..., None], norm, np.nan)
    products = centred[:, 0] @ centred[:, 1].swapaxes(1, 2)
    result[:, own[:, None], own] = products / (norm[:, 0, :, None] * norm[:, 1, None, :])
    return result


MIN_PER_HALF = 5
SIZES = (25, 50, 100, 200, 400, 800)
COLUMNS = (
    "n", "self", "low", "high", "others", "shuffled", "identified", "identified_low",
    "identified_high", "all_identified", "chance", "n_items", "n_annotators", "draws", "design",
    "note",
)  # fmt: skip
_NUMBERS = 1e6  # numbers of profiles that are worked on at once, for three ways of a draw
_CACHED = 100_000  # and for more
_PAIRS = 2e7  # pairs of annotators compared, in the same way
_BUDGET = 5e6  # cells visited; larger data get fewer draws, and need fewer, at least 20


@dataclass(frozen=True)
class Reliability:
    """Split-half reliability.

    Attributes:
        rows: COLUMNS, one row per `n` (explanations of an annotator in a half).
            `self`, with 95 % interval: mean correlation of an annotator's two profiles.
            `others`: of profiles of two annotators, one from each half.
            `shuffled`: `self` with annotators exchanged at random (within each item where the
            same items serve all, else among all rows).
            `identified`: share of annotators whose profile is closest to themselves in the other
            half, with the central 95 % of single halvings; `all_identified`: share of halvings
            where that holds for all.
        by_annotator: annotator_id, n, self, others, at the largest n.
        note: why there are no rows; empty otherwise.
    """

    rows: pd.DataFrame
    by_annotator: pd.DataFrame
    note: str = ""

    def to_frame(self) -> pd.DataFrame:
        return self.rows.copy()

    def to_dict(self) -> dict:
        return {
            "rows": json_rows(self.rows),
            "by_annotator": json_rows(self.by_annotator),
            "note": self.note,
        }


def split_half(
    matrix: np.ndarray | sparse.sparray | sparse.spmatrix,
    items: Sequence,
    annotators: Sequence,
    *,
    seed: int = 0,
    draws: int = 200,
    sizes: Sequence[int] | None = None,
) -> Reliability:
    """Compute the reliability of annotator profiles in `matrix` [n × d], dense or sparse.

    Where enough items have all annotators, the halves are matched: everybody's profiles come from
    the same items. Otherwise `n` items of each annotator are drawn from the half.

    The value is the mean over random halvings. Its interval is the spread of single halvings in
    which the items weigh at random too (Bayesian bootstrap), moved to the value: where one more
    such study, with other items, would be found. The weights make it a little too wide.

    Args:
        sizes: explanations per half; by default 25, 50, 100 … and the most there are.

    Raises:
        ConfigError: the lengths differ, or a size is more than there is.
    """
    if matrix.shape[0] != len(items):
        raise ConfigError(f"{matrix.shape[0]} rows came with {len(items)} items")
    cells = gather(items, annotators)
    each = cells.annotators_per_item()
    if cells.n_annotators < 2:
        return _none("not defined: fewer than two annotators")
    if matrix.shape[1] == 0:
        return _none("not defined: no two explanations share a feature")
    complete = each == cells.n_annotators
    matched = complete.sum() >= max(2 * MIN_PER_HALF, 0.5 * (each >= 2).sum())
    keep = complete[cells.items] if matched else np.ones(cells.n, dtype=bool)
    values = (cells.averaging() @ matrix)[keep]
    halves = SplitHalves(values, cells.items[keep], cells.annotators[keep], cells, bool(matched))
    most = halves.most()
    if most < MIN_PER_HALF:
        return _none(f"not defined: fewer than {2 * MIN_PER_HALF} items of an annotator")
    if sizes is None:
        sizes = [n for n in SIZES if n <= most / 1.2] + [most]
    if not sizes or min(sizes) < 1 or max(sizes) > most or list(sizes) != sorted(set(sizes)):
        raise ConfigError(f"halves of {list(sizes)}", expected=f"rising sizes between 1 and {most}")
    # Every halving compares all annotators with all.
    cost = max(cells.n / _BUDGET, cells.n_annotators**2 / _PAIRS)
    draws = int(np.clip(1 / cost, min(20, draws), draws))
    drawn = halves.draw(list(sizes), draws, np.random.default_rng(seed))
    rows = [_row(halves, n, *(kind[k] for kind in drawn)) for k, n in enumerate(sizes)]
    own, others, _ = drawn[0][-1]
    by = {"n": sizes[-1], "self": _mean(own, axis=0), "others": _mean(others, axis=0)}
    by_annotator = pd.DataFrame({"annotator_id": cells.annotator_names, **by})
    return Reliability(pd.DataFrame(rows, columns=list(COLUMNS)), by_annotator)


def _row(halves: SplitHalves, n: int, plain, weighted, shuffled) -> dict:
    """Return a row of the table from similarities [3 × draws × annotators] (`SplitHalves.draw`)."""
    own, others, closest = plain
    value, noisy = _mean(own, axis=1), _mean(weighted[0], axis=1)
    low, high = central_interval(noisy - _mean(noisy) + _mean(value))
    found = _mean(closest, axis=1)
    found_low, found_high = central_interval(found)
    there = np.isfinite(found)
    return {
        "n": int(n),
        "self": float(_mean(value)),
        "low": max(low, -1.0),
        "high": min(high, 1.0),
        "others": float(_mean(others)),
        "shuffled": float(_mean(shuffled[0])),
        "identified": float(_mean(found)),
        "identified_low": found_low,
        "identified_high": found_high,
        "all_identified": float(np.mean(found[there] == 1)) if there.any() else np.nan,
        "chance": 1 / halves.cells.n_annotators,
        "n_items": len(np.unique(halves.items)),
        "n_annotators": halves.cells.n_annotators,
        "draws": len(own),
        "design": "same items for all" if halves.matched else "own items of each",
        "note": "" if there.any() else "not defined: the profiles do not differ",
    }


def _nobody() -> pd.DataFrame:
    return pd.DataFrame(columns=["annotator_id", "n", "self", "others"])


def _none(note: str) -> Reliability:
    return Reliability(pd.DataFrame(columns=list(COLUMNS)), _nobody(), note)


def _own_and_others(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the diagonal and the mean of each row without it, both [draws × annotators]."""
    own = np.einsum("daa->da", similarity)
    away = similarity.copy()
    np.einsum("daa->da", away)[:] = np.nan
    return own, _mean(away, axis=2)


def _identified(similarity: np.ndarray) -> np.ndarray:
    """Return 1 where an annotator's closest profile is their own, NaN if undefined."""
    own = np.einsum("daa->da", similarity)
    best = np.where(np.isnan(similarity), -np.inf, similarity).max(axis=2)
    return np.where(np.isnan(own), np.nan, (own >= best).astype(float))


def _mean(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Mean of the defined values; NaN if there are none."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
