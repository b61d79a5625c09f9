"""Measures of diversity, length and copying of a stream, to be compared with the human's own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from capo_core.evaluation.measures.attribution import group_mean, group_orders, item_mean
from capo_core.evaluation.measures.registry import LIKE_HUMAN, measure
from capo_core.evaluation.streams import Stream
from capo_core.stats.bootstrap import Score
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import normalise, words

GROUP = 8  # texts whose word pairs are counted together
_GROUPINGS = 40  # a value of a group is costly here, and hardly varies


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    """Return the runs of `n` neighbouring words of a text."""
    found = words(text)
    return list(zip(*(found[start:] for start in range(n)), strict=False))


def _written(stream: Stream) -> np.ndarray:
    """Return the rows of a stream that have an explanation."""
    return np.flatnonzero([bool(text.strip()) for text in stream.explanations])


@measure(
    "distinct-1",
    family="diversity",
    better=LIKE_HUMAN,
    k=GROUP,
    meaning="Distinct words per word in groups of eight explanations. A method below the human's "
    "value uses fewer words again and again.",
)
def grouped_distinct_1(
    stream: Stream, *, n_items: int, k: int = GROUP, seed: int = 0
) -> Score | None:
    """Return mean distinct-1 of groups of `k` explanations (see `grouped_distinct`)."""
    return grouped_distinct(stream, 1, n_items=n_items, k=k, seed=seed)


@measure(
    "distinct-2",
    family="diversity",
    better=LIKE_HUMAN,
    k=GROUP,
    meaning="Distinct word pairs per word pair in groups of eight explanations. A method below the "
    "human's value repeats itself.",
)
def grouped_distinct_2(
    stream: Stream, *, n_items: int, k: int = GROUP, seed: int = 0
) -> Score | None:
    """Return mean distinct-2 of groups of `k` explanations (see `grouped_distinct`)."""
    return grouped_distinct(stream, 2, n_items=n_items, k=k, seed=seed)


@measure(
    "distinct-3",
    family="diversity",
    better=LIKE_HUMAN,
    k=GROUP,
    meaning="Distinct runs of three words per run in groups of eight explanations. A method below "
    "the human's value repeats whole phrases.",
)
def grouped_distinct_3(
    stream: Stream, *, n_items: int, k: int = GROUP, seed: int = 0
) -> Score | None:
    """Return mean distinct-3 of groups of `k` explanations (see `grouped_distinct`)."""
    return grouped_distinct(stream, 3, n_items=n_items, k=k, seed=seed)


def grouped_distinct(
    stream: Stream, n: int, *, n_items: int, k: int = GROUP, seed: int = 0
) -> Score | None:
    """Return mean distinct-n (Li et al. 2016) of groups of `k` explanations on different items, 0
    to 1.

    Distinct n-grams of words per n-gram: 1 where none comes twice; it falls with the number of
    texts, so all groups have one size. None where no group can be filled, or a group has no n-gram.
    """
    written = _written(stream)
    order = group_orders(len(written), k, seed=seed, groupings=_GROUPINGS)
    if order is None:
        return None
    grams = [ngrams(stream.explanations[row], n) for row in written]
    values = np.zeros(order.shape[:2])
    for place in np.ndindex(*values.shape):
        found = [gram for row in order[place] for gram in grams[row]]
        if not found:
            return None
        values[place] = len(set(found)) / len(found)
    return group_mean(
        values, order, stream.item[written], n_items=n_items, groupings=_GROUPINGS, share=False
    )


@measure(
    "self-overlap",
    family="diversity",
    better=LIKE_HUMAN,
    meaning="Word pairs that two explanations on different items share (ROUGE-2), averaged over "
    "pairs. A method above the human's value repeats its wording whatever the item.",
)
def self_overlap(stream: Stream, *, n_items: int) -> Score | None:
    """Return the mean ROUGE-2 F-measure of two explanations on different items, 0 to 1.

    The homogenisation score of Padmakumar & He (2024) with ROUGE-2 (Lin 2004) on sets of word
    pairs; a U-statistic as `self_similarity` is. None with fewer than two explanations.
    """
    written = _written(stream)
    if len(written) < 2:
        return None
    sets = [set(ngrams(stream.explanations[row], 2)) for row in written]
    places = {gram: n for n, gram in enumerate(dict.fromkeys(g for one in sets for g in one))}
    sizes = np.array([len(one) for one in sets], dtype=float)
    columns = np.array([places[gram] for one in sets for gram in one], dtype=np.int64)
    rows = np.repeat(np.arange(len(sets)), sizes.astype(int))
    shape = (len(sets), max(1, len(places)))
    matrix = sparse.csr_matrix((np.ones(len(columns)), (rows, columns)), shape=shape)
    both = (matrix @ matrix.T).toarray()
    total = np.maximum(sizes[:, None] + sizes[None, :], 1)
    overlap = 2 * both / total
    np.fill_diagonal(overlap, 0.0)
    others = overlap.sum(axis=1) / (len(sets) - 1)
    return _pair_mean(others, stream.item[written], n_items=n_items, bounds=(0.0, 1.0))


@measure(
    "self-similarity",
    family="diversity",
    better=LIKE_HUMAN,
    meaning="Mean cosine of the embeddings of two of a method's explanations on different items. A "
    "method above the human's value writes the same whatever the item.",
)
def self_similarity(stream: Stream, embedder: Embedder, *, n_items: int) -> Score | None:
    """Return the mean cosine of the embeddings of two explanations on different items, −1 to 1.

    Above the human's own value, a method repeats itself. A U-statistic: an item's influence is
    2/n · (its mean similarity to the others − the mean). None with fewer than two explanations.
    """
    written = _written(stream)
    n = len(written)
    if n < 2:
        return None
    vectors = embedder([normalise(stream.explanations[row]) for row in written]).astype(float)
    total = vectors.sum(axis=0)
    # Σ_j≠i cos(i, j) without making the n × n matrix.
    others = (vectors @ total - (vectors**2).sum(axis=1)) / (n - 1)
    return _pair_mean(others, stream.item[written], n_items=n_items, bounds=(-1.0, 1.0))


def _pair_mean(
    others: np.ndarray, item: np.ndarray, *, n_items: int, bounds: tuple[float, float]
) -> Score:
    """Return the mean over pairs from each text's mean with the others [n], as a U-statistic."""
    n, value = len(others), float(others.mean())
    influence, weight = np.zeros((1, n_items)), np.zeros(n_items)
    influence[0, item] = 2 * (others - value) / n
    weight[item] = 1 / n
    return Score(value, influence, n, False, weight, bounds)


@measure(
    "words per explanation",
    family="diversity",
    short="Words per text",
    better=LIKE_HUMAN,
    decimals=1,
    meaning="Mean number of words of an explanation. Longer and shorter than the human's is both "
    "a difference.",
)
def explanation_length(stream: Stream, *, n_items: int) -> Score | None:
    """Return the mean number of words of an explanation; None without any."""
    written = _written(stream)
    if not len(written):
        return None
    lengths = np.array([len(words(stream.explanations[row])) for row in written], dtype=float)
    return item_mean(
        lengths, stream.item[written], n_items=n_items, share=False, bounds=(0.0, math.inf)
    )


@measure(
    "near-duplicates",
    family="diversity",
    better=LIKE_HUMAN,
    meaning="Share of explanations that are nearly the same as one that the target wrote on a "
    "training item. People repeat themselves too: above the human's value, a method copies.",
)
def near_duplicates(
    stream: Stream, training_texts: Sequence[str], duplicate: float, *, n_items: int
) -> Score | None:
    """Return the share of explanations with a near-duplicate among the training texts, 0 to 1.

    Args:
        training_texts: the target's explanations of training items, normalised.
        duplicate: similarity from which two normalised texts count as the same, 0 to 1: one minus
            their insertions and deletions over the length of both (normalised Indel similarity).

    Returns:
        None without an explanation, or without training texts.
    """
    from rapidfuzz import fuzz, process

    written = _written(stream)
    if not len(written) or not training_texts:
        return None
    texts = [normalise(stream.explanations[row]) for row in written]
    alike = process.cdist(texts, list(training_texts), scorer=fuzz.ratio,
                          score_cutoff=100 * duplicate)  # fmt: skip
    copied = (alike.max(axis=1) >= 100 * duplicate).astype(float)
    return item_mean(copied, stream.item[written], n_items=n_items)
