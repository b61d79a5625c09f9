"""A score with the influence of each item on it, so that intervals and differences follow.

Scores of one table are computed on the same items. A score's influence function over items (the
infinitesimal jackknife, Efron 1982, ch. 6) is linear: a mean of scores has the mean of their
influences, and a difference the difference. So the interval of a paired difference is exact about
what the two sides share, also where they pool several responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capo_core.stability.intervals import Z95, Estimate
from capo_core.stability.pooling import accuracy_interval


@dataclass(frozen=True)
class Score:
    """One number and where it comes from.

    Attributes:
        value: the number; a share (0 to 1) where `share`.
        influence: [G, items]: what the number gains, to first order, when an item's weight grows,
            in each of G independent random groupings; G = 1 where nothing is random.
        n: what was counted (responses, or groups of responses).
        share: whether the value is a share of n, which keeps its interval within 0…1.
    """

    value: float
    influence: np.ndarray
    n: int
    share: bool = True

    @property
    def error(self) -> float:
        """Standard error over items.

        With several groupings only products of different ones count: their draws are independent,
        so that the luck of a grouping is not taken for a difference between items.
        """
        count = len(self.influence)
        squares = (self.influence**2).sum()
        if count == 1:
            return float(np.sqrt(squares))
        cross = (self.influence.sum(axis=0) ** 2).sum() - squares
        return float(np.sqrt(max(0.0, cross / (count * (count - 1)))))

    def estimate(self) -> Estimate:
        """The number with its 95 % interval over items."""
        if self.share:
            # At 0 and 1 no item differs from another; what remains is the number of trials.
            low, high = accuracy_interval(self.value, self.n, self.error)
        else:
            low, high = self.value - Z95 * self.error, self.value + Z95 * self.error
        return Estimate(self.value, low, high, self.n)


def mean(scores: Sequence[Score], *, repeated: bool = False) -> Score:
    """The mean of scores on the same items, each counted the same.

    Args:
        repeated: the scores are of the same thing done again (seeds, samples): their n is not
            added up, since more of them make an interval no narrower than its items allow.
    """
    counts = [score.n for score in scores]
    return Score(
        float(np.mean([score.value for score in scores])),
        np.mean([score.influence for score in scores], axis=0),
        min(counts) if repeated else sum(counts),
        all(score.share for score in scores),
    )


def difference(one: Score, other: Score) -> Score:
    """`one` − `other`, paired by item."""
    return Score(
        one.value - other.value, one.influence - other.influence, min(one.n, other.n), share=False
    )
