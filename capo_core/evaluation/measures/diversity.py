"""Measures of diversity within a stream, to be compared with the human's own."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from capo_core.evaluation.measures.attribution import group_mean, group_orders
from capo_core.evaluation.measures.registry import LIKE_HUMAN, measure
from capo_core.evaluation.streams import Stream
from capo_core.stats.bootstrap import Score
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import normalise, words

GROUP = 8  # texts whose word pairs are counted together
_GROUPINGS = 40  # a value of a group is costly here, and hardly varies


def word_pairs(text: str) -> list[tuple[str, str]]:
    """Return the neighbouring words of a text."""
    return list(pairwise(words(text)))


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
    """Return mean distinct-2 (Li et al. 2016) of groups of `k` explanations on different items, 0
    to 1.

    Distinct word pairs per word pair: 1 where no pair comes twice; it falls with the number of
    texts, so all groups have one size. None where no group can be filled, or a group has no pair.
    """
    written = np.flatnonzero([bool(text.strip()) for text in stream.explanations])
    order = group_orders(len(written), k, seed=seed, groupings=_GROUPINGS)
    if order is None:
        return None
    pairs = [word_pairs(stream.explanations[row]) for row in written]
    values = np.zeros(order.shape[:2])
    for place in np.ndindex(*values.shape):
        found = [pair for row in order[place] for pair in pairs[row]]
        if not found:
            return None
        values[place] = len(set(found)) / len(found)
    return group_mean(
        values, order, stream.item[written], n_items=n_items, groupings=_GROUPINGS, share=False
    )


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
    written = np.flatnonzero([bool(text.strip()) for text in stream.explanations])
    n = len(written)
    if n < 2:
        return None
    vectors = embedder([normalise(stream.explanations[row]) for row in written]).astype(float)
    total = vectors.sum(axis=0)
    # Σ_j≠i cos(i, j) without making the n × n matrix.
    others = (vectors @ total - (vectors**2).sum(axis=1)) / (n - 1)
    value = float(others.mean())
    influence, weight = np.zeros((1, n_items)), np.zeros(n_items)
    item = stream.item[written]
    influence[0, item] = 2 * (others - value) / n
    weight[item] = 1 / n
    return Score(value, influence, n, False, weight, (-1.0, 1.0))
