"""Judge quality from comparisons: attentiveness of each judge, and results weighted by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from capo_core.errors import ConfigError
from capo_core.stability.intervals import Z95, records, wilson
from capo_core.study import em_attentive
from capo_core.study.belief import Belief
from capo_core.study.em_attentive import MU_PRIOR, PRIOR, Fit
from capo_core.study.em_errors import information, intervals
from capo_core.study.em_votes import Votes, votes_of
from capo_core.study.quality_words import PRODUCT, identified, sentences, verdicts

JUDGES = (
    "judge_id", "n_votes", "n_checks", "n_repeats", "n_ties", "attentiveness", "se", "low", "high",
    "weight", "verdict", "why",
)  # fmt: skip
PREFERENCES = (
    "source_a", "source_b", "n_votes", "raw_share_a", "raw_low", "raw_high", "weighted_share_a",
    "weighted_low", "weighted_high", "note",
)  # fmt: skip
NEARLY_FLAT = (1.2, 1.2)  # Beta prior of η where μ is what is asked
MATTERS = ("trial_id", "source_a", "source_b", "n_votes", "votes_a", "better_a")


@dataclass(frozen=True)
class JudgeQuality:
    """How attentively the judges compared.

    Attributes:
        judges: JUDGES, one row a judge who compared anything. attentiveness is NaN, and the
            interval 0 to 1, where it cannot be told; weight is the log-odds of a vote being right.
        preferences: PREFERENCES, one row a pair of sources; raw and weighted side by side.
        matters: MATTERS, one row a text pair; better_a is the probability that the text of
            source_a is better.
        basis: "votes", "belief" or "nothing": what identifies attentiveness.
        identified: what is identified, in words.
        sentences: what a reader must know.
        trace: the penalised log-likelihood of every EM step.
    """

    judges: pd.DataFrame
    preferences: pd.DataFrame
    matters: pd.DataFrame
    basis: str
    identified: str
    sentences: tuple[str, ...]
    trace: tuple[float, ...]
    converged: bool

    def to_dict(self) -> dict:
        return {
            "judges": records(self.judges),
            "preferences": records(self.preferences),
            "n_matters": len(self.matters),
            "basis": self.basis,
            "identified": self.identified,
            "sentences": list(self.sentences),
            "steps": len(self.trace),
            "log_likelihood": self.trace[-1] if self.trace else None,
            "converged": self.converged,
        }


def estimate(
    judgments: pd.DataFrame,
    beliefs: Sequence[Belief] = (),
    *,
    prior: tuple[float, float] = PRIOR,
) -> JudgeQuality | None:
    """Attentiveness of each judge from the comparisons of a JUDGMENTS frame; None without any."""
    votes = votes_of(judgments)
    return estimate_votes(votes, beliefs, prior=prior) if votes.judges else None


def estimate_votes(
    votes: Votes, beliefs: Sequence[Belief] = (), *, prior: tuple[float, float] = PRIOR
) -> JudgeQuality:
    """The same from votes."""
    given, usable = _per_pair(votes, beliefs)
    by_votes = identified(votes, np.zeros(len(votes.pairs), dtype=bool))
    known = identified(votes, usable)
    fit, held = _fit(votes, given, by_votes, prior, shift=None)
    table = _judges(votes, fit, held, given, by_votes, known, usable, prior)
    basis = "votes" if by_votes.any() else ("belief" if known.any() else "nothing")
    n_ties, repeats = int(votes.ties.sum()), int(votes.repeat.sum())
    return JudgeQuality(
        judges=table,
        preferences=_preferences(votes, given, by_votes),
        matters=_matters(votes, fit),
        basis=basis,
        identified="each judge's attentiveness" if basis == "votes" else PRODUCT,
        sentences=sentences(table, basis, n_ties, repeats),
        trace=tuple(fit.trace.tolist()),
        converged=fit.converged,
    )


def _per_pair(votes: Votes, beliefs: Sequence[Belief]) -> tuple[list[Belief | None], np.ndarray]:
    """The belief of each pair, turned to its first source, and whether it says anything of η."""
    found: dict[tuple[str, str], Belief] = {}
    for belief in beliefs:
        first, second = sorted((belief.stronger, belief.weaker))
        mu = belief.mu if first == belief.stronger else 1 - belief.mu
        found[first, second] = Belief(first, second, mu, belief.strength)
    unknown = sorted(set(found) - set(votes.pairs))
    if unknown:
        raise ConfigError(
            f"a belief names {' and '.join(unknown[0])}, which were never compared",
            expected="; ".join(" and ".join(pair) for pair in votes.pairs) or "no comparison",
        )
    given = [found.get(pair) for pair in votes.pairs]
    usable = np.array([b is not None and not b.near_half for b in given], dtype=bool)
    return given, usable


def _fit(votes, given, by_votes, prior, shift: str | None) -> tuple[Fit, np.ndarray]:
    """EM; and [pairs], μ where it was held (NaN where estimated).

    A pair's μ is estimated where judges whom the votes identify have compared it; else it is held
    at the belief, or at one half where there is none, which makes all votes weigh alike.

    Args:
        shift: "low" or "high" to hold an uncertain belief at that end of its range.
    """
    sees = np.zeros(len(votes.pairs), dtype=bool)
    pairs = votes.pair[votes.matter]
    open_ = np.isnan(votes.known)[votes.matter] & (pairs >= 0)
    sees[pairs[by_votes[votes.judge] & open_]] = True
    held = np.full(len(votes.pairs), 0.5)
    mu_prior = np.tile(np.array(MU_PRIOR), (len(held), 1))
    for k, belief in enumerate(given):
        if belief is None:
            held[k] = math.nan if sees[k] else 0.5
        elif belief.strength and sees[k]:
            held[k] = math.nan
            mu_prior[k] = belief.mu * belief.strength, (1 - belief.mu) * belief.strength
        else:
            held[k] = {"low": belief.range[0], "high": belief.range[1]}.get(shift, belief.mu)
    return em_attentive.fit(votes, mu=held, prior=prior, mu_prior=mu_prior), held


def _judges(votes, fit, held, given, by_votes, known, usable, prior):
    """JUDGES."""
    free = np.isnan(held)
    variance, inflation = _variances(votes, fit, free, prior)
    low, high = intervals(votes, fit, inflation)
    leaning = known & ~by_votes
    if leaning.any() and any(b is not None and b.strength for b in given):
        # An uncertain belief: the widest interval over the central 95 % of what is believed.
        for end in ("low", "high"):
            other, other_held = _fit(votes, given, by_votes, prior, end)
            _v, wider = _variances(votes, other, np.isnan(other_held), prior)
            l_end, h_end = intervals(votes, other, wider)
            low = np.where(leaning, np.minimum(low, l_end), low)
            high = np.where(leaning, np.maximum(high, h_end), high)
    n = len(votes.judges)
    solid = known & np.isfinite(variance[:n])
    low, high = np.where(solid, low, 0.0), np.where(solid, high, 1.0)
    near = any(b is not None for b in given) and not usable.any()
    reason = "μ lies near one half" if near else "nothing identifies it"
    checks = votes.per_judge(~np.isnan(votes.known)[votes.matter])
    verdict, why = verdicts(votes.per_judge(), solid, np.full(n, reason, dtype=object), high - low)
    return pd.DataFrame(
        {
            "judge_id": list(votes.judges),
            "n_votes": votes.per_judge(),
            "n_checks": checks,
            "n_repeats": votes.per_judge(votes.repeat),
            "n_ties": votes.ties,
            "attentiveness": np.where(solid, fit.eta, np.nan),
            "se": np.where(solid, np.sqrt(np.where(solid, variance[:n], 0)), np.nan),
            "low": low,
            "high": high,
            "weight": em_attentive.weight(fit.eta),
            "verdict": verdict,
            "why": why,
        },
        columns=list(JUDGES),
    )


def _variances(votes, fit, free, prior) -> tuple[np.ndarray, np.ndarray]:
    """Variances [judges + free μ] (NaN where the information is not positive) and, [judges], by
    how much a judge's is inflated by not knowing the others and μ."""
    informed = information(votes, fit, free, prior)
    n = len(votes.judges)
    try:
        half = np.linalg.inv(np.linalg.cholesky(informed))
    except np.linalg.LinAlgError:
        return np.full(len(informed), np.nan), np.ones(n)
    variance = (half**2).sum(axis=0)
    return variance, np.maximum(variance[:n] * np.diag(informed)[:n], 1.0)


def _preferences(votes: Votes, given: list[Belief | None], by_votes: np.ndarray) -> pd.DataFrame:
    """PREFERENCES, from a fit of its own whose prior on attentiveness is nearly flat: a prior that
    pulls all judges towards ½ would push μ away from it."""
    fit, held = _fit(votes, given, by_votes, NEARLY_FLAT, shift=None)
    variance, _inflation = _variances(votes, fit, np.isnan(held), NEARLY_FLAT)
    variances = dict(
        zip(np.flatnonzero(np.isnan(held)), variance[len(votes.judges) :], strict=True)
    )
    rows = []
    main = np.isnan(votes.known)[votes.matter] & ~votes.repeat
    for k, (first, second) in enumerate(votes.pairs):
        at = main & (votes.pair[votes.matter] == k)
        n, chosen = int(at.sum()), int(votes.first[at].sum())
        if not n:  # only checks compare these two
            continue
        low, high = wilson(chosen, n)
        row = [first, second, n, chosen / n, low, high]
        if np.isnan(held[k]):
            mu = fit.mu[k]
            error = math.sqrt(variances[k]) / (mu * (1 - mu))
            ends = expit(logit(mu) + np.array([-Z95, Z95]) * error)
            rows.append([*row, mu, *ends.tolist(), ""])
        else:
            note = "μ was given or cannot be estimated from these votes"
            rows.append([*row, math.nan, math.nan, math.nan, note])
    return pd.DataFrame(rows, columns=list(PREFERENCES))


def _matters(votes: Votes, fit: Fit) -> pd.DataFrame:
    size = len(votes.matters)
    names = np.array([*votes.pairs, ("", "")], dtype=object)[votes.pair]

    def text(values) -> pd.Series:
        return pd.Series(values, dtype=object)

    return pd.DataFrame(
        {
            "trial_id": text(list(votes.matters)),
            "source_a": text(names[:, 0]),
            "source_b": text(names[:, 1]),
            "n_votes": np.bincount(votes.matter, minlength=size),
            "votes_a": np.bincount(votes.matter, votes.first, minlength=size).astype(int),
            "better_a": fit.better,
        },
        columns=list(MATTERS),
    )
