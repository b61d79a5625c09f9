"""Whom do the judges name together? Dawid & Skene's EM on attributions.

Dawid & Skene (1979), "Maximum likelihood estimation of observer error-rates using the EM
algorithm": each text pool has one latent author, each judge a table of how often they name whom
for each author. Held equal to crowd-kit's `DawidSkene` in the tests; crowd-kit itself needs
`transformers` and `nltk`, which sixty lines of sums do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.stats.clustered import share
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, CHECK, MIRROR, PRACTICE

STEPS = 1000
TOLERANCE = 1e-9
EDGE = 1e-10
SMOOTHING = (1.0, 4.0)  # a judge has few answers for each author; see `dawid_skene`
NAMED = ("task", "worker", "label")
CONSENSUS = (
    "source", "n_trials", "raw_right", "raw_low", "raw_high", "majority_right", "weighted_right",
    "weighted_low", "weighted_high", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Consensus:
    """Attributes: probabilities, [tasks × labels] frame; priors, by label; errors, worker →
    [true × named] frame; trace, the penalised log-likelihood of every step, which never falls."""

    probabilities: pd.DataFrame
    priors: pd.Series
    errors: Mapping[str, pd.DataFrame]
    trace: tuple[float, ...]


def dawid_skene(
    named: pd.DataFrame,
    *,
    known: Mapping[str, str] | None = None,
    smoothing: tuple[float, float] = (0.0, 0.0),
    steps: int = STEPS,
) -> Consensus:
    """EM from the shares of votes.

    Args:
        named: NAMED, one row a judgment.
        known: task → its true label, for tasks whose truth is known.
        smoothing: added to every count of every judge's table, and to the counts of right answers
            on top (Dirichlet priors); without them twenty answers a judge say little of a table.
    """
    tasks, task = np.unique(named["task"].to_numpy(str), return_inverse=True)
    workers, worker = np.unique(named["worker"].to_numpy(str), return_inverse=True)
    labels, label = np.unique(named["label"].to_numpy(str), return_inverse=True)
    shape = (len(tasks), len(labels))
    votes = np.zeros(shape)
    np.add.at(votes, (task, label), 1)
    fixed = np.full(len(tasks), -1)
    position = {name: k for k, name in enumerate(labels)}
    for name, truth in (known or {}).items():
        at = np.searchsorted(tasks, name)
        if at < len(tasks) and tasks[at] == name and truth in position:
            fixed[at] = position[truth]
    p = _held(votes / votes.sum(axis=1, keepdims=True), fixed)
    trace: list[float] = []
    extra = smoothing[0] + smoothing[1] * np.eye(len(labels))
    for _step in range(steps):
        priors = np.maximum(p.mean(axis=0), EDGE)
        counts = np.tile(extra, (len(workers), 1, 1))
        np.add.at(counts, (worker, slice(None), label), p[task])
        counts = np.maximum(counts, EDGE)
        errors = counts / counts.sum(axis=2, keepdims=True)
        log_p = np.tile(np.log(priors), (len(tasks), 1))
        np.add.at(log_p, task, np.log(errors)[worker, :, label])
        top = log_p.max(axis=1, keepdims=True)
        total = top[:, 0] + np.log(np.exp(log_p - top).sum(axis=1))
        told = np.where(fixed >= 0, log_p[np.arange(len(tasks)), fixed], total)
        trace.append(float(told.sum() + (extra * np.log(errors)).sum()))
        p = _held(np.exp(log_p - total[:, None]), fixed)
        if len(trace) > 1 and trace[-1] - trace[-2] < TOLERANCE:
            break
    frames = {
        name: pd.DataFrame(errors[k], index=labels, columns=labels)
        for k, name in enumerate(workers)
    }
    return Consensus(
        pd.DataFrame(p, index=tasks, columns=labels),
        pd.Series(priors, index=labels),
        frames,
        tuple(trace),
    )


def _held(p: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    p = p.copy()
    rows = np.flatnonzero(fixed >= 0)
    p[rows] = 0
    p[rows, fixed[rows]] = 1
    return p


def named_by(judgments: pd.DataFrame) -> pd.DataFrame:
    """NAMED: attributions without practice, mirrors and "cannot tell"."""
    rows = judgments[
        (judgments["kind"] == ATTRIBUTION)
        & ~judgments["purpose"].isin([PRACTICE, MIRROR])
        & (judgments["answer"] != CANNOT_TELL)
    ]
    columns = {"trial_id": "task", "judge_id": "worker", "answer": "label"}
    return rows[list(columns)].rename(columns=columns).reset_index(drop=True)


def consensus(judgments: pd.DataFrame) -> pd.DataFrame:
    """CONSENSUS, one row a source: single judgments (raw), the majority of a trial's judges, and
    their vote weighted by Dawid-Skene; "cannot tell" left out of all three.

    A trial's author is right where the most probable annotator is; ties of the majority count in
    shares. Intervals of the weighted vote: trials clustered by item, as `clustered.share` with each
    trial its own judge.
    """
    named = named_by(judgments)
    if not len(named):
        return pd.DataFrame(columns=list(CONSENSUS))
    facts = judgments.drop_duplicates("trial_id").set_index("trial_id")
    checks = facts[(facts["purpose"] == CHECK) & (facts["truth"] != "")]["truth"]
    done = dawid_skene(named, known=dict(checks), smoothing=SMOOTHING)
    facts = facts.loc[done.probabilities.index]
    facts = facts[facts["purpose"] != CHECK]
    shares = pd.crosstab(named["task"], named["label"])
    made = []
    for source, part in facts.groupby("source", sort=True):
        trials = part.index
        own = named[named["task"].isin(trials)]
        item = own["task"].map(part["item_id"]).to_numpy()
        right = own["label"].to_numpy() == own["task"].map(part["truth"]).to_numpy()
        raw = share(right, own["worker"].to_numpy(), item)
        truth = part["truth"].to_numpy()
        weighted = share(
            done.probabilities.loc[trials].idxmax(axis=1).to_numpy() == truth,
            np.asarray(trials),
            part["item_id"].to_numpy(),
        )
        made.append(
            (source, len(trials), raw.value, raw.low, raw.high, _majority(shares, part),
             weighted.value, weighted.low, weighted.high,
             weighted.note or _few(own, len(trials)))
        )  # fmt: skip
    return pd.DataFrame(made, columns=list(CONSENSUS))


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
