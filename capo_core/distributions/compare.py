"""Comparison of label distributions with a reference: distances, intervals, paired differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd

from capo_core.distributions.judgments import CROWD, Judgments, LabelDistribution
from capo_core.distributions.paired import DIFFERENCES, MeasuredPair, interval, tested
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import quoted_names
from capo_core.settings import setting, settings
from capo_core.stats import distances
from capo_core.stats.distances import distance_correlation
from capo_core.stats.intervals import bayesian_weights, json_rows
from capo_core.task import LabelScale

KL, JSD, TVD = "KL", "JSD", "TVD"
JS_DIVERGENCE = "JS divergence"
MANHATTAN, WASSERSTEIN = "Manhattan", "Wasserstein"
ENTROPY, ENTROPY_CORRELATION, SHAPE = "entropy", "entropy correlation", "D.Corr"
# Distance correlation looks at all pairs of items: of many items it is drawn less often, and of
# more than these not at all.
MOST_ITEMS = 6_000
DRAWN_PAIRS = 4_000_000_000
HIGHER_IS_CLOSER = (ENTROPY_CORRELATION, SHAPE)
# The distances: measures that are a mean over items, of values that are 0 where both are equal.
DISTANCES = (JSD, TVD, KL, WASSERSTEIN, MANHATTAN, JS_DIVERGENCE)
# For people; JSON and tables for programs have the names above. The field prints both the
# Jensen–Shannon distance and its square, the divergence, as "JSD".
TITLES = {JSD: "JS distance"}


def measure_title(measure: str) -> str:
    """Return the title of a measure: "JS distance" for "JSD"."""
    return TITLES.get(measure, measure)


def measures_of(scale: LabelScale) -> tuple[str, ...]:
    """Return the measures that apply to a scale, in display order."""
    moved = (WASSERSTEIN,) if scale.ordinal else ()
    return (KL, JSD, TVD, SHAPE, MANHATTAN, *moved, ENTROPY, ENTROPY_CORRELATION, JS_DIVERGENCE)


def item_values(
    p: np.ndarray, q: np.ndarray, scale: LabelScale, clip: float
) -> dict[str, np.ndarray]:
    """Return the measures that have a value per item, each [items]."""
    found = {
        KL: distances.kl(p, q, clip=clip),
        JSD: distances.js_distance(p, q),
        TVD: distances.total_variation(p, q),
        MANHATTAN: distances.manhattan(p, q),
    }
    if scale.ordinal:
        values = np.array([scale.number(label) for label in scale.labels], dtype=float)
        found[WASSERSTEIN] = distances.wasserstein(p, q, values)
    return {**found, ENTROPY: distances.entropy(q), JS_DIVERGENCE: found[JSD] ** 2}


def item_table(
    items: Sequence[str], name: str, p: np.ndarray, q: np.ndarray, scale: LabelScale, clip: float
) -> pd.DataFrame:
    """Return `item_values` as a table, with the entropy of the other side."""
    values = item_values(p, q, scale, clip)
    return pd.DataFrame(
        {"item_id": list(items), "source": name, **values, "entropy_against": distances.entropy(p)}
    )


def measured(
    p: np.ndarray,
    q: np.ndarray,
    scale: LabelScale,
    weights: np.ndarray,
    clip: float,
    *,
    by_item: Mapping[str, np.ndarray] | None = None,
) -> Iterator[tuple[str, float, np.ndarray, str]]:
    """Return (measure, value, draws, note) for each measure of the scale.

    Args:
        p, q: [items, labels], the people's side first; without items nothing is defined.
        weights: [draws, items], each row of sum 1: how much each item counts in a draw.
        by_item: `item_values`, where they are not simply those of p and q.
    """
    if not len(p):
        for measure in measures_of(scale):
            yield measure, np.nan, np.array([]), "no item in both"
        return
    by_item = item_values(p, q, scale, clip) if by_item is None else by_item
    constant = np.ptp(q, axis=0).max() < 1e-12
    for measure in measures_of(scale):
        if measure in by_item:
            values = by_item[measure]
            yield measure, float(values.mean()), weights @ values, ""
        elif measure == SHAPE and len(p) > MOST_ITEMS:
            note = f"not computed for more than {MOST_ITEMS:,} items: it compares each with each"
            yield measure, np.nan, np.array([]), note
        elif measure == SHAPE and constant:
            note = "0 by definition: the source says the same of every item"
            yield measure, 0.0, np.zeros(shape_draws(len(p), len(weights))), note
        elif measure == SHAPE:
            value = distance_correlation(p, q)
            draws = distance_correlation(p, q, weights[: shape_draws(len(p), len(weights))])
            # Reweighting alone raises a V-statistic by O(1/n): the draws are set about the value.
            draws = np.clip(draws - draws.mean() + value, 0.0, 1.0)
            yield measure, value, draws, ""
        else:
            pair = distances.entropy(p), distances.entropy(q)
            value = float(_correlation(*pair, np.full((1, len(p)), 1 / len(p)))[0])
            note = "" if np.isfinite(value) else "undefined: one side has one entropy for all items"
            yield measure, value, _correlation(*pair, weights), note


def shape_draws(n: int, draws: int) -> int:
    """Return how many of the draws are computed for distance correlation over `n` items."""
    return min(draws, max(100, DRAWN_PAIRS // n**2))


def _correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of two vectors [items] under weights [draws, items]; NaN if
    undefined.

    A variance within rounding error of the numbers' size counts as 0.
    """
    x, y = x - x.mean(), y - y.mean()
    moments = [weights @ v for v in (x, y, x * x, y * y, x * y)]
    mx, my, mxx, myy, mxy = moments
    variance = np.maximum(mxx - mx**2, 0) * np.maximum(myy - my**2, 0)
    flat = min(np.ptp(x), np.ptp(y)) < 1e-9
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (mxy - mx * my) / np.sqrt(variance)
    return np.full(len(weights), np.nan) if flat else np.clip(found, -1, 1)


COLUMNS = ("source", "measure", "value", "low", "high", "n", "note")
# (number of the source, items) → measure, value, draws, note; see `_sides`.
Side = Callable[[int, tuple[str, ...]], list[tuple[str, float, np.ndarray, str]]]


@settings("comparison of distributions")
class CompareConfig:
    """Settings of a comparison of sources."""

    against: str = setting(CROWD, "Reference", "Source that the others are compared with.")
    clip: float = setting(
        distances.CLIP,
        "KL clip",
        "Smallest share in KL; smaller ones are raised to it.",
        ge=0,
        lt=0.1,
    )
    draws: int = setting(
        2000,
        "Bootstrap draws",
        "Draws of the Bayesian bootstrap over items (Rubin 1981), for 95 % intervals.",
        ge=100,
        le=100_000,
    )
    seed: int = setting(0, "Random seed", "Seed of the bootstrap.", ge=0)
    min_share: float = setting(
        0.1,
        "Smallest share of items",
        "A source is ranked where the items common to all ranked sources stay at least this share "
        "of the items of the widest one; others are shown unranked.",
        ge=0,
        le=1,
    )

    def __post_init__(self) -> None:
        _need_name(self.against, "against")


def _need_name(name: str, field: str) -> None:
    if not name:
        raise ConfigError(
            "'' cannot be used",
            where=f"comparison of distributions, {field}",
            expected="a source's name",
        )


@dataclass(frozen=True)
class DistributionComparison:
    """Distances of sources to a reference.

    Attributes:
        table: COLUMNS; one row a source and measure. `n` counts items; `note` says in words why a
            value is not defined (NaN), or what it is by definition.
        per_item: item_id, source, and each measure that has a value for every item, `entropy` of
            the source and `entropy_against` of the other among them.
        differences: DIFFERENCES; the first source's value minus the second's on the items of both,
            p-values adjusted over all pairs (see `paired`); `nearer` names the significantly
            closer one, or "undecided".
        coverage: source, items (it has), both (of these, items compared), only_source,
            only_against.
    """

    name: str
    config: CompareConfig
    table: pd.DataFrame = field(repr=False)
    per_item: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    coverage: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    def value(self, source: str, measure: str) -> float:
        """Return one value of the table."""
        rows = self.table
        found = rows.loc[(rows["source"] == source) & (rows["measure"] == measure), "value"]
        return float(found.iloc[0])

    def to_dict(self) -> dict:
        """Return a JSON-serialisable dict; values of single items are left out."""
        return {
            "name": self.name,
            "against": self.config.against,
            "clip": self.config.clip,
            "logarithm": "natural",
            "interval": f"95 %, Bayesian bootstrap over items, {self.config.draws} draws",
            "sources": json_rows(self.table),
            "differences": json_rows(self.differences),
            "coverage": json_rows(self.coverage),
            "notes": list(self.notes),
        }


def compare(
    judgments: Judgments,
    config: CompareConfig | None = None,
    *,
    sources: Sequence[str] | None = None,
) -> DistributionComparison:
    """Compare every source (or those named) with the reference `config.against`.

    Items that only one of two sources has are not compared; `coverage` counts them.

    >>> from capo_core.distributions.judgments import no_explanations
    >>> from capo_core.task import NLI
    >>> items = pd.DataFrame({"item_id": ["i1", "i2"], "text_a": "A", "text_b": ["B", "C"]})
    >>> crowd = LabelDistribution("crowd", NLI.scale.labels, ("i1", "i2"),
    ...     np.array([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]]))
    >>> model = LabelDistribution("model", NLI.scale.labels, ("i1", "i2"),
    ...     np.array([[0.7, 0.3, 0.0], [0.0, 0.2, 0.8]]))
    >>> both = Judgments("example", NLI, items, (crowd, model), no_explanations())
    >>> result = compare(both)
    >>> round(result.value("model", "TVD"), 3)
    0.1
    >>> result.per_item[["item_id", "TVD"]].round(3).values.tolist()
    [['i1', 0.2], ['i2', 0.0]]

    Raises:
        ConfigError: there is no such source.
        DataError: no source has an item in common with the reference.
    """
    config = config or CompareConfig()
    reference = reference_source(judgments, config.against)
    names = sources or [one.name for one in judgments.sources if one.name != config.against]
    chosen = [judgments.source(name) for name in names]
    scale = judgments.task.scale
    side = _sides(reference, chosen, scale, config)
    table, per_item = [], []
    for number, source in enumerate(chosen):
        items = _common(reference, [source])
        p, q = reference.rows(items), source.rows(items)
        per_item.append(item_table(items, source.name, p, q, scale, config.clip))
        for measure, value, draws, note in side(number, items):
            low, high = interval(draws, len(items))
            table.append((source.name, measure, value, low, high, len(items), note))
    covered = coverage_of(reference, chosen)
    if chosen and not covered["both"].any():
        raise DataError(
            f"no source has an item in common with {config.against!r}", where=judgments.name
        )
    return DistributionComparison(
        judgments.name,
        config,
        pd.DataFrame(table, columns=list(COLUMNS)),
        pd.concat(per_item, ignore_index=True) if per_item else pd.DataFrame(),
        _differences(reference, chosen, side, config, scale),
        covered,
        judgments.notes,
    )


def coverage_of(reference: LabelDistribution, sources: Sequence[LabelDistribution]) -> pd.DataFrame:
    """Return how many items each source and the reference have in common, and alone."""
    rows = []
    for source in sources:
        own, both = len(source.item_ids), len(_common(reference, [source]))
        rows.append((source.name, own, both, own - both, len(reference.item_ids) - both))
    return pd.DataFrame(rows, columns=["source", "items", "both", "only_source", "only_against"])


def _sides(
    reference: LabelDistribution,
    chosen: Sequence[LabelDistribution],
    scale: LabelScale,
    config: CompareConfig,
) -> Side:
    """Return a function that gives `measured` of a source on some items, computed once for each."""

    @cache
    def side(number: int, items: tuple[str, ...]) -> list[tuple[str, float, np.ndarray, str]]:
        p, q = reference.rows(items), chosen[number].rows(items)
        return list(measured(p, q, scale, weights_of(len(items), config), config.clip))

    return side


def _differences(
    reference: LabelDistribution,
    chosen: Sequence[LabelDistribution],
    side: Side,
    config: CompareConfig,
    scale: LabelScale,
) -> pd.DataFrame:
    pairs: dict[str, list[MeasuredPair]] = {}
    for first, second in itertools.combinations(range(len(chosen)), 2):
        one, other = chosen[first], chosen[second]
        items = _common(reference, [one, other])
        if not items:
            continue
        p = reference.rows(items)
        values = [item_values(p, each.rows(items), scale, config.clip) for each in (one, other)]
        sides = side(first, items), side(second, items)
        for (measure, a, draws_a, _), (_, b, draws_b, _) in zip(*sides, strict=True):
            if measure == ENTROPY:  # a property of the source, near to nothing
                continue
            with np.errstate(invalid="ignore"):  # KL without a clip may be infinite on both sides
                by_item = values[0][measure] - values[1][measure] if measure in DISTANCES else None
                pair = MeasuredPair(
                    one.name, other.name, a - b, draws_a - draws_b, len(items), by_item
                )
            pairs.setdefault(measure, []).append(pair)
    rows = {
        (row[0], row[1], row[2]): row
        for measure, family in pairs.items()
        for row in tested(
            measure, family, higher_is_closer=measure in HIGHER_IS_CLOSER, seed=config.seed
        )
    }
    order = [(pair.first, pair.second) for pair in next(iter(pairs.values()), [])]
    found = [rows[one, other, measure] for one, other in order for measure in pairs]
    return pd.DataFrame(found, columns=list(DIFFERENCES))


def weights_of(n: int, config: CompareConfig) -> np.ndarray:
    """Return bootstrap weights [draws, n], rows of sum 1; the same for all sources on equally many
    items.
    """
    rng = np.random.default_rng(config.seed)
    drawn = np.concatenate(list(bayesian_weights(rng, config.draws, n)))
    return drawn / drawn.sum(axis=1, keepdims=True)


def _common(reference: LabelDistribution, others: Sequence[LabelDistribution]) -> tuple[str, ...]:
    """Return the items that all sources have, in the reference's order."""
    known = set.intersection(*(set(other.item_ids) for other in others))
    return tuple(item for item in reference.item_ids if item in known)


def reference_source(judgments: Judgments, name: str) -> LabelDistribution:
    """Return the source that others are compared with; `ConfigError` where it is not there."""
    if any(source.name == name for source in judgments.sources):
        return judgments.source(name)
    # A field that could not be read may have been the one that is looked for.
    why = [note for note in judgments.notes if name in note or "is left out" in note]
    said = f" ({'; '.join(why)})" if why else ""
    raise ConfigError(
        f"there is no source {name!r} to compare with in {judgments.name}{said}",
        expected=f"one of {quoted_names(source.name for source in judgments.sources)}",
        todo="choose another reference (--against), or add a file with the crowd's (--file)",
    )
