"""Words on a retention measurement: what was gained and lost at full strength, and the best point.

"More typical than the human" is said by the paired difference from the target's own texts alone,
and "something was forgotten" of `FEWEST` texts or more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.retention import (
    GENERAL,
    IMITATION,
    OTHER_TASK,
    OTHERS,
    OWN,
    BestPoint,
    RetentionScores,
    ScoredTexts,
    retained_measure,
)
from capo_core.formatting import count, number, number_interval, percent, percent_interval
from capo_core.stats.bootstrap import difference
from capo_core.stats.significance import FEWEST, carries_order, p_value_of


def more_typical(found: RetentionScores, point: int = -1) -> bool:
    """Return whether a point's explanations are given to the target significantly more often than
    the target's own texts on the same items.

    Args:
        point: index into the points; the last one, full strength, by default.
    """
    there = np.flatnonzero(np.isfinite(found.own))
    if not len(there):
        return False
    n = len(found.own)
    sides = (item_mean(hit[there], there, n_items=n) for hit in (found.hits[point], found.own))
    apart = difference(*sides)
    shown = apart.estimate()
    p, _test = p_value_of(apart)
    return shown.low > 0 and carries_order(shown.low, shown.high, p, len(there))


def why_no_best_point(found: RetentionScores) -> str:
    """Return why `best_point` is None."""
    own = found.own[np.isfinite(found.own)]
    if not len(own):
        return "the target wrote nothing on these items"
    if own.mean() <= found.chance:
        return (
            "the classifier gives the target's own texts to the target no more often than a guess "
            f"would ({percent(own.mean())} of {count(len(own), 'text')}, chance "
            f"{percent(found.chance)}), so that nothing tells how near a model is"
        )
    return "at no strength is more given to the target than a guess would give"


def sentence(
    best: BestPoint | None,
    frame: pd.DataFrame,
    found: RetentionScores,
    scored: ScoredTexts,
    general: str,
) -> str:
    """Return a sentence on gain and loss at the last point, and on the best point.

    Args:
        frame: `points_table` of `found`. general: description of the general text.
    """
    name, lines = retained_measure(scored), found.lines
    rows = frame.set_index(["at", "measure"])
    end = float(frame["at"].max())
    ends = {1.0: "SFT", 2.0: "CAPO"}[end]
    given, own, lost = (rows.loc[(end, measure)] for measure in (IMITATION, OWN, name))
    ceiling = lines[(lines["measure"] == IMITATION) & (lines["line"] == "ceiling")]
    shown = ""
    if len(ceiling):
        shown = f" (of its own texts {percent(ceiling.iloc[0].value)}"
        shown += (
            ", so that the model is more typical than the human)" if more_typical(found) else ")"
        )
    what = general if name == GENERAL else "what other annotators wrote"
    text = (
        f"At full strength of {ends}, {percent(given.value)} "
        f"{percent_interval(given.low, given.high)} of the explanations are given to the "
        f"target{shown}, and what the target wrote has {_times(own)} the base's perplexity. That "
        f"of {what} is {_times(lost)} the base's"
    )
    text += _lost(lost, scored)
    beside = {OTHERS: "what other annotators wrote", OTHER_TASK: "another task's responses"}
    if (end, OTHER_TASK) in rows.index:
        parts = [
            f"that of {called} is {_times(rows.loc[(end, measure)])} the base's"
            + _lost(rows.loc[(end, measure)], scored)
            for measure, called in beside.items()
            if measure != name and (end, measure) in rows.index
        ]
        text += f". Beside it, {'; '.join(parts)}"
    if best is None:
        return text + f". There is no best point: {why_no_best_point(found)}."
    stage = "SFT" if best.stage == "sft" else "CAPO, between SFT and CAPO"
    where = "the base" if best.at == 0 else f"strength {best.strength:g} of {stage}"
    interval = best.interval_text()
    text += (
        f". The best point between the two is {where}{f' {interval}' if interval else ''} "
        f"(imitation {percent(best.imitation)} of the way from a guess to the target, "
        f"{percent(best.kept)} of the base kept); it is the best in {percent(best.support)} of "
        "draws over items."
    )
    if best.overshoot(end):
        text += " Overshoot: full strength lies beyond the interval of the best one."
    elif 0 < best.at < end and interval:
        text += " No overshoot is shown: the interval of the best strength reaches full strength."
    return text


def _lost(row: Any, scored: ScoredTexts) -> str:
    units = len(np.unique(scored.unit[row.name[1]]))
    if units < FEWEST:
        kind = "passage" if row.name[1] == GENERAL else "item"
        return f", of {count(units, kind)}: too few to say whether something was forgotten"
    if row.change_low > 1 and row.change_high > row.change_low:
        return ", so that something was forgotten"
    return ": no forgetting is shown"


def _times(row: Any) -> str:
    return f"{number(row.change)} times {number_interval(row.change_low, row.change_high)}".rstrip()
