"""Explanations against the target's own explanation of the same item.

A response without explanation has nothing in common with any text: it counts with 0. There is no
ceiling to these measures: the target wrote one text an item, and compared with itself it says
nothing.
"""

from __future__ import annotations

import math

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.pooled import item_mean
from capo_core.evaluation.rouge import rouge_l
from capo_core.evaluation.scores import Score
from capo_core.evaluation.streams import Stream
from capo_core.text.embed import Embedder
from capo_core.text.tokens import normalise, words


def own_texts(dataset: Dataset, item_ids: tuple[str, ...], target: str) -> list[tuple[str, ...]]:
    """The target's explanations of each item, those judged invalid left out; empty where none."""
    rows = dataset.annotations
    rows = rows[(rows["annotator_id"] == target) & (rows["valid"] != "false")]
    rows = rows[rows["explanation"].str.strip() != ""]
    written = rows.groupby("item_id", sort=False)["explanation"].agg(tuple)
    return [written.get(item_id, ()) for item_id in item_ids]


def rouge_score(stream: Stream, own: list[tuple[str, ...]]) -> Score | None:
    """Mean ROUGE-L (F-measure) with the target's explanation, 0 to 1; the best one of several."""
    return _mean(stream, own, lambda text, mine: max(rouge_l(text, one) for one in mine))


def embedding_similarity(
    stream: Stream, own: list[tuple[str, ...]], embedder: Embedder
) -> Score | None:
    """Mean cosine of sentence embeddings of normalised texts, −1 to 1; the best one of several."""
    known = [normalise(one) for i in stream.item for one in own[i]]
    texts = list(dict.fromkeys([*known, *(normalise(text) for text in stream.explanations)]))
    vectors = dict(zip(texts, embedder(texts), strict=True))

    def cosine(text: str, mine: tuple[str, ...]) -> float:
        written = normalise(text)
        if not written:
            return 0.0
        return max(float(vectors[written] @ vectors[normalise(one)]) for one in mine)

    return _mean(stream, own, cosine, low=-1.0)


def length_ratio(stream: Stream, own: list[tuple[str, ...]]) -> Score | None:
    """Words written for each word of the target's on the same items: 1 is the target's length.

    The ratio of the two sums. (The mean of ratios would be led by the target's shortest texts.)
    """
    rows = [(i, text) for text, i in zip(stream.explanations, stream.item, strict=True) if own[i]]
    if not rows:
        return None
    item = np.array([i for i, _ in rows])
    written = np.array([len(words(text)) for _, text in rows], dtype=float)
    wanted = np.array([np.mean([len(words(one)) for one in own[i]]) for i in item])
    total = wanted.sum()
    if not total:
        return None
    ratio = float(written.sum() / total)
    influence, weight = np.zeros((1, len(own))), np.zeros(len(own))
    influence[0, item] = (written - ratio * wanted) / total
    weight[item] = wanted / total
    return Score(ratio, influence, len(rows), False, weight, (0.0, math.inf))


def _mean(stream: Stream, own: list[tuple[str, ...]], measure, *, low: float = 0.0) -> Score | None:
    rows = [
        (i, measure(text, own[i]))
        for text, i in zip(stream.explanations, stream.item, strict=True)
        if own[i]
    ]
    if not rows:
        return None
    item, values = (np.array(column) for column in zip(*rows, strict=True))
    return item_mean(values.astype(float), item, n_items=len(own), share=False, bounds=(low, 1.0))
