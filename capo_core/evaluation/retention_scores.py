"""From what models at several strengths wrote and how likely they found texts, to figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.attribution import attributed
from capo_core.evaluation.labels import label_accuracy
from capo_core.evaluation.pooled import given_to, item_mean
from capo_core.evaluation.retention import (
    GENERAL,
    IMITATION,
    LABELS,
    LINES,
    OTHERS,
    OWN,
    POINTS,
    VIEW,
)
from capo_core.evaluation.scores import Score, difference, mean
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, human_streams
from capo_core.stability.intervals import Z95
from capo_core.text.embed import Embedder

PERPLEXITIES = (OWN, GENERAL, OTHERS)


@dataclass(frozen=True)
class Scored:
    """Texts whose likelihood is measured, by measure (`PERPLEXITIES`; without GENERAL where there
    is no general text).

    Attributes:
        unit: [n] the item or passage of each response, 0 to `n_units` − 1.
        tokens: [n] tokens of each response.
    """

    unit: Mapping[str, np.ndarray]
    tokens: Mapping[str, np.ndarray]
    n_units: Mapping[str, int]

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(name for name in PERPLEXITIES if name in self.unit)


@dataclass(frozen=True)
class Point:
    """One model on the way.

    Attributes:
        stage: "sft" (between base and SFT adapter) or "capo" (between SFT and CAPO adapter).
        labels, explanations: its answers, one an item; "" where it could not be read.
        log_probs: by measure, [n] in nats, summed over the tokens of each response.
    """

    stage: str
    strength: float
    labels: tuple[str, ...]
    explanations: tuple[str, ...]
    log_probs: Mapping[str, np.ndarray]

    @property
    def at(self) -> float:
        """Its place on the way: 0 the base, 1 SFT, 2 CAPO."""
        return self.strength + (1.0 if self.stage == "capo" else 0.0)


@dataclass(frozen=True)
class Figures:
    """Scores of all points, and what stands beside them.

    Attributes:
        scores: measure → a score for each point. A perplexity's is the mean −log p of a token.
        hits: [points, items], share of an item's explanation that is given to the target.
        own: [items], the same of the target's own text; NaN where there is none.
        chance: of a guess at the author.
        lines: LINES.
    """

    scores: dict[str, list[Score]]
    hits: np.ndarray
    own: np.ndarray
    chance: float
    lines: pd.DataFrame


def surprise(log_probs: np.ndarray, tokens: np.ndarray, unit: np.ndarray, n_units: int) -> Score:
    """Mean −log p of a token in nats, over all tokens, with the influence of items or passages."""
    total = tokens.sum()
    value = float(-log_probs.sum() / total)
    influence = np.zeros((1, n_units))
    np.add.at(influence[0], unit, (-log_probs - value * tokens) / total)
    return Score(value, influence, len(log_probs), share=False, bounds=(0.0, math.inf))


def most_frequent(dataset: Dataset, item_ids: Sequence[str]) -> list[frozenset[str]]:
    """The label or labels that most annotators gave each item; responses judged invalid do not
    count."""
    rows = dataset.annotations[dataset.annotations["valid"] != "false"]
    counts = rows.groupby(["item_id", "label"]).size()
    top = counts[counts == counts.groupby("item_id").transform("max")].reset_index()
    found = top.groupby("item_id")["label"].agg(frozenset)
    return [found.get(item_id, frozenset()) for item_id in item_ids]


def figures(
    dataset: Dataset,
    target: str,
    item_ids: tuple[str, ...],
    points: Sequence[Point],
    scored: Scored,
    embedder: Embedder,
) -> Figures:
    """All scores of all points.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """
    every = np.arange(len(item_ids))
    streams = [
        Stream("model", target, str(point.at), every, point.labels, point.explanations)
        for point in points
    ]
    people = [s for s in human_streams(dataset, item_ids) if s.target == target and len(s)]
    found = attributed(dataset, item_ids, [*streams, *people], VIEW, embedder).streams
    column = dataset.annotators.index(target)
    given = [given_to(scores)[:, column] for scores in found]
    n, frequent = len(item_ids), most_frequent(dataset, item_ids)
    scores = {
        IMITATION: [item_mean(hit, every, n_items=n) for hit in given[: len(points)]],
        LABELS: [label_accuracy(stream, frequent) for stream in streams],
    }
    for name in scored.measures:
        about = (scored.tokens[name], scored.unit[name], scored.n_units[name])
        scores[name] = [surprise(point.log_probs[name], *about) for point in points]
    stand = {
        who: [
            item_mean(hit, stream.item, n_items=n)
            for stream, hit in zip(people, given[len(points) :], strict=True)
            if stream.source == who
        ]
        for who in (HUMAN, OTHER)
    }
    own = np.full(n, np.nan)
    human = next((i for i, s in enumerate(people) if s.source == HUMAN), None)
    if human is not None:
        own[people[human].item] = given[len(points) + human]
    lines = [_chance_of_author(dataset)]
    lines += [(IMITATION, *_line("ceiling", stand[HUMAN], "the target's own held-out texts")),
              (IMITATION, *_line("floor", stand[OTHER], "other annotators' texts"))]  # fmt: skip
    said = [label_accuracy(s, frequent) for s in people if s.source == HUMAN]
    guess = Stream("", target, "", every, (_common_label(dataset),) * n, ("",) * n)
    lines += [
        (LABELS, *_line("ceiling", [s for s in said if s], "the target's own labels")),
        (LABELS, *_line("chance", [label_accuracy(guess, frequent)],
                        "the most frequent label of the training items, every time")),
    ]  # fmt: skip
    frame = pd.DataFrame(lines, columns=list(LINES))
    return Figures(scores, np.array(given[: len(points)]), own, 1 / len(dataset.annotators),
                   frame[frame["n"] > 0].reset_index(drop=True))  # fmt: skip


def points_frame(points: Sequence[Point], found: Figures) -> pd.DataFrame:
    """POINTS; changes are against the first point, which is the base."""
    rows = []
    for name, scores in found.scores.items():
        for point, score in zip(points, scores, strict=True):
            apart = difference(score, scores[0])
            if name in PERPLEXITIES:
                half, wide = Z95 * score.error, Z95 * apart.error
                low_high = np.exp([score.value, score.value - half, score.value + half])
                change = np.exp([apart.value, apart.value - wide, apart.value + wide])
            else:
                shown, moved = score.estimate(), apart.estimate()
                low_high = (shown.value, shown.low, shown.high)
                change = (moved.value, moved.low, moved.high)
            rows.append((point.stage, point.strength, point.at, name, *map(float, low_high),
                         score.n, *map(float, change)))  # fmt: skip
    return pd.DataFrame(rows, columns=list(POINTS))


def _line(name: str, scores: Sequence[Score], meaning: str) -> tuple:
    if not scores:
        return name, math.nan, math.nan, math.nan, 0, meaning
    shown = mean(list(scores)).estimate()
    return name, shown.value, shown.low, shown.high, shown.n, meaning


def _chance_of_author(dataset: Dataset) -> tuple:
    share, count = 1 / len(dataset.annotators), len(dataset.annotators)
    return IMITATION, "chance", share, share, share, count, "one in the number of annotators"


def _common_label(dataset: Dataset) -> str:
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations
    rows = rows[(rows["valid"] != "false") & (rows["item_id"].map(split) == "train")]
    return str(rows["label"].value_counts().sort_index(kind="stable").idxmax())
