"""Attribution: which annotator wrote this? Scores of held-out explanations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from capo_core.stability import ridge
from capo_core.stability.corpus import Corpus
from capo_core.stability.folds import Partition
from capo_core.text.represent import LARGE, Features

_TEMPERATURE_ROWS = 5000  # one number is fitted; more rows would not change it


def one_hot(annotator: np.ndarray, annotators: int) -> np.ndarray:
    """Targets [n, C], 1 at the annotator."""
    return np.eye(annotators, dtype=np.float32)[annotator]


Operators = list[np.ndarray]


def operators(features: Features, part: Partition) -> Operators | None:
    """The label-free operator of each fold (see `ridge`); None where rows are too many for them."""
    if len(part.fold) > LARGE:
        return None
    return [ridge.operator(*features.split(*part.split(fold))) for fold in range(part.folds)]


def held_out_scores(
    features: Features, corpus: Corpus, part: Partition, made: Operators | None = None
) -> np.ndarray:
    """Scores [n, C] of every row by a classifier that saw no row of its item or block.

    Higher is more like that annotator; comparable within a fold, with 0 for "like everybody".
    `made` are the partition's `operators`, where they are at hand.
    """
    classes = len(corpus.annotators)
    result = np.zeros((len(corpus), classes), dtype=np.float32)
    for fold in range(part.folds):
        train, test = part.split(fold)
        targets = one_hot(corpus.annotator[train], classes)
        share = np.maximum(targets.mean(axis=0), 1e-12)  # nobody of this class: all scores are 0
        if made is not None:
            scores = made[fold] @ targets
        else:
            scores = ridge.scores(*features.split(train, test), targets)
        result[test] = scores / share
    return result


def probabilities(scores: np.ndarray, corpus: Corpus, part: Partition) -> np.ndarray:
    """Softmax of scores [n, C], its temperature fitted, fold by fold, on the other folds' rows."""
    result = np.empty(scores.shape)
    for fold in range(part.folds):
        train, test = part.split(fold)
        some = train[:: -(-len(train) // _TEMPERATURE_ROWS)]
        slope = _temperature(scores[some], corpus.annotator[some])
        result[test] = _softmax(slope * scores[test])
    return result


def _temperature(scores: np.ndarray, annotator: np.ndarray) -> float:
    """The factor on scores that minimises the log-loss, classes weighted equally."""
    weight = 1 / np.bincount(annotator, minlength=scores.shape[1])[annotator]
    rows = np.arange(len(annotator))

    def loss(log_slope: float) -> float:
        chosen = _log_softmax(np.exp(log_slope) * scores)[rows, annotator]
        return -(weight * chosen).sum()

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def _log_softmax(values: np.ndarray) -> np.ndarray:
    values = values - values.max(axis=1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def _softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(_log_softmax(values))


@dataclass(frozen=True)
class Information:
    """What one explanation tells of its annotator.

    Attributes:
        bits: log2(C) minus the held-out cross-entropy in bits; at most log2(C), about 0 where
            nothing can be told (a little below it, for what the fit costs).
    """

    bits: float
    low: float
    high: float
    n_items: int


def information(scores: list[np.ndarray], corpus: Corpus, parts: list[Partition]) -> Information:
    """Bits per explanation, averaged over partitions, annotators counted equally.

    The interval is normal, with the infinitesimal-jackknife standard error over items.
    """
    classes = len(corpus.annotators)
    gain = np.zeros((len(corpus.item_ids), classes))
    count = np.zeros_like(gain)
    for score, part in zip(scores, parts, strict=True):
        rows = np.flatnonzero(part.tested)
        chosen = probabilities(score, corpus, part)[rows, corpus.annotator[rows]]
        place = (corpus.item[rows], corpus.annotator[rows])
        np.add.at(gain, place, np.log2(np.maximum(chosen, 1e-12)) + np.log2(classes))
        np.add.at(count, place, 1)
    total = np.maximum(count.sum(axis=0), 1)
    mean = gain.sum(axis=0) / total
    influence = ((gain - count * mean) / total / classes).sum(axis=1)
    half = stats.norm.ppf(0.975) * float(np.sqrt((influence**2).sum()))
    bits = float(mean.mean())
    return Information(bits, bits - half, bits + half, int((count.sum(axis=1) > 0).sum()))
