"""How sure are we of a judge's attentiveness? Standard errors and intervals.

Standard errors: the observed information of the penalised likelihood at its maximum, by Louis
(1982): information of the completed data minus what the missing (which text is better) takes away.
It holds the other judges' and μ's uncertainty too.

Intervals: likelihood ratio along one judge's η, the other judges and μ held, with the deviance
divided by the inflation (variance with all others free / variance with them held), and with two
corrections: the t quantile of the judge's number of votes for the normal one, and, since η lies
between 0 and 1, the critical values of Feldman & Cousins (1998), "Unified approach to the
classical statistical analysis of small signals", for a normal estimate with two bounds. A plain
likelihood ratio covers too often near the bounds; the Wald interval too rarely.
"""

from __future__ import annotations

from math import comb

import numpy as np
from scipy import sparse
from scipy.special import expit, ndtr
from scipy.stats import t as student

from capo_core.stability.intervals import Z95
from capo_core.study.em_attentive import Fit, weight
from capo_core.study.em_votes import Votes

GRID = np.append(np.linspace(0, 0.98, 41), [0.99, 0.995, 0.999, 1 - 1e-6])
HALVINGS = 15


def information(votes: Votes, fit: Fit, free: np.ndarray, prior: tuple[float, float]) -> np.ndarray:
    """Observed information, [judges + free μ] square, of the penalised log-likelihood.

    With score s = ∂ log P(votes of the matter | t) of each parameter, J = E[−∂s] − Var(s), both
    over t given the votes (Louis 1982).
    """
    eta = fit.eta[votes.judge]
    toward, away = 1 / (1 + eta), -1 / (1 - eta)  # score of a right and of a wrong vote
    better = fit.better
    q = better[votes.matter]
    gap = np.where(votes.first, toward - away, away - toward)  # score if t = 1, minus if t = 0
    right = np.where(votes.first, q, 1 - q)
    n_judges, n_matters = len(votes.judges), len(votes.matters)
    a, b = prior[0] - 1, prior[1] - 1
    complete = np.bincount(votes.judge, right * toward**2 + (1 - right) * away**2, n_judges)
    complete = complete + a / fit.eta**2 + b / (1 - fit.eta) ** 2
    columns = sparse.csr_matrix((gap, (votes.matter, votes.judge)), (n_matters, n_judges))
    pairs = np.flatnonzero(free)
    if len(pairs):
        open_ = np.isnan(votes.known)
        of_pair = (votes.pair[:, None] == pairs[None, :]) & open_[:, None]
        mu = fit.mu[pairs]
        columns = sparse.hstack([columns, sparse.csr_matrix(of_pair / (mu * (1 - mu)))]).tocsr()
        won = better @ of_pair
        lost = (1 - better) @ of_pair
        complete = np.append(complete, won / mu**2 + lost / (1 - mu) ** 2)
    spread = sparse.diags(better * (1 - better))
    result = -(columns.T @ spread @ columns).toarray()
    result[np.diag_indices_from(result)] += complete
    return result


def curves(votes: Votes, fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood along each judge's η and its expected information, both [judges × GRID].

    All other judges and μ are held. A cell is one judge's k of n votes for the first text of a
    matter; with A the probability, by all others, that the first is better, it has probability
    C(n,k) (A r^k w^(n−k) + (1−A) w^k r^(n−k)), r = (1+η)/2, w = (1−η)/2.
    """
    n_matters = len(votes.matters)
    cell, of_vote = np.unique(votes.judge * n_matters + votes.matter, return_inverse=True)
    judge, matter = cell // n_matters, cell % n_matters
    n = np.bincount(of_vote)
    k = np.bincount(of_vote, votes.first).astype(int)
    own = weight(fit.eta)[judge] * (2 * k - n)
    others = expit(fit.log_odds[matter] - own)
    value = np.zeros((len(votes.judges), len(GRID)))
    told = np.zeros_like(value)
    for size in np.unique(n):
        for times in np.unique(k[n == size]):
            at = (n == size) & (k == times)
            value += _log_likelihood(others[at], judge[at], int(size), int(times), len(value))
        at = n == size
        told += _expected(others[at], judge[at], int(size), len(value))
    return value, told


def _terms(a: np.ndarray, n: int, k: int, eta: float) -> np.ndarray:
    """Probability of one order of k in n votes, at one η."""
    r, w = (1 + eta) / 2, (1 - eta) / 2
    one, two = r**k * w ** (n - k), w**k * r ** (n - k)
    return two + a * (one - two)


def _slopes(a: np.ndarray, n: int, k: int, eta: float) -> np.ndarray:
    """Derivative of `_terms` by η."""
    r, w = (1 + eta) / 2, (1 - eta) / 2
    one, two = r**k * w ** (n - k), w**k * r ** (n - k)
    up_one = one * (k / r - (n - k) / w) / 2
    up_two = two * ((n - k) / r - k / w) / 2
    return up_two + a * (up_one - up_two)


def _log_likelihood(a, judge, n: int, k: int, size: int) -> np.ndarray:
    columns = [
        np.bincount(judge, np.log(np.maximum(_terms(a, n, k, eta), 1e-300)), size) for eta in GRID
    ]
    return np.stack(columns, axis=1)


def _expected(a, judge, n: int, size: int) -> np.ndarray:
    columns = []
    for eta in GRID:
        if n == 1:  # nearly always, and then both outcomes have one slope
            lean = (a - 0.5) ** 2
            columns.append(np.bincount(judge, lean / (0.25 - eta**2 * lean), size))
            continue
        each = np.zeros(len(a))
        for k in range(n + 1):
            p = np.maximum(_terms(a, n, k, eta), 1e-12)
            each += comb(n, k) * _slopes(a, n, k, eta) ** 2 / p
        columns.append(np.bincount(judge, each, size))
    return np.stack(columns, axis=1)


def critical(below: np.ndarray, above: np.ndarray, z: float = Z95) -> np.ndarray:
    """95 % critical deviance of a normal mean between two bounds (Feldman & Cousins 1998).

    Args:
        below, above: distance to the lower and the upper bound in standard errors, 0 or more.

    Where the estimate would pass a bound it stays there, and the deviance is smaller: with c the
    critical value and d the distance, the standardised error may go to (c + d²)/(2d) on that side
    if √c > d. c solves for the level; 3.84 far from the bounds, 2.71 at one.
    """
    level = 2 * ndtr(z) - 1
    low, high = np.zeros_like(below), np.full_like(below, z * z)
    for _halving in range(HALVINGS):
        middle = (low + high) / 2
        enough = ndtr(_reach(middle, above)) - ndtr(-_reach(middle, below)) >= level
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return high


def _reach(c: np.ndarray, d: np.ndarray) -> np.ndarray:
    root = np.sqrt(c)
    return np.where(root <= d, root, (c + d**2) / (2 * np.maximum(d, 1e-9)))


def intervals(votes: Votes, fit: Fit, inflation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of each judge's η, [judges] low and high; 0 to 1 where nothing is known.

    Args:
        inflation: [judges], 1 or more: variance with all others free by that with them held.
    """
    value, told = curves(votes, fit)
    error = np.sqrt(inflation[:, None] / np.maximum(told, 1e-12))
    few = student.ppf(ndtr(Z95), np.maximum(votes.per_judge() - 1, 1)) / Z95
    cut = critical(GRID / error, (1 - GRID) / error) * few[:, None] ** 2
    deviance = 2 * (value.max(axis=1, keepdims=True) - value) / inflation[:, None]
    return _crossings(deviance - cut)


def _crossings(excess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last place on GRID where `excess` [judges × GRID] is 0 or less, interpolated."""
    rows = np.arange(len(excess))
    inside = excess <= 0
    first = inside.argmax(axis=1)
    last = len(GRID) - 1 - inside[:, ::-1].argmax(axis=1)
    low, high = GRID[first].copy(), GRID[last].copy()
    at = first > 0
    low[at] = _between(excess[rows[at]], rows[at] * 0 + first[at] - 1, first[at])
    at = last < len(GRID) - 1
    high[at] = _between(excess[rows[at]], last[at], last[at] + 1)
    high[last == len(GRID) - 1] = 1.0
    return low, high


def _between(excess: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    rows = np.arange(len(excess))
    a, b = excess[rows, left], excess[rows, right]
    return GRID[left] + (GRID[right] - GRID[left]) * a / np.where(a == b, 1, a - b)
