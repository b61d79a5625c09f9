"""Agreement of a method's labels with the target's beyond a plain share: macro-F1, κ, α.

All three are functions of weighted counts of (target's label, answered label), so that a draw of
the bootstrap over items is one matrix product.

Labels against the target's own, on the same held-out items.

The measures of LeWiDi-2025, so that results can stand beside that benchmark's.

Leonardelli et al. 2025, "LeWiDi-2025 at NLPerspectives", arXiv 2510.08460; formulas as in the
scorer that the organisers published. Lower is better throughout. The benchmark averages over the
annotators of an item and then over items; here each target has its own score, and their mean stands
under "all": the same where everybody answered every item.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.streams import Stream
from capo_core.stats.agreement import distances
from capo_core.stats.bootstrap import Resampled, Score, resample
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


def own_labels(dataset: Dataset, item_ids: tuple[str, ...], target: str) -> list[frozenset[str]]:
    """The labels the target gave each item, those judged invalid left out; empty where none."""
    rows = dataset.annotations
    rows = rows[(rows["annotator_id"] == target) & (rows["valid"] != "false")]
    given = rows.groupby("item_id")["label"].agg(frozenset)
    return [given.get(item_id, frozenset()) for item_id in item_ids]


def label_accuracy(stream: Stream, own: list[frozenset[str]]) -> Score | None:
    """Share of responses with a label that the target gave the item.

    Only items that the target labelled count; an answer that could not be read is wrong. None
    where there is no such item.
    """
    rows = np.array([bool(own[i]) for i in stream.item], dtype=bool)
    if not rows.any():
        return None
    right = [
        float(label in own[i])
        for label, i in zip(stream.labels, stream.item, strict=True)
        if own[i]
    ]
    return item_mean(np.array(right), stream.item[rows], n_items=len(own))


def label_error(stream: Stream, own: list[frozenset[str]]) -> Score | None:
    """Mean distance on an ordinal scale to the nearest label of the target, in points.

    Answers that could not be read have no distance and are left out, so look at
    `label_accuracy`'s n beside this one's.
    """
    pairs = [
        (i, min(abs(int(label) - int(mine)) for mine in own[i]))
        for label, i in zip(stream.labels, stream.item, strict=True)
        if own[i] and label
    ]
    if not pairs:
        return None
    item, distance = (np.array(column) for column in zip(*pairs, strict=True))
    return item_mean(
        distance.astype(float), item, n_items=len(own), share=False, bounds=(0.0, math.inf)
    )


def majority_label(dataset: Dataset, target: str) -> str:
    """The target's most frequent label on training items: the accuracy to beat without reading."""
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations
    rows = rows[(rows["annotator_id"] == target) & (rows["item_id"].map(split) == "train")]
    counts = pd.Series(rows["label"]).value_counts()
    return "" if counts.empty else str(counts.sort_index(kind="stable").idxmax())


_DEFINED = 1e-12  # sums of shares are not exact


def label_pairs(
    stream: Stream, own: list[frozenset[str]], scale: LabelScale, *, unread: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of the target's label and the answered one, as (pairs [n, L, L + 1], item [n]).

    Each response with a label of the target on its item is one row that sums to 1. Where the target
    gave several labels, the answer stands beside the nearest of them (on a nominal scale: beside
    the same one, else beside all in equal parts).

    Args:
        unread: whether answers that could not be read count, in the last column; else they are
            left out.
    """
    labels = list(scale.labels)
    distance = distances(scale)
    pairs, items = [], []
    for label, i in zip(stream.labels, stream.item, strict=True):
        mine = [labels.index(one) for one in own[i]]
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


def macro_f1(stream: Stream, own: list[frozenset[str]], scale: LabelScale) -> Resampled | None:
    """F1 of each label that the target gave on these items, averaged; 0 to 1.

    An answer that could not be read is a miss. None where the target labelled none of the items.
    """
    pairs, item = label_pairs(stream, own, scale, unread=True)
    given = pairs.sum(axis=(0, 2)) > 0

    def statistic(weights: np.ndarray) -> np.ndarray:
        joint = np.einsum("dn,nlk->dlk", weights, pairs)
        both = joint.sum(axis=2) + joint[:, :, :-1].sum(axis=1)
        hit = np.einsum("dll->dl", joint[:, :, :-1])
        return (2 * hit[:, given] / both[:, given]).mean(axis=1)

    if not given.any():
        return None
    return resample(statistic, item, n_items=len(own), bounds=(0.0, 1.0))


def kappa(stream: Stream, own: list[frozenset[str]], scale: LabelScale) -> Resampled | None:
    """Cohen's κ with the target (1960); with quadratic weights on an ordinal scale (1968).

    1 is perfect, 0 as by chance with these label frequencies. Answers that could not be read are
    left out. None where both sides use one and the same label throughout.
    """
    pairs, item = label_pairs(stream, own, scale, unread=False)
    distance = distances(scale)

    def statistic(weights: np.ndarray) -> np.ndarray:
        joint = np.einsum("dn,nlk->dlk", weights, pairs[:, :, :-1])
        joint /= joint.sum(axis=(1, 2), keepdims=True)
        expected = np.einsum("dl,lk,dk->d", joint.sum(axis=2), distance, joint.sum(axis=1))
        observed = (joint * distance).sum(axis=(1, 2))
        return _one_minus(observed, expected)

    return resample(statistic, item, n_items=len(own), bounds=(-1.0, 1.0))


def alpha(stream: Stream, own: list[frozenset[str]], scale: LabelScale) -> Resampled | None:
    """Krippendorff's α of the method and the target as two coders (interval metric if ordinal).

    α = 1 − (2n − 1) Σ δ o / Σ δ n_c n_k over the 2n labels given (Krippendorff 2011). Answers that
    could not be read are left out. None where only one label is used.
    """
    pairs, item = label_pairs(stream, own, scale, unread=False)
    distance = distances(scale)

    def statistic(weights: np.ndarray) -> np.ndarray:
        # The weights of a draw sum to the number of responses, as counts do.
        weights = weights * weights.shape[1] / weights.sum(axis=1, keepdims=True)
        joint = np.einsum("dn,nlk->dlk", weights, pairs[:, :, :-1])
        used = joint.sum(axis=1) + joint.sum(axis=2)
        expected = np.einsum("dl,lk,dk->d", used, distance, used)
        observed = 2 * (joint * distance).sum(axis=(1, 2))
        return _one_minus((used.sum(axis=1) - 1) * observed, expected)

    return resample(statistic, item, n_items=len(own), bounds=(-1.0, 1.0))


def _one_minus(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    defined = expected > _DEFINED
    return np.where(defined, 1 - observed / np.where(defined, expected, 1), np.nan)
