"""Explanations against the target's own explanation of the same item.

A response without explanation has nothing in common with any text: it counts with 0. There is no
ceiling to these measures: the target wrote one text an item, and compared with itself it says
nothing.

ROUGE-L (Lin 2004): how long a sequence of words two texts have in common, in order.
"""

from __future__ import annotations

import math
import re

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.streams import Stream
from capo_core.stats.bootstrap import Score
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import normalise, words

_WORD = re.compile(r"[^\W_]+")


def rouge_words(text: str) -> list[str]:
    """Letters and digits in a row, lower-cased: as the library `rouge-score` cuts ASCII text.

    That library drops all other letters; here they count, so that no language is left without
    words.
    """
    return _WORD.findall(text.lower())


def common_subsequence(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence; time goes with the product of the lengths."""
    previous = [0] * (len(other) + 1)
    for word in one:
        row = [0]
        for column, against in enumerate(other):
            same = word == against
            row.append(previous[column] + 1 if same else max(row[column], previous[column + 1]))
        previous = row
    return previous[-1]


def rouge_l(text: str, reference: str) -> float:
    """F-measure of ROUGE-L, 0 to 1; 0 where one of the two has no word."""
    words, wanted = rouge_words(text), rouge_words(reference)
    if not words or not wanted:
        return 0.0
    # F = 2PR / (P + R) with P = lcs / |words| and R = lcs / |wanted|.
    return 2 * common_subsequence(words, wanted) / (len(words) + len(wanted))


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
