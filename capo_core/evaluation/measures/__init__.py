"""Measures of an evaluation, each registered where it is defined, and their computation.

`Context` holds the inputs that the functions of a family may request. `registry` describes each
measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.coverage import Coverage
from capo_core.evaluation.measures import (
    attribution,
    consistency,
    diversity,
    explanations,
    labels,
    soft_labels,
    style,
)
from capo_core.evaluation.measures.registry import SHUFFLED, measures_of
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER, Stream
from capo_core.progress import Progress, silent
from capo_core.stats.bootstrap import AnyScore, Score
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import normalise

# Registered by importing them.
REGISTERED = (labels, soft_labels, explanations, consistency, style, attribution, diversity)
# Families that are computed for one stream at a time, in this order.
STREAM_FAMILIES = ("labels", "explanations", "style", "diversity")


@dataclass(frozen=True)
class Context:
    """The inputs of all measures, each computed once."""

    dataset: Dataset
    item_ids: tuple[str, ...]
    embedder: Embedder
    coverage: Coverage
    seed: int = 0
    duplicate: float = 0.9

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @cached_property
    def target_labels(self) -> dict[str, list[frozenset[str]]]:
        """Return each annotator's labels of the items that are compared for this annotator."""
        return {
            a: [
                own if self.coverage.compares(a, (item,)) else frozenset()
                for item, own in enumerate(labels.own_labels(self.dataset, self.item_ids, a))
            ]
            for a in self.dataset.annotators
        }

    @cached_property
    def target_texts(self) -> dict[str, list[tuple[str, ...]]]:
        return {
            a: explanations.own_texts(self.dataset, self.item_ids, a)
            for a in self.dataset.annotators
        }

    @cached_property
    def training_texts(self) -> dict[str, list[str]]:
        """Return each annotator's normalised explanations of training items; maybe none."""
        split = self.dataset.items.set_index("item_id")["split"]
        rows = self.dataset.annotations
        rows = rows[rows["item_id"].map(split) == "train"]
        texts = {a: [] for a in self.dataset.annotators}
        for annotator, text in zip(rows["annotator_id"], rows["explanation"], strict=True):
            if text.strip():
                texts[annotator].append(normalise(text))
        return texts

    @cached_property
    def style(self) -> style.StyleSpace:
        return style.style_space(self.dataset)

    @cached_property
    def people(self) -> np.ndarray:
        return soft_labels.people_shares(self.target_labels, self.dataset.task.scale.labels)

    @cached_property
    def crowd(self) -> np.ndarray | None:
        return soft_labels.crowd_shares(self.dataset, self.item_ids)

    def inputs_of_labels(self, stream: Stream) -> dict[str, Any]:
        target_labels = self.target_labels[stream.target]
        return {
            "stream": stream,
            "target_labels": target_labels,
            "scale": self.dataset.task.scale,
        }

    def inputs_of_explanations(self, stream: Stream) -> dict[str, Any] | None:
        if stream.source == HUMAN:  # the target against itself says nothing
            return None
        return {
            "stream": stream,
            "target_texts": self.target_texts[stream.target],
            "embedder": self.embedder,
        }

    def inputs_of_style(self, stream: Stream) -> dict[str, Any]:
        return {"stream": stream, "space": self.style, "item_ids": self.item_ids}

    def inputs_of_diversity(self, stream: Stream) -> dict[str, Any]:
        return {
            "stream": stream,
            "embedder": self.embedder,
            "n_items": self.n_items,
            "seed": self.seed,
            "training_texts": self.training_texts[stream.target],
            "duplicate": self.duplicate,
        }

    def inputs_of_soft(self, method: np.ndarray) -> dict[str, Any]:
        """Return the inputs of soft measures for a label distribution [items, L] (see
        `soft_labels.method_shares`).
        """
        return {
            "people": self.people,
            "method": method,
            "scale": self.dataset.task.scale,
            "crowd": self.crowd,
        }


def scores(
    context: Context, family: str, inputs: Mapping[str, Any]
) -> Iterator[tuple[str, int, AnyScore]]:
    """Yield (measure, k, score) of all measures of a family that are defined on `inputs`."""
    for measure in measures_of(family):
        if measure.fits(context.dataset):
            score = measure.compute(inputs)
            if score is not None:
                yield measure.name, measure.k, score


def stream_scores(
    context: Context, family: str, stream: Stream
) -> Iterator[tuple[str, int, AnyScore]]:
    """Yield (measure, k, score) of one stream; `family` is among `STREAM_FAMILIES`."""
    inputs = getattr(context, f"inputs_of_{family}")(stream)
    if inputs is not None:
        yield from scores(context, family, inputs)


def distribution_scores(
    context: Context, streams: Sequence[Stream]
) -> Iterator[tuple[str, str, str, Score]]:
    """Yield (source, run, measure, score) of the label distributions over all targets.

    All samples of one run count together. A source that does not answer in the place of every
    annotator has none; other people, scored as the target, are people all the same.
    """
    runs: dict[tuple[str, str], list[Stream]] = {}
    for stream in streams:
        if stream.source != OTHER:
            run = "" if stream.source == HUMAN else stream.run
            runs.setdefault((stream.source, run), []).append(stream)
    scale = context.dataset.task.scale
    for (source, run), of_run in runs.items():
        method = soft_labels.method_shares(of_run, context.target_labels, scale.labels)
        if method is not None:
            for name, _, score in scores(context, "soft", context.inputs_of_soft(method)):
                yield source, run, name, score
    guess = np.tile(soft_labels.training_shares(context.dataset), (context.n_items, 1))
    for name, _, score in scores(context, "soft", context.inputs_of_soft(guess)):
        yield GUESS, "", name, score


def consistency_scores(
    context: Context, streams: Sequence[Stream], progress: Progress = silent
) -> Iterator[tuple[str, Stream, str, AnyScore]]:
    """Yield (source, stream, measure, score) of label consistency, of people's own and of methods.

    The source `SHUFFLED` is the floor. Other people's streams are left out: they are not it.
    """
    own = [stream for stream in streams if stream.source != OTHER]
    found = consistency.argued_labels(
        context.dataset, context.item_ids, own, context.embedder, progress=progress
    )
    if found is None:
        return
    scale = context.dataset.task.scale
    for stream, shuffled, inputs in consistency.consistency_inputs(
        own, found, scale, context.n_items
    ):
        for name, _, score in scores(context, "consistency", inputs):
            yield SHUFFLED if shuffled else stream.source, stream, name, score


def attribution_scores(
    context: Context,
    stream: Stream,
    view: attribution.View,
    found: np.ndarray,
    slopes: Mapping[int, float | None],
) -> Iterator[tuple[str, int, Score]]:
    """Yield (measure, k, score) of one stream in one view.

    Args:
        found: [n, C] of `attribution.attributed`.
        slopes: for each k, by `attribution.pooled_slope`.
    """
    for k, slope in slopes.items():
        inputs = {
            "scores": found,
            "item": stream.item,
            "target": context.dataset.annotators.index(stream.target),
            "k": k,
            "slope": slope,
            "n_items": context.n_items,
            "seed": context.seed,
        }
        for name, _, score in scores(context, "attribution", inputs):
            yield view.measure_name(name), k, score


def guesses(context: Context) -> list[Stream]:
    """Return, for each target, its most frequent training label as the answer to every item."""
    every = np.arange(context.n_items)
    return [
        Stream(
            GUESS,
            target,
            "",
            every,
            (labels.majority_label(context.dataset, target),) * context.n_items,
            ("",) * context.n_items,
        )
        for target in context.dataset.annotators
    ]
