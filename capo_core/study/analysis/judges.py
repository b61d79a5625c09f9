"""Agreement between judges (Krippendorff's alpha, Fleiss' kappa, raw), and each judge's behaviour.

How did each judge go about it? Sides, repeats, checks, time: shown, and nobody is dropped.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.stats.agreement import MIN_ITEMS, agreement, alpha_metric
from capo_core.stats.intervals import Estimate, bayesian_weights, central_interval, wilson
from capo_core.study.tables import CHECK, MAIN, MIRROR, PRACTICE
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.task import LabelScale, Task

AGREEMENT = ("kind", "measure", "value", "low", "high", "n_trials", "note", "metric")
NOT_SHARED = "no trial was judged by two"


def judge_agreement(judgments: pd.DataFrame, *, seed: int = 0, draws: int = 1000) -> pd.DataFrame:
    """Return AGREEMENT, by kind of trial; n_trials are those with two judges or more.

    "Cannot tell" and "tie" are answers like any other. Answers "a" and "b" are slots of the trial,
    the same for all judges whatever side they saw them on. Checks, mirrors and practice are left
    out. 1 is perfect, 0 is as by chance (raw agreement has no such zero). Intervals: Bayesian
    bootstrap over trials. `metric` says how answers are compared.
    """
    rows = judgments[judgments["purpose"] == MAIN]
    result = []
    for kind, part in rows.groupby("kind", sort=True):
        alpha, raw = _alpha(part, TRIAL_KINDS[kind].scale, seed=seed, draws=draws)
        estimates = (
            ("krippendorff_alpha", alpha, alpha_metric(bool(TRIAL_KINDS[kind].scale))),
            ("fleiss_kappa", fleiss(part, seed=seed, draws=draws), "unweighted"),
            ("raw_agreement", raw, "same answer"),
        )
        for measure, e, metric in estimates:
            result.append((kind, measure, e.value, e.low, e.high, e.n, e.note, metric))
    return pd.DataFrame(result, columns=list(AGREEMENT))


def _alpha(part: pd.DataFrame, scale: tuple[str, ...], *, seed: int, draws: int) -> tuple:
    """Return alpha and raw agreement, by the measure that serves the annotators' labels too.

    Args:
        scale: the answers in order; () where they have no order.
    """
    labels = scale or tuple(sorted(part["answer"].unique()))
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
    task = Task("judging", LabelScale(labels, bool(scale)))
    done = agreement(Dataset("judgments", task, items, annotations), seed=seed, draws=draws)
    return done.alpha, done.raw


def fleiss(part: pd.DataFrame, *, seed: int = 0, draws: int = 1000) -> Estimate:
    """Return Fleiss' kappa (1971) over trials with two judges or more, whose numbers may differ.

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
    if value > 1 - 1e-12:
        complete = "no disagreement at all: the interval has no width and is left out"
        return Estimate(1.0, math.nan, math.nan, n, complete)
    rng = np.random.default_rng([seed, 43])
    drawn = np.concatenate([kappas(weights) for weights in bayesian_weights(rng, draws, n)])
    return Estimate(value, *central_interval(drawn), n)


ALL = "all judges"
BEHAVIOUR = (
    "judge_id", "n", "n_sided", "left", "left_low", "left_high", "n_repeats", "same", "same_low",
    "same_high", "flipped_to_side", "n_checks", "checks_right", "checks_low", "checks_high",
    "cannot_tell", "seconds_median", "seconds_p10", "seconds_p90", "changes",
)  # fmt: skip


def judge_behaviour(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return BEHAVIOUR: one row a judge and one for all, practice left out; Wilson intervals.

    left: share of comparisons decided for the left side (½ without bias; ties left out). same:
    share of mirrored repeats answered as before; flipped_to_side counts comparisons in which the
    same side was chosen both times, so that the other text was. checks_right: of trials with a
    known answer. cannot_tell: share of "cannot tell" or "tie". NaN where there is nothing to count.
    """
    rows = judgments[judgments["purpose"] != PRACTICE]
    repeats = repeated(rows)
    result = [_row(ALL, rows, repeats)]
    for judge, part in rows.groupby("judge_id", sort=True):
        result.append(_row(judge, part, repeats[repeats["judge_id"] == judge]))
    return (
        pd.DataFrame(result, columns=list(BEHAVIOUR))
        if len(rows)
        else pd.DataFrame(columns=list(BEHAVIOUR))
    )


def repeated(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return judge_id, trial_id, same (was the answer as before?) and side_kept, one row a mirrored
    repeat whose first showing was answered too; ratings count as the same if equal."""
    again = judgments[judgments["purpose"] == MIRROR]
    keys = ["judge_id", "trial_id", "answer", "side", "source_a"]
    both = again[[*keys, "mirror_of"]].merge(
        judgments[keys],
        left_on=["judge_id", "mirror_of"],
        right_on=["judge_id", "trial_id"],
        suffixes=("", "_before"),
    )
    turned = (both["source_a"] != both["source_a_before"]).to_numpy()
    answer = both["answer"].to_numpy(object)
    as_before = np.where(turned, pd.Series(answer).replace({"a": "b", "b": "a"}), answer)
    same = as_before == both["answer_before"].to_numpy(object)
    side_kept = ((both["side"] != "") & (both["side"] == both["side_before"])).to_numpy()
    return both[["judge_id", "trial_id"]].assign(same=same, side_kept=side_kept & ~same)


def checked(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return the trials with a known answer, with the column `right`."""
    rows = judgments[(judgments["purpose"] == CHECK) & (judgments["truth"] != "")]
    right = pd.Series(False, index=rows.index)
    for kind, part in rows.groupby("kind"):
        right[part.index] = TRIAL_KINDS[kind].check_passed(part["answer"], part["truth"])
    return rows.assign(right=right)


def _row(name: str, rows: pd.DataFrame, repeats: pd.DataFrame) -> tuple:
    sided = rows[rows["side"] != ""]
    checks = checked(rows)
    seconds = rows["duration_s"].to_numpy(dtype=float)
    spread = np.quantile(seconds, [0.5, 0.1, 0.9]) if len(seconds) else [math.nan] * 3
    undecided = {kind.name: kind.undecided for kind in TRIAL_KINDS.values() if kind.undecided}
    could_be = rows[rows["kind"].isin(undecided)]
    unsure = could_be["answer"] == could_be["kind"].map(undecided)
    return (
        name, len(rows),
        *_share((sided["side"] == "left").to_numpy()),
        *_share(repeats["same"].to_numpy(dtype=bool)),
        int(repeats["side_kept"].sum()),
        *_share(checks["right"].to_numpy(dtype=bool)),
        float(unsure.mean()) if len(unsure) else math.nan,
        *(float(value) for value in spread), int(rows["changes"].sum()),
    )  # fmt: skip


def _share(hit: np.ndarray) -> tuple[int, float, float, float]:
    n = len(hit)
    if not n:
        return 0, math.nan, math.nan, math.nan
    return n, float(hit.mean()), *wilson(float(hit.sum()), n)
