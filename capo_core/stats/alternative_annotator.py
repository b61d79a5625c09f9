"""Alternative annotator test: may a model stand in for one of several annotators?

Calderon, Reichart & Dror (2025), "The Alternative Annotator Test for LLM-as-a-Judge", ACL,
arXiv 2501.10970; definitions as in the authors' code (github.com/nitaytech/AltTest). Annotator j is
left out. On each item i that j annotated, the similarity S of j's annotation to those of the other
annotators is compared with that of the model's:

    W^f_ij = 1[S(model, i) ≥ S(j, i)],   W^h_ij = 1[S(j, i) ≥ S(model, i)],   a tie counts for both

The null hypothesis mean(W^h) − mean(W^f) ≥ ε is tested by a one-sided paired t-test; ε ≥ 0 is what
the model may be worse by for being cheaper (.2 where annotators are experts, .15 skilled, .1
crowd workers: the authors' rule of thumb). p-values are adjusted over annotators by Benjamini &
Yekutieli (2001). The winning rate ω is the share of annotators for whom the null is rejected, and
the test is passed from ω = .5 on. The average advantage probability ρ, the mean over annotators of
mean(W^f), is what models are compared by.

Below 30 items the t-test's approximation is not to be relied on, and no p-value is given. (The
authors propose Wilcoxon's signed-rank test there; it asks about the median, and where most items
are ties it rejects true null hypotheses: `benchmarks/referee.py` has its error rate.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_1samp

from capo_core.stats.significance import benjamini_yekutieli

EPSILONS = {"experts": 0.2, "skilled": 0.15, "crowd": 0.1}
MIN_ITEMS = 30
LEVEL = 0.05  # of the false discovery rate over annotators
PASSED_FROM = 0.5  # of the winning rate


@dataclass(frozen=True)
class Advantage:
    """Comparison of a model with one annotator who is left out.

    Attributes:
        model: W^f, [n] per item: 1 where the model is at least as similar to the others as the
            annotator; averaged over the model's repetitions.
        person: W^h, [n], the same of the annotator.
    """

    model: np.ndarray
    person: np.ndarray

    @property
    def n(self) -> int:
        return len(self.model)

    @property
    def probability(self) -> float:
        """Advantage probability of the model, 0 to 1; NaN without items."""
        return float(self.model.mean()) if self.n else math.nan

    def p_value(self, epsilon: float) -> float:
        """Return the one-sided p-value against "the model is worse by ε or more"; NaN for fewer
        than MIN_ITEMS items."""
        if self.n < MIN_ITEMS:
            return math.nan
        apart = self.person - self.model
        if np.ptp(apart) == 0:  # no variance: all items say the same
            return 0.0 if apart[0] < epsilon else 1.0
        return float(ttest_1samp(apart, epsilon, alternative="less").pvalue)


def advantage(model: np.ndarray, person: np.ndarray, *, slack: float = 1e-9) -> Advantage:
    """Return the comparison of similarities to the other annotators.

    Args:
        model: [n] or [repetitions, n] similarities S of the model's annotations; −inf where one
            could not be read, which loses against any readable one.
        person: [n] similarities of the annotator's.
        slack: similarities that differ by less are tied (sums in another order round apart).

    >>> found = advantage(np.array([1.0, 0.5, 0.0]), np.array([0.5, 0.5, 1.0]))
    >>> found.model.tolist(), found.person.tolist()
    ([1.0, 1.0, 0.0], [0.0, 1.0, 1.0])
    """
    rows = np.atleast_2d(np.asarray(model, dtype=float))
    person = np.asarray(person, dtype=float)
    return Advantage((rows >= person - slack).mean(axis=0), (person >= rows - slack).mean(axis=0))


@dataclass(frozen=True)
class AlternativeAnnotatorTest:
    """Result over annotators.

    Attributes:
        p, adjusted: p-values of each annotator, before and after Benjamini & Yekutieli; NaN where
            there are fewer than MIN_ITEMS items.
        epsilon: what the model may be worse by.
        probability: average advantage probability ρ, over annotators with an item.
    """

    p: np.ndarray
    adjusted: np.ndarray
    epsilon: float
    probability: float

    @property
    def tested(self) -> int:
        """Number of annotators with enough items."""
        return int(np.isfinite(self.p).sum())

    @property
    def won(self) -> int:
        """Number of annotators for whom the model may stand in."""
        return int((self.adjusted <= LEVEL).sum())

    @property
    def winning_rate(self) -> float:
        """Winning rate ω over the annotators tested; NaN where none was."""
        return self.won / self.tested if self.tested else math.nan

    @property
    def passed(self) -> bool:
        """Return whether ω ≥ .5."""
        return self.tested > 0 and self.winning_rate >= PASSED_FROM


def alternative_annotator_test(
    comparisons: Sequence[Advantage], epsilon: float
) -> AlternativeAnnotatorTest:
    """Test a model against annotators, each left out in turn."""
    p = np.array([one.p_value(epsilon) for one in comparisons], dtype=float)
    known = [one.probability for one in comparisons if one.n]
    return AlternativeAnnotatorTest(
        p, benjamini_yekutieli(p), epsilon, float(np.mean(known)) if known else math.nan
    )
