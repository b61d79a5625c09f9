"""Distance of a writing style from the target's: divergence of binned style features.

Each style feature (`text.stylometry`) is cut into bins by the human training explanations; the
distance is the Jensen–Shannon divergence (Lin 1991, in bits: 0 to 1) between the responses' and the
target's shares of the bins, averaged over features. The target's side is the target's texts on
training items. A small sample always differs from a large one, so no distance is 0: the distance of
the target's own held-out texts from the same training texts is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import training_rows
from capo_core.evaluation.measures.registry import LOWER, measure
from capo_core.evaluation.streams import Stream
from capo_core.stats.bootstrap import ResampledScore, resample
from capo_core.text import stylometry
from capo_core.text.tagging import other_language
from capo_core.text.tokens import normalise

BINS = 10  # at most so many for a feature, with about the same number of human texts in each


@dataclass(frozen=True)
class StyleSpace:
    """Bins of the style features, and each annotator's distribution over them in training texts.

    Attributes:
        features: names of the features that vary among the human texts.
        edges: ascending, for each feature; a value is in bin b where b edges lie below it.
        own: annotator → shares of the bins [all bins], those of each feature in a row.
        inputs: item → its two texts.
        english: whether features that count English words are among them.
    """

    features: tuple[str, ...]
    edges: tuple[np.ndarray, ...]
    own: dict[str, np.ndarray]
    inputs: dict[str, tuple[str, str]]
    english: bool = True

    @property
    def starts(self) -> np.ndarray:
        """First bin of each feature."""
        return np.cumsum([0, *(len(edges) + 1 for edges in self.edges)])[:-1]

    def one_hot(self, table: pd.DataFrame) -> np.ndarray:
        """Return [n, all bins]: 1 at the bin of each feature."""
        n = len(table)
        result = np.zeros((n, int(sum(len(edges) + 1 for edges in self.edges))))
        for name, edges, start in zip(self.features, self.edges, self.starts, strict=True):
            place = np.searchsorted(edges, table[name].to_numpy(), side="left")
            result[np.arange(n), start + place] = 1.0
        return result


def style_space(dataset: Dataset) -> StyleSpace:
    """Return the bins, from all annotators' explanations on training items.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """
    rows = training_rows(dataset)
    items = dataset.items
    inputs = {
        item_id: (normalise(a), normalise(b))
        for item_id, a, b in zip(items["item_id"], items["text_a"], items["text_b"], strict=True)
    }
    texts = [normalise(text) for text in rows["explanation"]]
    english = not other_language(texts, rows["annotator_id"].tolist())
    table = stylometry.features(texts, [inputs[i] for i in rows["item_id"]], english=english)
    steps = np.arange(1, BINS) / BINS
    edges = {name: np.unique(np.quantile(table[name], steps)) for name in table.columns}
    # Where all values lie above the last edge or below the first, the feature says nothing.
    varying = tuple(
        name
        for name in table.columns
        if len(np.unique(np.searchsorted(edges[name], table[name].to_numpy(), side="left"))) > 1
    )
    space = StyleSpace(varying, tuple(edges[name] for name in varying), {}, inputs, english)
    filled = space.one_hot(table)
    who = rows["annotator_id"].to_numpy()
    own = {a: filled[who == a].mean(axis=0) for a in dataset.annotators}
    return StyleSpace(varying, space.edges, own, inputs, english)


def stream_features(stream: Stream, space: StyleSpace, item_ids: tuple[str, ...]) -> pd.DataFrame:
    """Return style features of a stream's explanations; empty explanations are left out."""
    written = [bool(text.strip()) for text in stream.explanations]
    texts = [
        normalise(text) for text, there in zip(stream.explanations, written, strict=True) if there
    ]
    inputs = [space.inputs[item_ids[i]] for i in stream.item[written]]
    return stylometry.features(texts, inputs, english=space.english)


@measure(
    "style distance",
    family="style",
    better=LOWER,
    headline=True,
    decimals=3,
    meaning="Jensen–Shannon divergence between the style features of the texts and those of the "
    "target's training texts, averaged over features. The target's own held-out texts are not at 0 "
    "either: few texts vary.",
)
def style_distance(
    stream: Stream, space: StyleSpace, item_ids: tuple[str, ...]
) -> ResampledScore | None:
    """Return the distance of a stream's style from its target's, 0 to 1; None without a text."""
    written = np.array([bool(text.strip()) for text in stream.explanations], dtype=bool)
    filled = space.one_hot(stream_features(stream, space, item_ids))
    own, starts = space.own[stream.target], space.starts

    def statistic(weights: np.ndarray) -> np.ndarray:
        shares = weights @ filled / weights.sum(axis=1, keepdims=True)
        return divergence(shares, own, starts).mean(axis=1)

    return resample(statistic, stream.item[written], n_items=len(item_ids), bounds=(0.0, 1.0))


def divergence(one: np.ndarray, other: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the Jensen–Shannon divergence in bits of shares [draws, bins] and [bins], [draws,
    features].

    Args:
        starts: where each feature's bins begin; a feature's shares sum to 1.
    """
    middle = (one + other) / 2
    terms = _times_log_ratio(one, middle) + _times_log_ratio(np.broadcast_to(other, one.shape),
                                                             middle)  # fmt: skip
    return np.maximum(np.add.reduceat(terms, starts, axis=1) / 2, 0.0)


def _times_log_ratio(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return p·log2(p / q), 0 where p is 0."""
    there = p > 0
    return np.where(there, p * np.log2(np.where(there, p, 1) / np.where(there, q, 1)), 0.0)
