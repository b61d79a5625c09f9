"""One source of label distributions: for each of its items, how often each label is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from capo_core.errors import DataError
from capo_core.schema import listed

# A published share is mostly rounded to two digits: each label may be off by half a hundredth.
ROUNDING = 0.005


@dataclass(frozen=True)
class Source:
    """Label distributions under one name.

    Attributes:
        name: "crowd", "annotators", "model p_softmax", …
        labels: all labels of the scale, in its order.
        item_ids: the items it speaks of, each once.
        shares: float [items, labels]; rows are brought to sum exactly 1.
        people: float [items]: of how many answers each row is made; NaN where that is not known.
        about: in a sentence, where it comes from.

    Raises:
        DataError: a share is no number, negative, or a row does not sum to one (rounding to two
            digits aside); an item stands twice.
    """

    name: str
    labels: tuple[str, ...]
    item_ids: tuple[str, ...]
    shares: np.ndarray = field(repr=False)
    people: np.ndarray | None = field(default=None, repr=False)
    about: str = ""

    def __post_init__(self) -> None:
        where = f"source {self.name!r}"
        shares = np.asarray(self.shares, dtype=float)
        if shares.shape != (len(self.item_ids), len(self.labels)):
            raise DataError(
                f"{shares.shape} shares for {len(self.item_ids)} items and {len(self.labels)} "
                "labels",
                where=where,
            )
        seen: set[str] = set()
        for item in self.item_ids:
            if item in seen:
                raise DataError(f"the item {item!r} stands twice", where=where)
            seen.add(item)
        self._refuse(~np.isfinite(shares).all(axis=1), shares, "holds what is no number", where)
        self._refuse((shares < 0).any(axis=1), shares, "holds a negative share", where)
        total = shares.sum(axis=1)
        allowed = ROUNDING * len(self.labels) + 1e-9
        self._refuse(np.abs(total - 1) > allowed, shares, "does not sum to one", where)
        object.__setattr__(self, "shares", shares / total[:, None])
        people = np.full(len(total), np.nan) if self.people is None else self.people
        object.__setattr__(self, "people", np.asarray(people, dtype=float))

    def _refuse(self, bad: np.ndarray, shares: np.ndarray, what: str, where: str) -> None:
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"the distribution {[round(float(x), 4) for x in shares[row]]} {what} "
                f"({int(bad.sum())} of {len(bad)} items)",
                where=f"{where}, item {self.item_ids[row]!r}",
                expected=f"shares of {listed(self.labels)} from 0 to 1, of sum 1",
                todo="correct them where they come from, or leave the item out of this source",
            )

    @property
    def constant(self) -> bool:
        """Does it say the same of every item?"""
        return bool(len(self.shares)) and bool(np.ptp(self.shares, axis=0).max() < 1e-12)

    def rows(self, item_ids: Sequence[str]) -> np.ndarray:
        """The distributions of `item_ids`, [len(item_ids), labels]; it must have them all."""
        place = {item: row for row, item in enumerate(self.item_ids)}
        return self.shares[[place[item] for item in item_ids]]


def from_counts(
    name: str,
    labels: Sequence[str],
    item_ids: Sequence[str],
    counts: np.ndarray,
    about: str = "",
) -> Source:
    """A source of how many people gave each label, [items, labels]; items nobody labelled are left
    out.

    Raises:
        DataError: a count is negative or no number.
    """
    counts = np.asarray(counts, dtype=float).reshape(len(item_ids), len(labels))
    if not np.isfinite(counts).all() or (counts < 0).any():
        row = int((~np.isfinite(counts).all(axis=1) | (counts < 0).any(axis=1)).argmax())
        raise DataError(
            f"the counts {counts[row].tolist()} cannot be used",
            where=f"source {name!r}, item {item_ids[row]!r}",
            expected="numbers of 0 or more",
        )
    total = counts.sum(axis=1)
    there = total > 0
    kept = tuple(item for item, given in zip(item_ids, there, strict=True) if given)
    shares = counts[there] / total[there, None]
    return Source(name, tuple(labels), kept, shares, total[there], about)


def uniform(labels: Sequence[str], item_ids: Sequence[str]) -> Source:
    """Every label equally often on every item: what one says who knows nothing."""
    shares = np.full((len(item_ids), len(labels)), 1 / len(labels))
    return Source("uniform", tuple(labels), tuple(item_ids), shares, about="no knowledge at all")


def mean_of(name: str, sources: Sequence[Source], about: str = "") -> Source:
    """The mean of several sources on the items that all of them have; each counts the same.

    Raises:
        DataError: they have no item in common, or other labels.
    """
    labels = sources[0].labels
    if any(one.labels != labels for one in sources):
        raise DataError("the sources have different labels", where=f"source {name!r}")
    common = set.intersection(*(set(one.item_ids) for one in sources))
    items = tuple(item for item in sources[0].item_ids if item in common)
    if not items:
        raise DataError(
            "there is no item that all of them have",
            where=f"source {name!r} of {listed(one.name for one in sources)}",
        )
    shares = np.mean([one.rows(items) for one in sources], axis=0)
    return Source(name, labels, items, shares, np.full(len(items), float(len(sources))), about)
