"""Measures of labels against the target's own labels on the same held-out items.

Macro-F1, κ and α are functions of weighted counts of (target's label, answered label), so that a
draw of the bootstrap over items is one matrix product.

The two measures of LeWiDi-2025 are there so that results can stand beside that benchmark's:
Leonardelli et al. 2025, "LeWiDi-2025 at NLPerspectives", arXiv 2510.08460; formulas as in the
scorer that the organisers published. The benchmark averages over the annotators of an item and then
over items; here each target has its own score, and their mean stands under "all": the same where
everybody answered every item.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.measures.registry import HIGHER, LOWER, measure
from capo_core.evaluation.streams import Stream
from capo_core.stats.agreement import alpha_distances, label_distances
from capo_core.stats.bootstrap import ResampledScore, Score, resample
from capo_core.task import LabelScale, label_value

TargetLabels = list[frozenset[str]]  # the target's labels of each item; empty where there is none
_DEFINED = 1e-12  # sums of shares are not exact


def own_labels(dataset: Dataset, item_ids: tuple[str, ...], target: str) -> list[frozenset[str]]:
    """Return the target's labels of each item, without those judged invalid; empty if none."""
    rows = dataset.annotations
    rows = rows[(rows["annotator_id"] == target) & (rows["valid"] != "false")]
    given = rows.groupby("item_id")["label"].agg(frozenset)
    return [given.get(item_id, frozenset()) for item_id in item_ids]


def majority_label(dataset: Dataset, target: str) -> str:
    """Return the target's most frequent label on training items: the majority baseline."""
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations
    rows = rows[(rows["annotator_id"] == target) & (rows["item_id"].map(split) == "train")]
    counts = pd.Series(rows["label"]).value_counts()
    return "" if counts.empty else str(counts.sort_index(kind="stable").idxmax())


@measure(
    "label accuracy",
    family="labels",
    better=HIGHER,
    headline=True,
    meaning="Share of answers with a label that the target gave the item. An answer that could not "
    "be read is wrong.",
)
def label_accuracy(stream: Stream, target_labels: TargetLabels) -> Score | None:
    """Return the share of responses with a label that the target gave the item.

    Only items that the target labelled count; an answer that could not be read is wrong. None
    where there is no such item.
    """
    rows = np.array([bool(target_labels[i]) for i in stream.item], dtype=bool)
    if not rows.any():
        return None
    right = [
        float(label in target_labels[i])
        for label, i in zip(stream.labels, stream.item, strict=True)
        if target_labels[i]
    ]
    return item_mean(np.array(right), stream.item[rows], n_items=len(target_labels))


def label_pairs(
    stream: Stream, target_labels: TargetLabels, scale: LabelScale, *, unread: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of the target's and the answered label, as (pairs [n, L, L + 1], item [n]).

    Each response with a label of the target on its item is one row that sums to 1. Where the target
    gave several labels, the answer stands beside the nearest of them (on a nominal scale: beside
    the same one, else beside all in equal parts).

    Args:
        unread: whether answers that could not be read count, in the last column; else they are
            left out.
    """
    labels = list(scale.labels)
    distance = label_distances(scale)
    pairs, items = [], []
    for label, i in zip(stream.labels, stream.item, strict=True):
        mine = [labels.index(one) for one in target_labels[i]]
        if not mine or not (label or unread):
            continue
        row = np.zeros((len(labels), len(labels) + 1))
        answered = labels.index(label) if label else len(labels)
        if label:
            away = distance[mine, answered]
            mine = [one for one, far in zip(mine, away, strict=True) if far == away.min()]
        row[mine, answered] = 1 / len(mine)
        pairs.append(row)
        items.append(i)
    shape = (len(pairs), len(labels), len(labels) + 1)
    return np.array(pairs, dtype=float).reshape(shape), np.array(items, dtype=np.int64)


@measure(
    "macro-F1",
    family="labels",
    better=HIGHER,
    meaning="F1 of each label that the target gave, averaged: rare labels count as much as "
    "frequent ones. An answer that could not be read is a miss.",
)
def macro_f1(
    stream: Stream, target_labels: TargetLabels, scale: LabelScale
) -> ResampledScore | None:
    """Return F1 of each label that the target gave on these items, averaged; 0 to 1.

    An answer that could not be read is a miss. None where the target labelled none of the items.
    """
    pairs, item = label_pairs(stream, target_labels, scale, unread=True)
    given = pairs.sum(axis=(0, 2)) > 0

    def statistic(weights: np.ndarray) -> np.ndarray:
        joint = np.einsum("dn,nlk->dlk", weights, pairs)
        both = joint.sum(axis=2) + joint[:, :, :-1].sum(axis=1)
        hit = np.einsum("dll->dl", joint[:, :, :-1])
        return (2 * hit[:, given] / both[:, given]).mean(axis=1)

    if not given.any():
        return None
    return resample(statistic, item, n_items=len(target_labels), bounds=(0.0, 1.0))


@measure(
    "kappa",
    family="labels",
    better=HIGHER,
    meaning="Agreement with the target beyond chance (Cohen's κ), with quadratic weights where "
    "labels have distances. 1 is perfect, 0 is what equal label frequencies give.",
    undefined="both sides use one and the same label throughout, or no answer could be read",
)
def kappa(stream: Stream, target_labels: TargetLabels, scale: LabelScale) -> ResampledScore | None:
    """Return Cohen's κ with the target (1960); with quadratic weights on an ordinal scale (1968).

    1 is perfect, 0 as by chance with these label frequencies. Answers that could not be read are
    left out. None where both sides use one and the same label throughout.
    """
    pairs, item = label_pairs(stream, target_labels, scale, unread=False)
    distance = label_distances(scale)

    def statistic(weights: np.ndarray) -> np.ndarray:
        joint = np.einsum("dn,nlk->dlk", weights, pairs[:, :, :-1])
        joint /= joint.sum(axis=(1, 2), keepdims=True)
        expected = np.einsum("dl,lk,dk->d", joint.sum(axis=2), distance, joint.sum(axis=1))
        observed = (joint * distance).sum(axis=(1, 2))
        return _one_minus(observed, expected)

    return resample(statistic, item, n_items=len(target_labels), bounds=(-1.0, 1.0))


@measure(
    "alpha",
    family="labels",
    better=HIGHER,
    meaning="Krippendorff's α of the method and the target as two coders (nominal metric, on "
    "ordinal scales ordinal metric). 1 is perfect, 0 is chance.",
    undefined="only one label is used, or no answer could be read",
)
def alpha(stream: Stream, target_labels: TargetLabels, scale: LabelScale) -> ResampledScore | None:
    """Return Krippendorff's α of method and target as two coders (ordinal metric if ordinal).

    α = 1 − (2n − 1) Σ δ o / Σ δ n_c n_k over the 2n labels given (Krippendorff 2011). Answers that
    could not be read are left out. None where only one label is used.
    """
    pairs, item = label_pairs(stream, target_labels, scale, unread=False)

    def statistic(weights: np.ndarray) -> np.ndarray:
        # The weights of a draw sum to the number of responses, as counts do.
        weights = weights * weights.shape[1] / weights.sum(axis=1, keepdims=True)
        joint = np.einsum("dn,nlk->dlk", weights, pairs[:, :, :-1])
        used = joint.sum(axis=1) + joint.sum(axis=2)
        distance = alpha_distances(used, scale.ordinal)
        expected = np.einsum("dl,dlk,dk->d", used, distance, used)
        observed = 2 * (joint * distance).sum(axis=(1, 2))
        return _one_minus((used.sum(axis=1) - 1) * observed, expected)

    return resample(statistic, item, n_items=len(target_labels), bounds=(-1.0, 1.0))


def _one_minus(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    defined = expected > _DEFINED
    return np.where(defined, 1 - observed / np.where(defined, expected, 1), np.nan)


@measure(
    "label error",
    family="labels",
    better=LOWER,
    scale="ordinal",
    headline=True,
    meaning="Mean distance to the target's label in points of the scale. Answers that could not be "
    "read are left out.",
    undefined="no answer on an item that the target labelled could be read",
)
def label_error(stream: Stream, target_labels: TargetLabels) -> Score | None:
    """Return the mean distance on an ordinal scale to the nearest label of the target, in points.

    Answers that could not be read have no distance and are left out, so look at
    `label_accuracy`'s n beside this one's.
    """
    pairs = [
        (i, min(abs(label_value(label) - label_value(mine)) for mine in target_labels[i]))
        for label, i in zip(stream.labels, stream.item, strict=True)
        if target_labels[i] and label
    ]
    if not pairs:
        return None
    item, distance = (np.array(column) for column in zip(*pairs, strict=True))
    return item_mean(
        distance.astype(float),
        item,
        n_items=len(target_labels),
        share=False,
        bounds=(0.0, math.inf),
    )


@measure(
    "LeWiDi error rate",
    family="labels",
    short="LeWiDi error",
    better=LOWER,
    scale="nominal",
    decimals=3,
    meaning="LeWiDi-2025's perspectivist error rate: share of labels that are given wrongly or "
    "omitted wrongly. With three labels, one wrong answer costs 2/3.",
)
def error_rate(stream: Stream, target_labels: TargetLabels, scale: LabelScale) -> Score | None:
    """Return the perspectivist error rate on a nominal scale: 0 is perfect.

    A target's labels on an item are a vector with 1 for each label given, and so is the answer;
    the error is the share of labels in which the two differ. So with three labels a wrong answer
    costs 2/3. An answer that could not be read costs as much as a wrong label.
    """

    def error(label: str, mine: frozenset[str]) -> float:
        wrong = len(mine ^ {label}) if label else len(mine) + 1
        return min(1.0, wrong / len(scale.labels))

    return _mean(stream, target_labels, error)


@measure(
    "LeWiDi absolute distance",
    family="labels",
    short="LeWiDi distance",
    better=LOWER,
    scale="ordinal",
    decimals=3,
    meaning="LeWiDi-2025's normalised absolute distance: distance to the target's label divided by "
    "the number of labels of the scale. An answer that could not be read counts as the farther end "
    "of the scale.",
)
def absolute_distance(
    stream: Stream, target_labels: TargetLabels, scale: LabelScale
) -> Score | None:
    """Return the normalised absolute distance on an ordinal scale: 0 is perfect.

    |answer − target's label| divided by the number of labels: 11 for the paraphrases' −5…5. (That
    is what the published scorer divides by; its comment speaks of 10.) Where the target gave
    several labels the nearest counts. An answer that could not be read counts as the end of the
    scale that is farther away.
    """
    ends = (scale.number(scale.labels[0]), scale.number(scale.labels[-1]))

    def error(label: str, mine: frozenset[str]) -> float:
        values = [scale.number(one) for one in mine]
        if label:
            return min(abs(scale.number(label) - value) for value in values) / len(scale.labels)
        return max(min(abs(end - v) for v in values) for end in ends) / len(scale.labels)

    return _mean(stream, target_labels, error)


def _mean(stream: Stream, target_labels: TargetLabels, error) -> Score | None:
    rows = [
        (i, error(label, target_labels[i]))
        for label, i in zip(stream.labels, stream.item, strict=True)
        if target_labels[i]
    ]
    if not rows:
        return None
    item, errors = (np.array(column) for column in zip(*rows, strict=True))
    return item_mean(errors.astype(float), item, n_items=len(target_labels), share=False)
