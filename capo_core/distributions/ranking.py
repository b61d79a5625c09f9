"""Sources ranked by their distance to a reference, on the items that all of them have.

The comparison set is made once: sources are taken in by the number of their items, as long as the
items common to all stay a minimum share of those of the widest source (`CompareConfig.min_share`).
What would make the set smaller is set aside with its own n, and so is what is made of the
reference's own labels (see `reference`); nothing is dropped.

Two floors stand beside the sources: uniform, and the reference's mean distribution, the same for
every item. A source that is no closer than the first is uninformative; one that is no closer than
the second says nothing about single items.

Differences are paired by item and tested as in `paired`, in three families for each measure: all
pairs of sources; each source against uniform; each against the mean. Against these constant
baselines distance correlation is tested for independence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from capo_core.distributions import compare as comparing
from capo_core.distributions.compare import (
    DISTANCES,
    ENTROPY,
    HIGHER_IS_CLOSER,
    SHAPE,
    CompareConfig,
)
from capo_core.distributions.judgments import CROWD, UNIFORM, Judgments, LabelDistribution
from capo_core.distributions.paired import DIFFERENCES, MeasuredPair, interval, tested
from capo_core.distributions.reference import Reference, ReferenceRows
from capo_core.stats.distances import entropy, independence_p
from capo_core.stats.intervals import json_rows
from capo_core.stats.significance import FEWEST
from capo_core.task import LabelScale
from capo_core.workspace import content_hash

MEAN = "floor: mean of the reference"
SOURCE, FLOOR, ASIDE = "source", "floor", "not ranked"
TOO_FEW, NONE, DERIVED = "too few items", "no item in common", "same labels"
RANKED = ("source", "role", "measure", "value", "low", "high", "n", "note")


@dataclass(frozen=True)
class SetAside:
    """A source that is not ranked: its comparable items, and why."""

    source: str
    items: int
    reason: str


def _first_rows(rows: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return key → the first row of it."""
    found: dict[Any, Any] = {}
    for key, row in rows:
        found.setdefault(key, row)
    return found


@dataclass(frozen=True)
class Ranking:
    """Sources on one set of items, with the floors and those set aside.

    Attributes:
        against: the reference. leaves_out: see `reference`. crowd: whether the data have one.
        ranked: in the order they were given in; `items` is what all of them have.
        widest: items of the widest source.
        aside: in the order they were given in.
        floors: uniform and MEAN; empty where there is nothing to rank.
        table: RANKED; ranked sources and floors on `items`, the others on their own.
        differences: DIFFERENCES (see `paired`) on `items`: the first minus the second.
        per_item: see `compare.DistributionComparison`; all comparable items of every source.
        coverage: see `compare.DistributionComparison`, of all sources.
    """

    name: str
    against: str
    leaves_out: bool
    crowd: bool
    config: CompareConfig
    ranked: tuple[str, ...]
    items: tuple[str, ...] = field(repr=False)
    widest: int
    aside: tuple[SetAside, ...]
    floors: tuple[str, ...]
    table: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    per_item: pd.DataFrame = field(repr=False)
    coverage: pd.DataFrame = field(repr=False)

    @property
    def n(self) -> int:
        return len(self.items)

    @property
    def measures(self) -> list[str]:
        return list(dict.fromkeys(self.table["measure"]))

    def row(self, source: str, measure: str) -> Any:
        """Return one row of the table; None where it does not exist or has no value."""
        return self._rows.get((source, measure))

    def difference(self, first: str, second: str, measure: str) -> Any:
        """Return the row of `differences` of two sources, in either order; None if there is
        none.
        """
        there = self._differences
        return there.get((first, second, measure)) or there.get((second, first, measure))

    # Findings of all measures ask for hundreds of rows, each time a page is drawn.
    @cached_property
    def _rows(self) -> dict[tuple[str, str], Any]:
        valued = self.table[self.table["value"].notna()]
        return _first_rows(((row.source, row.measure), row) for row in valued.itertuples())

    @cached_property
    def _differences(self) -> dict[tuple[str, str, str], Any]:
        return _first_rows(
            ((row.source, row.against, row.measure), row) for row in self.differences.itertuples()
        )

    def closest_first(self, measure: str) -> list[str]:
        """Return the ranked sources with a value, closest first; of equals the earlier one."""
        rows = self.table[(self.table["role"] == SOURCE) & (self.table["measure"] == measure)]
        rows = rows[rows["value"].notna()]
        up = measure not in HIGHER_IS_CLOSER
        return rows.sort_values("value", ascending=up, kind="stable")["source"].tolist()

    def to_dict(self) -> dict[str, Any]:
        """Return the ranking for JSON, without values of single items."""
        return {
            "against": self.against,
            "leaves_one_annotator_out": self.leaves_out,
            "items": self.n,
            "items_of_widest_source": self.widest,
            "smallest_share": self.config.min_share,
            "ranked": list(self.ranked),
            "not_ranked": [
                {"source": one.source, "items": one.items, "reason": one.reason}
                for one in self.aside
            ],
            "floors": list(self.floors),
            "significance": f"Holm-adjusted p ≤ .05, interval without 0, {FEWEST} items or more",
            "sources": json_rows(self.table),
            "differences": json_rows(self.differences),
        }


def rank(
    judgments: Judgments,
    config: CompareConfig | None = None,
    *,
    sources: Sequence[str] | None = None,
    known: SourceMeasures | None = None,
) -> Ranking:
    """Rank every source (or those named) by its distance to `config.against`.

    Args:
        known: what was measured before in `judgments`, by source, items and settings; filled.

    Raises:
        ConfigError: there is no such source.
    """
    config = config or CompareConfig()
    reference = Reference(judgments, comparing.reference_source(judgments, config.against))
    names = dict.fromkeys(sources or [one.name for one in judgments.sources])
    chosen = [judgments.source(name) for name in names if name not in (config.against, UNIFORM)]
    own = {one.name: reference.items(one) for one in chosen}
    ranked, aside = _comparison_set(reference, chosen, own, config)
    items = _common(reference, [own[one.name] for one in ranked])
    if not ranked and any(source.name == UNIFORM for source in judgments.sources):
        items = reference.items(judgments.source(UNIFORM))
    measuring = _Measuring(reference, judgments.task.scale, config, {} if known is None else known)
    sides = {one.name: measuring.source(one, items) for one in ranked}
    floors = measuring.floors(items)
    rows = [(name, SOURCE, *row) for name, side in sides.items() for row in side.rows()]
    rows += [(name, FLOOR, *row) for name, side in floors.items() for row in side.rows()]
    for one in chosen:
        if one.name not in sides:
            side = measuring.source(one, own[one.name])
            rows += [(one.name, ASIDE, *row) for row in side.rows()]
    return Ranking(
        judgments.name,
        reference.name,
        reference.leaves_out,
        any(source.name == CROWD for source in judgments.sources),
        config,
        tuple(sides),
        items,
        max(map(len, own.values()), default=0),
        tuple(aside),
        tuple(floors),
        pd.DataFrame(rows, columns=list(RANKED)),
        _differences(sides, floors, config),
        measuring.per_item([judgments.source(name) for name in names if name != config.against]),
        comparing.coverage_of(reference.source, chosen),
    )


def _comparison_set(
    reference: Reference,
    chosen: Sequence[LabelDistribution],
    own: Mapping[str, tuple[str, ...]],
    config: CompareConfig,
) -> tuple[list[LabelDistribution], list[SetAside]]:
    """Return the sources that are ranked, and those set aside, each in the order of `chosen`."""
    least = config.min_share * max(map(len, own.values()), default=0)
    common, taken = set(reference.source.item_ids), set()
    for name in sorted(own, key=lambda name: -len(own[name])):
        both = common.intersection(own[name])
        if both and len(both) >= least - 1e-9:
            common = both
            taken.add(name)
    aside = []
    for one in chosen:
        if one.name not in taken:
            n = len(own[one.name])
            reason = DERIVED if reference.derived(one) else TOO_FEW if n else NONE
            aside.append(SetAside(one.name, n, reason))
    return [one for one in chosen if one.name in taken], aside


def _common(reference: Reference, sets: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if not sets:
        return ()
    known = set.intersection(*map(set, sets))
    return tuple(item for item in reference.source.item_ids if item in known)


@dataclass(frozen=True)
class MeasuredSource:
    """A source on `n` items: measure → (value, draws, note), and the values by item.

    Attributes:
        unrelated: p-value of source and reference being unrelated (`distances.independence_p`),
            which is what a distance correlation is held against where a baseline's is 0.
    """

    n: int
    measured: dict[str, tuple[float, np.ndarray, str]]
    by_item: dict[str, np.ndarray]
    unrelated: float

    def rows(self) -> list[tuple[str, float, float, float, int, str]]:
        found = []
        for measure, (value, draws, note) in self.measured.items():
            low, high = interval(draws, self.n)
            found.append((measure, value, low, high, self.n, note))
        return found


# (source, hash of the items, settings) → what was measured.
SourceMeasures = MutableMapping[tuple[str, str, CompareConfig], MeasuredSource]


class _Measuring:
    """The measures of sources and floors, with the same draws of items for all of them."""

    def __init__(
        self, reference: Reference, scale: LabelScale, config: CompareConfig, known: SourceMeasures
    ) -> None:
        self._reference, self._scale, self._config = reference, scale, config
        self._known = known

    def source(self, source: LabelDistribution, items: tuple[str, ...]) -> MeasuredSource:
        key = (source.name, content_hash(items), self._config)
        if key not in self._known:
            rows = self._reference.rows(source.name, items)
            self._known[key] = self._side(rows, source.rows(items))
        return self._known[key]

    def floors(self, items: tuple[str, ...]) -> dict[str, MeasuredSource]:
        """Return uniform and MEAN on `items`; MEAN from two items on.

        The mean is of these very items, the best that a constant can do: a source has to be closer.
        """
        if not items or self._reference.name == UNIFORM:
            return {}
        rows = self._reference.rows("", items)
        labels = len(self._reference.source.labels)
        even = np.full((len(items), labels), 1 / labels)
        found = {UNIFORM: self._side(rows, even)}
        if len(items) > 1:
            mean = self._reference.source.rows(items).mean(axis=0)
            found[MEAN] = self._side(rows, np.tile(mean, (len(items), 1)))
        return found

    def _side(self, rows: ReferenceRows, shares: np.ndarray) -> MeasuredSource:
        n, by_item = len(shares), self._by_item(rows, shares)
        found = comparing.measured(
            rows.shares[rows.single], shares, self._scale,
            comparing.weights_of(n, self._config), self._config.clip, by_item=by_item,
        )  # fmt: skip
        measured = {measure: (value, draws, note) for measure, value, draws, note in found}
        many = n > comparing.MOST_ITEMS
        p = np.nan if many else independence_p(rows.shares[rows.single], shares)
        return MeasuredSource(n, measured, by_item, p)

    def _by_item(self, rows: ReferenceRows, shares: np.ndarray) -> dict[str, np.ndarray]:
        if not len(shares):
            return {}
        values = comparing.item_values(
            rows.shares, shares[rows.item], self._scale, self._config.clip
        )
        return {name: rows.mean(each) for name, each in values.items()}

    def per_item(self, sources: Sequence[LabelDistribution]) -> pd.DataFrame:
        """Return each source's values by item on its own items, with the reference's entropy."""
        parts = []
        for source in sources:
            items = self._reference.items(source)
            if items:
                rows = self._reference.rows(source.name, items)
                values = self._by_item(rows, source.rows(items))
                frame = pd.DataFrame({"item_id": list(items), "source": source.name, **values})
                parts.append(frame.assign(entropy_against=rows.mean(entropy(rows.shares))))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _differences(
    sides: Mapping[str, MeasuredSource], floors: Mapping[str, MeasuredSource], config: CompareConfig
) -> pd.DataFrame:
    """Return DIFFERENCES of all sources, and of each source with each floor."""
    every = {**sides, **floors}
    families = [list(itertools.combinations(sides, 2))]
    families += [[(name, floor) for name in sides] for floor in floors]
    rows = []
    measures = next(iter(every.values())).measured if every else ()
    for measure in measures:
        if measure == ENTROPY:  # a property of the source, near to nothing
            continue
        for pairs in families:
            if pairs:
                rows += _family(measure, pairs, every, config)
    return pd.DataFrame(rows, columns=list(DIFFERENCES))


def _family(
    measure: str,
    pairs: list[tuple[str, str]],
    sides: Mapping[str, MeasuredSource],
    config: CompareConfig,
) -> list[tuple]:
    measured = []
    for first, second in pairs:
        one, other = sides[first], sides[second]
        (a, draws_a, _), (b, draws_b, _) = one.measured[measure], other.measured[measure]
        with np.errstate(invalid="ignore"):  # KL without a clip may be infinite on both sides
            by_item = (
                one.by_item[measure] - other.by_item[measure] if measure in DISTANCES else None
            )
            unrelated = one.unrelated if measure == SHAPE and second in (UNIFORM, MEAN) else None
            measured.append(
                MeasuredPair(first, second, a - b, draws_a - draws_b, one.n, by_item, unrelated)
            )
    return tested(measure, measured, higher_is_closer=measure in HIGHER_IS_CLOSER, seed=config.seed)
