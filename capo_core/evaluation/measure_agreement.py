"""Agreement of the measures of imitation: over items, over methods, and on people's own texts.

Measures of imitation see different things: words, sentence embedding and likelihood tell authors
apart, ROUGE-L and embedding similarity compare with the target's own text, style distance counts
features. A measure is worth as much as it tells the target's own held-out texts (ceiling) from
another annotator's (floor); two measures agree over items where the same answers look more like
the target's to both, and over methods where they order them alike.

Over items: Spearman's rank correlation of two measures over the items of one method and target,
averaged over methods and targets, so that differences between methods are not in it; its 95 %
interval is from a Bayesian bootstrap over items with the ranks of the whole sample, an item having
one weight for all. Over methods: Kendall's τ-b of their orders, the nearest to the human first (the
highest first where there is no human value).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, rankdata

from capo_core.evaluation.eyes import eyes_of, first_of
from capo_core.evaluation.human_distance import HumanDistance
from capo_core.evaluation.measures.registry import LIKELIHOOD, LLM_JUDGE, LOWER, find_measure
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL, Key
from capo_core.stats.bootstrap import DRAWS, AnyScore, Score, difference
from capo_core.stats.intervals import bayesian_weights, central_interval
from capo_core.stats.significance import carries_order, p_value_of

MEASURE_COLUMNS = ("measure", "k", "ceiling", "ceiling_low", "ceiling_high", "floor", "floor_low",
                   "floor_high", "apart", "apart_low", "apart_high", "n", "nearest", "tells_apart",
                   "note")  # fmt: skip
PAIR_COLUMNS = ("one", "other", "correlation", "low", "high", "n", "tau", "methods",
                "note")  # fmt: skip
MIN_ITEMS = 10  # fewer give no correlation over items
YES, NO, UNKNOWN = "yes", "no", "undecided"
# Measures of families other than attribution that speak of imitation, and the unit they are on.
_OTHERS = ("ROUGE-L", "embedding similarity", "style distance")


@dataclass(frozen=True)
class MeasureAgreement:
    """Measures of imitation beside one another.

    Attributes:
        measures: MEASURE_COLUMNS; `apart` is ceiling minus floor, `tells_apart` whether that is
            decided (`significance.carries_order`) on the right side (YES, NO the wrong side,
            UNKNOWN), `nearest` the method it puts first.
        pairs: PAIR_COLUMNS; `correlation` over items (n items), `tau` over methods.
    """

    measures: pd.DataFrame
    pairs: pd.DataFrame


def imitation_measures(scores: pd.DataFrame, k: int) -> list[tuple[str, int]]:
    """Return (measure, k) of the measures of imitation in a table of scores, pooled ones at `k`."""
    there = dict.fromkeys((row.measure, row.k) for row in scores.itertuples())
    eyes = eyes_of([name for name, pooled in there if pooled == k])
    eyes += [name for name, _ in there if find_measure(name).family == LLM_JUDGE]
    return [
        (name, pooled)
        for name, pooled in there
        if (name in eyes and pooled == k) or name in _OTHERS
    ]


def measure_agreement(
    scores: pd.DataFrame,
    parts: Mapping[Key, AnyScore],
    distance: HumanDistance,
    k: int,
) -> MeasureAgreement:
    """Return how the measures of imitation agree.

    Args:
        scores: a report's table. parts: of `table.Evaluation`.
        distance: of the same evaluation. k: texts that are attributed together.
    """
    names = imitation_measures(scores, k)
    orders = {name: _order(scores, distance, name, pooled) for name, pooled in names}
    measures = pd.DataFrame(
        [_reference(parts, name, pooled, orders[name]) for name, pooled in names],
        columns=list(MEASURE_COLUMNS),
    )
    items = {name: _by_item(parts, name, pooled) for name, pooled in names}
    rows = [
        _pair(one, other, items[one], items[other], orders[one], orders[other])
        for (one, _), (other, _) in combinations(names, 2)
    ]
    return MeasureAgreement(measures, pd.DataFrame(rows, columns=list(PAIR_COLUMNS)))


def _order(scores: pd.DataFrame, distance: HumanDistance, name: str, k: int) -> pd.Series:
    """Return source → how far it is from what the measure wants; small is good.

    Sources are compared over the annotators whom all of them imitate; without any there is no
    order.
    """
    near = distance.nearest(name, k)
    if len(near):
        return near.set_index("source")["distance"]
    rows = scores[(scores["measure"] == name) & (scores["k"] == k) & (scores["target"] != ALL)]
    rows = rows[~rows["source"].isin([HUMAN, OTHER]) & rows["value"].notna()]
    by_source = rows.groupby("source", sort=False)["target"]
    common = set.intersection(*map(set, by_source.unique())) if len(rows) else set()
    rows = rows[rows["target"].isin(common)]
    if len(rows) and rows["ceiling"].notna().all():
        away = (rows["value"] - rows["ceiling"]).abs()
    else:
        away = rows["value"] if find_measure(name).better == LOWER else -rows["value"]
    return away.groupby(rows["source"], sort=False).mean()


def _reference(parts: Mapping[Key, AnyScore], name: str, k: int, order: pd.Series) -> tuple:
    numbers, n = [], 0
    sides = [parts.get((source, ALL, name, k)) for source in (HUMAN, OTHER)]
    for side in sides:
        shown = side.estimate() if side is not None else None
        numbers += [shown.value, shown.low, shown.high] if shown else [math.nan] * 3
        n = max(n, shown.n if shown else 0)
    apart, tells, note = [math.nan] * 3, UNKNOWN, ""
    if None in sides:
        note = find_measure(name).ceiling.text if sides[0] is None else "no floor"
    else:
        compared = difference(*sides)
        shown = compared.estimate()
        apart = [shown.value, shown.low, shown.high]
        items = getattr(compared, "items", compared.n)
        if carries_order(shown.low, shown.high, p_value_of(compared)[0], items):
            tells = YES if (shown.low > 0) == (find_measure(name).better != LOWER) else NO
    return (name, k, *numbers, *apart, n, first_of(order), tells, note)


def _by_item(parts: Mapping[Key, AnyScore], name: str, k: int) -> dict[tuple[str, str], np.ndarray]:
    """Return (method, target) → value of each item, NaN where it has none."""
    about = find_measure(name)
    if k > 1 or (k == 0 and about.family == "style"):
        return {}
    # The probability is finer than the hit, where the classifier gives one.
    finer = name.replace("attribution (", "probability (", 1)
    finer = (
        finer if about.family != LIKELIHOOD and any(m == finer for _, _, m, _ in parts) else name
    )
    found = {}
    for (source, target, measure, pooled), score in parts.items():
        if (measure, pooled) != (finer, k) or target == ALL or source in (HUMAN, OTHER):
            continue
        if isinstance(score, Score) and score.weight is not None:
            there = score.weight > 0
            values = np.full(len(there), np.nan)
            added = score.influence.mean(axis=0)[there] / score.weight[there]
            values[there] = score.value + added
            found[source, target] = values
    return found


def _pair(
    one: str,
    other: str,
    first: Mapping[tuple[str, str], np.ndarray],
    second: Mapping[tuple[str, str], np.ndarray],
    order: pd.Series,
    against: pd.Series,
) -> tuple:
    methods = [source for source in order.index if source in against.index]
    tau = math.nan
    if len(methods) > 1:
        orders = (one.loc[methods].round(12) for one in (order, against))
        tau = float(kendalltau(*orders).statistic)
    ranks = []
    for key in first:
        if key in second:
            both = np.isfinite(first[key]) & np.isfinite(second[key])
            if both.sum() >= MIN_ITEMS:
                ranks.append(_ranks(first[key], second[key], both))
    ranks = [pair for pair in ranks if pair is not None]
    value, low, high, n, note = math.nan, math.nan, math.nan, 0, ""
    if ranks:
        value, low, high, n = _correlation(ranks)
    elif not first or not second:
        without = one if not first else other
        note = f"{without} has no value for a single item"
    else:
        note = f"fewer than {MIN_ITEMS} items with both, or all values alike"
    return (one, other, value, low, high, n, tau, len(methods), note)


def _ranks(one: np.ndarray, other: np.ndarray, both: np.ndarray) -> np.ndarray | None:
    """Return mid-ranks [2, items], NaN outside `both`; None where one side has only ties."""
    ranks = np.full((2, len(one)), np.nan)
    for row, values in enumerate((one, other)):
        ranks[row, both] = rankdata(np.round(values[both], 12))
        if np.ptp(ranks[row, both]) == 0:
            return None
    return ranks


def _correlation(ranks: Sequence[np.ndarray]) -> tuple[float, float, float, int]:
    """Return the mean rank correlation with its interval, and the number of items."""
    n_items = ranks[0].shape[1]

    def mean_of(weights: np.ndarray) -> np.ndarray:
        return np.mean([_weighted(pair, weights) for pair in ranks], axis=0)

    value = float(mean_of(np.ones((1, n_items)))[0])
    rng = np.random.default_rng(0x5EA2)
    draws = np.concatenate([mean_of(w) for w in bayesian_weights(rng, DRAWS, n_items)])
    low, high = central_interval(draws - np.nanmean(draws))
    used = int(np.any([np.isfinite(pair[0]) for pair in ranks], axis=0).sum())
    return value, max(-1.0, value + low), min(1.0, value + high), used


def _weighted(pair: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of two rows of ranks under weights [draws, items]."""
    there = np.isfinite(pair[0])
    (x, y), w = pair[:, there], weights[:, there]
    w = w / w.sum(axis=1, keepdims=True)
    mean_x, mean_y = w @ x, w @ y
    cov = w @ (x * y) - mean_x * mean_y
    return cov / np.sqrt((w @ x**2 - mean_x**2) * (w @ y**2 - mean_y**2))
