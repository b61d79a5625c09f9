"""The responses of annotators that can be learned from, and those that are skipped.

Skipped, and counted, are responses rejected in the validation round, responses without an
explanation, and (in the training split) items whose texts are in the validation or test split as
well: training on them would leak test data.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from capo_core.data.splits import PARTS
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.formatting import quoted_names
from capo_core.imitation.prompting.prompts import PromptItem
from capo_core.text.tokens import normalise

MIN_TRAINING_ITEMS = 10  # with fewer, an annotator's style cannot be learned

INVALID = "judged invalid"
EMPTY = "empty explanation"
TWIN = "same texts in validation or test"
REASONS = (INVALID, EMPTY, TWIN)  # each response counts under the first that holds


@dataclass(frozen=True)
class Response:
    """An annotation as a response: the label and the explanation."""

    annotation_id: str
    item_id: str
    annotator_id: str
    label: str
    explanation: str


@dataclass(frozen=True)
class History:
    """An annotator's responses in a split.

    Attributes:
        responses: in the order of the dataset; two for one item if the annotator gave two labels.
        skipped: number of the annotator's skipped responses, for each of `REASONS`.
    """

    responses: tuple[Response, ...]
    skipped: dict[str, int]

    @property
    def n_items(self) -> int:
        """Number of different items with a response."""
        return len({response.item_id for response in self.responses})


def parts(dataset: Dataset) -> tuple[str, ...]:
    """Return the splits (train, validation, test) with items; empty if the data are not split."""
    found = set(dataset.items["split"])
    return tuple(part for part in PARTS if part in found)


def item_of(dataset: Dataset, item_id: str) -> PromptItem:
    """Return the item in its prompt form; raise `ConfigError` if the dataset has no such item."""
    rows = dataset.items[dataset.items["item_id"] == item_id]
    if not len(rows):
        raise ConfigError(
            f"there is no item {item_id!r}",
            where=dataset.name,
            expected=f"one of its {len(dataset.items):,} items",
        )
    return _items(rows)[0]


def items_of(dataset: Dataset, split: str) -> list[PromptItem]:
    """Return the items of a split, in the order of the dataset.

    Raises:
        ConfigError: there is no such part, or nothing is in it.
    """
    return _items(_part(dataset, split))


def responses(
    dataset: Dataset, *, split: str = "train", annotators: Collection[str] | None = None
) -> list[Response]:
    """Return the usable training responses of a split, in the order of the dataset.

    Args:
        split: train, validation or test (`parts` tells which there are).
        annotators: only theirs; None takes everybody's.

    Raises:
        ConfigError: there is no such part, nothing is in it, or an annotator is unknown.
    """
    return usable_and_skipped(dataset, split=split, annotators=annotators)[0]


def usable_and_skipped(
    dataset: Dataset, *, split: str = "train", annotators: Collection[str] | None = None
) -> tuple[list[Response], dict[str, list[Response]]]:
    """Return `responses`, and the skipped ones for each of `REASONS`."""
    for annotator in annotators or ():
        check_annotator(dataset, annotator)
    items = _part(dataset, split)
    twins = text_twins(dataset) if split == "train" else frozenset()
    rows = dataset.annotations
    rows = rows[rows["item_id"].isin(items["item_id"])]
    if annotators is not None:
        rows = rows[rows["annotator_id"].isin(list(annotators))]
    kept: list[Response] = []
    left_out: dict[str, list[Response]] = {reason: [] for reason in REASONS}
    columns = ("annotation_id", "item_id", "annotator_id", "label", "explanation")
    responses_of = zip(*(rows[column].tolist() for column in columns), strict=True)
    for values, valid in zip(responses_of, rows["valid"].tolist(), strict=True):
        response = Response(*values)
        if valid == "false":
            left_out[INVALID].append(response)
        elif not response.explanation.strip():
            left_out[EMPTY].append(response)
        elif response.item_id in twins:
            left_out[TWIN].append(response)
        else:
            kept.append(response)
    return kept, left_out


def history(
    dataset: Dataset, annotator: str, *, split: str = "train", least: int = MIN_TRAINING_ITEMS
) -> History:
    """Return an annotator's responses in a split.

    Args:
        least: minimum number of training items with a response; other splits have no minimum.

    Raises:
        ConfigError: the annotator is unknown, the part is missing, or there are too few items to
            learn from.
    """
    kept, left_out = usable_and_skipped(dataset, split=split, annotators=[annotator])
    skipped = {reason: len(found) for reason, found in left_out.items()}
    result = History(tuple(kept), skipped)
    if split == "train" and result.n_items < least:
        aside = ", ".join(f"{count} {reason}" for reason, count in skipped.items() if count)
        raise ConfigError(
            f"annotator {annotator!r} has responses to {result.n_items} training "
            f"item{'' if result.n_items == 1 else 's'}"
            + (f" (left out: {aside})" if aside else ""),
            where=dataset.name,
            expected=f"at least {least}",
            todo="choose an annotator with more annotations, or give more items to training",
        )
    return result


def check_annotator(dataset: Dataset, annotator: str) -> str:
    """Return `annotator` if the dataset has one of this name; raise `ConfigError` otherwise."""
    if annotator not in dataset.annotators:
        raise ConfigError(
            f"there is no annotator {annotator!r}",
            where=dataset.name,
            expected=f"one of {quoted_names(dataset.annotators)}",
        )
    return annotator


def text_twins(dataset: Dataset) -> frozenset[str]:
    """Return training items whose texts are in the validation or test split too.

    Texts count as the same when they differ in case, white space, quotes or the final period
    alone, and in whichever order the two stand: a question pair turned round is the same question.
    """
    items = dataset.items
    keys = [text_key(*texts) for texts in zip(items["text_a"], items["text_b"], strict=True)]
    held_out = {
        key
        for key, part in zip(keys, items["split"], strict=True)
        if part in ("validation", "test")
    }
    return frozenset(
        item_id
        for item_id, key, part in zip(items["item_id"], keys, items["split"], strict=True)
        if part == "train" and key in held_out
    )


def text_key(text_a: str, text_b: str) -> tuple[str, ...]:
    """Return a key that is equal for items with equivalent texts (see `text_twins`)."""
    return tuple(sorted((normalise(text_a), normalise(text_b))))


def _part(dataset: Dataset, split: str) -> pd.DataFrame:
    if split not in PARTS:
        raise ConfigError(f"there is no part {split!r}", expected=f"one of {quoted_names(PARTS)}")
    found = parts(dataset)
    if split not in found:
        what = f"no item is in the {split} part" if found else "the items are not split into parts"
        raise ConfigError(
            what,
            where=dataset.name,
            expected="items in train and test (and in validation, for early stopping)",
            todo="split the items: Re-split … on the Data page, or data split NAME",
        )
    return dataset.items[dataset.items["split"] == split]


def _items(rows: pd.DataFrame) -> list[PromptItem]:
    columns = ("item_id", "text_a", "text_b")
    return [
        PromptItem(*texts) for texts in zip(*(rows[name].tolist() for name in columns), strict=True)
    ]
