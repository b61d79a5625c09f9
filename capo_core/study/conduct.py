"""How did each judge go about it? Sides, repeats, checks, time: shown, and nobody is dropped."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.stability.intervals import wilson
from capo_core.study.tables import CANNOT_TELL, CHECK, COMPARISON, MIRROR, PRACTICE, REASONING, TIE

ALL = "all judges"
CONDUCT = (
    "judge_id", "n", "n_sided", "left", "left_low", "left_high", "n_repeats", "same", "same_low",
    "same_high", "flipped_to_side", "n_checks", "checks_right", "checks_low", "checks_high",
    "cannot_tell", "seconds_median", "seconds_p10", "seconds_p90", "changes",
)  # fmt: skip


def conduct(judgments: pd.DataFrame) -> pd.DataFrame:
    """CONDUCT: one row a judge and one for all, practice left out; shares with Wilson intervals.

    left: share of comparisons decided for the left side (½ without bias; ties left out). same:
    share of mirrored repeats answered as before; flipped_to_side counts comparisons in which the
    same side was chosen both times, so that the other text was. checks_right: of trials with a
    known answer. cannot_tell: share of "cannot tell" or "tie". NaN where there is nothing to count.
    """
    rows = judgments[judgments["purpose"] != PRACTICE]
    repeats = repeated(rows)
    made = [_row(ALL, rows, repeats)]
    for judge, part in rows.groupby("judge_id", sort=True):
        made.append(_row(judge, part, repeats[repeats["judge_id"] == judge]))
    return (
        pd.DataFrame(made, columns=list(CONDUCT))
        if len(rows)
        else pd.DataFrame(columns=list(CONDUCT))
    )


def repeated(judgments: pd.DataFrame) -> pd.DataFrame:
    """judge_id, trial_id, same (was the answer as before?), side_kept, one row a mirrored repeat
    whose first showing was answered too; reasoning scores count as the same if equal."""
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
    """Trials with a known answer, with the column `right`; a reasoning check is right at 1 or 2."""
    rows = judgments[(judgments["purpose"] == CHECK) & (judgments["truth"] != "")]
    lenient = (rows["kind"] == REASONING) & (rows["truth"] == "1") & (rows["answer"] == "2")
    return rows.assign(right=(rows["answer"] == rows["truth"]) | lenient)


def _row(name: str, rows: pd.DataFrame, repeats: pd.DataFrame) -> tuple:
    sided = rows[(rows["kind"] == COMPARISON) & (rows["side"] != "")]
    checks = checked(rows)
    seconds = rows["duration_s"].to_numpy(dtype=float)
    spread = np.quantile(seconds, [0.5, 0.1, 0.9]) if len(seconds) else [math.nan] * 3
    unsure = rows[rows["kind"] != REASONING]["answer"].isin([CANNOT_TELL, TIE])
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
