"""Which items a filter leaves, in the dataset's order. No Streamlit here."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from capo_core.dashboard.browser import Answer, find_phrase
from capo_core.dataset import Dataset
from capo_core.text.tokens import spans, unify_quotes


@dataclass(frozen=True)
class Filter:
    """What must hold of an annotation ("" = anything) and of its item.

    Attributes:
        phrase: stands in the explanation, or in one of the item's own texts.
        annotator_id, label: of the annotation.
        disagreement: only items whose annotators gave different labels.
    """

    phrase: str = ""
    annotator_id: str = ""
    label: str = ""
    disagreement: bool = False

    @property
    def narrows_annotations(self) -> bool:
        return bool(self.phrase or self.annotator_id or self.label)


def matches(dataset: Dataset, wanted: Filter) -> pd.DataFrame:
    """The annotations that pass the filter, in the dataset's order."""
    frame = dataset.annotations
    if wanted.annotator_id:
        frame = frame[frame["annotator_id"] == wanted.annotator_id]
    if wanted.label:
        frame = frame[frame["label"] == wanted.label]
    if wanted.phrase:
        frame = frame[with_phrase(frame["explanation"], wanted.phrase)]
    return frame


def item_ids(dataset: Dataset, wanted: Filter) -> list[str]:
    """The items with at least one annotation that passes, in the dataset's order."""
    kept = set(matches(dataset, wanted)["item_id"])
    if wanted.phrase:
        # A word of the item's own texts finds it too, if its annotations pass the rest.
        rest = Filter("", wanted.annotator_id, wanted.label)
        texts = dataset.items["text_a"] + "\n" + dataset.items["text_b"]
        named = set(dataset.items.loc[with_phrase(texts, wanted.phrase), "item_id"])
        kept |= named & set(matches(dataset, rest)["item_id"])
    if wanted.disagreement:
        labels = dataset.annotations.groupby("item_id")["label"].nunique()
        kept &= set(labels.index[labels > 1])
    if not wanted.narrows_annotations and not wanted.disagreement:
        return dataset.items["item_id"].tolist()
    return [item for item in dataset.items["item_id"] if item in kept]


def with_phrase(texts: pd.Series, phrase: str) -> pd.Series:
    """True where `browser.find_phrase` finds `phrase`: what is listed is what will be marked."""
    first = next((span.token for span in spans(phrase)), "")
    # The first token as characters rules most texts out at once, before tokens are compared.
    found = [
        not first or (first in unify_quotes(text).lower() and bool(find_phrase(text, phrase)))
        for text in texts
    ]
    return pd.Series(found, index=texts.index, dtype=bool)


def answers(dataset: Dataset, item_id: str) -> list[Answer]:
    """All annotations of one item, annotators in their fixed order."""
    rows = dataset.annotations[dataset.annotations["item_id"] == item_id]
    place = {annotator: position for position, annotator in enumerate(dataset.annotators)}
    remarks = {"false": "judged not valid later", "true": "", "unknown": ""}
    found = [
        Answer(row.annotator_id, row.label, row.explanation, remarks[row.valid])
        for row in rows.itertuples()
    ]
    return sorted(found, key=lambda answer: place[answer.annotator_id])
