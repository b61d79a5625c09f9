"""Attribution accuracy by source: shares with clustered intervals, and a mixed-effects model.

The model is a second estimate of the same: log-odds of naming the right annotator by source, with a
normal random effect for each judge and each item (`stats.mixed_model`). It is about a typical judge
and item, not the average over them, so that its shares lie farther from one half than raw shares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import binomtest, fisher_exact

from capo_core.formatting import listed
from capo_core.stats.clustered import ALIKE, share, share_difference
from capo_core.stats.intervals import Z95, json_rows, json_value
from capo_core.stats.mixed_model import CrossedEffectsModel
from capo_core.study.source_names import inside
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, MAIN

AS_WRONG = "cannot tell counts as wrong"
LEFT_OUT = "cannot tell left out"
ACCURACY = (
    "source", "counting", "n", "right", "cannot_tell", "value", "low", "high", "wilson_low",
    "wilson_high", "chance", "p_value", "judges", "items", "note",
)  # fmt: skip
DIFFERENCES = ("source_a", "source_b", "counting", "value", "low", "high", "n", "note",
               "detectable", "p_value")  # fmt: skip
CONFUSION = ("source", "truth", "answer", "count", "share")


def attributions(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return the attributions that count: practice, checks and repeats left out."""
    return judgments[(judgments["kind"] == ATTRIBUTION) & (judgments["purpose"] == MAIN)]


def accuracy(judgments: pd.DataFrame, annotators: tuple[str, ...]) -> pd.DataFrame:
    """Return ACCURACY, two rows a source: "cannot tell" as wrong, and left out.

    low, high: clustered by judge and item (`clustered.share`). wilson_*: as if judgments were
    independent. p_value: exact binomial test, two-sided, against chance = 1/annotators; it takes
    judgments as independent, so that the clustered interval goes before it.
    """
    rows = attributions(judgments)
    chance = 1 / len(annotators) if annotators else math.nan
    result = []
    for source, all_ in rows.groupby("source", sort=True):
        for counting in (AS_WRONG, LEFT_OUT):
            part = all_ if counting == AS_WRONG else all_[all_["answer"] != CANNOT_TELL]
            hit = (part["answer"] == part["truth"]).to_numpy()
            est = share(hit, part["judge_id"].to_numpy(), part["item_id"].to_numpy())
            test = binomtest(int(hit.sum()), len(hit), chance) if len(hit) else None
            result.append(
                (source, counting, len(part), int(hit.sum()),
                 int((all_["answer"] == CANNOT_TELL).sum()), est.value, est.low, est.high,
                 est.wilson_low, est.wilson_high, chance,
                 float(test.pvalue) if test else math.nan, est.judges, est.items, est.note)
            )  # fmt: skip
    return pd.DataFrame(result, columns=list(ACCURACY))


def differences(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return DIFFERENCES of accuracy, each pair of sources, both countings, clustered intervals.

    detectable: the smallest difference that so many judges and items find with 80 % power.
    p_value: of Fisher's exact test, two-sided, where the interval takes judgments as independent
    (all answers on one side alike); else NaN.
    """
    rows = attributions(judgments)
    sources = sorted(rows["source"].unique())
    result = []
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
                est = share_difference(*values)
                p = _fisher(values[0], values[3]) if est.note == ALIKE else math.nan
                result.append((first, second, counting, est.value, est.low, est.high, est.n,
                             est.note, est.detectable, p))  # fmt: skip
    return pd.DataFrame(result, columns=list(DIFFERENCES))


def _fisher(*hits: np.ndarray) -> float:
    """Return p of Fisher's exact test of two shares, two-sided."""
    return float(fisher_exact([[int(h.sum()), int((1 - h).sum())] for h in hits]).pvalue)


def confusion(judgments: pd.DataFrame, annotators: tuple[str, ...]) -> pd.DataFrame:
    """Return CONFUSION: how often texts of each annotator were attributed to each, by source.

    Every combination has a row; `share` is of the truth's texts, NaN where there are none.
    """
    rows = attributions(judgments)
    answers = (*annotators, CANNOT_TELL)
    result = []
    for source, part in rows.groupby("source", sort=True):
        counts = pd.crosstab(part["truth"], part["answer"]).reindex(
            index=list(annotators), columns=list(answers), fill_value=0
        )
        for truth in annotators:
            total = int(counts.loc[truth].sum())
            for answer in answers:
                count = int(counts.at[truth, answer])
                result.append((source, truth, answer, count, count / total if total else math.nan))
    return pd.DataFrame(result, columns=list(CONFUSION))


EFFECTS = ("source", "log_odds", "se", "share", "low", "high", "n")
EFFECT_DIFFERENCES = ("source_a", "source_b", "log_odds", "se", "odds_ratio", "low", "high", "n")
MIN_LEVELS = 5


@dataclass(frozen=True)
class MixedModelResult:
    """Effects (EFFECTS, empty where `note` says why); sd_judge and sd_item, standard deviations of
    the random effects on the log-odds scale; differences (EFFECT_DIFFERENCES), each pair of
    sources, low and high of the odds ratio."""

    effects: pd.DataFrame
    sd_judge: float
    sd_item: float
    note: str = ""
    differences: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(EFFECT_DIFFERENCES))
    )

    def to_dict(self) -> dict:
        return {
            "effects": json_rows(self.effects),
            "sd_judge": json_value(self.sd_judge),
            "sd_item": json_value(self.sd_item),
            "note": self.note,
            "differences": json_rows(self.differences),
        }


def mixed_model(judgments: pd.DataFrame) -> MixedModelResult:
    """Fit the model, or say why there is none; "cannot tell" counts as wrong."""
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
    apart = []
    for one, other in combinations(range(len(sources)), 2):
        gap, error, low, high = fit.difference(one, other)
        apart.append(
            (sources[one], sources[other], gap, error, *np.exp([gap, low, high]).tolist(),
             int(counts[one] + counts[other]))
        )  # fmt: skip
    return MixedModelResult(
        pd.DataFrame(table, columns=list(EFFECTS)),
        *fit.deviations,
        differences=pd.DataFrame(apart, columns=list(EFFECT_DIFFERENCES)),
    )


def _why_not(rows: pd.DataFrame) -> str:
    if not len(rows):
        return "no mixed model: no attributions"
    if min(rows["judge_id"].nunique(), rows["item_id"].nunique()) < MIN_LEVELS:
        return f"no mixed model: fewer than {MIN_LEVELS} judges or items"
    flat = [name for name, part in rows.groupby("source") if part["hit"].nunique() == 1]
    if flat:
        return f"no mixed model: all right or all wrong for {listed(list(map(inside, flat)))}"
    return ""


def _none(why: str) -> MixedModelResult:
    return MixedModelResult(pd.DataFrame(columns=list(EFFECTS)), float("nan"), float("nan"), why)
