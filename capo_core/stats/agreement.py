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
from capo_core.formatting import count, with_interval
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
    given: sparse.csr_matrix,
    cells: Cells,
    distance: np.ndarray,
    min_items: int,
    only: tuple[np.ndarray, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Return Cohen's kappa, one row (KAPPA_COLUMNS) per pair of annotators who share an item.

    kappa = 1 − Σ δ_ck p_ck / Σ δ_ck p_c· p_·k (Cohen 1960; weighted, Cohen 1968; with squared
    distances δ these are the quadratic weights of Fleiss & Cohen 1973). The interval is asymptotic
    (delta method; Fleiss, Cohen & Everitt 1969), kept within −1 and 1. Where one of the two gives
    one label only, κ is 0 by its definition and has no interval.

    Args:
        given: [cells × labels], each row sums to 1.
        distance: δ, [labels × labels].
        min_items: below so many shared items there is no interval.
        only: numbers of the first and second annotators of the pairs; None takes all.
    """
    there = np.flatnonzero(given.getnnz(axis=0))  # labels that nobody gives change nothing
    given, distance = given[:, there], distance[np.ix_(there, there)]
    joint, a, b = _joint(given, cells, len(there), only)
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
    constant = (of_a.max(axis=1, initial=0) > 1 - 1e-12) | (of_b.max(axis=1, initial=0) > 1 - 1e-12)
    value = np.where(defined & constant, 0.0, value)  # exactly, and not what rounding leaves
    notes[constant] = "one of the two gives one label only: κ is 0 whatever the other does"
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
    given: sparse.csr_matrix,
    cells: Cells,
    n_labels: int,
    only: tuple[np.ndarray, np.ndarray] | None,
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
    a, b = only or sparse.triu(there.T @ there, k=1).nonzero()
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


MOST_PAIRS = 5000  # pairs of annotators in a table
_MEETINGS = 20_000_000  # pairs of annotators on one item, above which no pair is compared
_CELLS = 4_000_000  # distances of all draws held at once
MIN_ITEMS = 10  # with fewer shared items the interval's own error is too large
COLUMNS = (
    "measure", "annotator_a", "annotator_b", "value", "low", "high", "raw_agreement", "n_items",
    "note", "metric",
)  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """Agreement of labels.

    Attributes:
        ordinal: whether the order of labels counts (alpha with the ordinal metric, kappa with
            quadratic weights) or only equal and different.
        alpha: Krippendorff's alpha; 1 = perfect, 0 = as by chance; n = items with two annotators
            or more.
        raw: share of pairs of annotators on one item who gave the same label.
        kappa: one row per pair of annotators who share an item: annotator_a, annotator_b, value,
            low, high, raw_agreement, n_items, note.
        repeated: how many (item, annotator) have more than one label.
        left_out: what the table of kappa leaves out, in words; "" where it has all pairs.
    """

    ordinal: bool
    alpha: Estimate
    raw: Estimate
    kappa: pd.DataFrame
    repeated: int
    left_out: str = ""

    @property
    def alpha_metric(self) -> str:
        """The metric of alpha: "ordinal metric" or "nominal metric"."""
        return alpha_metric(self.ordinal)

    @property
    def kappa_weights(self) -> str:
        """The weights of kappa: "quadratic weights" or "unweighted"."""
        return "quadratic weights" if self.ordinal else "unweighted"

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the counting of labels."""
        found = [f"{self.left_out}."] if self.left_out else []
        if self.repeated:
            one = self.repeated == 1
            found.append(
                f"On {self.repeated} occasion{'' if one else 's'} an annotator gave one item more "
                f"than one label; {'it counts' if one else 'these count'} in equal parts."
            )
        return tuple(found)

    def to_frame(self) -> pd.DataFrame:
        """Return COLUMNS; `measure` is krippendorff_alpha, cohen_kappa or raw_agreement.

        `metric` says how labels are compared: the metric of alpha, or the weights of kappa.
        """
        overall = (
            ("krippendorff_alpha", self.alpha, self.alpha_metric),
            ("raw_agreement", self.raw, "same label"),
        )
        rows = [
            {"measure": name, "annotator_a": "", "annotator_b": "", "value": e.value,
             "low": e.low, "high": e.high, "raw_agreement": self.raw.value, "n_items": e.n,
             "note": e.note, "metric": metric}
            for name, e, metric in overall
        ]  # fmt: skip
        pairs = self.kappa.assign(measure="cohen_kappa", metric=self.kappa_weights)
        more = []
        if self.left_out:
            row = {"measure": "cohen_kappa", "annotator_a": "", "annotator_b": "", "n_items": 0}
            more = [{**row, "note": self.left_out, "metric": self.kappa_weights}]
        return pd.DataFrame(
            [rows[0], *pairs.to_dict("records"), *more, rows[1]], columns=list(COLUMNS)
        )

    def to_dict(self) -> dict:
        return {
            "ordinal": self.ordinal,
            "alpha_metric": self.alpha_metric,
            "kappa_weights": self.kappa_weights,
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
    given, cells = _cells_of(dataset)
    repeated = int((np.bincount(cells.of_row, minlength=cells.n) > 1).sum())
    alpha, raw = _overall(given, cells, scale.ordinal, np.random.default_rng(seed), draws)
    kappa, left_out = _kappas(given, cells, label_distances(scale))
    return Agreement(scale.ordinal, alpha, raw, kappa, repeated, left_out)


def overall_agreement(
    dataset: Dataset, *, seed: int = 0, draws: int = 1000
) -> tuple[Estimate, Estimate]:
    """Return Krippendorff's alpha and raw agreement of all annotators, as `agreement` does."""
    given, cells = _cells_of(dataset)
    return _overall(given, cells, dataset.task.scale.ordinal, np.random.default_rng(seed), draws)


def alpha_sentence(alpha: Estimate, metric: str) -> str:
    """Return Krippendorff's alpha with its metric, interval and number of items, in one sentence.

    >>> alpha_sentence(Estimate(0.5, 0.4, 0.6, 120), "nominal metric").split(", 120")[0]
    "Krippendorff's alpha of the labels (nominal metric): 0.50 [0.40, 0.60] (95 % interval)"
    """
    note = f" ({alpha.note})" if alpha.note else ""
    interval = "" if np.isnan(alpha.low) else " (95 % interval)"
    return (
        f"Krippendorff's alpha of the labels ({metric}): "
        f"{with_interval(alpha.value, alpha.low, alpha.high)}{interval}, "
        f"{count(alpha.n, 'item')} with two annotators or more{note}."
    )


def _cells_of(dataset: Dataset) -> tuple[sparse.csr_matrix, Cells]:
    """Return the cells of all annotations, in the order of the dataset's annotators, so that
    pairs are named in that order too."""
    annotator = pd.Categorical(dataset.annotations["annotator_id"], categories=dataset.annotators)
    rows = dataset.annotations.iloc[np.argsort(annotator.codes, kind="stable")]
    return _cells(rows, dataset.task.scale)


def _kappas(
    given: sparse.csr_matrix, cells: Cells, distance: np.ndarray
) -> tuple[pd.DataFrame, str]:
    """Return the table of `pairwise_kappa`, and what was left out of it in words.

    All pairs, so long as they are few; else the `MOST_PAIRS` with the most common items.
    """
    meeting = cells.annotators_per_item().astype(float)
    if (meeting * (meeting - 1) / 2).sum() > _MEETINGS:
        nobody = np.zeros(0, dtype=int)
        return (
            pairwise_kappa(given, cells, distance, MIN_ITEMS, (nobody, nobody)),
            f"κ of pairs is left out: {cells.n_annotators:,} annotators make too many of them",
        )
    shape = (cells.n_items, cells.n_annotators)
    there = sparse.csr_matrix((np.ones(cells.n), (cells.items, cells.annotators)), shape=shape)
    pairs = sparse.triu(there.T @ there, k=1).tocoo()
    if pairs.nnz <= MOST_PAIRS:
        return pairwise_kappa(given, cells, distance, MIN_ITEMS), ""
    chosen = np.sort(np.argsort(-pairs.data, kind="stable")[:MOST_PAIRS])
    only = (pairs.row[chosen], pairs.col[chosen])
    table = pairwise_kappa(given, cells, distance, MIN_ITEMS, only)
    return table, (
        f"κ of the {MOST_PAIRS:,} pairs with the most common items; "
        f"{pairs.nnz - MOST_PAIRS:,} further pairs are left out"
    )


def most_common_items(dataset: Dataset, first: str = "") -> tuple[str, str]:
    """Return the pair of annotators with the most common items; of several, the first in order.

    Args:
        first: only pairs with this annotator, who is then the first of the two.

    Raises:
        ValueError: there are fewer than two annotators.
    """
    names = dataset.annotators
    if len(names) < 2:
        raise ValueError("there is no pair of annotators")
    _, cells = _cells_of(dataset)
    ones = np.ones(cells.n)
    shape = (cells.n_items, cells.n_annotators)
    there = sparse.csr_matrix((ones, (cells.items, cells.annotators)), shape=shape)
    meeting = cells.annotators_per_item().astype(float)
    if not first and (meeting * (meeting - 1) / 2).sum() > _MEETINGS:
        # Too many pairs to count: those of the annotator with the most items.
        first = names[int(np.argmax(there.sum(axis=0)))]
    if first:
        own = names.index(first)
        common = np.asarray((there.T @ there[:, [own]]).todense()).ravel()
        common[own] = -1
        return first, names[int(np.argmax(common))]
    pairs = sparse.triu(there.T @ there, k=1).tocoo()
    if not pairs.nnz:
        return names[0], names[1]
    best = np.lexsort((pairs.col, pairs.row, -pairs.data))[0]
    return names[int(pairs.row[best])], names[int(pairs.col[best])]


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


def alpha_metric(ordinal: bool) -> str:
    """Return the name of alpha's metric for a scale, as every output has it."""
    return "ordinal metric" if ordinal else "nominal metric"


def alpha_distances(used: np.ndarray, ordinal: bool) -> np.ndarray:
    """Return the distances δ of Krippendorff's alpha, float64 [draws × labels × labels].

    Nominal: 0 or 1. Ordinal: (Σ_g n_g − (n_c + n_k) / 2)² over the labels g from c to k
    (Krippendorff 2011), which is the squared difference of the labels' mean ranks.

    Args:
        used: n_c, how often each label is used [draws × labels], in the order of the scale.

    >>> alpha_distances(np.array([[2.0, 1.0, 1.0]]), True)[0].tolist()
    [[0.0, 2.25, 6.25], [2.25, 0.0, 1.0], [6.25, 1.0, 0.0]]
    """
    if not ordinal:
        return np.broadcast_to(1.0 - np.eye(used.shape[1]), (*used.shape, used.shape[1]))
    rank = np.cumsum(used, axis=1) - used / 2
    return (rank[:, :, None] - rank[:, None, :]) ** 2


def _overall(
    given: sparse.csr_matrix, cells: Cells, ordinal: bool, rng: np.random.Generator, draws: int
) -> tuple[Estimate, Estimate]:
    """Krippendorff's alpha and raw agreement, with intervals by bootstrap over items.

    Both are functions of sums over items, so that a draw of the bootstrap is a weighted sum:
    alpha = 1 − (n − 1) Σ_i Σ_ck δ_ck o_ick / Σ_ck n_c n_k δ_ck with o_ick the coincidences of
    labels c and k on item i, n_c = how often label c stands in items with at least two
    annotators, n = Σ n_c (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
    """
    sums = cells.by_item()
    labels_of_items = (sums @ given).tocsr()
    per_item = labels_of_items.toarray()
    m = cells.annotators_per_item().astype(float)
    pairable = m >= 2
    # Ordered pairs of different annotators: all pairs of labels minus those within one cell.
    joint = (_label_pairs(labels_of_items) - sums @ _label_pairs(given))[pairable]
    labels = per_item.shape[1]
    same = np.arange(labels) * (labels + 1)
    alike = np.asarray(joint[:, same].sum(axis=1)).ravel()
    counts, m = per_item[pairable], m[pairable]
    pairs, n_items = m * (m - 1), len(m)
    if not n_items:
        none = Estimate(np.nan, np.nan, np.nan, 0, "no item was labelled by two annotators")
        return none, none

    alphas = _alpha(counts, sparse.diags(1 / (m - 1)) @ joint, ordinal)
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
    raw_estimate = _raw_agreement(raw, drawn_raw, n_items, note)
    if not np.isnan(raw_estimate.low) and _constant_pair(given, cells, pairable):
        constant = "one of the two gives one label only: no interval"
        raw_estimate = Estimate(raw, np.nan, np.nan, n_items, constant)
    if np.isnan(alpha):
        unanimous = "not defined: every label is the same"
        return Estimate(np.nan, np.nan, np.nan, n_items, unanimous), raw_estimate
    if np.isclose(alpha, 1, rtol=0, atol=1e-12):
        complete = "no disagreement at all: the interval has no width and is left out"
        return Estimate(1.0, np.nan, np.nan, n_items, complete), raw_estimate
    interval = central_interval(np.concatenate(drawn_alpha)) if drawn_alpha else (np.nan, np.nan)
    return Estimate(alpha, *interval, n_items, note), raw_estimate


def _constant_pair(given: sparse.csr_matrix, cells: Cells, pairable: np.ndarray) -> bool:
    """Return whether there are two annotators, of whom one gives one label only on shared items.

    Their raw agreement is then how often the other gives that label.
    """
    if cells.n_annotators != 2:
        return False
    shared = pairable[cells.items]
    used = [given[shared & (cells.annotators == who)].sum(axis=0) > 1e-12 for who in (0, 1)]
    return any(int(labels.sum()) == 1 for labels in used)


def _raw_agreement(raw: float, drawn: list[np.ndarray], n_items: int, note: str) -> Estimate:
    if raw < 1e-12 or raw > 1 - 1e-12:
        which = "no two annotators agree on any item" if raw < 0.5 else "no disagreement at all"
        remark = f"{which}: the interval has no width and is left out"
        return Estimate(round(raw), np.nan, np.nan, n_items, note or remark)
    interval = central_interval(np.concatenate(drawn)) if drawn else (np.nan, np.nan)
    return Estimate(raw, *interval, n_items, note)


def _label_pairs(given: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the products of all pairs of labels in each row, [rows × labels²]."""
    labels = given.shape[1]
    width = np.diff(given.indptr)
    count = width.astype(np.int64) ** 2
    row = np.repeat(np.arange(len(width)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    first = given.indptr[row] + place // width[row]
    second = given.indptr[row] + place % width[row]
    column = given.indices[first].astype(np.int64) * labels + given.indices[second]
    values = given.data[first] * given.data[second]
    return sparse.csr_matrix((values, (row, column)), shape=(given.shape[0], labels**2))


def _alpha(
    counts: np.ndarray, coincidences: sparse.csr_matrix, ordinal: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Return alpha [draws] as a function of item weights [draws × items] of mean 1.

    It is NaN where only one label is used.

    Args:
        counts: labels of each item, [items × labels]; coincidences: o_ick, [items × labels²].
    """
    # Labels that nobody uses change no distance.
    there = np.flatnonzero(counts.any(axis=0))
    labels, kinds = len(there), counts.shape[1]
    counts = counts[:, there]
    coincidences = coincidences.tocsc()[:, (there[:, None] * kinds + there).ravel()].tocsr()
    step = max(1, _CELLS // max(1, labels**2))
    off = np.asarray(coincidences @ (1.0 - np.eye(labels)).ravel()).ravel()

    def alphas(weights: np.ndarray) -> np.ndarray:
        parts = [_some(weights[start : start + step]) for start in range(0, len(weights), step)]
        return np.concatenate(parts)

    def _some(weights: np.ndarray) -> np.ndarray:
        used = weights @ counts
        if ordinal:
            distance = alpha_distances(used, ordinal)
            joint = (coincidences.T @ weights.T).T.reshape(len(weights), labels, labels)
            expected = np.einsum("dc,dck,dk->d", used, distance, used, optimize=True)
            observed = np.einsum("dck,dck->d", joint, distance)
        else:
            expected = used.sum(axis=1) ** 2 - (used**2).sum(axis=1)
            observed = weights @ off
        observed = (used.sum(axis=1) - 1) * observed
        # Sums of shares are not exact; ordinal distances grow with the square of the counts.
        least = 1e-12 * used.sum(axis=1) ** (4 if ordinal else 2)
        defined = expected > least
        return np.where(defined, 1 - observed / np.where(defined, expected, 1), np.nan)

    return alphas


def alpha_of_items(labels: np.ndarray, ordinal: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return Krippendorff's alpha [draws] as a function of item weights [draws × items] of mean 1.

    Args:
        labels: [items, annotators, labels], each cell's labels as shares that sum to 1; 0 where an
            annotator has none. Every item has two annotators at least.
        ordinal: whether the labels are ordered (`alpha_distances`).

    >>> labels = np.eye(2)[[[0, 0], [1, 1], [0, 1]]]
    >>> alpha_of_items(labels, False)(np.ones((1, 3))).round(3).tolist()
    [0.444]
    """
    items, annotators, kinds = labels.shape
    counts = labels.sum(axis=1)
    m = labels.any(axis=2).sum(axis=1)
    cells = sparse.csr_matrix(labels.reshape(items * annotators, kinds))
    item = np.repeat(np.arange(items), annotators)
    sums = sparse.csr_matrix(
        (np.ones(len(item)), (item, np.arange(len(item)))), shape=(items, len(item))
    )
    joint = _label_pairs(sparse.csr_matrix(counts)) - sums @ _label_pairs(cells)
    return _alpha(counts, sparse.diags(1 / (m - 1)) @ joint, ordinal)
