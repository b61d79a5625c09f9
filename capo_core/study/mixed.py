"""Accuracy per source by a mixed-effects logistic model with judges and items as random effects.

A second look at what the clustered intervals say: log-odds of naming the right annotator by source,
with a normal random effect for each judge and each item (`mixed_fit`). It is about a typical judge
and item, not the average over them, so that its shares lie farther from one half than raw shares
do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from capo_core.stability.intervals import Z95, plain, records
from capo_core.study.accuracy import attributions
from capo_core.study.mixed_fit import Crossed
from capo_core.study.tables import CANNOT_TELL

COLUMNS = ("source", "log_odds", "se", "share", "low", "high", "n")
MIN_LEVELS = 5


@dataclass(frozen=True)
class Mixed:
    """Attributes: effects (COLUMNS, empty where `note` says why); sd_judge, sd_item, standard
    deviations of the random effects on the log-odds scale; note."""

    effects: pd.DataFrame
    sd_judge: float
    sd_item: float
    note: str = ""

    def to_dict(self) -> dict:
        return {
            "effects": records(self.effects),
            "sd_judge": plain(self.sd_judge),
            "sd_item": plain(self.sd_item),
            "note": self.note,
        }


def mixed_model(judgments: pd.DataFrame) -> Mixed:
    """The model, or why there is none; "cannot tell" counts as wrong."""
    rows = attributions(judgments)
    rows = rows.assign(hit=(rows["answer"] == rows["truth"]) & (rows["answer"] != CANNOT_TELL))
    why = _why_not(rows)
    if why:
        return _none(why)
    source, sources = pd.factorize(rows["source"], sort=True)
    judge, item = pd.factorize(rows["judge_id"])[0], pd.factorize(rows["item_id"])[0]
    try:
        fit = Crossed(rows["hit"], source, judge, item).fit()
    except np.linalg.LinAlgError as error:
        return _none(f"no mixed model: it did not converge ({error})")
    counts = np.bincount(source)
    errors = np.sqrt(np.diag(fit.covariance))
    table = [
        (name, float(v), float(e), *expit([v, v - Z95 * e, v + Z95 * e]).tolist(), int(n))
        for name, v, e, n in zip(sources, fit.value, errors, counts, strict=True)
    ]
    return Mixed(pd.DataFrame(table, columns=list(COLUMNS)), *fit.deviations)


def _why_not(rows: pd.DataFrame) -> str:
    if not len(rows):
        return "no mixed model: no attributions"
    if min(rows["judge_id"].nunique(), rows["item_id"].nunique()) < MIN_LEVELS:
        return f"no mixed model: fewer than {MIN_LEVELS} judges or items"
    flat = [name for name, part in rows.groupby("source") if part["hit"].nunique() == 1]
    if flat:
        return f"no mixed model: all right or all wrong for {', '.join(flat)}"
    return ""


def _none(why: str) -> Mixed:
    return Mixed(pd.DataFrame(columns=list(COLUMNS)), float("nan"), float("nan"), why)
