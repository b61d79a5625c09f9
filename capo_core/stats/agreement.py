"""Inter-annotator agreement: Krippendorff's alpha, Cohen's kappa by pairs, and raw agreement.

Several labels by one annotator on one item count in equal parts: every measure is the
expectation over a random draw of one label per annotator and item. No label is dropped, no
annotator weighs more for having given two, and data with one label each get exactly the textbook
value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from capo_core.dataset import Dataset
from capo_core.stats.cells import Cells, gather
from capo_core.stats.intervals import Z95, Estimate, bayesian_weights, central_interval, json_rows
from capo_core.task import LabelScale

KAPPA_COLUMNS = (
    "annotator_a",
    "annotator_b",
    "value",
    "low",
    "high",
    "raw_agreement",
    "n_items",
    "note",
)


def pairwise_kappa(
    given: sparse.csr_matrix, cells: Cells, distance: np.ndarray, min_items: int
) -> pd.DataFrame:
    """Return Cohen's kappa, one row (KAPPA_COLUMNS) per pair of annotators who share an item.

    kappa = 1 − Σ δ_ck p_ck / Σ δ_ck p_c· p_·k (Cohen 1960; weighted, Cohen 1968; with squared
    distances δ these are the quadratic weights of Fleiss & Cohen 1973). The interval is asymptotic
    (delta method; Fleiss, Cohen & Everitt 1969), kept within −1 and 1.

    Args:
        given: [cells × labels], each row sums to 1.
        distance: δ, [labels × labels].
        min_items: below so many shared items there is no interval.
    """
    joint, a, b = _joint(given, cells, len(distance))
    n = joint.sum(axis=(1, 2))
    p = joint / n[:, None, None] if len(n) else joint
    of_a, of_b = p.sum(axis=2), p.sum(axis=1)
    observed = (p * distance).sum(axis=(1, 2))
    expected = np.einsum("pc,ck,pk->p", of_a, distance, of_b)
    defined = expected > 1e-12  # sums of shares are not exact
    scale = np.where(defined, expected, 1)
    value = np.where(defined, 1 - observed / scale, np.nan)
    # Influence of one item with labels (c, k) on kappa.
    marginal = (of_b @ distance)[:, :, None] + (of_a @ distance)[:, None, :]
    influence = -(distance - observed[:, None, None]) / scale[:, None, None]
    influence = influence + (observed / scale**2)[:, None, None] * (
        marginal - 2 * expected[:, None, None]
    )
    error = np.sqrt((p * influence**2).sum(axis=(1, 2)) / np.maximum(n, 1))
    notes = np.full(len(n), "", dtype=object)
    notes[n < min_items] = f"fewer than {min_items} shared items: too few for an interval"
    notes[observed < 1e-12] = "they agree on every shared item: no interval"
    notes[~defined] = "not defined: both give one and the same label throughout"
    without = notes != ""
    return pd.DataFrame(
        {
            "annotator_a": np.array(cells.annotator_names, dtype=object)[a],
            "annotator_b": np.array(cells.annotator_names, dtype=object)[b],
            "value": value,
            "low": np.where(without, np.nan, np.maximum(value - Z95 * error, -1)),
            "high": np.where(without, np.nan, np.minimum(value + Z95 * error, 1)),
            "raw_agreement": np.einsum("pcc->p", p),
            "n_items": np.rint(n).astype(int),
            "note": notes,
        },
        columns=list(KAPPA_COLUMNS),
    )


def _joint(
    given: sparse.csr_matrix, cells: Cells, n_labels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count label pairs on shared items, [pairs × labels × labels]; also the pairs' annotators.

    Sparse products of [items × annotators] matrices, one per label, so that the cost goes with
    the annotations that meet on an item and not with items × annotators.
    """

    def by_annotator(weights: np.ndarray) -> sparse.csr_matrix:
        shape = (cells.n_items, cells.n_annotators)
        table = sparse.csr_matrix((weights, (cells.items, cells.annotators)), shape=shape)
        table.eliminate_zeros()
        return table

    there = by_annotator(np.ones(cells.n))
    a, b = sparse.triu(there.T @ there, k=1).nonzero()
    order = np.lexsort((b, a))
    a, b = a[order], b[order]
    dense = given.toarray()
    label = [by_annotator(dense[:, c]) for c in range(n_labels)]
    joint = np.zeros((len(a), n_labels, n_labels))
    if len(a):
        for c in range(n_labels):
            for k in range(n_labels):
                joint[:, c, k] = np.asarray((label[c].T @ label[k]).tocsr()[a, b]).ravel()
    return joint, a, b


MIN_ITEMS = 10  # with fewer shared items the interval's own error is too large
COLUMNS = (
    "measure", "annotator_a", "annotator_b", "value", "low", "high", "raw_agreement", "n_items",
    "note",
)  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """Agreement of labels.

    Attributes:
        ordinal: whether distances between labels count (alpha with the interval metric, kappa
            with quadratic weights) or only equal and different.
        alpha: Krippendorff's alpha; 1 = perfect, 0 = as by chance; n = items with two annotators
            or more.
        raw: share of pairs of annotators on one item who gave the same label.
        kappa: one row per pair of annotators who share an item: annotator_a, annotator_b, value,
            low, high, raw_agreement, n_items, note.
        repeated: how many (item, annotator) have more than one label.
    """

    ordinal: bool
    alpha: Estimate
    raw: Estimate
    kappa: pd.DataFrame
    repeated: int

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the counting of labels."""
        if not self.repeated:
            return ()
        one = self.repeated == 1
        return (
            f"On {self.repeated} occasion{'' if one else 's'} an annotator gave one item more "
            f"than one label; {'it counts' if one else 'these count'} in equal parts.",
        )

    def to_frame(self) -> pd.DataFrame:
        """Return COLUMNS; `measure` is krippendorff_alpha, cohen_kappa or raw_agreement."""
        rows = [
            {"measure": name, "annotator_a": "", "annotator_b": "", "value": e.value,
             "low": e.low, "high": e.high, "raw_agreement": self.raw.value, "n_items": e.n,
             "note": e.note}
            for name, e in (("krippendorff_alpha", self.alpha), ("raw_agreement", self.raw))
        ]  # fmt: skip
        pairs = self.kappa.assign(measure="cohen_kappa").to_dict("records")
        return pd.DataFrame([rows[0], *pairs, rows[1]], columns=list(COLUMNS))

    def to_dict(self) -> dict:
        return {
            "ordinal": self.ordinal,
            "alpha": self.alpha.to_dict(),
            "raw": self.raw.to_dict(),
            "kappa": json_rows(self.kappa),
            "repeated": self.repeated,
            "notes": list(self.notes),
        }


def agreement(dataset: Dataset, *, seed: int = 0, draws: int = 1000) -> Agreement:
    """Compute the agreement of the dataset's annotators.

    Args:
        draws: draws of the Bayesian bootstrap over items behind the intervals of alpha and of raw
            agreement; kappa's intervals are asymptotic (`pairwise_kappa`).
    """
    scale = dataset.task.scale
    # In the order of the dataset's annotators, so that pairs are named in that order too.
    annotator = pd.Categorical(dataset.annotations["annotator_id"], categories=dataset.annotators)
    rows = dataset.annotations.iloc[np.argsort(annotator.codes, kind="stable")]
    given, cells = _cells(rows, scale)
    repeated = int((np.bincount(cells.of_row, minlength=cells.n) > 1).sum())
    distance = label_distances(scale)
    alpha, raw = _overall(given, cells, distance, np.random.default_rng(seed), draws)
    kappa = pairwise_kappa(given, cells, distance, MIN_ITEMS)
    return Agreement(scale.ordinal, alpha, raw, kappa, repeated)


def pair_agreement(dataset: Dataset, first: str, second: str) -> pd.Series | None:
    """Return the row of `pairwise_kappa` of two annotators; None without a common item.

    `raw_agreement` is the share of common items with the same label. Where an annotator gave an
    item several labels, each counts by its share.
    """
    rows = dataset.annotations
    rows = rows[rows["annotator_id"].isin([first, second])]
    given, cells = _cells(rows, dataset.task.scale)
    found = pairwise_kappa(given, cells, label_distances(dataset.task.scale), MIN_ITEMS)
    return found.iloc[0] if len(found) else None


def _cells(rows: pd.DataFrame, scale: LabelScale) -> tuple[sparse.csr_matrix, Cells]:
    """Return the labels of each annotator and item as shares [cells × labels], and the cells."""
    cells = gather(rows["item_id"].to_numpy(), rows["annotator_id"].to_numpy())
    number = {label: k for k, label in enumerate(scale.labels)}
    one_hot = _one_hot(rows["label"].map(number).to_numpy(dtype=int), scale)
    return cells.averaging() @ one_hot, cells


def label_distances(scale: LabelScale) -> np.ndarray:
    """Return distances of labels, float64 [labels × labels]: squared difference of the values
    (ordinal), else 0 or 1."""
    if not scale.ordinal:
        return 1.0 - np.eye(len(scale.labels))
    values = np.array([scale.number(label) for label in scale.labels], dtype=float)
    return (values[:, None] - values[None, :]) ** 2


def _one_hot(numbers: np.ndarray, scale: LabelScale) -> sparse.csr_matrix:
    n = len(numbers)
    shape = (n, len(scale.labels))
    return sparse.csr_matrix((np.ones(n), (np.arange(n), numbers)), shape=shape)


def _overall(
    given: sparse.csr_matrix, cells: Cells, distance: np.ndarray, rng: np.random.Generator, draws
) -> tuple[Estimate, Estimate]:
    """Krippendorff's alpha and raw agreement, with intervals by bootstrap over items.

    Both are functions of sums over items, so that a draw of the bootstrap is a weighted sum:
    alpha = 1 − (n − 1) Σ_i o_i / Σ_ck n_c n_k δ_ck with o_i = Σ_ck δ_ck (coincidences of item i),
    n_c = how often label c stands in items with at least two annotators, n = Σ n_c
    (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
    """
    sums = cells.by_item()
    per_item = (sums @ given).toarray()
    m = cells.annotators_per_item().astype(float)
    pairable = m >= 2
    # Ordered pairs of different annotators: all pairs of labels minus those within one cell.
    apart = _quadratic(per_item, distance) - sums @ _quadratic(given.toarray(), distance)
    same = np.eye(len(distance))
    alike = _quadratic(per_item, same) - sums @ _quadratic(given.toarray(), same)
    counts, m = per_item[pairable], m[pairable]
    disagreement, alike, pairs = apart[pairable] / (m - 1), alike[pairable], m * (m - 1)
    n_items = len(m)
    if not n_items:
        none = Estimate(np.nan, np.nan, np.nan, 0, "no item was labelled by two annotators")
        return none, none

    alphas = _alpha(counts, disagreement, distance)
    ones = np.ones((1, n_items))
    alpha, raw = float(alphas(ones)[0]), float(alike.sum() / pairs.sum())
    drawn_alpha, drawn_raw = [], []
    if n_items >= MIN_ITEMS:
        for weights in bayesian_weights(rng, draws, n_items):
            weights *= n_items / weights.sum(axis=1, keepdims=True)
            drawn_alpha.append(alphas(weights))
            drawn_raw.append((weights @ alike) / (weights @ pairs))
    few = f"fewer than {MIN_ITEMS} items with two annotators: too few for an interval"
    note = "" if drawn_raw else few
    interval = central_interval(np.concatenate(drawn_raw)) if drawn_raw else (np.nan, np.nan)
    raw_estimate = Estimate(raw, *interval, n_items, note)
    if np.isnan(alpha):
        unanimous = "not defined: every label is the same"
        return Estimate(np.nan, np.nan, np.nan, n_items, unanimous), raw_estimate
    if np.isclose(alpha, 1, rtol=0, atol=1e-12):
        complete = "no disagreement at all: the interval has no width and is left out"
        return Estimate(1.0, np.nan, np.nan, n_items, complete), raw_estimate
    interval = central_interval(np.concatenate(drawn_alpha)) if drawn_alpha else (np.nan, np.nan)
    return Estimate(alpha, *interval, n_items, note), raw_estimate


def _alpha(
    counts: np.ndarray, disagreement: np.ndarray, distance: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Return alpha [draws] as a function of item weights [draws × items] of mean 1.

    It is NaN where only one label is used.

    Args:
        counts: labels of each item, [items × labels]; disagreement: its coincidences o_i, [items].
    """

    def alphas(weights: np.ndarray) -> np.ndarray:
        label_counts = weights @ counts
        expected = _quadratic(label_counts, distance)
        observed = (label_counts.sum(axis=1) - 1) * (weights @ disagreement)
        defined = expected > 1e-12  # sums of shares are not exact
        return np.where(defined, 1 - observed / np.where(defined, expected, 1), np.nan)

    return alphas


def alpha_of_items(labels: np.ndarray, distance: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return Krippendorff's alpha [draws] as a function of item weights [draws × items] of mean 1.

    Args:
        labels: [items, annotators, labels], each cell's labels as shares that sum to 1; 0 where an
            annotator has none. Every item has two annotators at least.
        distance: δ, [labels, labels].

    >>> labels = np.eye(2)[[[0, 0], [1, 1], [0, 1]]]
    >>> alpha_of_items(labels, 1 - np.eye(2))(np.ones((1, 3))).round(3).tolist()
    [0.444]
    """
    counts = labels.sum(axis=1)
    m = labels.any(axis=2).sum(axis=1)
    within = np.einsum("iac,ck,iak->i", labels, distance, labels)
    return _alpha(counts, (_quadratic(counts, distance) - within) / (m - 1), distance)


def _quadratic(rows: np.ndarray, form: np.ndarray) -> np.ndarray:
    """Return x·form·x for every row x, [n]."""
    return ((rows @ form) * rows).sum(axis=1)
