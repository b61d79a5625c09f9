"""Which measures are computed for a stream of responses, family by family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation import diversity, explanations, label_agreement, lewidi, soft
from capo_core.evaluation.labels import label_accuracy, label_error, majority_label, own_labels
from capo_core.evaluation.pooled import item_mean
from capo_core.evaluation.scores import AnyScore, Score
from capo_core.evaluation.streams import HUMAN, OTHER, Stream
from capo_core.evaluation.style import StyleSpace, style_distance, style_space
from capo_core.text.embed import Embedder

GUESS = "guess"  # the chance line: what is reached without reading the item

Named = tuple[str, int, AnyScore | None]  # measure, k (0 where none), score


@dataclass(frozen=True)
class Context:
    """What all measures share, computed once."""

    dataset: Dataset
    item_ids: tuple[str, ...]
    embedder: Embedder
    seed: int = 0

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @cached_property
    def labels(self) -> dict[str, list[frozenset[str]]]:
        return {a: own_labels(self.dataset, self.item_ids, a) for a in self.dataset.annotators}

    @cached_property
    def texts(self) -> dict[str, list[tuple[str, ...]]]:
        return {
            a: explanations.own_texts(self.dataset, self.item_ids, a)
            for a in self.dataset.annotators
        }

    @cached_property
    def style(self) -> StyleSpace:
        return style_space(self.dataset)

    @cached_property
    def people(self) -> np.ndarray:
        return soft.people_shares(self.labels, self.dataset.task.scale.labels)


def of_labels(context: Context, stream: Stream) -> Iterator[Named]:
    """Labels against the target's own."""
    own, scale = context.labels[stream.target], context.dataset.task.scale
    yield "label accuracy", 0, label_accuracy(stream, own)
    yield "macro-F1", 0, label_agreement.macro_f1(stream, own, scale)
    yield "kappa", 0, label_agreement.kappa(stream, own, scale)
    yield "alpha", 0, label_agreement.alpha(stream, own, scale)
    if scale.ordinal:
        yield "label error", 0, label_error(stream, own)
        yield "LeWiDi absolute distance", 0, lewidi.absolute_distance(stream, own, scale)
    else:
        yield "LeWiDi error rate", 0, lewidi.error_rate(stream, own, scale)


def of_explanations(context: Context, stream: Stream) -> Iterator[Named]:
    """Explanations against the target's own; the target against itself says nothing."""
    if stream.source == HUMAN:
        return
    own = context.texts[stream.target]
    yield "ROUGE-L", 0, explanations.rouge_score(stream, own)
    yield (
        "embedding similarity",
        0,
        explanations.embedding_similarity(stream, own, context.embedder),
    )
    yield "length ratio", 0, explanations.length_ratio(stream, own)


def of_style(context: Context, stream: Stream) -> Iterator[Named]:
    """Distance from the target's manner."""
    yield "style distance", 0, style_distance(stream, context.style, context.item_ids)


def of_diversity(context: Context, stream: Stream) -> Iterator[Named]:
    """Whether a stream repeats itself."""
    n_items = context.n_items
    found = diversity.grouped_distinct_2(stream, n_items=n_items, seed=context.seed)
    yield "distinct-2", diversity.GROUP, found
    yield "self-similarity", 0, diversity.self_similarity(stream, context.embedder, n_items=n_items)


BY_STREAM = {
    "labels": of_labels,
    "explanations": of_explanations,
    "style": of_style,
    "diversity": of_diversity,
}


def of_distributions(
    context: Context, streams: Sequence[Stream]
) -> Iterator[tuple[str, str, str, Score]]:
    """(source, run, measure, score) of the label distributions over all targets.

    All samples of one run count together; what stands before "/" in a stream's replicate names the
    run. A source that does not answer in everybody's place has none, and other people taken for the
    target are people all the same.
    """
    runs: dict[tuple[str, str], list[Stream]] = {}
    for stream in streams:
        if stream.source == OTHER:
            continue
        run = "" if stream.source == HUMAN else stream.replicate.rpartition("/")[0]
        runs.setdefault((stream.source, run), []).append(stream)
    labels = context.dataset.task.scale.labels
    for (source, run), own in runs.items():
        method = soft.method_shares(own, context.labels, labels)
        if method is not None:
            for name, score in _distances(context, method):
                yield source, run, name, score
    guess = np.tile(soft.training_shares(context.dataset), (context.n_items, 1))
    for name, score in _distances(context, guess):
        yield GUESS, "", name, score


def _distances(context: Context, method: np.ndarray) -> Iterator[tuple[str, Score]]:
    yield from soft.distances(context.people, method, context.dataset.task.scale).items()
    crowd = soft.crowd_shares(context.dataset, context.item_ids)
    if crowd is None:
        return
    total = method.sum(axis=1, keepdims=True)
    far = lewidi.manhattan(crowd, method / np.where(total > 0, total, np.nan))
    item = np.flatnonzero(np.isfinite(far))
    if len(item):
        score = item_mean(far[item], item, n_items=len(far), share=False, bounds=(0.0, 2.0))
        yield "Manhattan distance to the crowd", score


def guesses(context: Context) -> list[Stream]:
    """For each target, its most frequent training label as the answer to every item."""
    every = np.arange(context.n_items)
    return [
        Stream(
            GUESS,
            target,
            "",
            every,
            (majority_label(context.dataset, target),) * context.n_items,
            ("",) * context.n_items,
        )
        for target in context.dataset.annotators
    ]
