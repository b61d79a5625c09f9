"""How attentively does each judge compare? The model, and its EM.

Model (after Cai & Li 2025, "Users as Annotators: LLM Preference Learning from Comparison Mode",
arXiv 2510.13830). Two texts from two sources; the first source's text is the better one with
probability μ (one μ for each pair of sources). Judge u attends with probability η_u: then the
vote goes to the better text; else a coin is tossed. So a vote is right with probability (1 + η)/2.

The paper has no text pair judged by two people. Here the better text of a *matter* is one latent t
shared by all who judge it, mirrored repeats included; in checks t is known. With one vote a matter
and μ given this is exactly the paper's likelihood: P(first) = ½ + η(μ − ½).

EM with t as latent. Whether a judge attended to a single vote, the paper's latent, is summed out:
the M-step for η is then the root of a quadratic and needs fewer steps to the same maximum. A weak
Beta prior on η (mode ½, as if one right and one wrong answer had been seen) keeps estimates off
0 and 1, so that judges without a single error still differ by how much they did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from capo_core.study.em_votes import Votes

PRIOR = (2.0, 2.0)  # Beta prior of η
MU_PRIOR = (2.0, 2.0)  # Beta prior of μ where it is estimated
STEPS = 2000
TOLERANCE = 1e-8  # of the penalised log-likelihood
EDGE = 1e-9


@dataclass(frozen=True)
class Fit:
    """Where EM ended.

    Attributes:
        eta: float [judges]. mu: float [pairs].
        log_odds: float [matters], of the first text being better, all votes used; ±∞ where known.
        trace: the penalised log-likelihood before every step; it never falls.
        converged: did it stop by itself?
    """

    eta: np.ndarray
    mu: np.ndarray
    log_odds: np.ndarray
    trace: np.ndarray
    converged: bool

    @property
    def better(self) -> np.ndarray:
        """float [matters]: probability that the first text is the better one."""
        return expit(self.log_odds)


def weight(eta: np.ndarray) -> np.ndarray:
    """Log-odds of a vote being right: what it adds to its matter."""
    return np.log1p(eta) - np.log1p(-eta)


def prior_log_odds(votes: Votes, mu: np.ndarray) -> np.ndarray:
    """float [matters]: before any vote; 0 within one source, ±∞ where the answer is known."""
    odds = np.append(logit(mu), 0.0)[votes.pair]
    return np.where(np.isnan(votes.known), odds, np.where(votes.known > 0, np.inf, -np.inf))


@dataclass(frozen=True)
class _Sums:
    """What of the votes does not change from step to step.

    Attributes:
        open: bool [matters], is the truth latent? n: int [judges], votes. plus: int [judges],
            votes for the second text of open matters, and right votes where the truth is known.
    """

    open: np.ndarray
    n: np.ndarray
    plus: np.ndarray

    @classmethod
    def of(cls, votes: Votes) -> _Sums:
        known = votes.known[votes.matter]
        open_ = np.isnan(known)
        right = votes.first == (np.where(open_, 0, known) > 0.5)
        plus = np.where(open_, ~votes.first, right)
        return cls(np.isnan(votes.known), votes.per_judge(), votes.per_judge(plus))


def fit(
    votes: Votes,
    *,
    mu: np.ndarray | None = None,
    prior: tuple[float, float] = PRIOR,
    mu_prior: np.ndarray | tuple[float, float] = MU_PRIOR,
    steps: int = STEPS,
) -> Fit:
    """Maximise the penalised likelihood by EM.

    Args:
        mu: [pairs], held fixed; NaN, or None for all, where it is to be estimated.
        prior: Beta prior of η, both above 1. mu_prior: Beta prior of an estimated μ, one for all
            pairs or [pairs × 2], 1 or more.
    """
    mu_prior = np.broadcast_to(np.asarray(mu_prior, dtype=float), (len(votes.pairs), 2))
    given = np.full(len(votes.pairs), np.nan) if mu is None else np.asarray(mu, dtype=float)
    free = np.isnan(given)
    now = np.where(free, 0.6, given)  # off ½, so that which source is stronger can be found
    eta = np.full(len(votes.judges), prior[0] / sum(prior))
    sums = _Sums.of(votes)
    sign = np.where(votes.first, 1.0, -1.0)
    trace: list[float] = []
    converged = False
    for _step in range(steps):
        start = prior_log_odds(votes, now)
        odds = start + np.bincount(
            votes.matter, sign * weight(eta)[votes.judge], minlength=len(start)
        )
        trace.append(_penalised(sums, eta, now, free, prior, mu_prior, odds, start))
        if len(trace) > 1 and trace[-1] - trace[-2] < TOLERANCE:
            converged = True
            break
        better = expit(odds)
        right = np.where(votes.first, better[votes.matter], 1 - better[votes.matter])
        eta = _attentive(votes, right, prior)
        if free.any():
            now = np.where(free, _strength(votes, better, sums.open, mu_prior), given)
    return Fit(eta, now, odds, np.array(trace), converged)


def _attentive(votes: Votes, right: np.ndarray, prior: tuple[float, float]) -> np.ndarray:
    """[judges]: the η that maximises G log(1+η) + W log(1−η) + (a−1) log η + (b−1) log(1−η)."""
    n = len(votes.judges)
    g = np.bincount(votes.judge, right, minlength=n)
    w = votes.per_judge() - g
    a, b = prior[0] - 1, prior[1] - 1
    lead, middle = g + w + a + b, g - w - b
    root = (middle + np.sqrt(middle**2 + 4 * lead * a)) / (2 * lead)
    return np.clip(root, EDGE, 1 - EDGE)


def _strength(votes: Votes, better: np.ndarray, open_: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """[pairs]: share of matters in which the first source's text is better, checks left out."""
    counted = open_ & (votes.pair >= 0)
    size = len(votes.pairs)
    won = np.bincount(votes.pair[counted], better[counted], minlength=size)
    all_ = np.bincount(votes.pair[counted], minlength=size)
    total = all_ + prior.sum(axis=1) - 2
    share = (won + prior[:, 0] - 1) / np.where(total > 0, total, 1)
    return np.clip(np.where(total > 0, share, 0.5), EDGE, 1 - EDGE)


def _penalised(sums: _Sums, eta, mu, free, prior, mu_prior, odds, start) -> float:
    """Log-likelihood of all votes, the better texts summed out, with the log of the priors.

    A matter: log Σ_t P(t) Π ((1 ± η)/2) = Σ log((1 − η)/2) over its votes, plus
    log(P(0) e^{d} + P(1) e^{s}), where s and d add `weight` over votes for the first and the
    second; the last is softplus(odds) − softplus(start) + d. Where the truth is known it is the
    sum of `weight` over right votes.
    """
    open_ = sums.open
    value = (np.logaddexp(0, odds[open_]) - np.logaddexp(0, start[open_])).sum()
    value += sums.n @ (np.log1p(-eta) - np.log(2)) + sums.plus @ weight(eta)
    value += ((prior[0] - 1) * np.log(eta) + (prior[1] - 1) * np.log1p(-eta)).sum()
    a, b = mu_prior[free].T - 1
    return float(value + (a * np.log(mu[free]) + b * np.log1p(-mu[free])).sum())
