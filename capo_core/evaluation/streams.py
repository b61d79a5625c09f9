"""What is scored: streams of responses, from people or from models, one response an item.

A stream is what one source wrote in one target's place: a run's outputs for one annotator and one
sample, the annotator's own held-out responses, or another annotator's, who then stands in for the
target. Responses of one stream are on different items, so that they can be pooled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError

HUMAN = "human"  # the target's own held-out responses: the ceiling
OTHER = "other human"  # another annotator's, taken for the target's: the floor


@dataclass(frozen=True)
class Stream:
    """Responses of one source for one target.

    Attributes:
        source: a method's name, `HUMAN` or `OTHER`.
        target: the annotator who is imitated.
        replicate: which seed, sample or other annotator.
        item: index into the items of `Scored` [n], no item twice.
        labels, explanations: text [n]; "" where the answer could not be read.
    """

    source: str
    target: str
    replicate: str
    item: np.ndarray
    labels: tuple[str, ...]
    explanations: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.item)


def human_streams(dataset: Dataset, item_ids: tuple[str, ...]) -> list[Stream]:
    """Each annotator's own responses to the items, and each as a stand-in for every other.

    Where an annotator answered an item twice, the first answer counts, so that no item stands
    twice in a pool. Responses judged invalid and those without explanation are left out, as they
    are in training.
    """
    rows = dataset.annotations
    rows = rows[(rows["valid"] != "false") & (rows["explanation"].str.strip() != "")]
    rows = rows.drop_duplicates(["item_id", "annotator_id"])
    place = pd.Index(item_ids)
    rows = rows.assign(item=place.get_indexer(rows["item_id"]))
    rows = rows[rows["item"] >= 0]
    streams = []
    for author in dataset.annotators:
        own = rows[rows["annotator_id"] == author]
        for target in dataset.annotators:
            source, replicate = (HUMAN, "") if author == target else (OTHER, author)
            streams.append(_stream(source, target, replicate, own))
    return streams


def output_streams(
    outputs: pd.DataFrame, item_ids: tuple[str, ...], *, source: str, replicate: str = ""
) -> list[Stream]:
    """The streams of an outputs table (see `schema.OUTPUTS`): one a target and sample.

    Raises:
        DataError: an output is on an item that is not among `item_ids`.
    """
    place = pd.Index(item_ids).get_indexer(outputs["item_id"])
    if (place < 0).any():
        strange = outputs["item_id"].iloc[int((place < 0).argmax())]
        raise DataError(
            f"the run answered item {strange!r}, which is not among the {len(item_ids)} scored",
            expected="outputs on the held-out items of this dataset",
            todo="score the run with the dataset and the split that it was made with",
        )
    outputs = outputs.assign(item=place)
    streams = []
    for (target, sample), rows in outputs.groupby(["target_annotator_id", "sample"], sort=True):
        name = f"{replicate}/{sample}" if replicate else str(sample)
        streams.append(_stream(source, str(target), name, rows))
    return streams


def _stream(source: str, target: str, replicate: str, rows: pd.DataFrame) -> Stream:
    return Stream(
        source,
        target,
        replicate,
        rows["item"].to_numpy(dtype=np.int64),
        tuple(rows["label"]),
        tuple(rows["explanation"]),
    )


def held_out_items(dataset: Dataset, split: str = "test") -> tuple[str, ...]:
    """The items of a split, in the dataset's order.

    Raises:
        DataError: there are none.
    """
    ids = tuple(dataset.items.loc[dataset.items["split"] == split, "item_id"])
    if not ids:
        raise DataError(
            f"the dataset has no {split} items",
            where=dataset.name,
            expected="items divided into train, validation and test",
            todo="import it again with a split",
        )
    return ids


def sources(streams: Iterable[Stream]) -> list[str]:
    """The sources of `streams`, in the order of their first appearance."""
    return list(dict.fromkeys(stream.source for stream in streams))
