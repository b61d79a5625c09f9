"""Labels of several workers reconciled by Dawid and Skene's EM.

Dawid & Skene (1979), "Maximum likelihood estimation of observer error-rates using the EM
algorithm": each task has one latent true label, each worker a confusion matrix. Our own, because
crowd-kit, whose `DawidSkene` gives the same numbers in the tests, needs `transformers` and `nltk`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

STEPS = 1000
TOLERANCE = 1e-9
EDGE = 1e-10


@dataclass(frozen=True)
class DawidSkeneFit:
    """The estimates at which EM ended.

    Attributes:
        probabilities: [tasks × labels], of each label being the true one.
        priors: by label.
        errors: worker → [true × answered] confusion matrix, rows summing to 1.
        trace: the penalised log-likelihood of every step, which never falls.
    """

    probabilities: pd.DataFrame
    priors: pd.Series
    errors: Mapping[str, pd.DataFrame]
    trace: tuple[float, ...]


def dawid_skene(
    answers: pd.DataFrame,
    *,
    known: Mapping[str, str] | None = None,
    smoothing: tuple[float, float] = (0.0, 0.0),
    steps: int = STEPS,
) -> DawidSkeneFit:
    """Estimate true labels and confusion matrices, starting from the shares of votes.

    Args:
        answers: columns task, worker and label, one row an answer.
        known: task → its true label, for tasks whose truth is known.
        smoothing: added to every count of every worker's confusion matrix, and to its diagonal on
            top (Dirichlet priors); without them twenty answers a worker say little of a matrix.
    """
    tasks, task = np.unique(answers["task"].to_numpy(str), return_inverse=True)
    workers, worker = np.unique(answers["worker"].to_numpy(str), return_inverse=True)
    labels, label = np.unique(answers["label"].to_numpy(str), return_inverse=True)
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
        likelihood = np.where(fixed >= 0, log_p[np.arange(len(tasks)), fixed], total)
        trace.append(float(likelihood.sum() + (extra * np.log(errors)).sum()))
        p = _held(np.exp(log_p - total[:, None]), fixed)
        if len(trace) > 1 and trace[-1] - trace[-2] < TOLERANCE:
            break
    frames = {
        name: pd.DataFrame(errors[k], index=labels, columns=labels)
        for k, name in enumerate(workers)
    }
    return DawidSkeneFit(
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
