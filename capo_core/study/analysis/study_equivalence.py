"""Equivalence of a source to the target's own texts, by two one-sided tests (`stats.equivalence`).

The margin is a setting of the design, so that it is frozen before anybody judges. Standard errors
and degrees of freedom are those of the clustered intervals, by judge and item.

To judges who guess, everything is equivalent. So nothing is, unless the same study shows that its
judges tell something apart: in attributions the target's own texts from chance, in comparisons what
`telling_apart` finds. What shows it stands in the note.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from capo_core.formatting import count, percent, percent_interval
from capo_core.stats.clustered import FEW, ClusteredMean, mean, share, share_difference
from capo_core.stats.equivalence import EQUIVALENT, EquivalenceTest, insensitive, tost
from capo_core.study.analysis.attribution import attributions
from capo_core.study.analysis.preferences import comparisons
from capo_core.study.analysis.telling_apart import SAME_BY_GUESSING, telling_apart
from capo_core.study.tables import HUMAN, TIE

EQUIVALENCE = ("source", "measure", "value", "low", "high", "margin", "p_value", "n", "verdict",
               "note")  # fmt: skip
ACCURACY_DIFFERENCE = "attribution accuracy less that of the target's own texts"
CHOICE = "share preferred to the target's own texts, less one half"


def attribution_equivalence(
    judgments: pd.DataFrame, margin: float, chance: float = 0.0
) -> pd.DataFrame:
    """Return EQUIVALENCE, a row for each source beside the target's own texts; empty without a
    margin. "Cannot tell" counts as wrong. low, high: 90 %.

    Nothing is equivalent where the target's own texts are attributed correctly no more than the
    margin above chance, or not significantly above it.
    """
    rows = attributions(judgments)
    found = []
    if margin > 0 and (rows["source"] == HUMAN).any():
        own = _sides(rows[rows["source"] == HUMAN])
        alone = share(*own)
        told = (
            f"the target's own texts are attributed correctly in {percent(alone.value)} "
            f"{percent_interval(alone.low, alone.high)} of {count(alone.n, 'judgment')} (chance "
            f"{percent(chance)})"
        )
        apart = alone.value - chance > margin and alone.low > chance
        for source, part in rows[rows["source"] != HUMAN].groupby("source", sort=True):
            theirs = _sides(part)
            test = _tested(
                share_difference(*theirs, *own), margin, min(len(theirs[0]), len(own[0]))
            )
            test = _sensitive(test, apart, told if apart else f"{told}: {SAME_BY_GUESSING}")
            found.append(_row(source, ACCURACY_DIFFERENCE, test, len(theirs[0]) + len(own[0])))
    return pd.DataFrame(found, columns=list(EQUIVALENCE))


def preference_equivalence(judgments: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return EQUIVALENCE, a row for each source compared with the target's own texts; a tie counts
    half. Empty without a margin.

    Nothing is equivalent unless the judges are shown to tell texts apart (`telling_apart`).
    """
    rows = comparisons(judgments)
    found = []
    if margin > 0:
        judges_tell = telling_apart(judgments, margin)
        for source in sorted((set(rows["source_a"]) | set(rows["source_b"])) - {HUMAN}):
            part = rows[(rows["source_a"] == HUMAN) & (rows["source_b"] == source)
                        | (rows["source_b"] == HUMAN) & (rows["source_a"] == source)]  # fmt: skip
            if not len(part):
                continue
            first = (part["source_a"] == source).to_numpy()
            value = np.where(part["answer"] == TIE, 0.5, (part["answer"] == "a") == first)
            judges, items = part["judge_id"].to_numpy(), part["item_id"].to_numpy()
            test = _tested(mean(value.astype(float) - 0.5, judges, items), margin, len(part))
            test = _sensitive(test, judges_tell.shown is not None, judges_tell.words)
            found.append(_row(source, CHOICE, test, len(part)))
    return pd.DataFrame(found, columns=list(EQUIVALENCE))


def _sensitive(test: EquivalenceTest, apart: bool, note: str) -> EquivalenceTest:
    """Return the test as it is, with what shows that these judges tell something apart as its note;
    without a verdict of equivalence where nothing does."""
    if not apart:
        return insensitive(test, note)
    return replace(test, note=note) if test.verdict == EQUIVALENT else test


def _sides(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    hit = (part["answer"] == part["truth"]).to_numpy(dtype=float)
    return hit, part["judge_id"].to_numpy(), part["item_id"].to_numpy()


def _tested(found: ClusteredMean, margin: float, answers: int) -> EquivalenceTest:
    if math.isnan(found.se) or found.note == FEW:
        return EquivalenceTest(found.value, math.nan, math.nan, margin, math.nan, found.items,
                               found.note)  # fmt: skip
    return tost(found.value, found.se, margin, items=found.items, answers=answers,
                degrees=found.degrees)  # fmt: skip


def _row(source: str, measure: str, test: EquivalenceTest, n: int) -> tuple:
    verdict = "not tested" if math.isnan(test.p) else test.verdict
    return (source, measure, test.value, test.low, test.high, test.margin, test.p, n, verdict,
            test.note)  # fmt: skip
