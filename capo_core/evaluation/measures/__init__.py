"""The catalogue of measures: what each means, which direction is better, floor and ceiling.

Every table, page and report takes its words from here.

Which measures are computed for a stream of responses, family by family.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.evaluation.measures import diversity, explanations, soft_labels
from capo_core.evaluation.measures import labels as measures_labels
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.measures.labels import (
    label_accuracy,
    label_error,
    majority_label,
    own_labels,
)
from capo_core.evaluation.measures.style import StyleSpace, style_distance, style_space
from capo_core.evaluation.streams import HUMAN, OTHER, Stream
from capo_core.stats.bootstrap import AnyScore, Score
from capo_core.task import LabelScale
from capo_core.text.embeddings import Embedder

HIGHER, LOWER, LIKE_HUMAN, ONE = "higher", "lower", "as the human", "1"
JUDGE = "judge"  # the family of what a language model says; scored elsewhere (see `judge`)

_OWN_LABEL = "the target's own label (the first of several): as good as right by definition"
_OWN_TEXT = (
    "undefined: what is compared with is the target's own text, and there is no second one by the "
    "target on the same item"
)
_OWN_HELD_OUT = "the target's own held-out texts"
_NO_STAND_IN = (
    "undefined: the distribution is of all annotators together, so that no other one stands in"
)
_MAJORITY = "the target's most frequent label on training items, every time"
_NO_GUESS = "there is no guess for this measure"
_UNLABELLED = "no answer is on an item that the target labelled"


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        name: as in the tables.
        family: labels, soft, explanations, style, attribution, diversity or judge.
        better: "higher", "lower", "1" (nearer to 1) or "as the human" (nearer to the ceiling).
        meaning: two sentences for a person.
        floor, ceiling, chance: what stands there, in words; "undefined: …" where nothing does.
        undefined: why a source may have no value.
        decimals: digits shown after the point.
    """

    name: str
    family: str
    better: str
    meaning: str
    floor: str = "another annotator's answers, taken for the target's"
    ceiling: str = _OWN_LABEL
    chance: str = _MAJORITY
    undefined: str = _UNLABELLED
    decimals: int = 2


MEASURES: tuple[Measure, ...] = (
    Measure("label accuracy", "labels", HIGHER,
            "Share of answers with a label that the target gave the item. An answer that could not "
            "be read is wrong."),
    Measure("macro-F1", "labels", HIGHER,
            "F1 of each label that the target gave, averaged: rare labels count as much as "
            "frequent ones. An answer that could not be read is a miss."),
    Measure("kappa", "labels", HIGHER,
            "Agreement with the target beyond chance (Cohen's κ), with quadratic weights where "
            "labels have distances. 1 is perfect, 0 is what equal label frequencies give.",
            undefined="both sides use one and the same label throughout, or no answer could be "
            "read"),
    Measure("alpha", "labels", HIGHER,
            "Krippendorff's α of the method and the target as two coders. 1 is perfect, 0 is "
            "chance.",
            undefined="only one label is used, or no answer could be read"),
    Measure("label error", "labels", LOWER,
            "Mean distance to the target's label in points of the scale. Answers that could not be "
            "read are left out.",
            undefined="no answer on an item that the target labelled could be read"),
    Measure("LeWiDi error rate", "labels", LOWER,
            "LeWiDi-2025's perspectivist error rate: share of labels that are wrongly given or "
            "wrongly not given. With three labels, one wrong answer costs 2/3.", decimals=3),
    Measure("LeWiDi absolute distance", "labels", LOWER,
            "LeWiDi-2025's normalised absolute distance: distance to the target's label divided by "
            "the number of labels of the scale. An answer that could not be read counts as the "
            "farther end of the scale.", decimals=3),
    *(
        Measure(name, "soft", LOWER, meaning, floor=_NO_STAND_IN,
                ceiling="the people's own labels (the first of several): 0, but for those",
                chance="every item answered with the label distribution of the training items",
                undefined="needs readable answers in the place of every annotator", decimals=3)
        for name, meaning in (
            ("Manhattan distance",
             "Distance of the method's label distribution over all targets from that of the people "
             "who labelled the item: Σ|p − q|, 0 to 2. It judges the variation, not one person."),
            ("Wasserstein distance",
             "By how many points labels must be moved, on average, to turn the method's label "
             "distribution into the people's. LeWiDi-2025's soft measure for ordinal labels."),
            ("LeWiDi Manhattan distance",
             "LeWiDi-2025's soft measure where one person may give several labels: 2·|p − q| "
             "averaged over labels. 0 is perfect, 2 is the worst."),
            ("Manhattan distance to the crowd",
             "Distance of the method's label distribution over all targets from that of many other "
             "people, where the dataset has them: Σ|p − q|, 0 to 2."),
        )
    ),
    *(
        Measure(name, "explanations", better, meaning, ceiling=_OWN_TEXT,
                chance=f"undefined: {_NO_GUESS}",
                undefined="no answer is on an item that the target explained")
        for name, better, meaning in (
            ("ROUGE-L", HIGHER,
             "How long a sequence of words an explanation has in common with the target's own on "
             "the same item. 0 is nothing, 1 the same words in the same order."),
            ("embedding similarity", HIGHER,
             "Cosine of the sentence embeddings of an explanation and the target's own on the same "
             "item. It sees what is said more than how."),
            ("length ratio", ONE,
             "Words written for each word of the target's on the same items. 1 is the target's own "
             "length."),
        )
    ),
    Measure("style distance", "style", LOWER,
            "Jensen–Shannon divergence between the style features of the texts and those of the "
            "target's training texts, averaged over features. The target's own held-out texts are "
            "not at 0 either: few texts vary.",
            ceiling=_OWN_HELD_OUT, chance=f"undefined: {_NO_GUESS}",
            undefined="there is no explanation", decimals=3),
    *(
        Measure(name, "diversity", LIKE_HUMAN, meaning, ceiling=_OWN_HELD_OUT,
                chance=f"undefined: {_NO_GUESS}",
                undefined="too few explanations with at least two words")
        for name, meaning in (
            ("distinct-2",
             "Different word pairs per word pair in groups of eight explanations. Below the "
             "human's value, a method repeats itself."),
            ("self-similarity",
             "Mean cosine of the embeddings of two of a method's explanations on different items. "
             "Above the human's value, a method writes the same whatever the item."),
        )
    ),
)  # fmt: skip
_BY_NAME = {measure.name: measure for measure in MEASURES}


def measure(name: str) -> Measure:
    """The measure of that name, "attribution (…)", "probability (…)" and "judge (…)" among them.

    Raises:
        ConfigError: there is none.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    kind, _, view = name.partition(" (")
    shared = {
        "floor": "another annotator's held-out texts, taken for the target's",
        "ceiling": _OWN_HELD_OUT,
        "chance": "one in the number of annotators",
        "undefined": "there are fewer answers than one group needs",
    }
    if kind == "attribution" and view:
        return Measure(name, "attribution", HIGHER,
                       "Share of groups of k explanations that a classifier gives to the target; "
                       "it knows only what people wrote on training items. At the ceiling, texts "
                       "are given to the target as often as its own.", **shared)  # fmt: skip
    if kind == "probability" and view:
        return Measure(name, "attribution", HIGHER,
                       "Mean probability of the target by the same classifier, fitted so that on "
                       "people's texts it is right as often as it says. Finer than the share, "
                       "which only counts who comes first.", **shared)  # fmt: skip
    if kind == JUDGE and view:
        shared["undefined"] = "the judge was not asked about these answers"
        return Measure(name, JUDGE, HIGHER,
                       "Share of trials in which a language model that sees cards of all "
                       "annotators names the target. The ceiling is its own accuracy on people's "
                       "texts: where that is near chance, the rest means nothing.",
                       **shared)  # fmt: skip
    raise ConfigError(f"there is no measure {name!r}", expected=f"one of {', '.join(_BY_NAME)}")


FAMILIES = ("labels", "soft", "explanations", "style", "attribution", "diversity")


def fits(name: str, scale: LabelScale) -> bool:
    """Whether a measure makes sense on this label scale."""
    ordinal = ("label error", "LeWiDi absolute distance", "Wasserstein distance")
    nominal = ("LeWiDi error rate", "LeWiDi Manhattan distance")
    return scale.ordinal if name in ordinal else not (scale.ordinal and name in nominal)


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
        return soft_labels.people_shares(self.labels, self.dataset.task.scale.labels)


def of_labels(context: Context, stream: Stream) -> Iterator[Named]:
    """Labels against the target's own."""
    own, scale = context.labels[stream.target], context.dataset.task.scale
    yield "label accuracy", 0, label_accuracy(stream, own)
    yield "macro-F1", 0, measures_labels.macro_f1(stream, own, scale)
    yield "kappa", 0, measures_labels.kappa(stream, own, scale)
    yield "alpha", 0, measures_labels.alpha(stream, own, scale)
    if scale.ordinal:
        yield "label error", 0, label_error(stream, own)
        yield "LeWiDi absolute distance", 0, measures_labels.absolute_distance(stream, own, scale)
    else:
        yield "LeWiDi error rate", 0, measures_labels.error_rate(stream, own, scale)


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
        method = soft_labels.method_shares(own, context.labels, labels)
        if method is not None:
            for name, score in _distances(context, method):
                yield source, run, name, score
    guess = np.tile(soft_labels.training_shares(context.dataset), (context.n_items, 1))
    for name, score in _distances(context, guess):
        yield GUESS, "", name, score


def _distances(context: Context, method: np.ndarray) -> Iterator[tuple[str, Score]]:
    yield from soft_labels.distances(context.people, method, context.dataset.task.scale).items()
    crowd = soft_labels.crowd_shares(context.dataset, context.item_ids)
    if crowd is None:
        return
    total = method.sum(axis=1, keepdims=True)
    far = measures_labels.manhattan(crowd, method / np.where(total > 0, total, np.nan))
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
