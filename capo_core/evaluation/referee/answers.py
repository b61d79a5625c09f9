"""Answers of people and methods to the held-out items, and their similarity to one another.

A person has one answer an item (the first valid one), which is compared with all valid answers of
another person to it: where that person gave several labels or explanations, the nearest counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.explanations import own_texts, rouge_l
from capo_core.evaluation.measures.labels import own_labels
from capo_core.evaluation.streams import HUMAN, OTHER, Stream
from capo_core.task import LabelScale
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import normalise

LABELS, WORDS, EMBEDDING, LIKELIHOOD = "labels", "words", "embedding", "likelihood"
SIMILARITIES = {
    LABELS: "Labels",
    WORDS: "Explanations (ROUGE-L)",
    EMBEDDING: "Explanations (sentence embedding)",
    LIKELIHOOD: "Explanations (likelihood)",
}
# From an answer ("" where it could not be read) and each other's answers to the item: a number, the
# higher the more similar.
Score = Callable[[str, Sequence[tuple[str, ...]]], float]


@dataclass(frozen=True)
class Similarity:
    """Similarity of answers.

    Attributes:
        name: a key of `SIMILARITIES`.
        people: annotator → answers to each item, maybe several; empty where there is none.
        of: from a stream to its answers.
        score: see `Score`.
    """

    name: str
    people: Mapping[str, Sequence[tuple[str, ...]]]
    of: Callable[[Stream], Sequence[str]]
    score: Score


def similarities(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    outputs: Iterable[Stream],
    families: Sequence[str],
    embedder: Embedder | None,
) -> list[Similarity]:
    """Return the similarities that an evaluation of these families has.

    Args:
        embedder: None: none by sentence embedding.
    """
    found = []
    if "labels" in families:
        found.append(_of_labels(dataset, item_ids))
    if "explanations" in families:
        texts = {a: own_texts(dataset, item_ids, a) for a in dataset.annotators}
        found.append(Similarity(WORDS, texts, _explanations, _mean_of(rouge_l)))
        if embedder is not None:
            found.append(_of_embeddings(texts, outputs, embedder))
    return found


def _explanations(stream: Stream) -> Sequence[str]:
    return stream.explanations


def _of_labels(dataset: Dataset, item_ids: tuple[str, ...]) -> Similarity:
    people = {}
    rows = dataset.annotations
    first = rows[rows["valid"] != "false"].drop_duplicates(["item_id", "annotator_id"])
    for annotator in dataset.annotators:
        own = first[first["annotator_id"] == annotator]
        begin = dict(zip(own["item_id"], own["label"], strict=True))
        sets = own_labels(dataset, item_ids, annotator)
        people[annotator] = [
            (begin[i], *sorted(given - {begin[i]})) if given else ()
            for i, given in zip(item_ids, sets, strict=True)
        ]
    scale = dataset.task.scale
    score = _ordinal(scale) if scale.ordinal else _mean_of(lambda one, other: float(one == other))
    return Similarity(LABELS, people, lambda stream: stream.labels, score)


def _mean_of(alike: Callable[[str, str], float]) -> Score:
    """Return the mean over the others of the similarity to the nearest of each one's answers.

    What could not be read is similar to nothing (0).
    """

    def score(answer: str, others: Sequence[tuple[str, ...]]) -> float:
        if not answer.strip():
            return 0.0
        return float(np.mean([max(alike(answer, one) for one in other) for other in others]))

    return score


def _ordinal(scale: LabelScale) -> Score:
    """Return minus the root mean square distance to the others' nearest labels, in points.

    What could not be read is as far away as the scale allows.
    """
    ends = (scale.number(scale.labels[0]), scale.number(scale.labels[-1]))

    def score(answer: str, others: Sequence[tuple[str, ...]]) -> float:
        values = [[scale.number(one) for one in other] for other in others]
        if answer:
            mine = scale.number(answer)
            away = [min(abs(mine - value) for value in other) for other in values]
        else:
            away = [max(min(abs(end - v) for v in other) for end in ends) for other in values]
        return -math.sqrt(np.mean(np.square(away)))

    return score


def _of_embeddings(
    texts: Mapping[str, Sequence[tuple[str, ...]]], outputs: Iterable[Stream], embedder: Embedder
) -> Similarity:
    written = [one for own in texts.values() for several in own for one in several]
    written += [one for stream in outputs for one in stream.explanations]
    forms = list(dict.fromkeys(normalise(one) for one in written))
    vectors = dict(zip(forms, embedder(forms), strict=True))

    def cosine(one: str, other: str) -> float:
        return float(vectors[normalise(one)] @ vectors[normalise(other)])

    return Similarity(EMBEDDING, texts, _explanations, _mean_of(cosine))


def of_methods(outputs: Iterable[Stream]) -> dict[str, dict[str, list[Stream]]]:
    """Return source → target → streams (seeds, samples) of the methods among `outputs`."""
    found: dict[str, dict[str, list[Stream]]] = {}
    for stream in outputs:
        if stream.source not in (HUMAN, OTHER) and len(stream):
            found.setdefault(stream.source, {}).setdefault(stream.target, []).append(stream)
    return found


def by_item(stream: Stream, answers: Sequence[str]) -> dict[int, str]:
    """Return item → answer of a stream."""
    return dict(zip(stream.item.tolist(), answers, strict=True))
