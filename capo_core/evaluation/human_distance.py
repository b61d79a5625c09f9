"""Distance of imitations from the human reference, over several seeds, targets and measures.

The yardstick of imitation is the target's own held-out texts: a method that is attributed to the
target less often than these falls short, one that is attributed more often is a caricature. For a
measure with value m of a method and h of the human's own texts, per target t and averaged over
seeds s (each may have another split of the items):

    gap_t = mean over s of (m_ts − h_ts),    distance = mean over t of |gap_t|

so that too much for one target and too little for another do not cancel. Intervals are from a
Bayesian bootstrap over items (Rubin 1981): an item has one weight, whatever method, target, seed or
measure it stands in, so everything is paired by item. A score's value under a draw is its value
plus the weighted influences of the items (exact for averages over single responses, first order for
pooled ones). Draws are moved from their mean onto the value, since the absolute value of something
that varies around 0 is too large on average.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL, Key
from capo_core.stats.bootstrap import AnyScore, ResampledScore, draws_of
from capo_core.stats.intervals import bayesian_weights, json_rows
from capo_core.stats.significance import (
    SIGNIFICANCE_LEVEL,
    bootstrap_p,
    carries_order,
    holm,
)

DISTANCE_COLUMNS = ("source", "target", "measure", "k", "seeds", "n", "value", "low", "high",
                    "human", "human_low", "human_high", "gap", "gap_low", "gap_high", "distance",
                    "distance_low", "distance_high", "level")  # fmt: skip
CONTRAST_COLUMNS = ("source", "against", "target", "measure", "k", "quantity", "value", "low",
                    "high", "n", "p", "p_holm", "verdict")  # fmt: skip
OVERSHOOT, UNDERSHOOT, AT_LEVEL = "overshoot", "undershoot", "not significantly different"
VALUE, DISTANCE = "value", "distance"  # quantities that two methods are compared by
DRAWS = 4000
_UNDECIDED = "undecided"
_VERDICTS = {VALUE: ("lower", "higher"), DISTANCE: ("nearer", "further")}  # below 0, above 0


@dataclass(frozen=True)
class SeedScores:
    """Scores of one seed: everything that was scored on one set of items.

    Attributes:
        parts: (source, target, measure, k) → score, as in `table.Evaluation.parts`.
        item_ids: the items that influences are about, in their order.
    """

    parts: Mapping[Key, AnyScore]
    item_ids: tuple[str, ...]


@dataclass(frozen=True)
class HumanDistance:
    """Table of distances from the human reference, and of differences between methods.

    Attributes:
        distances: DISTANCE_COLUMNS; one row a method, target (or `ALL`), measure and k. `gap` is
            the method's value minus the human's own, `level` whether its interval lies above 0
            (`OVERSHOOT`), below (`UNDERSHOOT`) or holds 0 (`AT_LEVEL`). `n`: items that the method
            is scored on.
        contrasts: CONTRAST_COLUMNS; the first method minus the second, in value and in distance
            (below 0: the first is nearer), with two-sided bootstrap p-values.
    """

    distances: pd.DataFrame = field(default_factory=lambda: _empty(DISTANCE_COLUMNS))
    contrasts: pd.DataFrame = field(default_factory=lambda: _empty(CONTRAST_COLUMNS))

    def to_dict(self) -> dict:
        """Return both tables as lists of objects; undefined numbers are None."""
        return {"distances": json_rows(self.distances), "contrasts": json_rows(self.contrasts)}

    def nearest(self, measure: str, k: int, target: str = ALL) -> pd.DataFrame:
        """Return the rows of a measure, the method nearest to the human first."""
        rows = self.distances
        rows = rows[(rows["measure"] == measure) & (rows["k"] == k) & (rows["target"] == target)]
        return rows.sort_values("distance", kind="stable")

    def rows(self, measure: str, k: int, target: str = ALL) -> list[Any]:
        """Return the same as named tuples."""
        return self._by_measure.get((measure, k, target), [])

    @cached_property
    def _by_measure(self) -> dict[tuple[str, int, str], list[Any]]:
        found: dict[tuple[str, int, str], list[Any]] = {}
        for row in self.distances.sort_values("distance", kind="stable").itertuples(index=False):
            found.setdefault((row.measure, row.k, row.target), []).append(row)
        return found

    def further(self, one: str, other: str, measure: str, k: int, target: str = ALL) -> Any:
        """Return the contrast in distance of two methods (a named tuple of `contrasts`, with the
        sign of `one` minus `other`); None where there is none."""
        row = self._by_pair.get((one, other, measure, k, target))
        if row is not None:
            return row
        row = self._by_pair.get((other, one, measure, k, target))
        if row is None:
            return None
        verdict = {"nearer": "further", "further": "nearer"}.get(row.verdict, row.verdict)
        return row._replace(
            source=one, against=other, value=-row.value, low=-row.high, high=-row.low,
            verdict=verdict,
        )  # fmt: skip

    @cached_property
    def _by_pair(self) -> dict[tuple[str, str, str, int, str], Any]:
        return {
            (row.source, row.against, row.measure, row.k, row.target): row
            for row in self.contrasts.itertuples(index=False)
            if row.quantity == DISTANCE
        }

    def gap_intervals(self) -> dict[Key, tuple[float, float]]:
        """Return the interval of each method minus the human, by (source, target, measure, k)."""
        return {
            (row.source, row.target, row.measure, row.k): (row.gap_low, row.gap_high)
            for row in self.distances.itertuples()
        }

    def of_target(self, target: str) -> HumanDistance:
        """Return the rows of one target as if it were all of them, for statements about it."""
        tables = (table[table["target"] == target] for table in (self.distances, self.contrasts))
        return HumanDistance(*(table.assign(target=ALL) for table in tables))


def from_tables(scores: pd.DataFrame, differences: pd.DataFrame) -> HumanDistance:
    """Return what the tables of a report without distances say of them; without contrasts.

    Args:
        scores: source, target, measure, k, value, low, high, n, ceiling of methods and people.
        differences: see `table.differences`; those against the human have the gap's interval.
    """
    keys = ["source", "target", "measure", "k"]
    methods = scores[~scores["source"].isin([HUMAN, OTHER]) & scores["value"].notna()]
    methods = methods[methods["measure"].str.startswith("attribution (")]
    gaps = differences[differences["against"] == HUMAN]
    both = methods.merge(gaps[[*keys, "value", "low", "high"]], on=keys, suffixes=("", "_gap"))
    sizes = both[both["target"] != ALL].assign(size=lambda t: t["value_gap"].abs())
    overall = sizes.groupby(["source", "measure", "k"])["size"].mean()
    rows = []
    for row in both.itertuples():
        level = level_of(row.low_gap, row.high_gap, row.n)
        size = abs(row.value_gap)
        if row.target == ALL:
            size = overall.get((row.source, row.measure, row.k), size)
        rows.append((row.source, row.target, row.measure, row.k, 1, row.n, row.value, row.low,
                     row.high, row.ceiling, np.nan, np.nan, row.value_gap, row.low_gap,
                     row.high_gap, size, np.nan, np.nan, level))  # fmt: skip
    return HumanDistance(pd.DataFrame(rows, columns=list(DISTANCE_COLUMNS)))


def level_of(low: float, high: float, n: int) -> str:
    """Return where a method stands, by the 95 % interval of method minus human on n items."""
    if not carries_order(low, high, 0.0, n):
        return AT_LEVEL
    return OVERSHOOT if low > 0 else UNDERSHOOT


def _empty(columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns))


def human_distance(
    seeds: Sequence[SeedScores],
    measures: Iterable[tuple[str, int]],
    pairs: Iterable[tuple[str, str]],
    *,
    plain: Iterable[tuple[str, int]] = (),
    family: Sequence[str] = ("whole",),
    averaged: Mapping[tuple[str, int], Sequence[str]] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> HumanDistance:
    """Return how far methods are from the human's own values, and how methods differ.

    Args:
        seeds: scores of each seed; a method is averaged over the seeds that have it.
        measures: (name, k) whose human value is a level to be met, as attribution at k = 1 and 4.
        pairs: methods to compare, as ("capo", "sft").
        plain: (name, k) that are compared by value only, as ("label accuracy", 0): the human's
            value there is no level to be met but the end of the scale.
        family: columns of `contrasts` whose values share one Holm correction; ("whole",) corrects
            over the whole table, `ALL` and single targets apart.
        averaged: (name, k) → the targets of the rows `ALL`, the same ones for every method
            (`table.Evaluation.averaged`); None: for each method those that it has.

    Raises:
        ConfigError: no seed, or a measure that is no average over items.
    """
    if not seeds:
        raise ConfigError("there are no scores to compare", expected="at least one seed")
    measures, plain, pairs = list(measures), list(plain), list(pairs)
    found = _Draws(seeds, {*measures, *plain}, draws, seed)
    methods = list(dict.fromkeys(s for s, *_ in found.values if s not in (HUMAN, OTHER)))
    rows, contrasts = [], []
    for name, k in measures:
        for method in methods:
            rows += _distance_rows(found, method, name, k, _of_all(averaged, name, k))
    for one, other in pairs:
        for name, k in (*measures, *plain):
            quantities = (VALUE,) if (name, k) in plain else (VALUE, DISTANCE)
            of_all = _of_all(averaged, name, k)
            contrasts += _contrast_rows(found, one, other, name, k, quantities, of_all)
    table = pd.DataFrame(contrasts, columns=list(CONTRAST_COLUMNS))
    return HumanDistance(
        pd.DataFrame(rows, columns=list(DISTANCE_COLUMNS)), _corrected(table, family)
    )


def _of_all(averaged, name: str, k: int) -> Sequence[str] | None:
    """Return the targets of the rows `ALL`; None where every method has its own."""
    return None if averaged is None else averaged.get((name, k), ())


def _scopes(targets: Sequence[str], of_all: Sequence[str] | None) -> list[tuple[str, list[str]]]:
    """Return each row's target with the targets it is averaged over: single ones, then `ALL`."""
    single = [(target, [target]) for target in targets]
    together = list(targets) if of_all is None else list(of_all)
    if not together or not set(together) <= set(targets):
        return single
    return [*single, (ALL, together)]


class _Draws:
    """Values and bootstrap draws of each (source, target, measure, k), averaged over seeds."""

    def __init__(
        self, seeds: Sequence[SeedScores], wanted: set[tuple[str, int]], draws: int, seed: int
    ) -> None:
        place = {
            item: n for n, item in enumerate(dict.fromkeys(i for s in seeds for i in s.item_ids))
        }
        rng = np.random.default_rng([seed, 0xD157])
        weights = np.concatenate(list(bayesian_weights(rng, draws, len(place))))
        single: dict[Key, dict[int, tuple[float, np.ndarray]]] = {}
        self.items: dict[Key, set[int]] = {}
        for number, one in enumerate(seeds):
            places = np.array([place[item] for item in one.item_ids])
            own = weights[:, places]
            own = own / own.mean(axis=1, keepdims=True)
            for key, score in one.parts.items():
                if key[2:] in wanted and key[1] != ALL:
                    value = score.value, _draws_of(key, score, own, rng)
                    single.setdefault(key, {})[number] = value
                    used = slice(None) if score.weight is None else np.flatnonzero(score.weight)
                    self.items.setdefault(key, set()).update(places[used].tolist())
        self.seeds = single
        self.bounds = {key[2:]: score.bounds for one in seeds for key, score in one.parts.items()}
        self.values = {
            key: float(np.mean([v for v, _ in of.values()])) for key, of in single.items()
        }
        self.draws = {
            key: np.mean([d for _, d in of.values()], axis=0) for key, of in single.items()
        }

    def n(self, sources: Sequence[str], targets: Sequence[str], name: str, k: int) -> int:
        """Return how many items the scores of `sources` for `targets` are on."""
        return len(
            set().union(*(self.items[s, target, name, k] for s in sources for target in targets))
        )

    def targets(self, *sources: str, name: str, k: int) -> list[str]:
        """Return the targets for which all of `sources` have a value."""
        of = [
            [t for s, t, m, kk in self.values if (s, m, kk) == (each, name, k)] for each in sources
        ]
        return [target for target in of[0] if all(target in others for others in of[1:])]

    def gap(self, source: str, target: str, name: str, k: int) -> tuple[float, np.ndarray]:
        """Return source minus human over the seeds that have the source, value and draws."""
        own, human = self.seeds[source, target, name, k], self.seeds[HUMAN, target, name, k]
        both = [seed for seed in own if seed in human]
        value = np.mean([own[s][0] - human[s][0] for s in both])
        return float(value), np.mean([own[s][1] - human[s][1] for s in both], axis=0)

    def human(self, source: str, target: str, name: str, k: int) -> tuple[float, np.ndarray]:
        """Return the human's value over the seeds that have `source`, and draws."""
        own, human = self.seeds[source, target, name, k], self.seeds[HUMAN, target, name, k]
        both = [seed for seed in own if seed in human]
        return (
            float(np.mean([human[s][0] for s in both])),
            np.mean([human[s][1] for s in both], axis=0),
        )


def _draws_of(
    key: Key, score: AnyScore, weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return a score under item weights [draws, items] with mean 1 (see `bootstrap.draws_of`)."""
    if isinstance(score, ResampledScore):
        raise ConfigError(
            f"{key[2]!r} is no average over items, so that seeds cannot be paired by item",
            expected="attribution, probability, label accuracy and other averages",
        )
    return draws_of(score, weights, rng)


def _estimate(value: float, draws: np.ndarray, n: int, low: float, high: float):
    return ResampledScore(value, draws, n, (low, high)).estimate()


def _distance_rows(
    found: _Draws, method: str, name: str, k: int, of_all: Sequence[str] | None
) -> list[tuple]:
    targets = found.targets(method, HUMAN, name=name, k=k)
    each = {t: (found.values[method, t, name, k], found.draws[method, t, name, k]) for t in targets}
    human = {t: found.human(method, t, name, k) for t in targets}
    gaps = {t: found.gap(method, t, name, k) for t in targets}
    bounds = found.bounds.get((name, k), (0.0, 1.0))
    width = bounds[1] - bounds[0]
    rows = []
    for target, of in _scopes(targets, of_all):
        n = found.n((method,), of, name, k)
        shown = [_mean(each, of), _mean(human, of), _mean(gaps, of), _mean(_absolute(gaps), of)]
        limits = (bounds, bounds, (-width, width), (0.0, width))
        estimates = [
            _estimate(value, draws, n, *limit)
            for (value, draws), limit in zip(shown, limits, strict=True)
        ]
        numbers = [part for e in estimates for part in (e.value, e.low, e.high)]
        gap = estimates[2]
        level = level_of(gap.low, gap.high, n)
        seeds = min(len(found.seeds[method, t, name, k]) for t in of)
        rows.append((method, target, name, k, seeds, n, *numbers, level))
    return rows


def _mean(parts: Mapping[str, tuple[float, np.ndarray]], targets: Sequence[str]):
    return (
        float(np.mean([parts[t][0] for t in targets])),
        np.mean([parts[t][1] for t in targets], axis=0),
    )


def _absolute(gaps: Mapping[str, tuple[float, np.ndarray]]) -> dict[str, tuple[float, np.ndarray]]:
    return {target: (abs(value), np.abs(draws)) for target, (value, draws) in gaps.items()}


def _contrast_rows(
    found: _Draws,
    one: str,
    other: str,
    name: str,
    k: int,
    quantities: Sequence[str],
    of_all: Sequence[str] | None,
) -> list[tuple]:
    reference = (HUMAN,) if DISTANCE in quantities else ()
    bounds = found.bounds.get((name, k), (0.0, 1.0))
    width = bounds[1] - bounds[0]
    targets = found.targets(one, other, *reference, name=name, k=k)
    rows = []
    for quantity in quantities if targets else ():
        sides = []
        for source in (one, other):
            if quantity == DISTANCE:
                sides.append(_absolute({t: found.gap(source, t, name, k) for t in targets}))
            else:
                sides.append(
                    {t: (found.values[source, t, name, k], found.draws[source, t, name, k])
                     for t in targets}
                )  # fmt: skip
        for target, of in _scopes(targets, of_all):
            (first, first_draws), (second, second_draws) = (_mean(side, of) for side in sides)
            n = found.n((one, other), of, name, k)
            apart = ResampledScore(first - second, first_draws - second_draws, n, (-width, width))
            shown = apart.estimate()
            rows.append((one, other, target, name, k, quantity, shown.value, shown.low, shown.high,
                         shown.n, bootstrap_p(apart), np.nan, ""))  # fmt: skip
    return rows


def _corrected(table: pd.DataFrame, family: Sequence[str]) -> pd.DataFrame:
    """Return the contrasts with Holm's correction and verdicts."""
    if table.empty:
        return table
    scope = np.where(table["target"] == ALL, ALL, "single")
    groups = [scope, *(table[name] for name in family if name != "whole")]
    table["p_holm"] = table.groupby(groups, sort=False)["p"].transform(
        lambda column: holm(column.to_numpy())
    )
    table["verdict"] = [
        _VERDICTS[row.quantity][row.value > 0]
        if carries_order(row.low, row.high, row.p_holm, row.n)
        else _UNDECIDED
        for row in table.itertuples()
    ]
    return table


def with_paired_tests(away: HumanDistance, differences: pd.DataFrame) -> HumanDistance:
    """Return distances whose level is decided by the paired test as well as by the interval.

    On few items a bootstrap's interval leaves 0 out where four of twelve items differ, all to one
    side; the exact test by item (p = .125 there) does not.

    Args:
        differences: `table.differences` of the same scores; its rows against the human.
    """
    keys = ["source", "target", "measure", "k"]
    human = differences[differences["against"] == HUMAN]
    p_values = dict(zip(zip(*(human[key] for key in keys), strict=True), human["p"], strict=True))
    rows = away.distances
    levels = [
        row.level
        if not p_values.get((row.source, row.target, row.measure, row.k), 0.0) > SIGNIFICANCE_LEVEL
        else AT_LEVEL
        for row in rows.itertuples()
    ]
    return HumanDistance(rows.assign(level=levels), away.contrasts)


def with_gap_intervals(differences: pd.DataFrame, away: HumanDistance) -> pd.DataFrame:
    """Return the differences of a report of an earlier version with the intervals that the
    distances have of a method minus the human; what such an interval does not carry is undecided.
    """
    known = away.gap_intervals()
    if differences.empty or not known:
        return differences
    rows = []
    for row in differences.itertuples():
        low, high, verdict = row.low, row.high, row.verdict
        key = (row.source, row.target, row.measure, row.k)
        if row.against == HUMAN and key in known:
            low, high = known[key]
            if not carries_order(low, high, row.p_holm, row.n):
                verdict = _UNDECIDED
        rows.append((low, high, verdict))
    found = differences.copy()
    for place, name in enumerate(("low", "high", "verdict")):
        found[name] = [row[place] for row in rows]
    return found


def with_verdicts(differences: pd.DataFrame, away: HumanDistance) -> pd.DataFrame:
    """Return differences of methods whose verdicts on imitation are about distance from the human.

    Two methods on either side of the human's level differ significantly in value and may be as far
    from it: the first is "better" or "worse" only where its distance differs significantly too,
    and "differs" otherwise. Comparisons with people, and of other measures, stay as they are.
    """
    if differences.empty or away.contrasts.empty:
        return differences
    rows = away.contrasts[away.contrasts["quantity"] == DISTANCE]
    keys = ["source", "against", "target", "measure", "k"]
    found = {tuple(row[:-1]): row[-1] for row in rows[[*keys, "verdict"]].itertuples(index=False)}
    named = {"nearer": "better", "further": "worse"}
    verdicts = [
        named.get(found[key], "differs") if key in found and verdict != _UNDECIDED else verdict
        for *key, verdict in differences[[*keys, "verdict"]].itertuples(index=False)
        for key in [tuple(key)]
    ]
    return differences.assign(verdict=verdicts)
