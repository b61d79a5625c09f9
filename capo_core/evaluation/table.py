"""Table of scores and differences: every measure of each source, averaged over replicates and
targets, with paired tests corrected for multiple comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.evaluation.measures import (
    GUESS,
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
    LIKE_HUMAN,
    LOWER,
    ONE,
    SCORED,
    SHUFFLED,
    find_measure,
)
from capo_core.evaluation.streams import HUMAN, OTHER, Stream
from capo_core.progress import Progress, part_of, silent
from capo_core.settings import setting, settings
from capo_core.stats.bootstrap import AnyScore, Score, difference, mean
from capo_core.stats.intervals import json_rows
from capo_core.stats.significance import holm, p_value_of
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
)
SIGNIFICANCE_LEVEL = 0.05  # adjusted p-values up to this are called a difference


def differences(
    parts: Mapping[tuple[str, str, str, int], AnyScore], pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return one source minus another, paired by item: DIFFERENCE_COLUMNS.

    Pairs without a common score are left out. `p` is by `significance.p_value_of`; `p_holm` is
    corrected over all `pairs` compared by one measure for one target. (It is not corrected over
    measures: the one that answers the question is to be fixed beforehand.) `verdict` is "better",
    "worse" or "undecided" from the first source's side, "differs" where neither direction is
    better.
    """
    rows = []
    for one, other in pairs:
        for (source, target, name, k), score in parts.items():
            against = parts.get((other, target, name, k))
            if source != one or against is None:
                continue
            apart = difference(score, against)
            found = apart.estimate()
            p, test = p_value_of(apart)
            rows.append((one, other, target, name, k, found.value, found.low, found.high, found.n,
                         p, test, p, ""))  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(DIFFERENCE_COLUMNS))
    if frame.empty:
        return frame
    frame["p_holm"] = frame.groupby(["target", "measure", "k"], sort=False)["p"].transform(
        lambda column: holm(column.to_numpy())
    )
    # Nearer to 1 or to the human: of two scores, the one that is less far off.
    aims = {key: _aim(key, parts) for key in parts}
    verdicts = []
    for row in frame.itertuples():
        better = find_measure(row.measure).better
        key = (row.source, row.target, row.measure, row.k)
        other = (row.against, *key[1:])
        if not row.p_holm <= SIGNIFICANCE_LEVEL:
            verdicts.append("undecided")
        elif better in (HIGHER, LOWER):
            verdicts.append("better" if (row.value > 0) == (better == HIGHER) else "worse")
        else:
            verdicts.append(_nearer(parts[key].value, parts[other].value, aims[key]))
    frame["verdict"] = verdicts
    return frame


def _aim(key: tuple[str, str, str, int], parts) -> float | None:
    """Return the value a measure should have, where neither direction is better."""
    better = find_measure(key[2]).better
    if better == ONE:
        return 1.0
    human = parts.get((HUMAN, *key[1:]))
    return human.value if better == LIKE_HUMAN and human is not None else None


def _nearer(one: float, other: float, aim: float | None) -> str:
    if aim is None or abs(one - aim) == abs(other - aim):
        return "differs"
    return "better" if abs(one - aim) < abs(other - aim) else "worse"


ALL = "all"  # the mean over targets, each counted the same
COLUMNS = ("source", "target", "measure", "k", "value", "low", "high", "n", "replicates", "spread",
           "seed_spread")  # fmt: skip

Key = tuple[str, str, str, int]  # source, target, measure, k
ExternalScore = tuple[
    str, str, str, str, int, Score
]  # source, target, replicate, measure, k, score


def _scored_families() -> tuple[str, ...]:
    return SCORED


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
        "Groups of measures that are computed.",
        choices=_scored_families,
    )

    duplicate: float = setting(
        0.9,
        "Near-duplicate from",
        "Similarity to a training text (1: the same) from which an explanation counts as copied.",
        ge=0.5,
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
            # Evaluations from before there was this setting keep their configuration.
            **({} if self.duplicate == 0.9 else {"duplicate": self.duplicate}),
        }

    @classmethod
    def from_dict(cls, raw: dict) -> TableConfig:
        views = tuple(View(*view) for view in raw["views"])
        more = {"duplicate": raw["duplicate"]} if "duplicate" in raw else {}
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
        confusion: attribution of single responses (see `attribution.confusion`).
    """

    scores: pd.DataFrame
    chance: float
    n_items: int
    parts: dict[Key, AnyScore] = field(repr=False)
    confusion: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(CONFUSION)), repr=False
    )

    def differences(self, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
        """Return one source minus another, paired by item (see `differences`)."""
        return differences(self.parts, pairs)

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
    context = Context(dataset, item_ids, embedder or Embedder(cache), config.seed, config.duplicate)
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
        for stream in guesses(context):
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
    rows, parts = _averages(single, dataset.annotators)
    made = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CONFUSION)
    progress("Done", 1.0)
    scores = pd.DataFrame(rows, columns=list(COLUMNS))
    return Evaluation(scores, 1 / len(dataset.annotators), len(item_ids), parts, made)


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
    single: dict[Key, list[tuple[str, AnyScore]]], annotators: tuple[str, ...]
) -> tuple[list[tuple], dict[Key, AnyScore]]:
    """Return rows of the table, and the scores behind them."""
    parts: dict[Key, AnyScore] = {}
    rows = []
    for source, name, k in dict.fromkeys((s, m, k) for s, _, m, k in single):
        found = {t: single.get((source, t, name, k), []) for t in (*annotators, ALL)}
        found = {target: scores for target, scores in found.items() if scores}
        means = {t: mean([s for _, s in scores], repeated=True) for t, scores in found.items()}
        seeds = list(_over_targets(found))
        if ALL not in means:
            means[ALL] = mean(list(means.values()))
        for target, score in means.items():
            parts[source, target, name, k] = score
            if source in (GUESS, SHUFFLED):
                continue
            several = found.values() if target == ALL else [found[target]]
            values = [score.value for scores in several for _, score in scores]
            over_seeds = seeds if target == ALL else values
            if source in (HUMAN, OTHER):  # what is repeated there are people, not seeds
                over_seeds = []
            shown = score.estimate()
            rows.append((source, target, name, k, shown.value, shown.low, shown.high, shown.n,
                         len(values), _deviation(values), _deviation(over_seeds)))  # fmt: skip
    return rows, parts


def _over_targets(found: dict[str, list[tuple[str, AnyScore]]]) -> Iterator[float]:
    """Return the mean over targets for each replicate that all targets have."""
    by_run = [{run: score.value for run, score in scores} for scores in found.values()]
    for run in by_run[0]:
        if all(run in values for values in by_run):
            yield float(np.mean([values[run] for values in by_run]))


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
