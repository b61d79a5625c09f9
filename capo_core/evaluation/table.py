"""The table of methods: every measure of each source, averaged over replicates and targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.evaluation.attribution import View, attributed
from capo_core.evaluation.confusion import COLUMNS as CONFUSION
from capo_core.evaluation.confusion import confusion
from capo_core.evaluation.differences import differences
from capo_core.evaluation.families import (
    BY_STREAM,
    GUESS,
    Context,
    guesses,
    of_distributions,
    of_labels,
)
from capo_core.evaluation.measures import FAMILIES
from capo_core.evaluation.pooled import pooled_accuracy
from capo_core.evaluation.probabilities import FOLDS, pooled_probability, pooled_slope
from capo_core.evaluation.scores import AnyScore, Score, mean
from capo_core.evaluation.streams import HUMAN, OTHER, Stream
from capo_core.progress import Progress, part_of, silent
from capo_core.stability.intervals import records
from capo_core.text.embed import Embedder

ALL = "all"  # the mean over targets, each counted the same
COLUMNS = ("source", "target", "measure", "k", "value", "low", "high", "n", "replicates", "spread",
           "seed_spread")  # fmt: skip

Key = tuple[str, str, str, int]  # source, target, measure, k
Given = tuple[str, str, str, str, int, Score]  # source, target, replicate, measure, k, score


@dataclass(frozen=True)
class TableConfig:
    """What is scored.

    Attributes:
        views: what the attribution classifier looks at; the first is the main one.
        pool: how many responses are attributed together.
        seed: of the random groups.
        families: groups of measures (see `measures.FAMILIES`).
    """

    views: tuple[View, ...] = (View(), View("embedding", "mask_input"))
    pool: tuple[int, ...] = (1, 4, 8)
    seed: int = 0
    families: tuple[str, ...] = ("labels", "attribution")

    def __post_init__(self) -> None:
        if not self.views or not self.pool or min(self.pool) < 1:
            raise ConfigError(
                f"nothing can be scored with views {self.views} and pool {self.pool}",
                expected="at least one view, and numbers of responses from 1 on",
            )
        strange = [name for name in self.families if name not in FAMILIES]
        if strange or not self.families:
            raise ConfigError(
                f"there are no measures {strange[0]!r}" if strange else "nothing is to be scored",
                expected=f"some of {', '.join(FAMILIES)}",
            )

    def to_dict(self) -> dict:
        return {
            "views": [[view.representation, view.reduction] for view in self.views],
            "pool": list(self.pool),
            "seed": self.seed,
            "families": list(self.families),
        }

    @classmethod
    def from_dict(cls, raw: dict) -> TableConfig:
        views = tuple(View(*view) for view in raw["views"])
        return cls(views, tuple(raw["pool"]), raw["seed"], tuple(raw["families"]))


@dataclass(frozen=True)
class Evaluation:
    """Scores and differences, with what they were computed from.

    Attributes:
        scores: source, target (or `ALL`), measure, k (0 where none), value, low, high, n,
            replicates, spread (standard deviation over replicates and targets), seed_spread
            (of the mean over targets, over replicates that all targets have); NaN for one.
        chance: accuracy of attribution by a guess.
        n_items: held-out items.
        parts: (source, target, measure, k) → score, for differences; the source `GUESS` is here
            only.
        confusion: to whom responses are given one by one (see `confusion.confusion`).
    """

    scores: pd.DataFrame
    chance: float
    n_items: int
    parts: dict[Key, AnyScore] = field(repr=False)
    confusion: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(CONFUSION)), repr=False
    )

    def differences(self, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
        """One source minus another, paired by item (see `differences.differences`)."""
        return differences(self.parts, pairs)

    def to_dict(self) -> dict:
        return {
            "chance": self.chance,
            "n_items": self.n_items,
            "scores": records(self.scores),
        }


def evaluate(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    config: TableConfig = TableConfig(),
    *,
    cache: Path | None = None,
    embedder: Embedder | None = None,
    given: Iterable[Given] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Score every stream and average over replicates, then over targets.

    Args:
        cache: folder in which embeddings are kept.
        embedder: instead of the default embedding model, for tests.
        given: scores of streams that were made elsewhere (a judge's).
    """
    context = Context(dataset, item_ids, embedder or Embedder(cache), config.seed)
    single: dict[Key, list[tuple[str, AnyScore]]] = {}

    def put(source: str, target: str, run: str, measure: str, k: int, score) -> None:
        if score is not None:
            single.setdefault((source, target, measure, k), []).append((run, score))

    for each in given:
        put(*each)
    chosen = [BY_STREAM[name] for name in FAMILIES if name in BY_STREAM and name in config.families]
    for number, stream in enumerate(streams):
        progress("Scoring labels and texts", 0.5 * number / len(streams))
        for family in chosen:
            for name, k, score in family(context, stream):
                put(stream.source, stream.target, stream.replicate, name, k, score)
    if "labels" in config.families:
        for stream in guesses(context):
            for name, k, score in of_labels(context, stream):
                put(GUESS, stream.target, "", name, k, score)
    if "soft" in config.families:
        for source, run, name, score in of_distributions(context, streams):
            put(source, ALL, run, name, 0, score)
    tables = []
    if "attribution" in config.families:
        for number, view in enumerate(config.views):
            share = 0.5 + 0.5 * number / len(config.views)
            part = part_of(progress, share, share + 0.5 / len(config.views))
            tables.append(_attribution(context, streams, view, config, put, part))
    rows, parts = _averages(single, dataset.annotators)
    made = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CONFUSION)
    progress("Done", 1.0)
    scores = pd.DataFrame(rows, columns=list(COLUMNS))
    return Evaluation(scores, 1 / len(dataset.annotators), len(item_ids), parts, made)


def _attribution(
    context: Context, streams: Sequence[Stream], view: View, config: TableConfig, put, progress
) -> pd.DataFrame:
    """Puts shares and probabilities at every k; returns the confusion table."""
    names = context.dataset.annotators
    found = attributed(
        context.dataset, context.item_ids, streams, view, context.embedder,
        folds=FOLDS, seed=config.seed, progress=progress,
    )  # fmt: skip
    slopes = {k: pooled_slope(found.train, found.author, k, seed=config.seed) for k in config.pool}
    for stream, scores in zip(streams, found.streams, strict=True):
        who = (stream.source, stream.target, stream.replicate)
        settings = {"n_items": context.n_items, "seed": config.seed}
        target = names.index(stream.target)
        for k in config.pool:
            put(*who, view.name, k, pooled_accuracy(scores, stream.item, target, k, **settings))
            if slopes[k] is not None:
                chance = pooled_probability(scores, stream.item, target, k, slopes[k], **settings)
                put(*who, view.probability_name, k, chance)
    return confusion(streams, found.streams, names, view.name)


def _averages(
    single: dict[Key, list[tuple[str, AnyScore]]], annotators: tuple[str, ...]
) -> tuple[list[tuple], dict[Key, AnyScore]]:
    """Rows of the table, and the scores behind them."""
    parts: dict[Key, AnyScore] = {}
    rows = []
    for source, measure, k in dict.fromkeys((s, m, k) for s, _, m, k in single):
        found = {t: single.get((source, t, measure, k), []) for t in (*annotators, ALL)}
        found = {target: scores for target, scores in found.items() if scores}
        means = {t: mean([s for _, s in scores], repeated=True) for t, scores in found.items()}
        seeds = list(_over_targets(found))
        if ALL not in means:
            means[ALL] = mean(list(means.values()))
        for target, score in means.items():
            parts[source, target, measure, k] = score
            if source == GUESS:
                continue
            several = found.values() if target == ALL else [found[target]]
            values = [score.value for scores in several for _, score in scores]
            over_seeds = seeds if target == ALL else values
            if source in (HUMAN, OTHER):  # what is repeated there are people, not seeds
                over_seeds = []
            shown = score.estimate()
            rows.append((source, target, measure, k, shown.value, shown.low, shown.high, shown.n,
                         len(values), _deviation(values), _deviation(over_seeds)))  # fmt: skip
    return rows, parts


def _over_targets(found: dict[str, list[tuple[str, AnyScore]]]) -> Iterator[float]:
    """The mean over targets for each replicate that all targets have."""
    by_run = [{run: score.value for run, score in scores} for scores in found.values()]
    for run in by_run[0]:
        if all(run in values for values in by_run):
            yield float(np.mean([values[run] for values in by_run]))


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
