"""Table of scores and differences: every measure of each source, averaged over replicates and
targets, with paired tests corrected for multiple comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.evaluation.coverage import Coverage, averaged_targets, coverage_of
from capo_core.evaluation.measures import (
    STREAM_FAMILIES,
    Context,
    attribution_scores,
    consistency_scores,
    distribution_scores,
    guesses,
    stream_scores,
)
from capo_core.evaluation.measures.attribution import COLUMNS as CONFUSION
from capo_core.evaluation.measures.attribution import (
    FOLDS,
    View,
    attributed,
    confusion,
    pooled_slope,
)
from capo_core.evaluation.measures.registry import (
    HIGHER,
    LOWER,
    ONE,
    SCORED,
    SHUFFLED,
    find_measure,
)
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER, Stream
from capo_core.progress import Progress, part_of, silent
from capo_core.settings import setting, settings
from capo_core.stats.alternative_annotator import EPSILONS
from capo_core.stats.bootstrap import (
    DRAWS,
    AnyScore,
    ResampledScore,
    Score,
    difference,
    draws_of,
    mean,
)
from capo_core.stats.intervals import bayesian_weights, json_rows
from capo_core.stats.power import detectable
from capo_core.stats.significance import bootstrap_p, carries_order, holm, p_value_of
from capo_core.text.embeddings import Embedder

DIFFERENCE_COLUMNS = (
    "source",
    "against",
    "target",
    "measure",
    "k",
    "value",
    "low",
    "high",
    "n",
    "p",
    "test",
    "p_holm",
    "verdict",
    "detectable",
)
BEYOND = "beyond the human"  # the verdict of an overshoot, which is no gain


def differences(
    parts: Mapping[tuple[str, str, str, int], AnyScore],
    pairs: Sequence[tuple[str, str]],
    known: Mapping[tuple[str, str, str, int], tuple[float, float]] | None = None,
) -> pd.DataFrame:
    """Return one source minus another, paired by item: DIFFERENCE_COLUMNS.

    Pairs without a common score are left out. `p` is by `significance.p_value_of`; `p_holm` is
    corrected over all `pairs` compared by one measure for one target, those with the guess apart.
    (It is not corrected over measures: the one that answers the question is to be fixed
    beforehand.) `verdict` is "better", "worse" or "undecided" from the first source's side,
    "differs" where it is not decided which of two different values is nearer to the human's, and
    `BEYOND` where a value exceeds the human's own. `detectable` is the smallest true difference
    that these items and answers could show with 80 % power at the first step of that correction
    (see `stats.power`); NaN where there is none.

    Args:
        known: intervals of a method minus the human that are computed elsewhere, by (source,
            target, measure, k), so that one difference has one interval (see
            `HumanDistance.gap_intervals`).
    """
    rows, found = [], []
    for one, other in pairs:
        for (source, target, name, k), score in parts.items():
            against = parts.get((other, target, name, k))
            if source != one or against is None:
                continue
            apart = difference(score, against)
            shown = apart.estimate()
            low, high = shown.low, shown.high
            if other == HUMAN and known:
                low, high = known.get((one, target, name, k), (low, high))
            p, test = p_value_of(apart)
            rows.append((one, other, target, name, k, shown.value, low, high, shown.n,
                         p, test, p, "", np.nan))  # fmt: skip
            found.append(apart)
    frame = pd.DataFrame(rows, columns=list(DIFFERENCE_COLUMNS))
    if frame.empty:
        return frame
    guess = frame["against"] == GUESS
    by_measure = frame.groupby(["target", "measure", "k", guess], sort=False)["p"]
    frame["p_holm"] = by_measure.transform(lambda column: holm(column.to_numpy()))
    frame["detectable"] = [
        detectable(apart, comparisons=max(1, many))
        for apart, many in zip(found, by_measure.transform("count"), strict=True)
    ]
    # Under `ALL` an item counts once, however many targets have it.
    alone = frame[frame["target"] != ALL]
    most = alone.groupby(["source", "against", "measure", "k"])["n"].max().to_dict()
    frame["verdict"] = [
        _verdict(
            row,
            most.get((row.source, row.against, row.measure, row.k), row.n)
            if row.target == ALL
            else row.n,
            parts,
            len(pairs),
        )
        for row in frame.itertuples()
    ]
    return frame


def _verdict(
    row: Any, n: int, parts: Mapping[tuple[str, str, str, int], AnyScore], pairs: int
) -> str:
    """Return what the first source of a difference on `n` items is (see `differences`)."""
    if not carries_order(row.low, row.high, row.p_holm, n):
        return "undecided"
    key = (row.target, row.measure, row.k)
    one, other = parts[row.source, *key], parts[row.against, *key]
    human = parts.get((HUMAN, *key))
    better = find_measure(row.measure).better
    if better in (HIGHER, LOWER):
        if row.against == HUMAN and (row.value > 0) == (better == HIGHER):
            return BEYOND
        return "better" if (row.value > 0) == (better == HIGHER) else "worse"
    return _nearer(one, other, 1.0 if better == ONE else human, n, pairs)


def _nearer(
    one: AnyScore, other: AnyScore, aim: AnyScore | float | None, n: int, pairs: int
) -> str:
    """Return whether `one` is nearer to the aim than `other` ("better"), by a bootstrap over items.

    That two values differ does not say which of them is nearer to a third.

    Args:
        aim: the human's score, or a number; None where there is none.
        pairs: comparisons that are made (Bonferroni).
    """
    if aim is None:
        return "differs"
    if aim is other:  # the human is at no distance from the human
        return "worse"
    length = len(other.influence[0]) if isinstance(other, Score) else 0
    rng = np.random.default_rng(0xA1)
    weights = np.concatenate(list(bayesian_weights(rng, DRAWS, length)))
    weights = weights / weights.mean(axis=1, keepdims=True) if length else weights
    value, draws = (
        (aim, np.full(DRAWS, aim))
        if isinstance(aim, float)
        else (aim.value, draws_of(aim, weights, rng))
    )
    sides = [np.abs(draws_of(score, weights, rng) - draws) for score in (one, other)]
    size = abs(one.value - value) - abs(other.value - value)
    apart = ResampledScore(size, sides[0] - sides[1], n)
    found = apart.estimate()
    if not carries_order(found.low, found.high, pairs * bootstrap_p(apart), n):
        return "differs"
    return "better" if size < 0 else "worse"


ALL = "all"  # the mean over the targets whom every method imitates, each counted the same
COLUMNS = ("source", "target", "measure", "k", "value", "low", "high", "n", "replicates", "spread",
           "seed_spread")  # fmt: skip

Key = tuple[str, str, str, int]  # source, target, measure, k
ExternalScore = tuple[
    str, str, str, str, int, Score
]  # source, target, replicate, measure, k, score


def _scored_families() -> tuple[str, ...]:
    return SCORED


# Settings that came later, with their defaults.
_LATER = {"duplicate": 0.9, "annotator_kind": "skilled", "margin": 0.1, "alpha_margin": 0.1}


@settings("evaluation")
class TableConfig:
    """Settings of an evaluation: measures, classifier views, group sizes and seed."""

    views: tuple[View, ...] = setting(
        (View(), View("embedding", "mask_input"), View("words", "mask_input_written")),
        "Views of the attribution classifier",
        "Representation and reduction that the classifier sees; the first view is the main one.",
    )
    pool: tuple[int, ...] = setting(
        (1, 4, 8), "Texts attributed together", "Sizes of the groups of explanations.", ge=1
    )
    seed: int = setting(0, "Random seed", "Seed of the random groups.")
    families: tuple[str, ...] = setting(
        ("labels", "attribution"),
        "Measures",
        "Groups of measures that are computed. Commands and experiments compute all of them.",
        choices=_scored_families,
    )

    duplicate: float = setting(
        0.9,
        "Near-duplicate from",
        "Similarity to a training text (1: the same) from which an explanation counts as copied.",
        ge=0.5,
        le=1.0,
    )

    annotator_kind: str = setting(
        "skilled",
        "Kind of annotators",
        "Sets ε of the alternative annotator test, what an imitation may be worse by: experts .2, "
        "skilled .15, crowd workers .1.",
        choices=tuple(EPSILONS),
    )
    margin: float = setting(
        0.1,
        "Equivalence margin",
        "Difference from the human, in shares (.1: 10 points), within which a method counts as "
        "indistinguishable. To be chosen before results are known.",
        gt=0.0,
        le=0.5,
    )
    alpha_margin: float = setting(
        0.1,
        "Equivalence margin of α",
        "The same for Krippendorff's α of all annotators with the method in one's place.",
        gt=0.0,
        le=1.0,
    )

    def __post_init__(self) -> None:
        for name in ("views", "pool", "families"):
            if not getattr(self, name):
                raise ConfigError(
                    "the list is empty", where=f"evaluation, {name}", expected="at least one value"
                )

    def to_dict(self) -> dict:
        return {
            "views": [[view.representation, view.reduction] for view in self.views],
            "pool": list(self.pool),
            "seed": self.seed,
            "families": list(self.families),
            # Evaluations from before there were these settings keep their configuration.
            **{
                name: getattr(self, name)
                for name, default in _LATER.items()
                if getattr(self, name) != default
            },
        }

    @classmethod
    def from_dict(cls, raw: dict) -> TableConfig:
        views = tuple(View(*view) for view in raw["views"])
        more = {name: raw[name] for name in _LATER if name in raw}
        return cls(views, tuple(raw["pool"]), raw["seed"], tuple(raw["families"]), **more)


@dataclass(frozen=True)
class Evaluation:
    """Scores and differences, with the values they were computed from.

    Attributes:
        scores: source, target (or `ALL`), measure, k (0 where none), value, low, high, n,
            replicates, spread (standard deviation over replicates and targets), seed_spread
            (of the mean over targets, over replicates that all targets have); NaN for one.
        chance: accuracy of random attribution.
        n_items: held-out items.
        parts: (source, target, measure, k) → score, for differences; the sources `GUESS` and
            `SHUFFLED` are here only.
        coverage: the annotators and items that everything is compared on.
        averaged: (measure, k) → the targets of the rows `ALL`, the same ones for every source.
        confusion: attribution of single responses (see `attribution.confusion`).
    """

    scores: pd.DataFrame
    chance: float
    n_items: int
    parts: dict[Key, AnyScore] = field(repr=False)
    coverage: Coverage = field(default_factory=lambda: Coverage(()), repr=False)
    averaged: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict, repr=False)
    confusion: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(CONFUSION)), repr=False
    )

    def differences(
        self,
        pairs: Sequence[tuple[str, str]],
        known: Mapping[Key, tuple[float, float]] | None = None,
    ) -> pd.DataFrame:
        """Return one source minus another, paired by item (see `differences`)."""
        return differences(self.parts, pairs, known)

    def to_dict(self) -> dict:
        return {
            "chance": self.chance,
            "n_items": self.n_items,
            "scores": json_rows(self.scores),
        }


def evaluate(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    config: TableConfig | None = None,
    *,
    cache: Path | None = None,
    embedder: Embedder | None = None,
    given: Iterable[ExternalScore] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Score every stream and average over replicates, then over targets.

    All sources are scored on the items, and averaged over the targets, that the methods among them
    have in common (see `coverage`).

    >>> from capo_core.data.splits import assign_splits
    >>> from capo_core.evaluation.streams import held_out_items, human_streams
    >>> from capo_core.simulation.simulate import SimulationConfig, simulate
    >>> made = simulate(SimulationConfig(items=40, annotators=2, seed=1))
    >>> data = assign_splits(made.dataset, seed=0)
    >>> test = held_out_items(data)
    >>> config = TableConfig(families=("labels",))
    >>> table = evaluate(data, test, human_streams(data, test), config)
    >>> rows = table.scores[table.scores["measure"] == "label accuracy"]
    >>> rows[rows["target"] == ALL][["source", "value", "n"]]
             source  value   n
    2         human    1.0  16
    11  other human    0.5  16

    Args:
        cache: folder of cached embeddings.
        embedder: instead of the default embedding model, for tests.
        given: scores of streams that were computed elsewhere (an LLM judge's).
    """
    config = config or TableConfig()
    coverage = coverage_of(streams, dataset.annotators)
    streams = [coverage.restrict(stream) for stream in streams]
    context = Context(
        dataset, item_ids, embedder or Embedder(cache), coverage, config.seed, config.duplicate
    )
    single: dict[Key, list[tuple[str, AnyScore]]] = {}

    def put(source: str, target: str, run: str, measure: str, k: int, score) -> None:
        if score is not None:
            single.setdefault((source, target, measure, k), []).append((run, score))

    for each in given:
        put(*each)
    chosen = [name for name in STREAM_FAMILIES if name in config.families]
    for number, stream in enumerate(streams):
        progress("Scoring labels and texts", 0.5 * number / len(streams))
        for family in chosen:
            for name, k, score in stream_scores(context, family, stream):
                put(stream.source, stream.target, stream.replicate, name, k, score)
    if "labels" in config.families:
        for stream in map(coverage.restrict, guesses(context)):
            for name, k, score in stream_scores(context, "labels", stream):
                put(GUESS, stream.target, "", name, k, score)
    if "consistency" in config.families:
        for source, stream, name, score in consistency_scores(context, streams):
            put(source, stream.target, stream.replicate, name, 0, score)
    if "soft" in config.families:
        for source, run, name, score in distribution_scores(context, streams):
            put(source, ALL, run, name, 0, score)
    tables = []
    if "attribution" in config.families:
        for number, view in enumerate(config.views):
            share = 0.5 + 0.5 * number / len(config.views)
            part = part_of(progress, share, share + 0.5 / len(config.views))
            tables.append(_attribution(context, streams, view, config, put, part))
    rows, parts, averaged = _averages(single, dataset.annotators, coverage.targets)
    made = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CONFUSION)
    progress("Done", 1.0)
    scores = pd.DataFrame(rows, columns=list(COLUMNS))
    chance = 1 / len(dataset.annotators)
    return Evaluation(scores, chance, len(item_ids), parts, coverage, averaged, made)


def _attribution(
    context: Context, streams: Sequence[Stream], view: View, config: TableConfig, put, progress
) -> pd.DataFrame:
    """Add shares and probabilities at every k, and return the confusion table."""
    names = context.dataset.annotators
    found = attributed(
        context.dataset, context.item_ids, streams, view, context.embedder,
        folds=FOLDS, seed=config.seed, progress=progress,
    )  # fmt: skip
    slopes = {k: pooled_slope(found.train, found.author, k, seed=config.seed) for k in config.pool}
    for stream, scores in zip(streams, found.streams, strict=True):
        for name, k, score in attribution_scores(context, stream, view, scores, slopes):
            put(stream.source, stream.target, stream.replicate, name, k, score)
    return confusion(streams, found.streams, names, view.name)


def _averages(
    single: dict[Key, list[tuple[str, AnyScore]]],
    annotators: tuple[str, ...],
    targets: tuple[str, ...],
) -> tuple[list[tuple], dict[Key, AnyScore], dict[tuple[str, int], tuple[str, ...]]]:
    """Return rows of the table, the scores behind them, and the targets of the rows `ALL`."""
    defined: dict[tuple[str, int], set[tuple[str, str]]] = {}
    for source, target, name, k in single:
        defined.setdefault((name, k), set()).add((source, target))
    averaged = {key: tuple(averaged_targets(there, targets)) for key, there in defined.items()}
    parts: dict[Key, AnyScore] = {}
    rows = []
    for source, name, k in dict.fromkeys((s, m, k) for s, _, m, k in single):
        found = {t: single.get((source, t, name, k), []) for t in (*annotators, ALL)}
        found = {target: scores for target, scores in found.items() if scores}
        means = {t: mean([s for _, s in scores], repeated=True) for t, scores in found.items()}
        if ALL in means:  # of label distributions, which are over all annotators from the start
            averaged[name, k] = annotators
            of_all = found
        else:
            of_all = {t: found[t] for t in averaged[name, k] if t in found}
            if of_all and len(of_all) == len(averaged[name, k]):
                means[ALL] = mean([means[target] for target in of_all])
        seeds = list(_over_targets(of_all)) if of_all else []
        for target, score in means.items():
            parts[source, target, name, k] = score
            if source in (GUESS, SHUFFLED):
                continue
            several = of_all.values() if target == ALL else [found[target]]
            values = [score.value for scores in several for _, score in scores]
            over_seeds = seeds if target == ALL else values
            if source in (HUMAN, OTHER):  # what is repeated there are people, not seeds
                over_seeds = []
            shown = score.estimate()
            rows.append((source, target, name, k, shown.value, shown.low, shown.high, shown.n,
                         len(values), _deviation(values), _deviation(over_seeds)))  # fmt: skip
    return rows, parts, averaged


def _over_targets(found: dict[str, list[tuple[str, AnyScore]]]) -> Iterator[float]:
    """Return the mean over targets for each replicate that all targets have."""
    by_run = [{run: score.value for run, score in scores} for scores in found.values()]
    for run in by_run[0]:
        if all(run in values for values in by_run):
            yield float(np.mean([values[run] for values in by_run]))


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
