"""Correction of label probabilities by an annotator's training labels.

A language model prefers some labels whatever the item is, for their frequency in its corpus or for
the examples in the prompt (Zhao et al. 2021, arXiv 2102.09690; Fei et al. 2023, arXiv 2305.19148).
The posterior p(y | x) is corrected for other priors by the ratio of the priors (Saerens et al.
2002, Neural Computation 14, 21–41, equation 2.4):

    p'(y | x)  ∝  p(y | x) · w(y)        w(y) = π(y) / p̄(y)

π is the annotator's distribution of training labels, p̄ the model's mean probability of y over
training items. Where the model is sure of itself, one such step does not reach π; so the weights
are iterated until the mean of p' over the training items is π (the maximum-likelihood bias of each
label has the same fixed point). No label of a validation or test item is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LABEL_PRIORS = ("none", "annotator")
PRIOR_ITEMS = 64  # training items whose labels are scored at most
_STEPS = 200


@dataclass(frozen=True)
class LabelPrior:
    """The correction for one annotator, as calibration.json has it.

    Attributes:
        labels: in the order of the other values.
        prior: π, the distribution of training labels, sum 1.
        mean: p̄, the model's mean probabilities before the correction.
        log_weights: log w, to be added to the labels' scores.
        items: number of training items that were scored.
    """

    labels: tuple[str, ...]
    prior: tuple[float, ...]
    mean: tuple[float, ...]
    log_weights: tuple[float, ...]
    items: int

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> LabelPrior:
        """Return the correction from its JSON form."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()})


def fit_label_prior(
    scores: np.ndarray, training_labels: Sequence[str], labels: Sequence[str]
) -> LabelPrior:
    """Return the correction that makes the mean probabilities those of the training labels.

    Args:
        scores: log-probabilities of the labels for training items, [items, labels].
        training_labels: of the annotator, one at least; each label's count is raised by a half, so
            that none becomes impossible (Jeffreys' prior).

    >>> scores = np.log([[0.8, 0.2], [0.6, 0.4]])
    >>> fit_label_prior(scores, ["a", "b", "b", "b"], ["a", "b"]).prior
    (0.3, 0.7)
    """
    counts = np.array([training_labels.count(label) + 0.5 for label in labels])
    prior = counts / counts.sum()
    log_weights, first = np.zeros(len(labels)), None
    for _ in range(_STEPS):
        mean = _probabilities(scores + log_weights).mean(0)
        first = mean if first is None else first
        log_weights += np.log(prior) - np.log(np.maximum(mean, 1e-12))
        log_weights -= log_weights.max()
        if np.abs(mean - prior).max() < 1e-4:
            break
    return LabelPrior(
        tuple(labels), *(tuple(map(float, each)) for each in (prior, first, log_weights)),
        len(scores),
    )  # fmt: skip


def _probabilities(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)
