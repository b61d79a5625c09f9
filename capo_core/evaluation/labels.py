"""Labels against the target's own, on the same held-out items."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.pooled import item_mean
from capo_core.evaluation.scores import Score
from capo_core.evaluation.streams import Stream


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
