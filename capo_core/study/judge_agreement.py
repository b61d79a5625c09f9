"""Do the judges agree? Krippendorff's alpha first, Fleiss' kappa, raw agreement last."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.stability.agreement import MIN_ITEMS, agreement
from capo_core.stability.intervals import Estimate, bayesian_weights, central
from capo_core.study.tables import MAIN, REASONING, REASONING_ANSWERS
from capo_core.task import LabelScale, Task

COLUMNS = ("kind", "measure", "value", "low", "high", "n_trials", "note")
NOT_SHARED = "no trial was judged by two"


def judge_agreement(judgments: pd.DataFrame, *, seed: int = 0, draws: int = 1000) -> pd.DataFrame:
    """COLUMNS, by kind of trial; n_trials are those with two judges or more.

    "Cannot tell" and "tie" are answers like any other. Answers "a" and "b" are slots of the trial,
    the same for all judges whatever side they saw them on. Checks, mirrors and practice are left
    out. 1 is perfect, 0 is as by chance (raw agreement has no such zero). Intervals: Bayesian
    bootstrap over trials.
    """
    rows = judgments[judgments["purpose"] == MAIN]
    made = []
    for kind, part in rows.groupby("kind", sort=True):
        alpha, raw = _alpha(part, ordinal=kind == REASONING, seed=seed, draws=draws)
        estimates = (
            ("krippendorff_alpha", alpha),
            ("fleiss_kappa", fleiss(part, seed=seed, draws=draws)),
            ("raw_agreement", raw),
        )
        for measure, e in estimates:
            made.append((kind, measure, e.value, e.low, e.high, e.n, e.note))
    return pd.DataFrame(made, columns=list(COLUMNS))


def _alpha(part: pd.DataFrame, *, ordinal: bool, seed: int, draws: int) -> tuple:
    """Alpha and raw agreement, by the measure that serves the annotators' labels too."""
    said = sorted(part["answer"].unique())
    labels = REASONING_ANSWERS if ordinal else tuple(said)
    trials = part["trial_id"].unique()
    items = pd.DataFrame({"item_id": trials, "text_a": "trial", "text_b": "", "split": ""})
    annotations = pd.DataFrame(
        {
            "annotation_id": [str(k) for k in range(len(part))],
            "item_id": part["trial_id"].to_numpy(),
            "annotator_id": part["judge_id"].to_numpy(),
            "label": part["answer"].to_numpy(),
            "explanation": "",
            "valid": "unknown",
        }
    )
    task = Task("judging", LabelScale(labels, ordinal))
    done = agreement(Dataset("judgments", task, items, annotations), seed=seed, draws=draws)
    return done.alpha, done.raw


def fleiss(part: pd.DataFrame, *, seed: int = 0, draws: int = 1000) -> Estimate:
    """Fleiss' kappa (1971) over trials with two judges or more, whose numbers may differ.

    Observed agreement is the mean over trials of the share of agreeing pairs; expected agreement
    comes from the shares of answers in these trials. With equal numbers it is Fleiss' own.
    """
    counts = pd.crosstab(part["trial_id"], part["answer"]).to_numpy(dtype=float)
    counts = counts[counts.sum(axis=1) >= 2]
    n = len(counts)
    if not n:
        return Estimate(math.nan, math.nan, math.nan, 0, NOT_SHARED)
    m = counts.sum(axis=1)
    alike = (counts * (counts - 1)).sum(axis=1) / (m * (m - 1))

    def kappas(weights: np.ndarray) -> np.ndarray:
        shares = weights @ counts
        shares = shares / shares.sum(axis=1, keepdims=True)
        expected = (shares**2).sum(axis=1)
        observed = weights @ alike / weights.sum(axis=1)
        defined = expected < 1 - 1e-12
        return np.where(defined, (observed - expected) / np.where(defined, 1 - expected, 1), np.nan)

    value = float(kappas(np.ones((1, n)))[0])
    if math.isnan(value):
        return Estimate(value, value, value, n, "not defined: every answer is the same")
    if n < MIN_ITEMS:
        few = f"fewer than {MIN_ITEMS} trials with two judges: too few for an interval"
        return Estimate(value, math.nan, math.nan, n, few)
    rng = np.random.default_rng([seed, 43])
    drawn = np.concatenate([kappas(weights) for weights in bayesian_weights(rng, draws, n)])
    return Estimate(value, *central(drawn), n)
