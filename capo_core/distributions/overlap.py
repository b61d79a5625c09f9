"""How alike two sequences are by their n-grams."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def ngrams(sequence: Sequence[str], n: int) -> Counter:
    """How often each run of `n` stands in the sequence; empty where it is shorter."""
    return Counter(zip(*(sequence[start:] for start in range(n)), strict=False))


def overlap(one: Counter, other: Counter) -> float:
    """(matches of one in the other + matches of the other in one) / (|one| + |other|), 0 to 1.

    Of n-grams that stand several times on both sides the smaller number matches: twice the size of
    the multisets' intersection by the sum of their sizes (Dice 1945). NaN where both are empty.
    """
    size = one.total() + other.total()
    return 2 * (one & other).total() / size if size else math.nan
