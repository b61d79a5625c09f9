"""Habits of style: a target's own texts beside what methods wrote in their place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.dashboard.comparing_answers import Answers
from capo_core.dataset import Dataset
from capo_core.evaluation.streams import HUMAN, Stream, human_streams
from capo_core.stability.intervals import Z95
from capo_core.text import stylometry
from capo_core.text.tokens import normalise

MOST = 12  # habits in the picture


@dataclass(frozen=True)
class Manner:
    """The habits that most set a target apart, and how far each method has them.

    Attributes:
        target: who is imitated.
        features: names of the features, the most telling first.
        texts: what each is, in words, with its unit.
        means: source (`HUMAN` is the target) → mean of each feature over texts, in its unit.
        errors: source → half of the 95 % interval of each mean, over items; NaN for one item.
        scaled: the means in standard deviations over all people's texts, from their mean.
        n: source → texts.
    """

    target: str
    features: tuple[str, ...]
    texts: tuple[str, ...]
    means: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    scaled: dict[str, np.ndarray]
    n: dict[str, int]


def manner(dataset: Dataset, answers: Answers, target: str) -> Manner:
    """The habits in which the target's held-out texts differ most from those of all people.

    Each annotator counts the same in the mean of all people.
    """
    by_id = dataset.items.set_index("item_id")
    inputs = {
        item: (normalise(by_id.at[item, "text_a"]), normalise(by_id.at[item, "text_b"]))
        for item in answers.items
    }
    people = {
        stream.target: _of_stream(stream, answers.items, inputs)
        for stream in human_streams(dataset, answers.items)
        if stream.source == HUMAN and len(stream)
    }
    tables = {HUMAN: people[target]} if target in people else {}
    rows = answers.frame[answers.frame["target"] == target]
    for source in answers.sources:
        own = rows[(rows["source"] == source) & (rows["explanation"].str.strip() != "")]
        if len(own):
            tables[source] = _features(list(own["explanation"]), list(own["item_id"]), inputs)
    if HUMAN not in tables:
        return Manner(
            target, (), (), {}, {}, {}, {name: len(table) for name, table in tables.items()}
        )
    middle = np.mean([table.mean().to_numpy() for table in people.values()], axis=0)
    spread = pd.concat(people.values()).std().to_numpy()
    varying = np.flatnonzero(spread > 1e-9)
    names = tables[HUMAN].columns.to_numpy()
    distance = (tables[HUMAN].mean().to_numpy() - middle)[varying] / spread[varying]
    order = varying[np.argsort(-np.abs(distance), kind="stable")[:MOST]]
    means = {source: table.mean().to_numpy()[order] for source, table in tables.items()}
    return Manner(
        target,
        tuple(str(name) for name in names[order]),
        tuple(stylometry.describe(name) for name in names[order]),
        means,
        {source: _half_interval(table)[order] for source, table in tables.items()},
        {source: (own - middle[order]) / spread[order] for source, own in means.items()},
        {source: len(table) for source, table in tables.items()},
    )


def _half_interval(table: pd.DataFrame) -> np.ndarray:
    """1.96 standard errors of the mean of each column, texts on one item taken together."""
    each = table.groupby(level=0).mean()
    return Z95 * each.std().to_numpy() / np.sqrt(len(each))


def _of_stream(stream: Stream, items: tuple[str, ...], inputs: dict) -> pd.DataFrame:
    return _features(list(stream.explanations), [items[i] for i in stream.item], inputs)


def _features(texts: list[str], items: list[str], inputs: dict) -> pd.DataFrame:
    table = stylometry.features([normalise(text) for text in texts], [inputs[i] for i in items])
    return table.set_index(pd.Index(items))
