"""Attributions: how often is the right annotator named, source by source?

Does the length of a text sway the judges? Logistic models, clustered by judge and item.

Accuracy per source by a mixed-effects logistic model with judges and items as random effects.

A second look at what the clustered intervals say: log-odds of naming the right annotator by source,
with a normal random effect for each judge and each item (`mixed_fit`). It is about a typical judge
and item, not the average over them, so that its shares lie farther from one half than raw shares
do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import binomtest

from capo_core.stats.clustered import FEW, difference, share, two_way
from capo_core.stats.intervals import Z95, json_rows, json_value
from capo_core.stats.logistic import logistic
from capo_core.stats.mixed_model import CrossedEffectsModel
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, COMPARISON, MAIN, TIE

LENGTH_COLUMNS = ("question", "odds_ratio", "low", "high", "n", "note")
LONGER = "odds of preferring a text twice as long as the other, sources held equal"
RIGHT = "odds of naming the right annotator when texts are twice as long, sources held equal"
MIN_ROWS = 30


def length_effect(judgments: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS, a row each for comparisons and attributions; an odds ratio of 1 is no effect.

    Ties and "cannot tell" are left out. What is held equal are the sources; that a source writes
    longer *and* better cannot be told apart within it.
    """
    rows = judgments[judgments["purpose"] == MAIN]
    pairs = rows[(rows["kind"] == COMPARISON) & (rows["answer"] != TIE)]
    pairs = pairs[(pairs["words_a"] > 0) & (pairs["words_b"] > 0)]
    sources = sorted(set(pairs["source_a"]) | set(pairs["source_b"]))
    sign = np.stack(
        [(pairs["source_a"] == s).astype(float) - (pairs["source_b"] == s) for s in sources[1:]]
        or [np.zeros(len(pairs))],
        axis=1,
    )
    ratio = np.log2(pairs["words_a"].to_numpy(float) / pairs["words_b"].to_numpy(float))
    made = [_row(LONGER, np.column_stack([ratio, sign]), (pairs["answer"] == "a"), pairs)]
    named = rows[(rows["kind"] == ATTRIBUTION) & (rows["answer"] != CANNOT_TELL)]
    named = named[named["words"] > 0]
    dummies = pd.get_dummies(named["source"]).to_numpy(dtype=float)
    size = np.log2(named["words"].to_numpy(float))
    made.append(
        _row(RIGHT, np.column_stack([size, dummies]), named["answer"] == named["truth"], named)
    )
    return pd.DataFrame(made, columns=list(LENGTH_COLUMNS))


def _row(question: str, x: np.ndarray, hit: pd.Series, rows: pd.DataFrame) -> tuple:
    n = len(rows)
    if n < MIN_ROWS or np.ptp(x[:, 0]) == 0:
        why = f"fewer than {MIN_ROWS} judgments" if n < MIN_ROWS else "all texts are equally long"
        return question, math.nan, math.nan, math.nan, n, why
    beta, influence = logistic(x, hit.to_numpy(dtype=float))
    if influence is None:
        return question, math.nan, math.nan, math.nan, n, "the model has no finite answer here"
    variance, z = two_way(influence[:, 0], rows["judge_id"].to_numpy(), rows["item_id"].to_numpy())
    half = z * math.sqrt(variance)
    ends = [math.exp(min(beta[0] + k * half, 700.0)) if half == half else math.nan for k in (-1, 1)]
    return question, math.exp(beta[0]), *ends, n, FEW if math.isnan(z) else ""


AS_WRONG = "cannot tell counts as wrong"
LEFT_OUT = "cannot tell left out"
ACCURACY = (
    "source", "counting", "n", "right", "cannot_tell", "value", "low", "high", "wilson_low",
    "wilson_high", "chance", "p_value", "judges", "items", "note",
)  # fmt: skip
DIFFERENCES = ("source_a", "source_b", "counting", "value", "low", "high", "n", "note")
CONFUSION = ("source", "truth", "answer", "count", "share")


def attributions(judgments: pd.DataFrame) -> pd.DataFrame:
    """The attributions that count: practice, checks and mirrored repeats left out."""
    return judgments[(judgments["kind"] == ATTRIBUTION) & (judgments["purpose"] == MAIN)]


def accuracy(judgments: pd.DataFrame, annotators: tuple[str, ...]) -> pd.DataFrame:
    """ACCURACY, two rows a source: "cannot tell" as wrong, and left out.

    low, high: clustered by judge and item (`clustered.share`). wilson_*: as if judgments were
    independent. p_value: exact binomial test, two-sided, against chance = 1/annotators; it takes
    judgments as independent, so that the clustered interval goes before it.
    """
    rows = attributions(judgments)
    chance = 1 / len(annotators) if annotators else math.nan
    made = []
    for source, all_ in rows.groupby("source", sort=True):
        for counting in (AS_WRONG, LEFT_OUT):
            part = all_ if counting == AS_WRONG else all_[all_["answer"] != CANNOT_TELL]
            hit = (part["answer"] == part["truth"]).to_numpy()
            told = share(hit, part["judge_id"].to_numpy(), part["item_id"].to_numpy())
            test = binomtest(int(hit.sum()), len(hit), chance) if len(hit) else None
            made.append(
                (source, counting, len(part), int(hit.sum()),
                 int((all_["answer"] == CANNOT_TELL).sum()), told.value, told.low, told.high,
                 told.wilson_low, told.wilson_high, chance,
                 float(test.pvalue) if test else math.nan, told.judges, told.items, told.note)
            )  # fmt: skip
    return pd.DataFrame(made, columns=list(ACCURACY))


def differences(judgments: pd.DataFrame) -> pd.DataFrame:
    """DIFFERENCES of accuracy, each pair of sources in both countings, clustered intervals."""
    rows = attributions(judgments)
    sources = sorted(rows["source"].unique())
    made = []
    for k, first in enumerate(sources):
        for second in sources[k + 1 :]:
            for counting in (AS_WRONG, LEFT_OUT):
                part = rows if counting == AS_WRONG else rows[rows["answer"] != CANNOT_TELL]
                sides = [part[part["source"] == name] for name in (first, second)]
                values = []
                for side in sides:
                    values += [
                        (side["answer"] == side["truth"]).to_numpy(dtype=float),
                        side["judge_id"].to_numpy(),
                        side["item_id"].to_numpy(),
                    ]
                told = difference(*values)
                made.append((first, second, counting, told.value, told.low, told.high, told.n,
                             told.note))  # fmt: skip
    return pd.DataFrame(made, columns=list(DIFFERENCES))


def confusion(judgments: pd.DataFrame, annotators: tuple[str, ...]) -> pd.DataFrame:
    """CONFUSION: how often texts of each truth were given to each annotator, source by source.

    Every combination has a row; `share` is of the truth's texts, NaN where there are none.
    """
    rows = attributions(judgments)
    answers = (*annotators, CANNOT_TELL)
    made = []
    for source, part in rows.groupby("source", sort=True):
        counts = pd.crosstab(part["truth"], part["answer"]).reindex(
            index=list(annotators), columns=list(answers), fill_value=0
        )
        for truth in annotators:
            total = int(counts.loc[truth].sum())
            for answer in answers:
                count = int(counts.at[truth, answer])
                made.append((source, truth, answer, count, count / total if total else math.nan))
    return pd.DataFrame(made, columns=list(CONFUSION))


EFFECTS = ("source", "log_odds", "se", "share", "low", "high", "n")
MIN_LEVELS = 5


@dataclass(frozen=True)
class MixedModelResult:
    """Attributes: effects (COLUMNS, empty where `note` says why); sd_judge, sd_item, standard
    deviations of the random effects on the log-odds scale; note."""

    effects: pd.DataFrame
    sd_judge: float
    sd_item: float
    note: str = ""

    def to_dict(self) -> dict:
        return {
            "effects": json_rows(self.effects),
            "sd_judge": json_value(self.sd_judge),
            "sd_item": json_value(self.sd_item),
            "note": self.note,
        }


def mixed_model(judgments: pd.DataFrame) -> MixedModelResult:
    """The model, or why there is none; "cannot tell" counts as wrong."""
    rows = attributions(judgments)
    rows = rows.assign(hit=(rows["answer"] == rows["truth"]) & (rows["answer"] != CANNOT_TELL))
    why = _why_not(rows)
    if why:
        return _none(why)
    source, sources = pd.factorize(rows["source"], sort=True)
    judge, item = pd.factorize(rows["judge_id"])[0], pd.factorize(rows["item_id"])[0]
    try:
        fit = CrossedEffectsModel(rows["hit"], source, judge, item).fit()
    except np.linalg.LinAlgError as error:
        return _none(f"no mixed model: it did not converge ({error})")
    counts = np.bincount(source)
    errors = np.sqrt(np.diag(fit.covariance))
    table = [
        (name, float(v), float(e), *expit([v, v - Z95 * e, v + Z95 * e]).tolist(), int(n))
        for name, v, e, n in zip(sources, fit.value, errors, counts, strict=True)
    ]
    return MixedModelResult(pd.DataFrame(table, columns=list(EFFECTS)), *fit.deviations)


def _why_not(rows: pd.DataFrame) -> str:
    if not len(rows):
        return "no mixed model: no attributions"
    if min(rows["judge_id"].nunique(), rows["item_id"].nunique()) < MIN_LEVELS:
        return f"no mixed model: fewer than {MIN_LEVELS} judges or items"
    flat = [name for name, part in rows.groupby("source") if part["hit"].nunique() == 1]
    if flat:
        return f"no mixed model: all right or all wrong for {', '.join(flat)}"
    return ""


def _none(why: str) -> MixedModelResult:
    return MixedModelResult(pd.DataFrame(columns=list(EFFECTS)), float("nan"), float("nan"), why)
