"""Comparisons and ratings by source: wins, Bradley-Terry strengths, mean ratings of reasoning."""

from __future__ import annotations

import numpy as np
import pandas as pd

from capo_core.stats.bradley_terry import Preference, fit_ties
from capo_core.stats.clustered import mean, share
from capo_core.study.source_names import inside
from capo_core.study.tables import COMPARISON, MAIN, REASONING, TIE

WINS = ("source_a", "source_b", "n", "wins_a", "ties", "wins_b", "share_a", "low", "high",
        "wilson_low", "wilson_high", "judges", "items", "note", "detectable")  # fmt: skip
REASONING_MEANS = ("source", "n", "mean", "low", "high", "judges", "items", "note")


def comparisons(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return the main comparisons of two different sources."""
    rows = judgments[(judgments["kind"] == COMPARISON) & (judgments["purpose"] == MAIN)]
    return rows[rows["source_a"] != rows["source_b"]]


def wins(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return WINS, one row a pair of sources.

    low, high: clustered by judge and item; NaN with too few of them. wilson_*: as if judgments were
    independent; NaN where there are ties. detectable: the smallest distance from one half that so
    many judges and items find with 80 % power.
    """
    rows = comparisons(judgments)
    first = np.minimum(rows["source_a"].to_numpy(object), rows["source_b"].to_numpy(object))
    second = np.maximum(rows["source_a"].to_numpy(object), rows["source_b"].to_numpy(object))
    value = np.where(
        rows["answer"] == TIE,
        0.5,
        ((rows["answer"] == "a") == (rows["source_a"].to_numpy(object) == first)).astype(float),
    )
    table = rows.assign(first=first, second=second, value=value)
    result = []
    for (a, b), part in table.groupby(["first", "second"], sort=True):
        judges, items = part["judge_id"].to_numpy(), part["item_id"].to_numpy()
        values = part["value"].to_numpy(float)
        whole = not (values == 0.5).any()
        est = share(values, judges, items) if whole else mean(values, judges, items, (0.0, 1.0))
        counts = [int((values == each).sum()) for each in (1.0, 0.5, 0.0)]
        result.append((a, b, len(part), *counts, est.value, est.low, est.high, est.wilson_low,
                     est.wilson_high, est.judges, est.items, est.note,
                     est.detectable))  # fmt: skip
    return pd.DataFrame(result, columns=list(WINS))


def preference(judgments: pd.DataFrame) -> Preference | None:
    """Fit Bradley-Terry strengths to the main comparisons; None where there are none."""
    rows = comparisons(judgments)
    if not len(rows):
        return None
    names = tuple(sorted(set(rows["source_a"]) | set(rows["source_b"])))
    number = {name: k for k, name in enumerate(names)}
    return fit_ties(
        rows["source_a"].map(number).to_numpy(int),
        rows["source_b"].map(number).to_numpy(int),
        rows["answer"].map({"a": 0, "b": 1, TIE: 2}).to_numpy(int),
        names,
        rows["judge_id"].to_numpy(),
        rows["item_id"].to_numpy(),
        name_of=inside,
    )


def ratings(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return the main ratings of reasoning."""
    return judgments[(judgments["kind"] == REASONING) & (judgments["purpose"] == MAIN)]


def reasoning(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return REASONING_MEANS: how far texts reason like the target's own, 1 to 5."""
    rows = ratings(judgments)
    result = []
    for source, part in rows.groupby("source", sort=True):
        est = mean(
            part["answer"].astype(float).to_numpy(),
            part["judge_id"].to_numpy(),
            part["item_id"].to_numpy(),
            (1.0, 5.0),
        )
        result.append((source, est.n, est.value, est.low, est.high, est.judges, est.items,
                     est.note))  # fmt: skip
    return pd.DataFrame(result, columns=list(REASONING_MEANS))
