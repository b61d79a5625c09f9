"""Attributions reconciled over judges: single judgments, the majority, and the weighted vote."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.stats.clustered import share
from capo_core.stats.dawid_skene import dawid_skene
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, CHECK, MIRROR, PRACTICE

SMOOTHING = (1.0, 4.0)  # a judge has few answers for each author; see `dawid_skene`
CONSENSUS = (
    "source", "n_trials", "raw_right", "raw_low", "raw_high", "majority_right", "weighted_right",
    "weighted_low", "weighted_high", "note",
)  # fmt: skip


def named_by(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return task, worker and label of the attributions: no practice, mirrors or "cannot tell"."""
    rows = judgments[
        (judgments["kind"] == ATTRIBUTION)
        & ~judgments["purpose"].isin([PRACTICE, MIRROR])
        & (judgments["answer"] != CANNOT_TELL)
    ]
    columns = {"trial_id": "task", "judge_id": "worker", "answer": "label"}
    return rows[list(columns)].rename(columns=columns).reset_index(drop=True)


def weighted_vote(judgments: pd.DataFrame) -> pd.Series:
    """Return trial → the most probable annotator by Dawid-Skene, with checks' answers known."""
    named = named_by(judgments)
    if not len(named):
        return pd.Series(dtype=object)
    facts = judgments.drop_duplicates("trial_id").set_index("trial_id")
    checks = facts[(facts["purpose"] == CHECK) & (facts["truth"] != "")]["truth"]
    fit = dawid_skene(named, known=dict(checks), smoothing=SMOOTHING)
    return fit.probabilities.idxmax(axis=1)


def consensus(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return CONSENSUS, one row a source; "cannot tell" is left out of all three shares.

    A trial's author is right where the most probable annotator is; ties of the majority count in
    shares. Intervals of the weighted vote: trials clustered by item, as `clustered.share` with each
    trial its own judge.
    """
    named = named_by(judgments)
    if not len(named):
        return pd.DataFrame(columns=list(CONSENSUS))
    vote = weighted_vote(judgments)
    facts = judgments.drop_duplicates("trial_id").set_index("trial_id").loc[vote.index]
    facts = facts[facts["purpose"] != CHECK]
    shares = pd.crosstab(named["task"], named["label"])
    result = []
    for source, part in facts.groupby("source", sort=True):
        trials = part.index
        own = named[named["task"].isin(trials)]
        item = own["task"].map(part["item_id"]).to_numpy()
        right = own["label"].to_numpy() == own["task"].map(part["truth"]).to_numpy()
        raw = share(right, own["worker"].to_numpy(), item)
        truth = part["truth"].to_numpy()
        weighted = share(
            vote.loc[trials].to_numpy() == truth,
            np.asarray(trials),
            part["item_id"].to_numpy(),
        )
        result.append(
            (source, len(trials), raw.value, raw.low, raw.high, _majority(shares, part),
             weighted.value, weighted.low, weighted.high,
             weighted.note or _few(own, len(trials)))
        )  # fmt: skip
    return pd.DataFrame(result, columns=list(CONSENSUS))


def _majority(shares: pd.DataFrame, part: pd.DataFrame) -> float:
    counts = shares.loc[part.index]
    top = counts.eq(counts.max(axis=1), axis=0)
    each = [
        top.at[trial, truth] / top.loc[trial].sum() if truth in top.columns else 0.0
        for trial, truth in part["truth"].items()
    ]
    return float(np.mean(each)) if each else math.nan


def _few(own: pd.DataFrame, trials: int) -> str:
    if len(own) < 2 * trials:
        return "fewer than two judges a trial: weighting can hardly help"
    return ""
