"""Scores of the answer options as a label distribution.

Chen et al. 2024 (Findings of EMNLP), section 3: p_norm divides the first tokens' scores by their
sum, p_softmax is their softmax at a temperature (20 in the paper, which flattens).
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from capo_core.errors import ConfigError
from capo_core.imitation.backends.scoring import FREQUENCY, LOG_PROBABILITY, LOGIT

NORM, SOFTMAX = "norm", "softmax"
TRANSFORMS = (NORM, SOFTMAX)


def p_norm(scores: np.ndarray, kind: str = LOGIT) -> np.ndarray:
    """Scores [n, labels] by their sum.

    Logits as they are; log-probabilities as probabilities, since their own ratios would be turned
    round; frequencies as they are. Rows are NaN where p_norm is not defined: a negative logit, or
    a sum of 0.
    """
    values = np.exp(scores) if kind == LOG_PROBABILITY else np.asarray(scores, dtype=float)
    total = values.sum(axis=1, keepdims=True)
    defined = (values >= 0).all(axis=1, keepdims=True) & (total > 0)
    return np.where(defined, values / np.where(total == 0, 1.0, total), np.nan)


def p_softmax(scores: np.ndarray, temperature: float) -> np.ndarray:
    """exp(s / T) by its sum, for logits or log-probabilities [n, labels]: their unknown constant
    falls out, so that both give the same."""
    if not temperature > 0:
        raise ConfigError(f"the temperature is {temperature!r}", expected="a number above 0")
    return softmax(np.asarray(scores, dtype=float) / temperature, axis=1)


def shares_of(scores: np.ndarray, kind: str, transform: str, temperature: float) -> np.ndarray:
    """The distributions of scores [n, labels]; what was drawn is only counted.

    Raises:
        ConfigError: a softmax of frequencies is asked for.
    """
    if transform == NORM:
        return p_norm(scores, kind)
    if kind == FREQUENCY:
        raise ConfigError(
            "there is no softmax of how often answers were drawn",
            todo="take --transform norm with --by sampling",
        )
    return p_softmax(scores, temperature)
