"""The table of methods: label accuracy and imitation of each source, and paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.evaluation.attribution import View, attribute
from capo_core.evaluation.labels import label_accuracy, label_error, own_labels
from capo_core.evaluation.pooled import pooled_accuracy
from capo_core.evaluation.scores import Score, difference, mean
from capo_core.evaluation.streams import Stream, sources
from capo_core.progress import Progress, silent
from capo_core.stability.intervals import records

ALL = "all"  # the mean over targets, each counted the same


@dataclass(frozen=True)
class TableConfig:
    """What is scored.

    Attributes:
        views: what the attribution classifier looks at; the first is the main one.
        pool: how many responses are attributed together.
        seed: of the random groups.
    """

    views: tuple[View, ...] = (View(), View("embedding", "mask_input"))
    pool: tuple[int, ...] = (1, 4, 8)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.views or not self.pool or min(self.pool) < 1:
            raise ConfigError(
                f"nothing can be scored with views {self.views} and pool {self.pool}",
                expected="at least one view, and numbers of responses from 1 on",
            )


@dataclass(frozen=True)
class Evaluation:
    """Scores and differences, with what they were computed from.

    Attributes:
        scores: source, target (or `ALL`), measure, k (0 where none), value, low, high, n,
            replicates, spread (standard deviation over replicates and targets; NaN for one).
        chance: accuracy of attribution by a guess.
        n_items: held-out items.
        parts: (source, target, measure, k) → `Score`, for differences.
    """

    scores: pd.DataFrame
    chance: float
    n_items: int
    parts: dict[tuple[str, str, str, int], Score] = field(repr=False)

    def differences(self, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
        """One source minus another, paired by item: columns source, against, target, measure, k,
        value, low, high, n. Pairs without a common score are left out."""
        rows = []
        for one, other in pairs:
            for (source, target, measure, k), score in self.parts.items():
                against = self.parts.get((other, target, measure, k))
                if source != one or against is None:
                    continue
                found = difference(score, against).estimate()
                rows.append((one, other, target, measure, k, found.value, found.low, found.high,
                             found.n))  # fmt: skip
        names = ["source", "against", "target", "measure", "k", "value", "low", "high", "n"]
        return pd.DataFrame(rows, columns=names)

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
    progress: Progress = silent,
) -> Evaluation:
    """Score every stream and average over replicates, then over targets."""
    single: dict[tuple[str, str, str, int], list[Score]] = {}

    def put(stream: Stream, measure: str, k: int, score: Score | None) -> None:
        if score is not None:
            single.setdefault((stream.source, stream.target, measure, k), []).append(score)

    own = {target: own_labels(dataset, item_ids, target) for target in dataset.annotators}
    for stream in streams:
        put(stream, "label accuracy", 0, label_accuracy(stream, own[stream.target]))
        if dataset.task.scale.ordinal:
            put(stream, "label error", 0, label_error(stream, own[stream.target]))
    for view in config.views:
        scored = attribute(dataset, item_ids, streams, view, cache=cache, progress=progress)
        name = view.name
        for number, (stream, scores) in enumerate(zip(streams, scored, strict=True)):
            target = dataset.annotators.index(stream.target)
            for k in config.pool:
                put(stream, name, k, pooled_accuracy(
                    scores, stream.item, target, k,
                    n_items=len(item_ids), seed=config.seed + 7919 * number,
                ))  # fmt: skip
    parts: dict[tuple[str, str, str, int], Score] = {}
    rows = []
    names = [*dataset.annotators, ALL]
    for source in sources(streams):
        measures = dict.fromkeys((m, k) for s, _, m, k in single if s == source)
        for measure, k in measures:
            found = {t: single.get((source, t, measure, k), []) for t in dataset.annotators}
            found = {target: scores for target, scores in found.items() if scores}
            own_means = {t: mean(scores, repeated=True) for t, scores in found.items()}
            means = {**own_means, ALL: mean(list(own_means.values()))}
            everything = [score.value for scores in found.values() for score in scores]
            for target in names:
                if target not in means:
                    continue
                score = means[target]
                parts[source, target, measure, k] = score
                values = everything if target == ALL else [s.value for s in found[target]]
                spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
                shown = score.estimate()
                rows.append((source, target, measure, k, shown.value, shown.low, shown.high,
                             shown.n, len(values), spread))  # fmt: skip
    columns = ["source", "target", "measure", "k", "value", "low", "high", "n", "replicates",
               "spread"]  # fmt: skip
    return Evaluation(
        pd.DataFrame(rows, columns=columns), 1 / len(dataset.annotators), len(item_ids), parts
    )
