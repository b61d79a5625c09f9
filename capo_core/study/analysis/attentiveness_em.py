"""Attentiveness of judges, estimated by EM from comparisons, with standard errors and intervals.

*Votes.* A text pair is one comparison trial together with its mirrored repeats, whoever judged it.
Which of its two texts is better is one fact, shared by all judges of the pair.

*Model* (after Cai & Li 2025, "Users as Annotators: LLM Preference Learning from Comparison Mode",
arXiv 2510.13830). Two texts from two sources; the first source's text is the better one with
probability μ (one μ for each pair of sources). Judge u attends with probability η_u: then the
vote goes to the better text; else a coin is tossed. So a vote is right with probability (1 + η)/2.
The paper has no text pair judged by two people. Here the better text of a pair is one latent t
shared by all who judge it, mirrored repeats included; in checks t is known. With one vote per text
pair and μ given this is exactly the paper's likelihood: P(first) = ½ + η(μ − ½).

*EM* with t as latent. Whether a judge attended to a single vote, the paper's latent, is summed out:
the M-step for η is then the root of a quadratic and needs fewer steps to the same maximum. A weak
Beta prior on η (mode ½, as if one right and one wrong answer had been observed) keeps estimates off
0 and 1, so that judges without a single error still differ by how much they did.

*Standard errors*: the observed information of the penalised likelihood at its maximum, by Louis
(1982): information of the completed data minus what the missing (which text is better) takes away.
It includes the uncertainty of the other judges and of μ.

*Intervals*: likelihood ratio along one judge's η, the other judges and μ held, with the deviance
divided by the inflation (variance with all others free / variance with them held), and with two
corrections: the t quantile of the judge's number of votes for the normal one, and, since η lies
between 0 and 1, the critical values of Feldman & Cousins (1998), "Unified approach to the
classical statistical analysis of small signals", for a normal estimate with two bounds. A plain
likelihood ratio covers too often near the bounds; the Wald interval too rarely.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit, logit, ndtr
from scipy.stats import t as student

from capo_core.errors import ConfigError, DataError
from capo_core.stats.intervals import Z95
from capo_core.study.tables import CHECK, COMPARISON, MIRROR, PRACTICE, TIE


@dataclass(frozen=True)
class Votes:
    """n votes without ties, in arrays.

    Attributes:
        judge: int [n], into `judges`. text_pair: int [n], into `text_pairs`.
        first: bool [n], was the text of the pair's first source preferred?
        pair: int [text_pairs], into `pairs`; −1 where both texts come from one source.
        known: float [text_pairs], 1 or 0 where the first text is known to be better or worse
            (checks), NaN elsewhere.
        judges, text_pairs: identifiers (a text pair has that of the trial first shown).
        pairs: (first source, second source), names in alphabetical order.
        repeat: bool [n], is the vote a mirrored repeat?
        ties: int [judges], answers "tie" that are not among the votes.
    """

    judge: np.ndarray
    text_pair: np.ndarray
    first: np.ndarray
    pair: np.ndarray
    known: np.ndarray
    judges: tuple[str, ...]
    text_pairs: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    repeat: np.ndarray
    ties: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.judge)
        if not (len(self.text_pair) == len(self.first) == len(self.repeat) == n):
            raise ConfigError("the arrays of votes differ in length", expected=f"{n} of each")
        if len(self.pair) != len(self.text_pairs) or len(self.known) != len(self.text_pairs):
            raise ConfigError("pair and known must have one value a text pair")
        if n and (
            self.judge.max() >= len(self.judges) or self.text_pair.max() >= len(self.text_pairs)
        ):
            raise ConfigError("a vote names a judge or a text pair that is not there")

    @property
    def n(self) -> int:
        return len(self.judge)

    def per_judge(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """Return int [judges]: the votes that each cast (of those `chosen`, a bool [n])."""
        which = self.judge if chosen is None else self.judge[chosen]
        return np.bincount(which, minlength=len(self.judges))


def votes_of(judgments: pd.DataFrame) -> Votes:
    """Return the comparisons of a JUDGMENTS frame as votes; practice is left out, ties are counted.

    Votes follow the source, and where both texts have one source, the stored slot: a mirrored trial
    has the slots of the trial it repeats and is shown the other way round.

    Raises:
        DataError: a mirrored trial repeats one that names other sources.
    """
    rows = judgments[(judgments["kind"] == COMPARISON) & (judgments["purpose"] != PRACTICE)]
    judges = tuple(sorted(rows["judge_id"].unique()))
    root = rows["mirror_of"].where(rows["mirror_of"] != "", rows["trial_id"])
    low = np.minimum(rows["source_a"].to_numpy(object), rows["source_b"].to_numpy(object))
    high = np.maximum(rows["source_a"].to_numpy(object), rows["source_b"].to_numpy(object))
    table = pd.DataFrame(
        {
            "judge": rows["judge_id"].to_numpy(object),
            "root": root.to_numpy(object),
            "low": low,
            "high": high,
            # The first text is that of the alphabetically first source.
            "a_first": (rows["source_a"].to_numpy(object) == low),
            "answer": rows["answer"].to_numpy(object),
            "truth": np.where(rows["purpose"] == CHECK, rows["truth"].to_numpy(object), ""),
            "repeat": (rows["purpose"] == MIRROR).to_numpy(),
        }
    )
    each = table.groupby("root", sort=True)
    if (each[["low", "high"]].nunique() > 1).any(axis=None):
        bad = each[["low", "high"]].nunique().max(axis=1).idxmax()
        raise DataError(
            f"the mirrored repeat of trial {bad} names other sources than the trial",
            where="judgments, columns 'source_a' and 'source_b'",
            expected="the same two sources",
        )
    text_pairs = tuple(each.groups)
    firsts = each.first()
    pairs = tuple(sorted({(a, b) for a, b in zip(low, high, strict=True) if a != b}))
    number = {pair: k for k, pair in enumerate(pairs)}
    pair = np.array(
        [number.get((a, b), -1) for a, b in zip(firsts["low"], firsts["high"], strict=True)],
        dtype=int,
    )
    known = _known(table, text_pairs)
    cast = table[table["answer"] != TIE]
    ties = table[table["answer"] == TIE]["judge"].value_counts()
    return Votes(
        judge=pd.Index(judges).get_indexer(cast["judge"]) if len(cast) else np.zeros(0, int),
        text_pair=pd.Index(text_pairs).get_indexer(cast["root"]) if len(cast) else np.zeros(0, int),
        first=((cast["answer"] == "a") == cast["a_first"]).to_numpy(dtype=bool),
        pair=pair,
        known=known,
        judges=judges,
        text_pairs=text_pairs,
        pairs=pairs,
        repeat=cast["repeat"].to_numpy(dtype=bool),
        ties=ties.reindex(list(judges)).fillna(0).to_numpy(dtype=int),
    )


def _known(table: pd.DataFrame, text_pairs: tuple[str, ...]) -> np.ndarray:
    """Return float [text_pairs]: is the first text right in a check? NaN where it is no check."""
    checks = table[table["truth"] != ""].drop_duplicates("root").set_index("root")
    right = ((checks["truth"] == "a") == checks["a_first"]).astype(float)
    return right.reindex(list(text_pairs)).to_numpy(dtype=float)


PRIOR = (2.0, 2.0)  # Beta prior of η
MU_PRIOR = (2.0, 2.0)  # Beta prior of μ where it is estimated
STEPS = 2000
TOLERANCE = 1e-8  # of the penalised log-likelihood
EDGE = 1e-9


@dataclass(frozen=True)
class EmFit:
    """The estimates at which EM ended.

    Attributes:
        eta: float [judges]. mu: float [pairs].
        log_odds: float [text_pairs], of the first text being better, by all votes; ±∞ if known.
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
        """float [text_pairs]: probability that the first text is the better one."""
        return expit(self.log_odds)


def weight(eta: np.ndarray) -> np.ndarray:
    """Return the log-odds of a vote being right: what it adds to its text pair."""
    return np.log1p(eta) - np.log1p(-eta)


def prior_log_odds(votes: Votes, mu: np.ndarray) -> np.ndarray:
    """Return float [text_pairs] before any vote; 0 within one source, ±∞ if the answer is known."""
    odds = np.append(logit(mu), 0.0)[votes.pair]
    return np.where(np.isnan(votes.known), odds, np.where(votes.known > 0, np.inf, -np.inf))


@dataclass(frozen=True)
class _Sums:
    """Sums over votes that do not change from step to step.

    Attributes:
        open: bool [text_pairs], is the truth latent? n: int [judges], votes. plus: int [judges],
            votes for the second text of open text pairs, and right votes where the truth is known.
    """

    open: np.ndarray
    n: np.ndarray
    plus: np.ndarray

    @classmethod
    def of(cls, votes: Votes) -> _Sums:
        known = votes.known[votes.text_pair]
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
) -> EmFit:
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
            votes.text_pair, sign * weight(eta)[votes.judge], minlength=len(start)
        )
        trace.append(_penalised(sums, eta, now, free, prior, mu_prior, odds, start))
        if len(trace) > 1 and trace[-1] - trace[-2] < TOLERANCE:
            converged = True
            break
        better = expit(odds)
        right = np.where(votes.first, better[votes.text_pair], 1 - better[votes.text_pair])
        eta = _attentive(votes, right, prior)
        if free.any():
            now = np.where(free, _strength(votes, better, sums.open, mu_prior), given)
    return EmFit(eta, now, odds, np.array(trace), converged)


def _attentive(votes: Votes, right: np.ndarray, prior: tuple[float, float]) -> np.ndarray:
    """Return [judges]: the η maximising G log(1+η) + W log(1−η) + (a−1) log η + (b−1) log(1−η)."""
    n = len(votes.judges)
    g = np.bincount(votes.judge, right, minlength=n)
    w = votes.per_judge() - g
    a, b = prior[0] - 1, prior[1] - 1
    lead, middle = g + w + a + b, g - w - b
    root = (middle + np.sqrt(middle**2 + 4 * lead * a)) / (2 * lead)
    return np.clip(root, EDGE, 1 - EDGE)


def _strength(votes: Votes, better: np.ndarray, open_: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return [pairs]: share of text pairs in which the first source's text is better, without
    checks."""
    counted = open_ & (votes.pair >= 0)
    size = len(votes.pairs)
    won = np.bincount(votes.pair[counted], better[counted], minlength=size)
    all_ = np.bincount(votes.pair[counted], minlength=size)
    total = all_ + prior.sum(axis=1) - 2
    share = (won + prior[:, 0] - 1) / np.where(total > 0, total, 1)
    return np.clip(np.where(total > 0, share, 0.5), EDGE, 1 - EDGE)


def _penalised(sums: _Sums, eta, mu, free, prior, mu_prior, odds, start) -> float:
    """Return the log-likelihood of all votes, the better texts summed out, plus the log priors.

    A text_pair: log Σ_t P(t) Π ((1 ± η)/2) = Σ log((1 − η)/2) over its votes, plus
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


GRID = np.append(np.linspace(0, 0.98, 41), [0.99, 0.995, 0.999, 1 - 1e-6])
HALVINGS = 15


def information(
    votes: Votes,
    fit: EmFit,
    free: np.ndarray,
    prior: tuple[float, float] = PRIOR,
    mu_prior: np.ndarray | tuple[float, float] = MU_PRIOR,
) -> np.ndarray:
    """Return the observed information, [judges + free μ] square, of the penalised log-likelihood.

    With score s = ∂ log P(votes of the text_pair | t) of each parameter, J = E[−∂s] − Var(s), both
    over t given the votes (Louis 1982), plus minus the second derivative of the log priors.

    Args:
        free: bool [pairs], was μ estimated? prior, mu_prior: those of `fit`.
    """
    eta = fit.eta[votes.judge]
    toward, away = 1 / (1 + eta), -1 / (1 - eta)  # score of a right and of a wrong vote
    better = fit.better
    q = better[votes.text_pair]
    gap = np.where(votes.first, toward - away, away - toward)  # score if t = 1, minus if t = 0
    right = np.where(votes.first, q, 1 - q)
    n_judges, n_pairs = len(votes.judges), len(votes.text_pairs)
    a, b = prior[0] - 1, prior[1] - 1
    complete = np.bincount(votes.judge, right * toward**2 + (1 - right) * away**2, n_judges)
    complete = complete + a / fit.eta**2 + b / (1 - fit.eta) ** 2
    columns = sparse.csr_matrix((gap, (votes.text_pair, votes.judge)), (n_pairs, n_judges))
    pairs = np.flatnonzero(free)
    if len(pairs):
        open_ = np.isnan(votes.known)
        of_pair = (votes.pair[:, None] == pairs[None, :]) & open_[:, None]
        mu = fit.mu[pairs]
        columns = sparse.hstack([columns, sparse.csr_matrix(of_pair / (mu * (1 - mu)))]).tocsr()
        won = better @ of_pair
        lost = (1 - better) @ of_pair
        a, b = np.broadcast_to(np.asarray(mu_prior, dtype=float), (len(free), 2))[pairs].T - 1
        complete = np.append(complete, (won + a) / mu**2 + (lost + b) / (1 - mu) ** 2)
    spread = sparse.diags(better * (1 - better))
    result = -(columns.T @ spread @ columns).toarray()
    result[np.diag_indices_from(result)] += complete
    return result


def curves(votes: Votes, fit: EmFit) -> tuple[np.ndarray, np.ndarray]:
    """Return log-likelihood along each judge's η and its expected information, [judges × GRID].

    All other judges and μ are held. A cell is one judge's k of n votes for the first text of a
    text pair; with A the probability, by all others, that the first is better, it has probability
    C(n,k) (A r^k w^(n−k) + (1−A) w^k r^(n−k)), r = (1+η)/2, w = (1−η)/2.
    """
    n_pairs = len(votes.text_pairs)
    cell, of_vote = np.unique(votes.judge * n_pairs + votes.text_pair, return_inverse=True)
    judge, text_pair = cell // n_pairs, cell % n_pairs
    n = np.bincount(of_vote)
    k = np.bincount(of_vote, votes.first).astype(int)
    own = weight(fit.eta)[judge] * (2 * k - n)
    others = expit(fit.log_odds[text_pair] - own)
    value = np.zeros((len(votes.judges), len(GRID)))
    expected = np.zeros_like(value)
    for size in np.unique(n):
        for times in np.unique(k[n == size]):
            at = (n == size) & (k == times)
            value += _log_likelihood(others[at], judge[at], int(size), int(times), len(value))
        at = n == size
        expected += _expected(others[at], judge[at], int(size), len(value))
    return value, expected


def _terms(a: np.ndarray, n: int, k: int, eta: float) -> np.ndarray:
    """Return the probability of one order of k in n votes, at one η."""
    r, w = (1 + eta) / 2, (1 - eta) / 2
    one, two = r**k * w ** (n - k), w**k * r ** (n - k)
    return two + a * (one - two)


def _slopes(a: np.ndarray, n: int, k: int, eta: float) -> np.ndarray:
    """Return the derivative of `_terms` by η."""
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
    """Return the 95 % critical deviance of a normal mean between two bounds (Feldman & Cousins
    1998).

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


def intervals(votes: Votes, fit: EmFit, inflation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval of each judge's η, [judges] low and high; 0 to 1 if unidentified.

    Args:
        inflation: [judges], 1 or more: variance with all others free by that with them held.
    """
    value, expected = curves(votes, fit)
    error = np.sqrt(inflation[:, None] / np.maximum(expected, 1e-12))
    few = student.ppf(ndtr(Z95), np.maximum(votes.per_judge() - 1, 1)) / Z95
    cut = critical(GRID / error, (1 - GRID) / error) * few[:, None] ** 2
    deviance = 2 * (value.max(axis=1, keepdims=True) - value) / inflation[:, None]
    return _crossings(deviance - cut)


def _crossings(excess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last place on GRID where `excess` [judges × GRID] ≤ 0, interpolated."""
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
