"""A method's label distribution over all targets against that of the people, item by item.

The method answers once (or several times) in each annotator's place. Its distribution on an item is
the mean over the annotators who labelled it, each counted the same; so both sides speak of the same
people. The measure belongs to no single target: it stands under "all".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.measures import labels as measures_labels
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.streams import Stream
from capo_core.stats.bootstrap import Score

Labels = Sequence[frozenset[str]]


def people_shares(own: dict[str, Labels], labels: Sequence[str]) -> np.ndarray:
    """[items, L]: for each label the share of the item's annotators who gave it; NaN for nobody.

    Rows sum to more than 1 where annotators gave several labels.
    """
    given = np.array(
        [[[label in mine for label in labels] for mine in rows] for rows in own.values()], float
    )
    return _mean_of_those(given, given.any(axis=2))


def method_shares(
    streams: Sequence[Stream], own: dict[str, Labels], labels: Sequence[str]
) -> np.ndarray | None:
    """[items, L]: the same for a method's answers; NaN where none could be read.

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
    """[L]: how often each label was given on training items, 1 in all.

    Answering every item with this distribution is the guess that a soft measure is compared with.
    """
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations[dataset.annotations["item_id"].map(split) == "train"]
    counts = rows["label"].value_counts().reindex(list(dataset.task.scale.labels), fill_value=0)
    return counts.to_numpy(dtype=float) / max(1, int(counts.sum()))


def crowd_shares(dataset: Dataset, item_ids: Sequence[str]) -> np.ndarray | None:
    """[items, L]: label distributions of the crowd; NaN where there is none. None without crowd."""
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


def distances(people: np.ndarray, method: np.ndarray, scale) -> dict[str, Score]:
    """The soft measures that fit the scale, each a mean over the items that both sides have."""
    both = np.isfinite(people).all(axis=1) & np.isfinite(method).all(axis=1)
    if not both.any():
        return {}
    item, n_items = np.flatnonzero(both), len(people)
    p, q = people[both], method[both]
    p_one, q_one = (side / side.sum(axis=1, keepdims=True) for side in (p, q))
    found = {"Manhattan distance": (measures_labels.manhattan(p_one, q_one), 2.0)}
    if scale.ordinal:
        values = np.array([scale.number(label) for label in scale.labels])
        reach = float(values[-1] - values[0])
        found["Wasserstein distance"] = (measures_labels.wasserstein(p_one, q_one, values), reach)
    else:
        found["LeWiDi Manhattan distance"] = (measures_labels.manhattan_per_label(p, q), 2.0)
    return {
        name: item_mean(rows, item, n_items=n_items, share=False, bounds=(0.0, most))
        for name, (rows, most) in found.items()
    }


def _mean_of_those(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Mean [items, L] of `values` [people, items, L] over those `there` [people, items]."""
    n = there.sum(axis=0)[:, None]
    total = (values * there[:, :, None]).sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)
