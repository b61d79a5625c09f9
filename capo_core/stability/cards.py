"""A card per annotator: how they label, how they write, and which explanations show it best."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.stability import card_words, distinctive
from capo_core.stability.examples import Examples, typical
from capo_core.stability.intervals import plain
from capo_core.stability.label_use import LabelUse, label_use
from capo_core.stability.wording import Wording, wording
from capo_core.text.style_features import PER_TEXT

MIN_EXPLANATIONS = 10  # with fewer a card gives no numbers on wording
SMALL = 0.2  # standard deviations: Cohen's (1988) "small" difference; less is no habit
MARKS = {
    ",": "a comma", ".": "a full stop inside", ";": "a semicolon", ":": "a colon",
    '"': "a quotation mark", "'": "a single quotation mark", "(": "an opening bracket",
    ")": "a closing bracket", "-": "a dash", "/": "a slash", "?": "a question mark inside",
}  # fmt: skip
LENGTH = {"length_words", "length_characters"}  # has its own place on the card


@dataclass(frozen=True)
class Length:
    """Words per explanation: the median, the middle half, and the median of the others."""

    median: float
    low_quarter: float
    high_quarter: float
    others: float


@dataclass(frozen=True)
class Cue:
    """A phrase or a habit that sets the annotator apart.

    Attributes:
        kind: "phrase" or "habit".
        name: the phrase, or the feature's name in `stylometry`.
        text: in words.
        own, others: how often, in `unit`.
        strength: log-odds (phrase) or difference in standard deviations (habit), above 0 where
            the annotator does it more; `low` and `high` are its 95 % interval.
    """

    kind: str
    name: str
    text: str
    unit: str
    own: float
    others: float
    strength: float
    low: float
    high: float


@dataclass(frozen=True)
class Card:
    """What is known about one annotator; all sentences are made from the numbers beside them.

    Attributes:
        n, n_items, n_explanations: annotations, items annotated, explanations that are not empty.
        labels: use of every label of the scale.
        length: None without enough explanations.
        cues: phrases, then habits, the strongest first; empty where none is beyond chance.
        interpretation: sentences.
        typical, atypical: annotation ids, the most typical and the most atypical first.
    """

    annotator_id: str
    n: int
    n_items: int
    n_explanations: int
    labels: tuple[LabelUse, ...]
    length: Length | None
    cues: tuple[Cue, ...]
    interpretation: tuple[str, ...]
    typical: tuple[str, ...]
    atypical: tuple[str, ...]

    def to_dict(self) -> dict:
        return _plain(self)

    @classmethod
    def from_dict(cls, raw: dict) -> Card:
        """The card that `to_dict` gave."""
        parts = {
            "labels": tuple(LabelUse(**use) for use in raw["labels"]),
            "length": None if raw["length"] is None else Length(**raw["length"]),
            "cues": tuple(Cue(**cue) for cue in raw["cues"]),
            **{name: tuple(raw[name]) for name in ("interpretation", "typical", "atypical")},
        }
        return cls(**{**raw, **parts})


def _plain(value):
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return [_plain(one) for one in value] if isinstance(value, tuple) else plain(value)


def cards(
    dataset: Dataset,
    *,
    phrases: pd.DataFrame | None = None,
    features: pd.DataFrame | None = None,
    cut: Wording | None = None,
    scores: pd.Series | None = None,
    n_examples: int = 3,
) -> tuple[Card, ...]:
    """A card for each of the dataset's annotators, in their order.

    Args:
        phrases, features, cut: `distinctive.phrases`, `distinctive.style_features` and `wording`
            of the dataset, where they are there already.
        scores: annotation_id → how typical an explanation is of its annotator, for instance a
            held-out attribution; by default its phrases' mean log-odds (`examples.typical`).
    """
    cut = wording(dataset) if cut is None else cut
    phrases = distinctive.phrases(dataset, cut=cut) if phrases is None else phrases
    features = distinctive.style_features(dataset) if features is None else features
    use = label_use(dataset)
    shown = typical(cut, phrases, scores, n_examples, MIN_EXPLANATIONS)
    by_annotator = dataset.annotations.groupby("annotator_id")["item_id"]
    n, n_items = by_annotator.size(), by_annotator.nunique()
    made = []
    for name in dataset.annotators:
        own = np.zeros(len(cut.annotators), dtype=bool)
        if name in cut.names:
            own = cut.annotators == cut.names.index(name)
        enough = own.sum() >= MIN_EXPLANATIONS
        length = _length(cut.n_words[own], cut.n_words[~own]) if enough else None
        cues = _cues(name, phrases, features) if enough else ()
        sentences = (
            *card_words.labels(use[name], int(n[name])),
            *card_words.wording(int(own.sum()), MIN_EXPLANATIONS, len(cut.names), length, cues),
        )
        examples = shown.get(name, Examples((), ()))
        made.append(
            Card(
                name,
                int(n[name]),
                int(n_items[name]),
                int(own.sum()),
                use[name].labels,
                length,
                cues,
                sentences,
                examples.typical,
                examples.atypical,
            )
        )
    return tuple(made)


def _length(own: np.ndarray, others: np.ndarray) -> Length:
    low, median, high = np.quantile(own, [0.25, 0.5, 0.75])
    return Length(
        float(median), float(low), float(high), float(np.median(others)) if len(others) else np.nan
    )


def _cues(
    name: str, phrases: pd.DataFrame, features: pd.DataFrame, n_more: int = 8, n_less: int = 4
) -> tuple[Cue, ...]:
    """The strongest clear phrases, more and less used, and then the strongest clear habits."""
    said = phrases[(phrases["annotator_id"] == name) & phrases["clear"].astype(bool)]
    more = said[said["z"] > 0].head(n_more)
    less = said[said["z"] < 0].iloc[::-1].head(n_less)
    cues = [
        Cue("phrase", row.phrase, MARKS.get(row.phrase, f"“{row.phrase}”"), PER_TEXT,
            100 * row.rate, 100 * row.rate_others, row.log_odds, row.low, row.high)
        for row in pd.concat([more, less]).itertuples()
    ]  # fmt: skip
    habits = features[
        (features["annotator_id"] == name)
        & features["clear"].astype(bool)
        & (features["difference"].abs() >= SMALL)
        & ~features["feature"].isin(LENGTH)
        & ~features["feature"].astype(str).str.startswith("word_")
    ].head(n_more)
    cues += [
        Cue("habit", row.feature, row.text, row.unit, row.mean, row.mean_others, row.difference,
            row.low, row.high)
        for row in habits.itertuples()
    ]  # fmt: skip
    return tuple(cues)
