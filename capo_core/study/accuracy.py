"""Attributions: how often is the right annotator named, source by source?"""

from __future__ import annotations

import math

import pandas as pd
from scipy.stats import binomtest

from capo_core.study.clustered import difference, share
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, MAIN

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
