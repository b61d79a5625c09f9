"""The measures of LeWiDi-2025, so that results can stand beside that benchmark's.

Leonardelli et al. 2025, "LeWiDi-2025 at NLPerspectives", arXiv 2510.08460; formulas as in the
scorer that the organisers published. Lower is better throughout. The benchmark averages over the
annotators of an item and then over items; here each target has its own score, and their mean stands
under "all": the same where everybody answered every item.
"""

from __future__ import annotations

import numpy as np

from capo_core.evaluation.pooled import item_mean
from capo_core.evaluation.scores import Score
from capo_core.evaluation.streams import Stream
from capo_core.task import LabelScale


def error_rate(stream: Stream, own: list[frozenset[str]], scale: LabelScale) -> Score | None:
    """Perspectivist error rate on a nominal scale: 0 is perfect.

    A target's labels on an item are a vector with 1 for each label given, and so is the answer;
    the error is the share of labels in which the two differ. So with three labels a wrong answer
    costs 2/3. An answer that could not be read costs as much as a wrong label.
    """

    def error(label: str, mine: frozenset[str]) -> float:
        wrong = len(mine ^ {label}) if label else len(mine) + 1
        return min(1.0, wrong / len(scale.labels))

    return _mean(stream, own, error)


def absolute_distance(stream: Stream, own: list[frozenset[str]], scale: LabelScale) -> Score | None:
    """Normalised absolute distance on an ordinal scale: 0 is perfect.

    |answer − target's label| divided by the number of labels: 11 for the paraphrases' −5…5. (That
    is what the published scorer divides by; its comment speaks of 10.) Where the target gave
    several labels the nearest counts. An answer that could not be read counts as the end of the
    scale that is farther away.
    """
    ends = (int(scale.labels[0]), int(scale.labels[-1]))

    def error(label: str, mine: frozenset[str]) -> float:
        values = [int(one) for one in mine]
        if label:
            return min(abs(int(label) - value) for value in values) / len(scale.labels)
        return max(min(abs(end - v) for v in values) for end in ends) / len(scale.labels)

    return _mean(stream, own, error)


def _mean(stream: Stream, own: list[frozenset[str]], error) -> Score | None:
    rows = [
        (i, error(label, own[i]))
        for label, i in zip(stream.labels, stream.item, strict=True)
        if own[i]
    ]
    if not rows:
        return None
    item, errors = (np.array(column) for column in zip(*rows, strict=True))
    return item_mean(errors.astype(float), item, n_items=len(own), share=False)


def manhattan_per_label(people: np.ndarray, method: np.ndarray) -> np.ndarray:
    """[items]: soft distance for tasks in which a person may give several labels (VariErr NLI).

    `people` and `method` [items, L] hold for each label the share of people who gave it. Each label
    is a distribution of its own over "given" and "not given"; the distance of two of them is
    2·|p − q|, averaged over the labels.
    """
    return 2 * np.abs(people - method).mean(axis=1)


def manhattan(people: np.ndarray, method: np.ndarray) -> np.ndarray:
    """[items]: Σ |p − q| over the labels of two distributions [items, L]; 0 to 2."""
    return np.abs(people - method).sum(axis=1)


def wasserstein(people: np.ndarray, method: np.ndarray, values: np.ndarray) -> np.ndarray:
    """[items]: mean distance by which labels must be moved, in points of the scale.

    Args:
        people, method: distributions [items, L].
        values: the labels' values [L], ascending.
    """
    apart = np.abs(np.cumsum(people - method, axis=1)[:, :-1])
    return apart @ np.diff(values).astype(float)
