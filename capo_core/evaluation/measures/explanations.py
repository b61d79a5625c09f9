"""Measures of explanations against the target's own explanation of the same item.

A response without explanation has nothing in common with any text: it counts with 0. There is no
ceiling to these measures: the target wrote one text an item.
"""

from __future__ import annotations

import math

import numpy as np
from rapidfuzz.distance import LCSseq

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.measures.registry import HIGHER, ONE, measure
from capo_core.evaluation.streams import Stream
from capo_core.stats.bootstrap import Score
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import normalise, plain_words, words

TargetTexts = list[tuple[str, ...]]  # the target's explanations of each item; empty where none


def rouge_words(text: str) -> list[str]:
    """Return runs of letters and digits, lower-cased: tokenisation of `rouge-score` for ASCII text.

    That library drops all other letters; here they count, by the words of `tokens`, so that no
    language is left without words.
    """
    return plain_words(text)


def rouge_l(text: str, reference: str) -> float:
    """Return the F-measure of ROUGE-L (Lin 2004), 0 to 1; 0 if one of the two has no word.

    By the longest common subsequence (LCS) of words: F = 2PR / (P + R) with
    P = LCS / |words| and R = LCS / |reference|.
    """
    written, wanted = rouge_words(text), rouge_words(reference)
    if not written or not wanted:
        return 0.0
    return 2 * LCSseq.similarity(written, wanted) / (len(written) + len(wanted))


def own_texts(dataset: Dataset, item_ids: tuple[str, ...], target: str) -> list[tuple[str, ...]]:
    """Return the target's explanations of each item, without invalid ones; empty if none."""
    rows = dataset.annotations
    rows = rows[(rows["annotator_id"] == target) & (rows["valid"] != "false")]
    rows = rows[rows["explanation"].str.strip() != ""]
    written = rows.groupby("item_id", sort=False)["explanation"].agg(tuple)
    return [written.get(item_id, ()) for item_id in item_ids]


@measure(
    "ROUGE-L",
    family="explanations",
    better=HIGHER,
    headline=True,
    meaning="Longest common subsequence of words of an explanation and the target's own on the "
    "same item, as an F-measure. 0 is nothing in common, 1 the same words in the same order.",
)
def rouge_score(stream: Stream, target_texts: TargetTexts) -> Score | None:
    """Return mean ROUGE-L (F-measure) with the target's explanation, 0 to 1; the best one of
    several.
    """
    return _mean(stream, target_texts, lambda text, mine: max(rouge_l(text, one) for one in mine))


@measure(
    "embedding similarity",
    family="explanations",
    short="Embedding cos.",
    better=HIGHER,
    headline=True,
    meaning="Cosine of the sentence embeddings of an explanation and the target's own on the same "
    "item. It reflects content more than style.",
)
def embedding_similarity(
    stream: Stream, target_texts: TargetTexts, embedder: Embedder
) -> Score | None:
    """Return the mean cosine of sentence embeddings of normalised texts, −1 to 1; best one of
    several.
    """
    known = [normalise(one) for i in stream.item for one in target_texts[i]]
    texts = list(dict.fromkeys([*known, *(normalise(text) for text in stream.explanations)]))
    vectors = dict(zip(texts, embedder(texts), strict=True))

    def cosine(text: str, mine: tuple[str, ...]) -> float:
        written = normalise(text)
        if not written:
            return 0.0
        return max(float(vectors[written] @ vectors[normalise(one)]) for one in mine)

    return _mean(stream, target_texts, cosine, low=-1.0)


@measure(
    "length ratio",
    family="explanations",
    better=ONE,
    meaning="Words written for each word of the target's on the same items. 1 is the target's own "
    "length.",
)
def length_ratio(stream: Stream, target_texts: TargetTexts) -> Score | None:
    """Return words written per word of the target's on the same items: 1 is the target's length.

    The ratio of the two sums. (The mean of ratios would be led by the target's shortest texts.)
    """
    rows = [
        (i, text)
        for text, i in zip(stream.explanations, stream.item, strict=True)
        if target_texts[i]
    ]
    if not rows:
        return None
    item = np.array([i for i, _ in rows])
    written = np.array([len(words(text)) for _, text in rows], dtype=float)
    wanted = np.array([np.mean([len(words(one)) for one in target_texts[i]]) for i in item])
    total = wanted.sum()
    if not total:
        return None
    ratio = float(written.sum() / total)
    influence, weight = np.zeros((1, len(target_texts))), np.zeros(len(target_texts))
    influence[0, item] = (written - ratio * wanted) / total
    weight[item] = wanted / total
    return Score(ratio, influence, len(rows), False, weight, (0.0, math.inf))


def _mean(stream: Stream, target_texts: TargetTexts, score, *, low: float = 0.0) -> Score | None:
    rows = [
        (i, score(text, target_texts[i]))
        for text, i in zip(stream.explanations, stream.item, strict=True)
        if target_texts[i]
    ]
    if not rows:
        return None
    item, values = (np.array(column) for column in zip(*rows, strict=True))
    return item_mean(
        values.astype(float), item, n_items=len(target_texts), share=False, bounds=(low, 1.0)
    )
