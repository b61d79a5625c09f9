"""Uniform draws one at a time, cheaply and reproducibly."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_BLOCK = 8192


class Draws:
    """A stream of uniform numbers from a NumPy generator, taken in blocks.

    One call to a generator costs microseconds; text needs some forty draws an explanation, so the
    numbers are drawn 8,192 at a time. The stream depends on the generator's seed alone.
    """

    def __init__(self, seed: int | Sequence[int]) -> None:
        self._rng = np.random.default_rng(seed)
        self._block: list[float] = []
        self._next = _BLOCK

    def uniform(self) -> float:
        """The next number, 0 (included) to 1 (excluded)."""
        if self._next >= _BLOCK:
            self._block = self._rng.random(_BLOCK).tolist()
            self._next = 0
        self._next += 1
        return self._block[self._next - 1]

    def index(self, n: int) -> int:
        """A whole number from 0 to n − 1, each as likely."""
        return int(self.uniform() * n)

    def pick(self, values: Sequence[T]) -> T:
        """One of `values`, each as likely."""
        return values[int(self.uniform() * len(values))]

    def other(self, values: Sequence[T], than: T) -> T:
        """One of `values` that is not `than`; there must be one."""
        found = self.pick(values)
        while found == than:
            found = self.pick(values)
        return found

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def weighted(self, bounds: Sequence[float]) -> int:
        """An index drawn by weight; `bounds` are cumulative shares, the last one is 1."""
        return min(bisect_right(bounds, self.uniform()), len(bounds) - 1)


def cumulative(weights: Sequence[float]) -> tuple[float, ...]:
    """Cumulative shares of `weights` (all ≥ 0, their sum > 0), for `Draws.weighted`."""
    total = sum(weights)
    return tuple(value / total for value in accumulate(weights))
