"""Controls of the ladder: views that must not identify annotators, or do so without style."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from capo_core.errors import ConfigError
from capo_core.stability.corpus import ExplanationCorpus
from capo_core.text.reductions import reduction_title
from capo_core.text.representations import DenseFeatures, Features, Representer
from capo_core.text.tokens import words


@dataclass(frozen=True)
class Control:
    """A control of the ladder.

    Attributes:
        name: in tables; title: the label on screens and in figures.
        description: one sentence for help texts and the documentation.
    """

    name: str
    title: str
    description: str


# The controls that belong to no reduction; those of the reductions stand beside them
# (`text.reductions`).
CONTROLS: dict[str, Control] = {
    control.name: control
    for control in (
        Control(
            "shuffled",
            "Permutation null",
            "The same pipeline with annotators shuffled within each item.",
        ),
        Control(
            "shuffled_within_label",
            "Permutation null within labels",
            "Annotators shuffled only among equal labels of an item: the stricter null, under "
            "which the label may identify an annotator but the text may not. Where few annotators "
            "agree on a label few texts can move, and this null stays near the observed accuracy.",
        ),
        Control("label", "Label only", "The label alone, without the explanation."),
        Control("length", "Length only", "Number of words and characters alone."),
        Control(
            "input",
            "Input text only",
            "The item's own texts alone, the same for all annotators of an item.",
        ),
        Control(
            "others_mean",
            "Other annotators' mean only",
            "The mean of the other annotators' explanations of the item, without the annotator's "
            "own: what this reaches is a leak.",
        ),
        Control(
            "item_centred",
            "Item-centred (leaks)",
            "The explanation minus the item's mean: contains the leak of the other annotators' "
            "mean and is therefore no reduction.",
        ),
        Control(
            "formatting",
            "Formatting only",
            "Typing habits alone (case, outer spaces, the final period), which are normalised "
            "away before anything else is measured.",
        ),
        Control(
            "same_label",
            "Equal labels matched",
            "The texts of two annotators who gave an item the same label, matched to the two "
            "(chance 50 %).",
        ),
    )
}


def control_title(name: str) -> str:
    """Return the title of a control (ladder or reduction); an unknown name stays unchanged."""
    return CONTROLS[name].title if name in CONTROLS else reduction_title(name)


_FEATURE_CONTROLS = ("label", "length", "input", "others_mean", "item_centred")


def control_features(control: str, corpus: ExplanationCorpus, representer: Representer) -> Features:
    """Return the features of a control that is a representation of its own.

    Raises:
        ConfigError: there is no such control.
    """
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
            f"there is no control {control!r}", expected=f"one of {', '.join(_FEATURE_CONTROLS)}"
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
    """Return the mean of the other rows of each row's item [n, d], and where there is none [n].

    Such a mean is zero.
    """
    n = len(item)
    picker = sparse.csr_matrix((np.ones(n, np.float32), (item, np.arange(n))))
    count = np.bincount(item)[item]
    total = (picker @ vectors)[item]
    alone = count == 1
    mean = (total - vectors) / np.maximum(count - 1, 1)[:, None]
    mean[alone] = 0
    return mean.astype(np.float32), alone


_ALL_PAIRS = 40


def same_label_pairs(corpus: ExplanationCorpus) -> np.ndarray:
    """Return the pairs of rows [pairs, 2] of one item and one label by two annotators.

    All of them; where more than `_ALL_PAIRS` annotators gave an item the same label, each row with
    the next half as many, so that their number stays linear in the rows.
    """
    key = corpus.item.astype(np.int64) * len(corpus.labels) + corpus.label
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(key[order]) != 0, True])
    sizes = np.diff(starts)
    pairs, group = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for size in np.unique(sizes[sizes > 1]):  # all groups of one size together
        which = np.flatnonzero(sizes == size)
        rows = order[starts[which][:, None] + np.arange(size)]
        if size > _ALL_PAIRS:
            left = np.repeat(np.arange(size), _ALL_PAIRS // 2)
            right = (left + np.tile(np.arange(1, _ALL_PAIRS // 2 + 1), size)) % size
        else:
            left, right = np.triu_indices(size, 1)
        pairs.append(np.stack([rows[:, left], rows[:, right]], axis=2).reshape(-1, 2))
        group.append(np.repeat(which, len(left)))
    # In the order of items and labels, whatever their sizes.
    found = np.concatenate(pairs)[np.argsort(np.concatenate(group), kind="stable")]
    return found[corpus.annotator[found[:, 0]] != corpus.annotator[found[:, 1]]]


def pair_hits(score: np.ndarray, corpus: ExplanationCorpus, pairs: np.ndarray) -> np.ndarray:
    """Match each pair of texts to its two annotators under one partition's scores [pairs].

    1 where the scores of the true assignment sum to more than those of the swapped one, 0.5 for a
    tie, else 0. Both texts are held out together, since they are of one item.
    """
    first, second = pairs.T
    one, two = corpus.annotator[first], corpus.annotator[second]
    gain = score[first, one] + score[second, two] - score[first, two] - score[second, one]
    return (gain > 1e-6) + 0.5 * (np.abs(gain) <= 1e-6)


def matched_accuracy(
    hits: list[np.ndarray], corpus: ExplanationCorpus, pairs: np.ndarray
) -> tuple[float, float, int, int]:
    """Return the accuracy of `pairs`, its standard error, and the numbers of items and pairs.

    Args:
        hits: the `pair_hits` of each partition; their mean counts. The error is over items.
    """
    first = pairs[:, 0]
    hit = np.mean(hits, axis=0)
    accuracy = float(hit.mean())
    influence = np.bincount(corpus.item[first], hit - accuracy) / len(pairs)
    n_items = len(np.unique(corpus.item[first]))
    return accuracy, float(np.sqrt((influence**2).sum())), n_items, len(pairs)
