"""Agreement of a method's labels with the target's beyond a plain share: macro-F1, κ, α.

All three are functions of weighted counts of (target's label, answered label), so that a draw of
the bootstrap over items is one matrix product.
"""

from __future__ import annotations

import numpy as np

from capo_core.evaluation.scores import Resampled, resample
from capo_core.evaluation.streams import Stream
from capo_core.stability.agreement import distances
from capo_core.task import LabelScale

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
