"""From a judge's answers to scores: shares given to the target, and shares of positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from capo_core.evaluation.judge_prompt import LETTERS
from capo_core.evaluation.pooled import group_mean
from capo_core.evaluation.scores import Score, mean
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL
from capo_core.stability.intervals import wilson

TABLE = ("source", "target", "k", "value", "low", "high", "n", "unread", "chance")
POSITIONS = ("position", "answers", "share", "low", "high", "expected")

Found = tuple[str, str, str, Score]  # source, target, replicate


def scores_of(
    answers: pd.DataFrame, item_ids: Sequence[str], annotators: Sequence[str]
) -> Iterator[Found]:
    """The share of trials given to the target, for each source, target and replicate.

    The floor needs no trial of its own: that the trials of one author's texts name somebody else
    is what happens where these texts stand in for that one's. So every stream of `HUMAN` gives
    one of `OTHER` for each other annotator.

    Args:
        answers: `judge.ANSWERS`; a trial with an item that is not among `item_ids` is left out.
    """
    place = {item_id: index for index, item_id in enumerate(item_ids)}
    known = answers[[all(item in place for item in items) for items in answers["items"]]]
    groups = known.groupby(["source", "target", "replicate"], sort=False)
    for (source, target, replicate), rows in groups:
        item = np.array([[place[item] for item in items] for items in rows["items"]])
        order = np.arange(item.size).reshape(1, *item.shape)
        named = rows["answer"].to_numpy()

        def share(who: str, named=named, order=order, item=item) -> Score:
            hits = (named == who).astype(float)[None]
            return group_mean(hits, order, item.ravel(), n_items=len(place), groupings=1)

        yield source, target, replicate, share(target)
        if source == HUMAN:
            for other in annotators:
                if other != target:
                    yield OTHER, other, target, share(other)


def table_of(
    answers: pd.DataFrame, item_ids: Sequence[str], annotators: Sequence[str], k: int
) -> pd.DataFrame:
    """TABLE: averaged over replicates, then over targets."""
    by_source: dict[str, dict[str, list[Score]]] = {}
    for source, target, _, score in scores_of(answers, item_ids, annotators):
        by_source.setdefault(source, {}).setdefault(target, []).append(score)
    unread = answers[answers["answer"] == ""]
    rows = []
    for source, by_target in by_source.items():
        means = {target: mean(found, repeated=True) for target, found in by_target.items()}
        means[ALL] = mean(list(means.values()))
        for target, score in means.items():
            # What stands in for a target is what other people wrote.
            mine = unread["source"] == (HUMAN if source == OTHER else source)
            if target != ALL:
                mine &= (unread["target"] == target) != (source == OTHER)
            shown = score.estimate()
            rows.append((source, target, k, shown.value, shown.low, shown.high, shown.n,
                         int(mine.sum()), 1 / len(annotators)))  # fmt: skip
    return pd.DataFrame(rows, columns=list(TABLE))


def position_shares(named: pd.Series, count: int) -> tuple[pd.DataFrame, float]:
    """POSITIONS of the letters `named` ("" is left out), and the p-value against equal shares."""
    counts = [int((named == LETTERS[place]).sum()) for place in range(count)]
    n = sum(counts)
    rows = [
        (LETTERS[place], found, found / n if n else math.nan, *wilson(found, n), 1 / count)
        for place, found in enumerate(counts)
    ]
    p_value = float(stats.chisquare(counts).pvalue) if n else math.nan
    return pd.DataFrame(rows, columns=list(POSITIONS)), p_value
