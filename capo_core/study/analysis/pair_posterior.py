"""The probability that one text of a pair is the better one, with judges and sources unknown.

The model of votes is that of `attentiveness_em`. There the attentiveness of the judges and μ are
numbers that were estimated, and a probability computed from them takes estimates for facts: with
three judges who press keys at random it is over 0.9 for every other pair. Here all that is not
known is averaged over:

    η_u ~ Beta(m s, (1 − m) s), one m and one s for all judges of the study (hierarchical: judges
    who agree by chance only pull m towards 0, and with it everybody's votes), m and s uniform on
    the grids MEANS and SIZES; μ ~ Beta(1, 1) for each pair of sources, or as it was given.

Gibbs sampling (Geman & Geman 1984): the better texts given η and μ are independent coins; η given
them is drawn from a grid, judge by judge; μ is Beta; (m, s) is drawn from its grid. The probability
of a text pair is the mean over sweeps of its probability given η and μ (Rao-Blackwell; Gelfand &
Smith 1990). Checks and mirrored repeats tell of the judges: they are no votes on the pair itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit
from scipy.stats import beta

from capo_core.study.analysis.attentiveness_em import Votes, weight

if TYPE_CHECKING:
    from capo_core.study.analysis.judge_quality import Prior

MEANS = (0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97,
         0.99)  # fmt: skip
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
CELLS = 50  # of the grid of η
SWEEPS, BURN_IN = 400, 100
EDGE = 1e-4  # of μ


@dataclass(frozen=True)
class PairPosterior:
    """Attributes: better, float [text_pairs], probability that the first text is the better one,
    by its main votes; mu, float [sweeps × pairs], draws of μ; attention, float [sweeps], draws of
    the judges' mean attentiveness."""

    better: np.ndarray
    mu: np.ndarray
    attention: np.ndarray


@cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the grid of η [CELLS], and log probabilities of its cells [(m, s) × CELLS]."""
    edges = np.linspace(0, 1, CELLS + 1)
    rows = [np.diff(beta.cdf(edges, m * s, (1 - m) * s)) for m in MEANS for s in SIZES]
    return (edges[1:] + edges[:-1]) / 2, np.log(np.maximum(rows, 1e-12))


def pair_posterior(
    votes: Votes,
    prior: np.ndarray,
    *,
    seed: int = 0,
    sweeps: int = SWEEPS,
    burn_in: int = BURN_IN,
) -> PairPosterior:
    """Sample the posterior of votes; the same seed gives the same numbers.

    Args:
        prior: float [pairs × 2], the Beta prior of each μ, (1, 1) where nothing is known of it;
            (μ, ∞) where μ is known.
    """
    rng = np.random.default_rng([seed, 0x9A1B])
    grid, log_prior = _grid()
    right, wrong, heavy = np.log1p(grid), np.log1p(-grid), weight(grid)
    judges, size, pairs = len(votes.judges), len(votes.text_pairs), len(votes.pairs)
    cast = votes.per_judge()
    sign = np.where(votes.first, 1.0, -1.0)
    main = np.where(votes.repeat, 0.0, sign)
    open_ = np.isnan(votes.known)
    counted = open_ & (votes.pair >= 0)
    of_pair = votes.pair[counted]
    all_ = np.bincount(of_pair, minlength=pairs)
    held = np.isinf(prior[:, 1])
    mu = np.where(held, prior[:, 0], 0.6)
    eta = np.full(judges, CELLS // 2)
    belief = len(log_prior) // 2
    better, mus, attention = np.zeros(size), [], []
    for sweep in range(burn_in + sweeps):
        before = np.append(logit(mu), 0.0)[votes.pair]
        each = heavy[eta][votes.judge]
        odds = before + np.bincount(votes.text_pair, sign * each, minlength=size)
        if sweep >= burn_in:
            better += expit(before + np.bincount(votes.text_pair, main * each, minlength=size))
            mus.append(mu)
            attention.append(grid[eta].mean() if judges else 0.0)
        first = np.where(open_, rng.random(size) < expit(odds), votes.known > 0)
        hits = np.bincount(votes.judge, votes.first == first[votes.text_pair], minlength=judges)
        log_p = hits[:, None] * right + (cast - hits)[:, None] * wrong + log_prior[belief]
        eta = (log_p + rng.gumbel(size=log_p.shape)).argmax(axis=1)
        won = np.bincount(of_pair, first[counted], minlength=pairs)
        a, b = np.where(held, 1.0, prior[:, 0]), np.where(held, 1.0, prior[:, 1])
        drawn = rng.beta(a + won, b + all_ - won)
        mu = np.where(held, mu, np.clip(drawn, EDGE, 1 - EDGE))
        of_all = log_prior[:, eta].sum(axis=1)
        belief = int((of_all + rng.gumbel(size=len(of_all))).argmax())
    known = np.where(open_, better / sweeps, votes.known)
    return PairPosterior(known, np.array(mus).reshape(sweeps, pairs), np.array(attention))


def mu_priors(votes: Votes, given: Sequence[Prior]) -> np.ndarray:
    """Return the Beta prior [pairs × 2] of each pair's μ, for `pair_posterior`.

    Args:
        given: with the pair's first source as the stronger (`JudgeQuality.given`).
    """
    found = {(one.stronger, one.weaker): one for one in given}
    rows = []
    for pair in votes.pairs:
        one = found.get(pair)
        if one is None:
            rows.append((1.0, 1.0))
        elif one.strength:
            rows.append((one.mu * one.strength, (1 - one.mu) * one.strength))
        else:
            rows.append((one.mu, np.inf))
    return np.array(rows, dtype=float).reshape(len(votes.pairs), 2)
