"""The distributions that sources are compared with, item by item.

Where the reference is the annotators' own labels, an annotator compared with all of them would be
compared with itself. So one annotator is left out at a time: an annotator is measured by the labels
of the others, and every other source by the same sets of labels, each without one annotator,
averaged. All sources then have references of the same size. What is made of the reference's labels
(their most frequent one, those that later validation accepted) has none that it is not part of, and
is not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from capo_core.distributions.judgments import Judgments, LabelDistribution
from capo_core.distributions.sources import ANNOTATOR, ANNOTATORS, SINGLE, VALID
from capo_core.workspace import content_hash

DERIVED = (ANNOTATORS, VALID, SINGLE)


@dataclass(frozen=True)
class ReferenceRows:
    """The references that a source is compared with, one row a comparison.

    Attributes:
        item: [rows], the place of its item.
        shares: [rows, labels].
        weight: [rows]; those of an item sum to 1.
        single: [items], the row that stands for the item in measures of whole tables.
    """

    item: np.ndarray
    shares: np.ndarray
    weight: np.ndarray
    single: np.ndarray

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted mean of each item's rows, [items], of values by row."""
        return np.bincount(self.item, self.weight * values, minlength=len(self.single))


class Reference:
    """The reference of a comparison, and what each source is compared with."""

    def __init__(self, judgments: Judgments, source: LabelDistribution) -> None:
        self.source, self._judgments = source, judgments

    @property
    def name(self) -> str:
        return self.source.name

    @cached_property
    def leaves_out(self) -> bool:
        """Return whether one annotator is left out at a time."""
        return self.name == ANNOTATORS and bool(self._parts)

    def derived(self, source: LabelDistribution) -> bool:
        """Return whether a source is made of the reference's own labels, so that their distance
        says nothing.
        """
        names = (self.name, source.name)
        if not all(name in DERIVED or name.startswith(ANNOTATOR) for name in names):
            return False
        if self.leaves_out and source.name in self._parts:
            return False
        return any(name in DERIVED for name in names)

    def items(self, source: LabelDistribution) -> tuple[str, ...]:
        """Return the items on which a source can be compared, in the reference's order."""
        if self.derived(source):
            return ()
        known = set(source.item_ids)
        if self.leaves_out:
            known &= self._several
        return tuple(item for item in self.source.item_ids if item in known)

    def rows(self, name: str, items: tuple[str, ...]) -> ReferenceRows:
        """Return what the source called `name` is compared with on `items` (see `items`)."""
        every = np.arange(len(items))
        if not self.leaves_out:
            shares = self.source.rows(items)
            return ReferenceRows(every, shares, np.ones(len(items)), every)
        if name in self._parts:
            shares = np.array([self._others[name, item] for item in items])
            shares = shares.reshape(len(items), len(self.source.labels))
            return ReferenceRows(every, shares, np.ones(len(items)), every)
        item, shares, weight, single = [], [], [], []
        for place, one in enumerate(items):
            left = self._left_out[one]
            single.append(len(item) + int(content_hash(one, "left out")[:8], 16) % len(left))
            item += [place] * len(left)
            shares += [self._others[who, one] for who in left]
            weight += [1 / len(left)] * len(left)
        table = np.array(shares).reshape(len(item), len(self.source.labels))
        return ReferenceRows(
            np.array(item, dtype=int), table, np.array(weight), np.array(single, dtype=int)
        )

    @cached_property
    def _parts(self) -> dict[str, LabelDistribution]:
        """The single annotators whose labels make up the reference."""
        found = [one for one in self._judgments.sources if one.name.startswith(ANNOTATOR)]
        counted = all(np.isfinite(one.people).all() for one in (self.source, *found))
        return {one.name: one for one in found} if counted else {}

    @cached_property
    def _counts(self) -> dict[str, np.ndarray]:
        return dict(
            zip(self.source.item_ids, self.source.shares * self.source.people[:, None], strict=True)
        )

    @cached_property
    def _others(self) -> dict[tuple[str, str], np.ndarray]:
        """(annotator, item) → shares of the labels of the others; without pairs with no others."""
        found = {}
        for name, part in self._parts.items():
            own = part.shares * part.people[:, None]
            for item, row in zip(part.item_ids, own, strict=True):
                left = (
                    np.maximum(self._counts[item] - row, 0.0) if item in self._counts else row * 0
                )
                left[left < 1e-6] = 0.0  # a whole number of labels but for the arithmetic
                if left.sum() > 0:
                    found[name, item] = left / left.sum()
        return found

    @cached_property
    def _left_out(self) -> dict[str, list[str]]:
        """Item → the annotators who can be left out."""
        found: dict[str, list[str]] = {}
        for name, item in self._others:
            found.setdefault(item, []).append(name)
        return found

    @cached_property
    def _several(self) -> set[str]:
        """Items with labels by two annotators or more."""
        return {item for item, names in self._left_out.items() if len(names) > 1}
