"""Measures of a method's label distribution over all targets against the people's.

The method answers once (or several times) in each annotator's place. Its distribution on an item is
the mean over the annotators who labelled it, each counted the same; so both sides are about the
same people. A measure belongs to no single target: it stands under "all".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.measures.registry import LOWER, measure
from capo_core.evaluation.streams import Stream
from capo_core.stats import distances
from capo_core.stats.bootstrap import Score
from capo_core.task import LabelScale

Labels = Sequence[frozenset[str]]


def people_shares(own: dict[str, Labels], labels: Sequence[str]) -> np.ndarray:
    """Return, for each label, the share of the item's annotators who gave it, [items, L]; NaN if
    none.

    Rows sum to more than 1 where annotators gave several labels.
    """
    given = np.array(
        [[[label in mine for label in labels] for mine in rows] for rows in own.values()], float
    )
    return _mean_of_those(given, given.any(axis=2))


def method_shares(
    streams: Sequence[Stream], own: dict[str, Labels], labels: Sequence[str]
) -> np.ndarray | None:
    """Return the same for a method's answers, [items, L]; NaN where none could be read.

    Samples of one target are averaged first. None where the method did not answer for everybody.
    """
    if {stream.target for stream in streams} != set(own):
        return None
    place = {label: number for number, label in enumerate(labels)}
    rows = list(own)
    counts = np.zeros((len(rows), len(own[rows[0]]), len(labels)))
    for stream in streams:
        who = rows.index(stream.target)
        for label, i in zip(stream.labels, stream.item, strict=True):
            if label and own[stream.target][i]:
                counts[who, i, place[label]] += 1
    n = counts.sum(axis=2, keepdims=True)
    return _mean_of_those(counts / np.maximum(n, 1), n[:, :, 0] > 0)


def training_shares(dataset: Dataset) -> np.ndarray:
    """Return relative frequencies [L] of the labels on training items, summing to 1.

    Answering every item with this distribution is the guess that a soft measure is compared with.
    """
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations[dataset.annotations["item_id"].map(split) == "train"]
    counts = rows["label"].value_counts().reindex(list(dataset.task.scale.labels), fill_value=0)
    return counts.to_numpy(dtype=float) / max(1, int(counts.sum()))


def crowd_shares(dataset: Dataset, item_ids: Sequence[str]) -> np.ndarray | None:
    """Return label distributions of the crowd, [items, L]; NaN where an item has none. None without
    crowd.
    """
    if dataset.crowd is None or dataset.crowd.empty:
        return None
    table = dataset.crowd.astype({"count": float}).pivot(
        index="item_id", columns="label", values="count"
    )
    table = table.reindex(index=list(item_ids), columns=list(dataset.task.scale.labels))
    counts = table.to_numpy(dtype=float)
    seen = np.isfinite(counts).any(axis=1)
    counts = np.where(seen[:, None], np.nan_to_num(counts), np.nan)
    total = counts.sum(axis=1, keepdims=True)
    return counts / np.where(total > 0, total, np.nan)


@measure(
    "Manhattan distance",
    family="soft",
    short="Manhattan",
    better=LOWER,
    decimals=3,
    meaning="Distance of the method's label distribution over all targets from that of the people "
    "who labelled the item: Σ|p − q|, 0 to 2. It scores the variation, not one person.",
)
def manhattan_distance(people: np.ndarray, method: np.ndarray) -> Score | None:
    """Return mean Manhattan distance of `method` from `people` [items, L], rows renormalised."""
    p, q, item = _both(people, method)
    return _mean(distances.manhattan(_of_sum_one(p), _of_sum_one(q)), item, len(people), 2.0)


@measure(
    "Wasserstein distance",
    family="soft",
    short="Wasserstein",
    better=LOWER,
    scale="ordinal",
    decimals=3,
    meaning="By how many points labels must be moved, on average, to turn the method's label "
    "distribution into the people's. LeWiDi-2025's soft measure for ordinal labels.",
)
def wasserstein_distance(people: np.ndarray, method: np.ndarray, scale: LabelScale) -> Score | None:
    """Return the mean Wasserstein distance of `method` from `people` [items, L] in points of the
    scale.
    """
    p, q, item = _both(people, method)
    values = np.array([scale.number(label) for label in scale.labels])
    found = distances.wasserstein(_of_sum_one(p), _of_sum_one(q), values)
    return _mean(found, item, len(people), float(values[-1] - values[0]))


@measure(
    "LeWiDi Manhattan distance",
    family="soft",
    short="LeWiDi Manh.",
    better=LOWER,
    scale="nominal",
    decimals=3,
    meaning="LeWiDi-2025's soft measure where one person may give several labels: 2·|p − q| "
    "averaged over labels. 0 is perfect, 2 is the worst.",
)
def manhattan_per_label(people: np.ndarray, method: np.ndarray) -> Score | None:
    """Return mean `stats.distances.manhattan_per_label` of `people` and `method` [items, L]."""
    p, q, item = _both(people, method)
    return _mean(distances.manhattan_per_label(p, q), item, len(people), 2.0)


@measure(
    "Manhattan distance to the crowd",
    family="soft",
    short="To the crowd",
    better=LOWER,
    decimals=3,
    needs_crowd=True,
    meaning="Distance of the method's label distribution over all targets from that of many other "
    "people, where the dataset has them: Σ|p − q|, 0 to 2.",
)
def manhattan_to_crowd(crowd: np.ndarray | None, method: np.ndarray) -> Score | None:
    """Return mean Manhattan distance of `method` from `crowd` [items, L]; None without a crowd."""
    if crowd is None:
        return None
    total = method.sum(axis=1, keepdims=True)
    found = distances.manhattan(crowd, method / np.where(total > 0, total, np.nan))
    item = np.flatnonzero(np.isfinite(found))
    return _mean(found[item], item, len(found), 2.0)


def _both(people: np.ndarray, method: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows that are defined on both sides, and their items."""
    both = np.isfinite(people).all(axis=1) & np.isfinite(method).all(axis=1)
    return people[both], method[both], np.flatnonzero(both)


def _of_sum_one(shares: np.ndarray) -> np.ndarray:
    return shares / shares.sum(axis=1, keepdims=True)


def _mean(values: np.ndarray, item: np.ndarray, n_items: int, most: float) -> Score | None:
    """Return the mean of `values`, one an item, 0 to `most`; None where there is no item."""
    if not len(item):
        return None
    return item_mean(values, item, n_items=n_items, share=False, bounds=(0.0, most))


def _mean_of_those(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the mean [items, L] of `values` [people, items, L] over `there` [people, items]."""
    n = there.sum(axis=0)[:, None]
    total = (values * there[:, :, None]).sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)
