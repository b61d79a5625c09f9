"""The stability ladder and its controls as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from capo_core.stability.permutation import Null
from capo_core.stability.pooling import crossing
from capo_core.stability.rung import Rung

COLUMNS = (
    "representation",
    "reduction",
    "k",
    "accuracy",
    "low",
    "high",
    "n_items",
    "n_groups",
    "chance",
    "null_mean",
    "null_high",
    "p_value",
)


def rows_of(rung: Rung, chance: float) -> list[dict]:
    """The rung as rows of the ladder; null columns are None where no null was computed."""
    p_values = rung.null.p_values() if rung.null else None
    rows = []
    for point in rung.pooled:
        row = {
            "representation": rung.representation,
            "reduction": rung.reduction,
            "k": point.k,
            "accuracy": point.accuracy,
            "low": point.low,
            "high": point.high,
            "n_items": point.n_items,
            "n_groups": point.n_groups,
            "chance": chance,
            "null_mean": None,
            "null_high": None,
            "p_value": None,
        }
        # The null may rest on fewer rows; a k that fills no group there has no null.
        index = rung.null.ks.index(point.k) if rung.null else 0
        if rung.null is not None and np.isfinite(rung.null.observed[index]):
            values = rung.null.values[:, index]
            row["null_mean"] = float(values.mean())
            row["null_high"] = float(np.quantile(values, 0.975))
            row["p_value"] = float(p_values[index])
        rows.append(row)
    return rows


def ladder_frame(rungs: list[Rung], chance: float) -> pd.DataFrame:
    """The ladder of all rungs that are no control."""
    rows = [row for rung in rungs if not rung.control for row in rows_of(rung, chance)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def controls_frame(rungs: list[Rung], chance: float) -> pd.DataFrame:
    """All controls, with the same columns and `control`.

    Rows of `shuffled` and `shuffled_within_label` hold the null itself: its mean as accuracy, its
    2.5 and 97.5 % quantiles as low and high, and the p-value of the observed accuracy under it.
    """
    rows = []
    for rung in rungs:
        if rung.control:
            rows += [{"control": rung.control, **row} for row in rows_of(rung, chance)]
            continue
        for control, null in (("shuffled", rung.null), ("shuffled_within_label", rung.strict)):
            rows += [] if null is None else _null_rows(rung, null, control, chance)
        if rung.same_label is not None:
            accuracy, low, high, n_items, n_pairs = rung.same_label
            rows.append(
                {
                    "control": "same_label",
                    "representation": rung.representation,
                    "reduction": rung.reduction,
                    "k": 1,
                    "accuracy": accuracy,
                    "low": low,
                    "high": high,
                    "n_items": n_items,
                    "n_groups": n_pairs,
                    "chance": 0.5,
                    "null_mean": None,
                    "null_high": None,
                    "p_value": None,
                }
            )
    return pd.DataFrame(rows, columns=["control", *COLUMNS])


def _null_rows(rung: Rung, null: Null, control: str, chance: float) -> list[dict]:
    rows = []
    p_values = null.p_values()
    for point in rung.pooled:
        index = null.ks.index(point.k)
        values = null.values[:, index]
        if not np.isfinite(values).all():
            continue
        low, high = np.quantile(values, [0.025, 0.975])
        rows.append(
            {
                "control": control,
                "representation": rung.representation,
                "reduction": rung.reduction,
                "k": point.k,
                "accuracy": float(values.mean()),
                "low": float(low),
                "high": float(high),
                "n_items": point.n_items,
                "n_groups": point.n_groups,
                "chance": chance,
                "null_mean": float(values.mean()),
                "null_high": float(high),
                "p_value": float(p_values[index]),
            }
        )
    return rows


def information_frame(rungs: list[Rung]) -> pd.DataFrame:
    """Bits per explanation and the k that reaches 90 %, with intervals.

    `k90_low` and `k90_high` are where the upper and lower ends of the accuracies' intervals cross
    90 %; None where they do not within the pool.
    """
    rows = []
    for rung in rungs:
        if rung.control:
            continue
        ks = [point.k for point in rung.pooled]
        bits = rung.information
        rows.append(
            {
                "representation": rung.representation,
                "reduction": rung.reduction,
                "bits": bits.bits,
                "low": bits.low,
                "high": bits.high,
                "n_items": bits.n_items,
                "k90": crossing(ks, [point.accuracy for point in rung.pooled], 0.9),
                "k90_low": crossing(ks, [point.high for point in rung.pooled], 0.9),
                "k90_high": crossing(ks, [point.low for point in rung.pooled], 0.9),
            }
        )
    frame = pd.DataFrame(rows)
    numbers = ["k90", "k90_low", "k90_high"]
    return frame.astype(dict.fromkeys(numbers, float)) if len(frame) else frame
