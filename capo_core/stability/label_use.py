"""How each annotator uses the labels, against all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.stability.contrast import contrast
from capo_core.stability.intervals import Estimate, adjusted, wilson

FALSE_DISCOVERIES = 0.05


@dataclass(frozen=True)
class LabelUse:
    """One label.

    Attributes:
        share, low, high: of the annotator's labels, with Wilson interval; `count` of them.
        share_others: of all other annotators' labels; NaN where there are none.
        differs: the difference is beyond a false discovery rate of 5 % among the labels, with an
            error clustered by item.
    """

    label: str
    count: int
    share: float
    low: float
    high: float
    share_others: float
    differs: bool


@dataclass(frozen=True)
class AnnotatorLabels:
    """Use of all labels, in the order of the scale.

    Attributes:
        mean: on ordinal scales, own mean minus the others' mean with 95 % interval clustered by
            item; None on nominal scales and where there is nobody else.
        own_mean, others_mean: the two means themselves.
    """

    labels: tuple[LabelUse, ...]
    mean: Estimate | None = None
    own_mean: float = np.nan
    others_mean: float = np.nan


def label_use(dataset: Dataset) -> dict[str, AnnotatorLabels]:
    """For every annotator; each row of the annotations counts once."""
    said, scale = dataset.annotations, dataset.task.scale
    names = dataset.annotators
    if not names:
        return {}
    who = pd.Categorical(said["annotator_id"], categories=names).codes.astype(np.int64)
    what = pd.Categorical(said["label"], categories=scale.labels).codes
    chosen = np.eye(len(scale.labels))[what]
    counts = np.array([chosen[who == a].sum(axis=0) for a in range(len(names))])
    if len(names) > 1:
        items = pd.factorize(said["item_id"])[0]
        values = chosen
        if scale.ordinal:
            numbers = np.array([scale.number(label) for label in scale.labels], dtype=float)
            values = np.column_stack([chosen, numbers[what]])
        found = contrast(values, items, who)
    use = {}
    for a, name in enumerate(names):
        n = int(counts[a].sum())
        others = np.full(len(scale.labels), np.nan)
        differs = np.zeros(len(scale.labels), dtype=bool)
        mean, own_mean, others_mean = None, np.nan, np.nan
        if len(names) > 1:
            others = found.others[a, : len(scale.labels)]
            difference, below, above = found.difference(a)
            differs = adjusted(found.p_values(a)[: len(scale.labels)]) <= FALSE_DISCOVERIES
            if scale.ordinal:
                mean = Estimate(float(difference[-1]), float(below[-1]), float(above[-1]), n)
                own_mean, others_mean = float(found.mean[a, -1]), float(found.others[a, -1])
        use[name] = AnnotatorLabels(
            tuple(
                LabelUse(
                    label,
                    int(counts[a, k]),
                    float(counts[a, k] / n),
                    *wilson(counts[a, k], n),
                    float(np.clip(others[k], 0, 1)),
                    bool(differs[k]),
                )
                for k, label in enumerate(scale.labels)
            ),
            mean,
            own_mean,
            others_mean,
        )
    return use
