"""The sources of label distributions that a dataset holds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.distributions.judgments import CROWD, SAID, Judgments
from capo_core.distributions.source import Source, from_counts
from capo_core.workspace import content_hash

HUMANS = "humans"
ANNOTATORS = "annotators"
SINGLE = "single label"


def of_dataset(dataset: Dataset) -> Judgments:
    """Crowd (where there is one), annotators together and one by one, single label, uniform.

    "annotators" counts each label given, so that somebody who gave two to an item counts twice;
    "annotators, valid" leaves out what later validation refused, where there was one. "single
    label" is the most frequent one of the annotators; of equally frequent ones one is drawn,
    always the same, and how often that was so is noted.
    """
    labels, items = dataset.task.scale.labels, tuple(dataset.items["item_id"])
    given, notes, sources = dataset.annotations, [], []
    if dataset.crowd is not None and len(dataset.crowd):
        sources.append(_counted(CROWD, dataset.crowd, labels, items, "counts of many people"))
    if len(given):
        everybody = _counted(ANNOTATORS, given, labels, items, "all labels the annotators gave")
        sources.append(everybody)
        refused = given["valid"] == "false"
        if refused.any():
            sources.append(
                _counted(
                    f"{ANNOTATORS}, valid",
                    given[~refused],
                    labels,
                    items,
                    "labels that later validation did not refuse",
                )
            )
        single, tied = single_label(everybody)
        sources.append(single)
        if tied:
            notes.append(
                f"{tied} of {len(single.item_ids)} items have several most frequent labels; "
                "the single label is drawn among them"
            )
        for who in dataset.annotators:
            own = given[given["annotator_id"] == who]
            sources.append(_counted(f"annotator {who}", own, labels, items, f"what {who} said"))
    if dataset.simulated:
        notes.insert(0, "simulated data: no human judged these items")
    found = Judgments(
        dataset.name,
        dataset.task,
        dataset.items[["item_id", "text_a", "text_b"]],
        tuple(sources),
        said_by_humans(given),
        tuple(notes),
    )
    return found.with_uniform()


def single_label(source: Source) -> tuple[Source, int]:
    """A source with all weight on each item's most frequent label, and how many items had a tie."""
    top = source.shares >= source.shares.max(axis=1, keepdims=True) - 1e-12
    shares = np.zeros_like(source.shares)
    for row, item in enumerate(source.item_ids):
        best = np.flatnonzero(top[row])
        shares[row, best[int(content_hash(item)[:8], 16) % len(best)]] = 1.0
    about = f"the most frequent label of {source.name}"
    made = Source(SINGLE, source.labels, source.item_ids, shares, np.ones(len(shares)), about)
    return made, int((top.sum(axis=1) > 1).sum())


def said_by_humans(annotations: pd.DataFrame) -> pd.DataFrame:
    """The annotators' explanations as a table `SAID`, in the order of the annotations."""
    said = annotations[annotations["explanation"].str.strip() != ""]
    said = said.assign(source=HUMANS, position=said.groupby("item_id").cumcount())
    return said[SAID.names].reset_index(drop=True)


def _counted(name, rows: pd.DataFrame, labels, items, about: str) -> Source:
    """Counts of labels by item; a `count` column weighs the rows where there is one."""
    weight = rows["count"].astype(float) if "count" in rows else 1.0
    table = (
        rows.assign(n=weight)
        .pivot_table(index="item_id", columns="label", values="n", aggfunc="sum", fill_value=0.0)
        .reindex(columns=list(labels), fill_value=0.0)
    )
    here = [item for item in items if item in table.index]
    return from_counts(name, labels, here, table.reindex(here).to_numpy(dtype=float), about)
