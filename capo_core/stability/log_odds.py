"""Log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi & Quinn 2008).

"Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the Content of Political
Conflict", Political Analysis 16 (4), 372–403.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prior:
    """The prior of Monroe et al. (eq. 23): `weight` phrases, divided as everybody uses them.

    Attributes:
        alpha: float [phrases], pseudo-count of explanations that have the phrase.
        explanations: pseudo-count of explanations in all; `alpha / explanations` is everybody's
            rate of the phrase.
    """

    alpha: np.ndarray
    explanations: float

    @classmethod
    def of(cls, everybody: np.ndarray, n: int, weight: float) -> Prior:
        """From `everybody` [phrases], how many of all `n` explanations have each phrase."""
        total = float(everybody.sum())
        return cls(weight * everybody / total, weight * n / total)


def log_odds(
    counts: np.ndarray, n: int, others: np.ndarray, n_others: int, prior: Prior
) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds ratio and its standard error for every phrase, both float64 [phrases].

    Presence per explanation: an explanation has a phrase or not, so that the odds are those of an
    explanation having it, whatever the length of the annotators' texts. The two-category form of
    the paper's model, with its variance before the approximation for rare words.

    Args:
        counts, others: [phrases], explanations that have the phrase, of `n` and of `n_others`.

    The ratio over its standard error is their ζ (eq. 22), approximately N(0, 1) where the two use
    the phrase alike. A phrase that stands in every explanation has no odds; leave it out.
    """
    a, rest = prior.alpha, prior.explanations - prior.alpha
    delta = np.log(counts + a) - np.log(n - counts + rest)  # eq. 16, first half
    delta = delta - np.log(others + a) + np.log(n_others - others + rest)
    variance = 1 / (counts + a) + 1 / (others + a)  # eq. 20 …
    variance = variance + 1 / (n - counts + rest) + 1 / (n_others - others + rest)  # … in full
    return delta, np.sqrt(variance)


def without_one(
    counts: np.ndarray, n: int, others: np.ndarray, n_others: int, prior: Prior
) -> np.ndarray:
    """Log-odds ratios [phrases] when one explanation that has the phrase is left out of `counts`.

    What an explanation that has a phrase should be scored by: otherwise it vouches for itself.
    """
    return log_odds(np.maximum(counts - 1, 0), n - 1, others, n_others, prior)[0]
