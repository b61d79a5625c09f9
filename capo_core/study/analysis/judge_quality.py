"""Judge quality from comparisons: attentiveness of each judge, and results weighted by it.

Attentiveness is identified by what judges share, by checks and repeats, or by a prior on how often
one source's text is better than another's; where nothing identifies it, that is what is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, logit
from scipy.stats import beta

from capo_core.errors import ConfigError
from capo_core.formatting import capitalised, count, name_list, p_value
from capo_core.settings import setting, settings
from capo_core.stats.intervals import Z95, json_rows, wilson
from capo_core.study.analysis import attentiveness_em
from capo_core.study.analysis.attentiveness_em import (
    MU_PRIOR,
    PRIOR,
    EmFit,
    Votes,
    information,
    intervals,
    votes_of,
)
from capo_core.study.analysis.vote_agreement import LEVEL, VoteAgreement, vote_agreement
from capo_core.study.source_names import inside

NEAR_HALF = 0.05  # |μ − ½| below which choices alone say nothing about attentiveness
MIN_VOTES = 10  # with fewer votes of one judge an estimate would say more than there is to know
WIDE = 0.9  # an interval wider than this fits almost any attentiveness, or any μ

TOO_FEW = "too few to say"
CANNOT_TELL = "cannot tell"
PRODUCT = (
    "From choices alone only the product of attentiveness and (μ − ½) is identified, μ being how "
    "often the stronger source's text is the better one: a careless judge of clearly different "
    "sources looks like a careful judge of similar ones."
)


def identified(votes: Votes, informative: np.ndarray) -> np.ndarray:
    """Return bool [judges]: do the votes identify each judge's attentiveness, without a prior on μ?

    Two judges of the same text pair agree with probability (1 + η_u η_v)/2, so that every two
    judges with a pair in common give one product. Products determine their factors exactly in
    those connected parts of the graph of judges which hold a cycle of odd length; a judge with
    checks or repeats (or whose text pairs have a known μ away from ½) is a cycle of length one. A
    part without an odd cycle can be coloured in two colours, and then the one colour's
    attentiveness can be traded for the other's.

    Args:
        informative: bool [pairs], is μ of the pair given and away from one half?
    """
    n_judges, n_pairs = len(votes.judges), len(votes.text_pairs)
    cast = sparse.csr_matrix(
        (np.ones(votes.n), (votes.judge, votes.text_pair)), shape=(n_judges, n_pairs)
    )
    shared = (cast > 0).astype(float)
    shared = shared @ shared.T  # text pairs that two judges have in common
    shared.setdiag(0)
    informed = ~np.isnan(votes.known) | np.append(informative, False)[votes.pair]
    anchored = votes.per_judge(informed[votes.text_pair]) > 0
    twice = cast.copy()
    twice.data = (twice.data >= 2).astype(float)
    anchored |= np.asarray(twice.sum(axis=1)).ravel() > 0
    shared = shared + sparse.diags(anchored.astype(float))
    cover = sparse.bmat(
        [[None, shared], [shared, None]]
    )  # two copies of each judge, one per colour
    _n, part = connected_components(cover, directed=False)
    return part[:n_judges] == part[n_judges:]


def verdicts(
    n: np.ndarray, known: np.ndarray, why_not: np.ndarray, width: np.ndarray
) -> tuple[list[str], list[str]]:
    """Return a verdict ("" where there is an estimate to use) and its reason, one a judge.

    Args:
        n: votes of each judge. known: is η identified, by votes or by a belief about μ?
        why_not: reason where it is not. width: of its interval.
    """
    verdict, why = [], []
    for votes, fine, reason, wide in zip(n, known, why_not, width, strict=True):
        if votes < MIN_VOTES:
            verdict.append(TOO_FEW)
            why.append(f"{votes} of the {MIN_VOTES} votes without tie that an estimate needs")
        elif not fine:
            verdict.append(CANNOT_TELL)
            why.append(reason)
        elif wide > WIDE:
            verdict.append(CANNOT_TELL)
            why.append("these votes fit almost any attentiveness")
        else:
            verdict.append("")
            why.append("")
    return verdict, why


def sentences(
    judges: pd.DataFrame, basis: str, agreement: VoteAgreement, n_ties: int, repeats: int
) -> tuple[str, ...]:
    """Return what a reader must know before using the table of judges."""
    words = []
    if basis == "votes":
        words.append(
            "Judges share text pairs, or answered attention checks or repeats: their agreement "
            "identifies attentiveness, without knowing μ."
        )
    elif basis == "belief":
        words += [PRODUCT, "The attentiveness shown depends on the prior on μ."]
    else:
        words += [PRODUCT, "Attentiveness is not identified: no text pair was judged by "
                  "three judges who share pairs, there are no checks or repeats, and μ was not "
                  "given or is near one half."]  # fmt: skip
    if agreement.is_chance:
        words.append(f"{capitalised(_chance(agreement))}.")
    for verdict in (TOO_FEW, CANNOT_TELL):
        named = judges.loc[judges["verdict"] == verdict, "judge_id"].tolist()
        if named:
            words.append(f"{verdict.capitalize()} for {len(named)}: {name_list(named)}.")
    if n_ties:
        words.append(
            f"{count(n_ties, 'tie')} left out of this model, which learns nothing from ties; they "
            "count in all other results."
        )
    if repeats:
        words.append(
            "A repeat is treated as an independent answer; a judge who remembers the first answer "
            "looks more attentive than they are."
        )
    words.append("No judge is excluded: raw and weighted results are both given.")
    return tuple(words)


def _chance(agreement: VoteAgreement) -> str:
    return (
        "the judges' votes do not agree significantly more than coins would: "
        f"{agreement.agreeing:,} of {count(agreement.pairs, 'pair')} of votes (one-sided p = "
        f"{p_value(agreement.p_value)}; {LEVEL:g} or less is needed)"
    )


@settings("prior on μ")
class Prior:
    """A prior on μ: how often `stronger`'s text is better than `weaker`'s."""

    stronger: str = setting(title="Stronger source")
    weaker: str = setting(title="Weaker source")
    mu: float = setting(title="μ", description="Above one half if `stronger` is.", gt=0, lt=1)
    strength: float = setting(
        0.0, "Strength", "How many comparisons the prior is worth: Beta(μ·strength, "
        "(1 − μ)·strength); 0 if μ is known exactly.", ge=0,
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.strength and min(self.mu, 1 - self.mu) * self.strength < 1:
            raise ConfigError(
                f"a prior of μ = {self.mu} worth {self.strength} comparisons is too vague",
                expected="μ·strength and (1 − μ)·strength of 1 or more",
            )

    @property
    def range(self) -> tuple[float, float]:
        """Central 95 % of the prior."""
        if not self.strength:
            return self.mu, self.mu
        low, high = beta.ppf([0.025, 0.975], self.mu * self.strength, (1 - self.mu) * self.strength)
        return float(low), float(high)

    @property
    def near_half(self) -> bool:
        low, high = self.range
        return low - NEAR_HALF <= 0.5 <= high + NEAR_HALF


JUDGES = (
    "judge_id", "n_votes", "n_checks", "n_repeats", "n_ties", "attentiveness", "se", "low", "high",
    "weight", "verdict", "why",
)  # fmt: skip
PREFERENCES = (
    "source_a", "source_b", "n_votes", "raw_share_a", "raw_low", "raw_high", "weighted_share_a",
    "weighted_low", "weighted_high", "note",
)  # fmt: skip
NEARLY_FLAT = (1.2, 1.2)  # Beta prior of η where μ is what is asked


@dataclass(frozen=True)
class JudgeQuality:
    """Attentiveness of the judges in comparisons, and preferences weighted by it.

    Attributes:
        judges: JUDGES, one row a judge who compared anything. attentiveness is NaN, and the
            interval 0 to 1, where it cannot be told; weight is the log-odds of a vote being right.
        preferences: PREFERENCES, one row a pair of sources; raw and weighted side by side.
        n_text_pairs: compared, checks among them.
        given: the prior on μ of each pair of sources in `preferences` that was given one.
        basis: "votes", "belief" or "nothing": what identifies attentiveness.
        agreement: of two votes on one text pair, checks' known answers counted as a vote.
        identified: what is identified, in words.
        sentences: what a reader must know.
        trace: the penalised log-likelihood of every EM step.
    """

    judges: pd.DataFrame
    preferences: pd.DataFrame
    n_text_pairs: int
    given: tuple[Prior, ...]
    basis: str
    agreement: VoteAgreement
    identified: str
    sentences: tuple[str, ...]
    trace: tuple[float, ...]
    converged: bool

    @property
    def why_not_weighted(self) -> str:
        """Return why no vote can be weighted by its judge's attentiveness; "" where it can be.

        Weights need the attentiveness of every judge, μ of every pair of sources, and votes that
        agree more than by chance.
        """
        unsure = self.judges[self.judges["verdict"] != ""]
        if len(unsure):
            row = unsure.iloc[0]
            many = f" and of {count(len(unsure) - 1, 'other judge')}" if len(unsure) > 1 else ""
            return f"the attentiveness of {row['judge_id']}{many} is not known: {row['why']}"
        if self.agreement.is_chance:
            return _chance(self.agreement)
        named = {(belief.stronger, belief.weaker) for belief in self.given}
        for row in self.preferences.itertuples(index=False):
            if math.isnan(row.weighted_share_a) and (row.source_a, row.source_b) not in named:
                return f"μ of {inside(row.source_a)} and {inside(row.source_b)} cannot be estimated"
        return ""

    def to_dict(self) -> dict:
        return {
            "judges": json_rows(self.judges),
            "preferences": json_rows(self.preferences),
            "n_matters": self.n_text_pairs,
            "basis": self.basis,
            "agreement": self.agreement.to_dict(),
            "not_weighted": self.why_not_weighted,
            "identified": self.identified,
            "sentences": list(self.sentences),
            "steps": len(self.trace),
            "log_likelihood": self.trace[-1] if self.trace else None,
            "converged": self.converged,
        }


def estimate(
    judgments: pd.DataFrame,
    beliefs: Sequence[Prior] = (),
    *,
    prior: tuple[float, float] = PRIOR,
) -> JudgeQuality | None:
    """Estimate each judge's attentiveness from a JUDGMENTS frame; None without comparisons."""
    votes = votes_of(judgments)
    return estimate_votes(votes, beliefs, prior=prior) if votes.judges else None


def estimate_votes(
    votes: Votes, beliefs: Sequence[Prior] = (), *, prior: tuple[float, float] = PRIOR
) -> JudgeQuality:
    """Estimate each judge's attentiveness from votes."""
    given, usable = _per_pair(votes, beliefs)
    by_votes = identified(votes, np.zeros(len(votes.pairs), dtype=bool))
    known = identified(votes, usable)
    fit, held, mu_prior = _fit(votes, given, by_votes, prior, shift=None)
    table = _judges(votes, fit, held, mu_prior, given, by_votes, known, usable, prior)
    basis = "votes" if by_votes.any() else ("belief" if known.any() else "nothing")
    n_ties, repeats = int(votes.ties.sum()), int(votes.repeat.sum())
    agreement = vote_agreement(votes)
    return JudgeQuality(
        judges=table,
        preferences=_preferences(votes, given, by_votes, agreement),
        n_text_pairs=len(votes.text_pairs),
        given=tuple(belief for belief in given if belief is not None),
        basis=basis,
        agreement=agreement,
        identified="each judge's attentiveness" if basis == "votes" else PRODUCT,
        sentences=sentences(table, basis, agreement, n_ties, repeats),
        trace=tuple(fit.trace.tolist()),
        converged=fit.converged,
    )


def weighted_shares(votes: Votes, beliefs: Sequence[Prior] = ()) -> pd.DataFrame:
    """Return PREFERENCES alone: raw and weighted shares of each pair of sources."""
    given, _usable = _per_pair(votes, beliefs)
    by_votes = identified(votes, np.zeros(len(votes.pairs), dtype=bool))
    return _preferences(votes, given, by_votes, vote_agreement(votes))


def _per_pair(votes: Votes, beliefs: Sequence[Prior]) -> tuple[list[Prior | None], np.ndarray]:
    """Return the prior of each pair, turned to its first source, and whether it informs η."""
    found: dict[tuple[str, str], Prior] = {}
    for belief in beliefs:
        first, second = sorted((belief.stronger, belief.weaker))
        mu = belief.mu if first == belief.stronger else 1 - belief.mu
        found[first, second] = Prior(first, second, mu, belief.strength)
    unknown = sorted(set(found) - set(votes.pairs))
    if unknown:
        raise ConfigError(
            f"a prior names {' and '.join(unknown[0])}, which were never compared",
            expected=f"one of {name_list(map(' and '.join, votes.pairs))}"
            if votes.pairs
            else "no comparison",
        )
    given = [found.get(pair) for pair in votes.pairs]
    usable = np.array([b is not None and not b.near_half for b in given], dtype=bool)
    return given, usable


def _fit(votes, given, by_votes, prior, shift: str | None) -> tuple[EmFit, np.ndarray, np.ndarray]:
    """Run EM; return its fit, [pairs], μ where it was held (NaN where estimated), and [pairs × 2],
    the Beta prior of an estimated μ.

    A pair's μ is estimated where judges whom the votes identify have compared it; else it is held
    at the belief, or at one half where there is none, which makes all votes weigh alike.

    Args:
        shift: "low" or "high" to hold an uncertain belief at that end of its range.
    """
    sees = np.zeros(len(votes.pairs), dtype=bool)
    pairs = votes.pair[votes.text_pair]
    open_ = np.isnan(votes.known)[votes.text_pair] & (pairs >= 0)
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
    found = attentiveness_em.fit(votes, mu=held, prior=prior, mu_prior=mu_prior)
    return found, held, mu_prior


def _judges(votes, fit, held, mu_prior, given, by_votes, known, usable, prior):
    """Return JUDGES."""
    variance, inflation = _variances(votes, fit, held, prior, mu_prior)
    low, high = intervals(votes, fit, inflation)
    leaning = known & ~by_votes
    if leaning.any() and any(b is not None and b.strength for b in given):
        # An uncertain belief: the widest interval over the central 95 % of what is believed.
        for end in ("low", "high"):
            other, other_held, other_prior = _fit(votes, given, by_votes, prior, end)
            _v, wider = _variances(votes, other, other_held, prior, other_prior)
            l_end, h_end = intervals(votes, other, wider)
            low = np.where(leaning, np.minimum(low, l_end), low)
            high = np.where(leaning, np.maximum(high, h_end), high)
    n = len(votes.judges)
    solid = known & np.isfinite(variance[:n])
    low, high = np.where(solid, low, 0.0), np.where(solid, high, 1.0)
    near = any(b is not None for b in given) and not usable.any()
    reason = "μ is near one half" if near else "nothing identifies it"
    checks = votes.per_judge(~np.isnan(votes.known)[votes.text_pair])
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
            "weight": attentiveness_em.weight(fit.eta),
            "verdict": verdict,
            "why": why,
        },
        columns=list(JUDGES),
    )


def _variances(votes, fit, held, prior, mu_prior) -> tuple[np.ndarray, np.ndarray]:
    """Return variances [judges + free μ] (NaN where the information is not positive) and, [judges],
    how much a judge's is inflated by not knowing the others and μ."""
    informed = information(votes, fit, np.isnan(held), prior, mu_prior)
    n = len(votes.judges)
    try:
        half = np.linalg.inv(np.linalg.cholesky(informed))
    except np.linalg.LinAlgError:
        return np.full(len(informed), np.nan), np.ones(n)
    variance = (half**2).sum(axis=0)
    return variance, np.maximum(variance[:n] * np.diag(informed)[:n], 1.0)


def _preferences(
    votes: Votes, given: list[Prior | None], by_votes: np.ndarray, agreement: VoteAgreement
) -> pd.DataFrame:
    """Return PREFERENCES, from a fit whose prior on attentiveness is nearly flat: a prior that
    pulls all judges towards ½ would push μ away from it. No weighted share where votes agree no
    more than by chance (random votes are weighted, and μ is anything), and where its interval is
    wider than `WIDE`."""
    fit, held, mu_prior = _fit(votes, given, by_votes, NEARLY_FLAT, shift=None)
    variance, _inflation = _variances(votes, fit, held, NEARLY_FLAT, mu_prior)
    variances = dict(
        zip(np.flatnonzero(np.isnan(held)), variance[len(votes.judges) :], strict=True)
    )
    rows = []
    main = np.isnan(votes.known)[votes.text_pair] & ~votes.repeat
    for k, (first, second) in enumerate(votes.pairs):
        at = main & (votes.pair[votes.text_pair] == k)
        n, chosen = int(at.sum()), int(votes.first[at].sum())
        if not n:  # only checks compare these two
            continue
        low, high = wilson(chosen, n)
        row = [first, second, n, chosen / n, low, high]
        if agreement.is_chance:
            note = f"{TOO_FEW}: {_chance(agreement)}"
            rows.append([*row, math.nan, math.nan, math.nan, note])
        elif np.isnan(held[k]) and not np.isfinite(variances[k]):
            note = f"{TOO_FEW}: these votes do not tell μ from the judges' attentiveness"
            rows.append([*row, math.nan, math.nan, math.nan, note])
        elif np.isnan(held[k]):
            mu = fit.mu[k]
            error = math.sqrt(variances[k]) / (mu * (1 - mu))
            ends = expit(logit(mu) + np.array([-Z95, Z95]) * error)
            if ends[1] - ends[0] > WIDE:
                note = f"{TOO_FEW}: these votes fit almost any μ"
                rows.append([*row, math.nan, math.nan, math.nan, note])
            else:
                rows.append([*row, mu, *ends.tolist(), ""])
        else:
            note = "μ was given or cannot be estimated from these votes"
            rows.append([*row, math.nan, math.nan, math.nan, note])
    return pd.DataFrame(rows, columns=list(PREFERENCES))
