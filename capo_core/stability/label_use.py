"""Label use of each annotator against all others, and the contrast of means behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import t as student

from capo_core.dataset import Dataset
from capo_core.stats.intervals import Estimate, wilson
from capo_core.stats.significance import benjamini_hochberg

MIN_ITEMS = 10  # below, the error of a difference is itself too uncertain to be shown
_ALIKE = 1e-12  # variances below this share of the mean square are rounding of 0


@dataclass(frozen=True)
class AnnotatorContrast:
    """Arrays [annotators × columns]; `error` is the standard error of `mean - others`.

    `n_items` [annotators] counts each annotator's items, `clusters` [annotators] those of the side
    that has fewer: Student's t with one degree of freedom less is what `error` is held against.
    """

    mean: np.ndarray
    others: np.ndarray
    error: np.ndarray
    n_items: np.ndarray
    clusters: np.ndarray

    def difference(self, a: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Annotator a's difference from the others, and its 95 % interval, each [columns].

        No interval (NaN) with fewer than MIN_ITEMS items.
        """
        difference = self.mean[a] - self.others[a]
        if self.n_items[a] < MIN_ITEMS or self.clusters[a] < 2:
            nothing = np.full_like(difference, np.nan)
            return difference, nothing, nothing
        half = student.ppf(0.975, self.clusters[a] - 1) * self.error[a]
        return difference, difference - half, difference + half

    def p_values(self, a: int) -> np.ndarray:
        """Return two-sided p-values, [columns]; 1 with fewer than MIN_ITEMS items.

        A difference without any spread inside the two groups is certain: 0.
        """
        difference = self.mean[a] - self.others[a]
        if self.n_items[a] < MIN_ITEMS or self.clusters[a] < 2:
            return np.ones_like(difference)
        flat = self.error[a] < 1e-9
        away = np.abs(difference) / np.where(flat, 1, self.error[a])
        p = 2 * student.sf(away, self.clusters[a] - 1)
        return np.where(flat, np.abs(difference) < 1e-9, p)


def contrast(values: np.ndarray, items: np.ndarray, annotators: np.ndarray) -> AnnotatorContrast:
    """Contrast each annotator's means with those of all other rows, for every column.

    Rows of one item are not independent (the item determines much of the text), so the standard
    error clusters by item: with e_i the sum over item i's rows of (x − own mean)/n_own for the
    annotator's rows and −(x − others' mean)/n_others for the others, the variance of the
    difference is G/(G−1) · Σ e_i² (Liang & Zeger 1986), G the items of the side that has fewer.
    Where one side's rows are all alike, as of an annotator who never gave a rare label, they do not
    show how much they can vary: the other side's variance stands in, over this side's items. Cost
    is linear in the rows.

    Args:
        values: float [n × columns].
        items: int [n], 0 to I−1; annotators: int [n], 0 to A−1; every annotator has rows, and
            there are at least two annotators.
    """
    n, n_items = len(values), int(items.max()) + 1
    n_annotators = int(annotators.max()) + 1
    values = np.asarray(values, dtype=float)
    centre = values.mean(axis=0)
    values = values - centre  # differences of large sums lose digits otherwise
    by_item = _sums(items, n_items)
    item_sum, item_n = by_item @ values, np.bincount(items, minlength=n_items).astype(float)
    own_n = np.bincount(annotators, minlength=n_annotators).astype(float)
    own_sum = _sums(annotators, n_annotators) @ values
    mean = own_sum / own_n[:, None]
    others = (own_sum.sum(axis=0) - own_sum) / (n - own_n)[:, None]
    # Σ over all items of (S − c·m)², expanded so that only an annotator's own items are visited.
    squares = (item_sum**2).sum(axis=0)
    cross = item_n @ item_sum
    counts = float((item_n**2).sum())
    spread = (values**2).sum(axis=0)
    variance, own_items = np.empty_like(mean), np.zeros(n_annotators, dtype=int)
    clusters = np.zeros(n_annotators, dtype=int)
    order = np.argsort(annotators, kind="stable")
    starts = np.concatenate([[0], np.cumsum(own_n)]).astype(int)
    for a in range(n_annotators):
        rows = order[starts[a] : starts[a + 1]]
        mine, place = np.unique(items[rows], return_inverse=True)
        own_items[a] = len(mine)
        gather = _sums(place, len(mine))
        s, c = gather @ values[rows], np.bincount(place).astype(float)[:, None]
        total, m = item_n[mine][:, None], others[a]
        theirs = item_sum[mine] - s - (total - c) * m
        e = (s - c * mean[a]) / own_n[a] - theirs / (n - own_n[a])
        elsewhere = (
            squares
            - 2 * m * cross
            + m**2 * counts
            - ((item_sum[mine] - total * m) ** 2).sum(axis=0)
        )
        variance[a] = (e**2).sum(axis=0) + np.maximum(elsewhere, 0) / (n - own_n[a]) ** 2
        others_items = n_items - int((total == c).sum())
        clusters[a] = min(len(mine), others_items)
        squares_own = (values[rows] ** 2).sum(axis=0)
        apart = squares_own / own_n[a] - mean[a] ** 2
        apart_others = (spread - squares_own) / (n - own_n[a]) - m**2
        alike = apart <= _ALIKE * (1 + mean[a] ** 2)
        others_alike = apart_others <= _ALIKE * (1 + m**2)
        variance[a] += np.where(alike, apart_others, 0) / len(mine)
        variance[a] += np.where(others_alike, apart, 0) / others_items
        variance[a] *= clusters[a] / max(clusters[a] - 1, 1)
    error = np.sqrt(np.maximum(variance, 0))
    return AnnotatorContrast(mean + centre, others + centre, error, own_items, clusters)


def _sums(group: np.ndarray, size: int) -> sparse.csr_matrix:
    """Return the [size × n] matrix that sums the rows of each group."""
    n = len(group)
    return sparse.csr_matrix((np.ones(n), (group, np.arange(n))), shape=(size, n))


FALSE_DISCOVERIES = 0.05


@dataclass(frozen=True)
class LabelUse:
    """Use of one label by one annotator.

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
    """Return the label use of every annotator; each row of the annotations counts once."""
    annotations, scale = dataset.annotations, dataset.task.scale
    names = dataset.annotators
    if not names:
        return {}
    annotator = pd.Categorical(annotations["annotator_id"], categories=names).codes.astype(np.int64)
    label_code = pd.Categorical(annotations["label"], categories=scale.labels).codes
    chosen = np.eye(len(scale.labels))[label_code]
    counts = _sums(annotator, len(names)) @ chosen
    if len(names) > 1:
        items = pd.factorize(annotations["item_id"])[0]
        values = chosen
        if scale.ordinal:
            numbers = np.array([scale.number(label) for label in scale.labels], dtype=float)
            values = np.column_stack([chosen, numbers[label_code]])
        found = contrast(values, items, annotator)
    use = {}
    for a, name in enumerate(names):
        n = int(counts[a].sum())
        others = np.full(len(scale.labels), np.nan)
        differs = np.zeros(len(scale.labels), dtype=bool)
        mean, own_mean, others_mean = None, np.nan, np.nan
        if len(names) > 1:
            others = found.others[a, : len(scale.labels)]
            difference, below, above = found.difference(a)
            differs = (
                benjamini_hochberg(found.p_values(a)[: len(scale.labels)]) <= FALSE_DISCOVERIES
            )
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
                    # Rounded so that none at all is 0, and not what the arithmetic left over.
                    float(np.clip(np.round(others[k], 12), 0, 1)) + 0.0,
                    bool(differs[k]),
                )
                for k, label in enumerate(scale.labels)
            ),
            mean,
            own_mean,
            others_mean,
        )
    return use
