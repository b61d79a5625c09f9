"""Bradley-Terry strengths with ties by Davidson, with clustered intervals.

Davidson (1970), "On extending the Bradley-Terry model to accommodate ties in paired comparison
experiments": with strengths λ and D = e^{λ_i} + e^{λ_j} + ν e^{(λ_i + λ_j)/2}, i is preferred with
probability e^{λ_i}/D and a tie is given with ν e^{(λ_i + λ_j)/2}/D. The log-likelihood is concave
in (λ, log ν): Newton finds the one maximum. Variances are sandwiches, H⁻¹ B H⁻¹ with B clustered
by judge and item (`clustered.two_way`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from capo_core.formatting import name_list
from capo_core.stats.clustered import FEW, two_way
from capo_core.stats.intervals import json_rows

NEWTON = 80
INFINITE = 18.0  # log-odds; nobody has the judgments to tell more
STRENGTHS = ("source", "strength", "low", "high", "se", "n", "wins", "ties", "losses")
PAIRS = ("source_a", "source_b", "n", "wins_a", "ties", "wins_b", "odds_share_a", "low", "high")


@dataclass(frozen=True)
class Preference:
    """Strengths of the sources, and win probabilities of each pair.

    Attributes:
        strengths: STRENGTHS; on the scale of log-odds, their mean is 0; NaN where separation makes
            them infinite.
        pairs: PAIRS; odds_share_a is e^{λ_a}/(e^{λ_a} + e^{λ_b}), ties left out, by the model;
            chance is ½.
        tie: ν, the odds of a tie between equals against either being preferred; 0 without ties.
        note: why there are no strengths or no intervals, in words.
    """

    strengths: pd.DataFrame
    pairs: pd.DataFrame
    tie: float
    note: str = ""

    def to_dict(self) -> dict:
        return {
            "strengths": json_rows(self.strengths),
            "pairs": json_rows(self.pairs),
            "tie": self.tie,
            "note": self.note,
        }


def fit_ties(
    a: np.ndarray,
    b: np.ndarray,
    outcome: np.ndarray,
    names: tuple[str, ...],
    judge: np.ndarray,
    item: np.ndarray,
    *,
    name_of: Callable[[str], str] = str,
) -> Preference:
    """Fit Davidson's model by maximum likelihood.

    Args:
        a, b: int [n], the sources compared, into `names`, never equal.
        outcome: int [n], 0 if a was preferred, 1 if b, 2 for a tie.
        judge, item: [n], the clusters.
        name_of: a source's name in the note; the tables have `names`.
    """
    ties = bool((outcome == 2).any())
    said = tuple(map(name_of, names))
    apart = _islands(a, b, said)
    design, chosen = _design(a, b, len(names), ties), np.eye(3)[outcome]
    parameters = None if apart else maximum_likelihood(design, chosen)
    if parameters is None:
        nothing = np.full(len(names), math.nan)
        influence = np.full((len(a), len(names)), math.nan)
        why = apart or _separated(a, b, outcome, said)
        return _tables(a, b, outcome, names, nothing, influence, math.nan, (judge, item), why)
    _p, score, hessian = derivatives(design, chosen, parameters)
    contrast = _contrast(len(names), ties)
    influence = score @ np.linalg.inv(hessian) @ contrast.T
    tie = math.exp(parameters[-1]) if ties else 0.0
    return _tables(a, b, outcome, names, contrast @ parameters, influence, tie, (judge, item), "")


def maximum_likelihood(design: np.ndarray, chosen: np.ndarray) -> np.ndarray | None:
    """Return the parameters at the maximum; None where it lies at infinity, the likelihood rising
    without end.

    Args:
        design: [n × outcomes × parameters] of the log weights of each outcome.
        chosen: [n × outcomes or more], 1 at the outcome.
    """
    parameters = np.zeros(design.shape[2])
    for _step in range(NEWTON):
        _p, score, hessian = derivatives(design, chosen, parameters)
        try:
            step = np.linalg.solve(hessian, score.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
        # Far from the maximum a full step could leave the region where the model is well scaled.
        parameters = parameters + step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(parameters).max() > INFINITE:
            return None
        if np.abs(step).max() < 1e-10:
            return parameters
    return None


def _contrast(size: int, ties: bool) -> np.ndarray:
    """Return [sources, parameters]: from strengths against the last source to those of mean 0."""
    against_last = np.vstack([np.eye(size - 1), np.zeros(size - 1)])
    centred = against_last - against_last.mean(axis=0)
    return np.hstack([centred, np.zeros((size, 1))]) if ties else centred


def _design(a: np.ndarray, b: np.ndarray, size: int, ties: bool) -> np.ndarray:
    """Return [n × outcomes × parameters] of the log weights; the last source is the reference."""
    rows = np.arange(len(a))
    x = np.zeros((len(a), 3, size))
    x[rows, 0, a] = 1
    x[rows, 1, b] = 1
    x[rows, 2, a] = x[rows, 2, b] = 0.5
    x[:, :, size - 1] = 0  # reference; its column serves log ν
    if ties:
        x[:, 2, size - 1] = 1
        return x
    return x[:, :2, : size - 1]


def derivatives(design, chosen, parameters):
    """Return probabilities [n × outcomes], scores [n × p] and the information [p × p]."""
    utility = design @ parameters
    p = np.exp(utility - utility.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    residual = chosen[:, : p.shape[1]] - p
    score = np.einsum("no,nop->np", residual, design)
    mean = np.einsum("no,nop->np", p, design)
    information = np.einsum("no,nop,noq->pq", p, design, design) - mean.T @ mean
    return p, score, information


def _islands(a: np.ndarray, b: np.ndarray, names: tuple[str, ...]) -> str:
    """Return which sources were never compared, not even indirectly; "" if none."""
    graph = csr_matrix((np.ones(len(a)), (a, b)), shape=(len(names), len(names)))
    count, island = connected_components(graph, directed=False)
    if count == 1:
        return ""
    groups = [
        name_list(name for name, k in zip(names, island, strict=True) if k == group)
        for group in range(count)
    ]
    return f"no strengths: never compared with each other: {' | '.join(groups)}"


def _separated(a: np.ndarray, b: np.ndarray, outcome: np.ndarray, names: tuple[str, ...]) -> str:
    """Return why no finite strengths exist.

    Ford (1957): without ties they exist if, however the sources are divided in two, some source of
    each side was preferred to one of the other. A source that violates this never lost, or never
    won, against the rest (ties aside).
    """
    size = len(names)
    winner = np.concatenate([a[outcome == 0], b[outcome == 1]])
    loser = np.concatenate([b[outcome == 0], a[outcome == 1]])
    graph = csr_matrix((np.ones(len(winner)), (winner, loser)), shape=(size, size))
    parts, part = connected_components(graph, directed=True, connection="strong")
    across = part[winner] != part[loser]
    wins = np.bincount(part[winner][across], minlength=parts)
    losses = np.bincount(part[loser][across], minlength=parts)
    words = []
    for group in range(parts):
        members = name_list(name for name, k in zip(names, part, strict=True) if k == group)
        if losses[group] == 0 and wins[group]:
            words.append(f"{members} never lost against the others")
        elif wins[group] == 0 and losses[group]:
            words.append(f"{members} never won against the others")
    if not words:
        words = ["all answers are ties" if not len(winner) else "too few of the answers are wins"]
    return (
        f"no finite strengths: {'; '.join(words)}, so that the model sets no limit to the "
        "difference; the counts are in the table"
        if len(winner)
        else f"no finite strengths: {words[0]}"
    )


def _tables(a, b, outcome, names, strengths, influence, tie, clusters, note) -> Preference:
    """Return both tables; `influence` [n × sources] is of each judgment on each strength."""
    rows, pairs = [], []
    for k, name in enumerate(names):
        won = int(((a == k) & (outcome == 0)).sum() + ((b == k) & (outcome == 1)).sum())
        lost = int(((a == k) & (outcome == 1)).sum() + ((b == k) & (outcome == 0)).sum())
        tied = int((((a == k) | (b == k)) & (outcome == 2)).sum())
        variance, z = two_way(influence[:, k], *clusters)
        if math.isnan(z):
            note = note or FEW
        value, error = float(strengths[k]), math.sqrt(variance)
        rows.append((name, value, value - z * error, value + z * error, error,
                     won + lost + tied, won, tied, lost))  # fmt: skip
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            forward, back = (a == i) & (b == j), (a == j) & (b == i)
            n = int((forward | back).sum())
            if not n:
                continue
            wins_i = int((forward & (outcome == 0)).sum() + (back & (outcome == 1)).sum())
            tied = int(((forward | back) & (outcome == 2)).sum())
            gap = float(strengths[i] - strengths[j])
            variance, z = two_way(influence[:, i] - influence[:, j], *clusters)
            error = math.sqrt(variance)
            ends = expit(np.array([gap, gap - z * error, gap + z * error]))
            pairs.append((names[i], names[j], n, wins_i, tied, n - wins_i - tied, *ends.tolist()))
    return Preference(
        pd.DataFrame(rows, columns=list(STRENGTHS)),
        pd.DataFrame(pairs, columns=list(PAIRS)),
        tie,
        note,
    )
