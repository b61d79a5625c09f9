"""Controls of the ladder: what must not be able to tell annotators apart, and what can without
their manner."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import sparse

from capo_core.errors import ConfigError
from capo_core.stability.corpus import ExplanationCorpus, Partition
from capo_core.text.representations import DenseFeatures, Features, Representer
from capo_core.text.tokens import words

CONTROLS = (
    "shuffled",
    "shuffled_within_label",
    "random_mask",
    "random_subspace",
    "residual_shuffled",
    "label",
    "length",
    "input",
    "others_mean",
    "item_centred",
    "formatting",
    "same_label",
)

MEANING = {
    "shuffled": "the same pipeline with annotators shuffled within each item: the null itself",
    "shuffled_within_label": "the same, shuffled only among equal labels of an item: the stricter "
    "null, in which the label may speak but the text may not. Where few annotators agree on a "
    "label few texts can move, and this null stays near the observed accuracy",
    "random_mask": "as many words replaced as input words were, but random ones: what masking "
    "costs when it does not aim at the input",
    "random_subspace": "as many random directions removed as input directions were",
    "residual_shuffled": "the ridge residual with each item paired with another item's input",
    "label": "the label alone, without a word of the explanation",
    "length": "the length alone: words and characters",
    "input": "the item's own texts alone; the same for all annotators of an item",
    "others_mean": "the mean of the other annotators' explanations of the item; the own text is "
    "never seen, so what this reaches is a leak",
    "item_centred": "the explanation minus the item's mean: contains the leak of 'others_mean' and "
    "is therefore no reduction",
    "formatting": "habits of typing alone (case, outer spaces, the final period), which are "
    "normalised away before anything else is measured",
    "same_label": "two annotators who gave one item the same label: whose text is whose? (chance "
    "one half)",
}

_FEATURE_CONTROLS = ("label", "length", "input", "others_mean", "item_centred")


def control_features(control: str, corpus: ExplanationCorpus, representer: Representer) -> Features:
    """Features of a control that is a representation of its own."""
    if control == "label":
        one_hot = np.eye(len(corpus.labels), dtype=np.float32)[corpus.label]
        number = corpus.label_numbers[corpus.label].astype(np.float32)
        return DenseFeatures(np.column_stack([one_hot, number, number**2]), standardise=True)
    if control == "length":
        n_words = np.array([len(words(text)) for text in corpus.texts], dtype=np.float32)
        n_chars = np.array([len(text) for text in corpus.texts], dtype=np.float32)
        columns = [n_words, n_chars, np.log1p(n_words), np.log1p(n_chars)]
        return DenseFeatures(np.column_stack(columns), standardise=True)
    if control == "input":
        return DenseFeatures(representer.input_pair()[corpus.item])
    if control not in _FEATURE_CONTROLS:
        raise ConfigError(
            f"there is no control {control!r}", expected=f"one of {', '.join(CONTROLS)}"
        )
    vectors = representer.features("embedding").whole()
    others, alone = others_mean(vectors, corpus.item)
    if control == "others_mean":
        return DenseFeatures(others)
    count = np.bincount(corpus.item)[corpus.item][:, None]
    centred = (vectors - others) * (count - 1) / count  # x minus the mean with x in it
    centred[alone] = 0
    return DenseFeatures(centred.astype(np.float32))


def others_mean(vectors: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the other rows of each row's item [n, d]; zero where there is none, and where [n]."""
    n = len(item)
    picker = sparse.csr_matrix((np.ones(n, np.float32), (item, np.arange(n))))
    count = np.bincount(item)[item]
    total = (picker @ vectors)[item]
    alone = count == 1
    mean = (total - vectors) / np.maximum(count - 1, 1)[:, None]
    mean[alone] = 0
    return mean.astype(np.float32), alone


def same_label_pairs(corpus: ExplanationCorpus) -> np.ndarray:
    """All pairs of rows [pairs, 2] of one item and one label by two annotators."""
    key = corpus.item.astype(np.int64) * len(corpus.labels) + corpus.label
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(key[order]) != 0, True])
    pairs = []
    for begin, end in pairwise(starts):
        rows = order[begin:end]
        left, right = np.triu_indices(len(rows), 1)
        pairs.append(np.column_stack([rows[left], rows[right]]))
    found = np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64)
    return found[corpus.annotator[found[:, 0]] != corpus.annotator[found[:, 1]]]


def same_label_accuracy(
    scores: list[np.ndarray], corpus: ExplanationCorpus, parts: list[Partition], pairs: np.ndarray
) -> tuple[float, float, int, int]:
    """Whose is whose, for `pairs` of rows: (accuracy, standard error over items, items, pairs).

    Right where the two scores for the true assignment sum to more than for the swapped one; a tie
    counts one half. Both texts are held out together, since they are of one item.
    """
    first, second = pairs.T
    one, two = corpus.annotator[first], corpus.annotator[second]
    hit = np.zeros(len(pairs))
    for score in scores:
        gain = score[first, one] + score[second, two] - score[first, two] - score[second, one]
        hit += ((gain > 1e-6) + 0.5 * (np.abs(gain) <= 1e-6)) / len(parts)
    accuracy = float(hit.mean())
    influence = np.bincount(corpus.item[first], hit - accuracy) / len(pairs)
    n_items = len(np.unique(corpus.item[first]))
    return accuracy, float(np.sqrt((influence**2).sum())), n_items, len(pairs)
