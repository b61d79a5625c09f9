"""The effect of text length on answers: logistic models, clustered by judge and item."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.stats.clustered import FEW, two_way
from capo_core.stats.logistic import MIN_ROWS, logistic
from capo_core.study.tables import MAIN
from capo_core.study.trial_kinds import paired_first
from capo_core.study.trial_kinds.base import LengthModel

LENGTH_COLUMNS = ("question", "odds_ratio", "low", "high", "n", "note")


def length_effect(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return LENGTH_COLUMNS, a row for each kind that has a model; an odds ratio of 1 is no effect.

    Ties and "cannot tell" are left out. What is held equal are the sources; that a source writes
    longer *and* better cannot be separated within it.
    """
    main = judgments[judgments["purpose"] == MAIN]
    models = [kind.length_model(main) for kind in paired_first()]
    rows = [_row(model) for model in models if model is not None]
    return pd.DataFrame(rows, columns=list(LENGTH_COLUMNS))


def _row(model: LengthModel) -> tuple:
    question, x, rows, n = model.question, model.x, model.rows, len(model.rows)
    if n < MIN_ROWS or np.ptp(x[:, 0]) == 0:
        why = f"fewer than {MIN_ROWS} judgments" if n < MIN_ROWS else "all texts are equally long"
        return question, math.nan, math.nan, math.nan, n, why
    beta, influence = logistic(x, model.hit.to_numpy(dtype=float))
    if influence is None:
        return question, math.nan, math.nan, math.nan, n, "the model has no finite estimate here"
    variance, z = two_way(influence[:, 0], rows["judge_id"].to_numpy(), rows["item_id"].to_numpy())
    half = z * math.sqrt(variance)
    ends = [math.exp(min(beta[0] + k * half, 700.0)) if half == half else math.nan for k in (-1, 1)]
    return question, math.exp(beta[0]), *ends, n, FEW if math.isnan(z) else ""
