"""How alike two explanations of one item are, once the item's own words are taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capo_core.text.reduce import mask_input
from capo_core.text.tokens import normalise

_CHUNK = 20_000  # pairs compared at once, so that memory does not grow with their number


def similarities(
    texts: Sequence[str],
    inputs: Sequence[tuple[str, str]],
    left: Sequence[int],
    right: Sequence[int],
) -> np.ndarray:
    """float64 [pairs], 0 to 1: cosine of texts[left[p]] and texts[right[p]].

    The vectors are TF-IDF of word 1–2-grams (1 + log tf, smoothed idf over `texts`), after
    `tokens.normalise` and `reduce.mask_input`: what two people say in the item's words is no
    likeness of manner. Texts that are the same after this have similarity 1. Words are enough for
    finding near-copies, and need no model: some thousand pairs take well under a second.

    Args:
        texts: explanations [n].
        inputs: text_a and text_b of each one's item [n].
        left, right: places in `texts` [pairs].
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    from capo_core.text.represent import count_ngrams

    left, right = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    if not len(left):
        return np.zeros(0)
    reduced = [
        mask_input(normalise(text), (normalise(a), normalise(b)))
        for text, (a, b) in zip(texts, inputs, strict=True)
    ]
    vectors = TfidfTransformer(sublinear_tf=True).fit_transform(count_ngrams(reduced, "words"))
    result = np.zeros(len(left))
    for start in range(0, len(left), _CHUNK):
        part = slice(start, start + _CHUNK)
        product = vectors[left[part]].multiply(vectors[right[part]])
        result[part] = np.asarray(product.sum(axis=1)).ravel()
    # Exactly 1, and so also for texts without a single word, whose vectors are 0.
    number = np.unique(np.array(reduced, dtype=object), return_inverse=True)[1]
    result[number[left] == number[right]] = 1.0
    return np.clip(result, 0.0, 1.0)
