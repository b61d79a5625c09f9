"""Does the length of a text sway the judges? Logistic models, clustered by judge and item."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import expit

from capo_core.study.clustered import FEW, two_way
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, COMPARISON, MAIN, TIE

COLUMNS = ("question", "odds_ratio", "low", "high", "n", "note")
LONGER = "odds of preferring a text twice as long as the other, sources held equal"
RIGHT = "odds of naming the right annotator when texts are twice as long, sources held equal"
MIN_ROWS = 30


def length_effect(judgments: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS, a row each for comparisons and attributions; an odds ratio of 1 is no effect.

    Ties and "cannot tell" are left out. What is held equal are the sources; that a source writes
    longer *and* better cannot be told apart within it.
    """
    rows = judgments[judgments["purpose"] == MAIN]
    pairs = rows[(rows["kind"] == COMPARISON) & (rows["answer"] != TIE)]
    pairs = pairs[(pairs["words_a"] > 0) & (pairs["words_b"] > 0)]
    sources = sorted(set(pairs["source_a"]) | set(pairs["source_b"]))
    sign = np.stack(
        [(pairs["source_a"] == s).astype(float) - (pairs["source_b"] == s) for s in sources[1:]]
        or [np.zeros(len(pairs))],
        axis=1,
    )
    ratio = np.log2(pairs["words_a"].to_numpy(float) / pairs["words_b"].to_numpy(float))
    made = [_row(LONGER, np.column_stack([ratio, sign]), (pairs["answer"] == "a"), pairs)]
    named = rows[(rows["kind"] == ATTRIBUTION) & (rows["answer"] != CANNOT_TELL)]
    named = named[named["words"] > 0]
    dummies = pd.get_dummies(named["source"]).to_numpy(dtype=float)
    size = np.log2(named["words"].to_numpy(float))
    made.append(
        _row(RIGHT, np.column_stack([size, dummies]), named["answer"] == named["truth"], named)
    )
    return pd.DataFrame(made, columns=list(COLUMNS))


def _row(question: str, x: np.ndarray, hit: pd.Series, rows: pd.DataFrame) -> tuple:
    n = len(rows)
    if n < MIN_ROWS or np.ptp(x[:, 0]) == 0:
        why = f"fewer than {MIN_ROWS} judgments" if n < MIN_ROWS else "all texts are equally long"
        return question, math.nan, math.nan, math.nan, n, why
    beta, influence = logistic(x, hit.to_numpy(dtype=float))
    if influence is None:
        return question, math.nan, math.nan, math.nan, n, "the model has no finite answer here"
    variance, z = two_way(influence[:, 0], rows["judge_id"].to_numpy(), rows["item_id"].to_numpy())
    half = z * math.sqrt(variance)
    ends = [math.exp(min(beta[0] + k * half, 700.0)) if half == half else math.nan for k in (-1, 1)]
    return question, math.exp(beta[0]), *ends, n, FEW if math.isnan(z) else ""


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Coefficients by maximum likelihood (Newton) and each row's influence on them, [n × p].

    Columns that are not identified get 0. None instead of influences where the steps do not settle
    (separation).
    """
    beta = np.zeros(x.shape[1])
    for _step in range(50):
        p = expit(x @ beta)
        bread = np.linalg.pinv((x * (p * (1 - p))[:, None]).T @ x, hermitian=True)
        step = bread @ (x.T @ (y - p))
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            return beta, (x * (y - p)[:, None]) @ bread
        if np.abs(beta).max() > 50:
            break
    return beta, None
