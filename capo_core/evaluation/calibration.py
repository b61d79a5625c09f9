"""The yardstick of calibrated CAPO: how near a model's answers are to the target's own texts.

Answers to validation items at several strengths between the SFT and the CAPO adapter are attributed
by classifiers of human training texts, and compared with what the target wrote about the same
items. A strength at which the answers are attributed to the target more often than the target's own
texts is a caricature, not a better imitation: so the nearest strength is chosen, not the highest.
Each classifier measures its own distance. Their shares are not averaged first: answers that one
classifier finds less typical than the target's texts and another more typical are not near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.evaluation.measures.attribution import View, attributed, given_to
from capo_core.evaluation.streams import HUMAN, Stream, held_out_items, human_streams
from capo_core.imitation.parsing import parse_response
from capo_core.text.embeddings import Embedder

VIEWS = (View("words"), View("embedding"))
# A label accuracy lower than SFT's by more than this rules a strength out.
LABEL_LOSS = 0.02
DRAWS = 1000
# Farther beyond the target's own level than the nearest strength is from it, twice in a row: no
# larger one is asked for, since imitation only grows with the strength.
BEYOND = 0.05


class CalibrationAnswer(Protocol):
    """Answer in the format of training (`imitation.training.samples.SampledAnswer`)."""

    item_id: str
    text: str


@dataclass(frozen=True)
class CalibratedStrength:
    """The chosen strength, and what it was chosen by.

    Attributes:
        strength: 0 (the SFT adapter) to 1 (the CAPO adapter).
        imitation: for each strength the share of answers attributed to the target, mean over the
            classifiers.
        human: the same of the target's own texts about the same items.
        distance: for each strength what it is chosen by: the absolute difference from the target's
            own texts in that share, of each classifier by itself, then averaged.
        by_classifier: representation → `imitation` and `human` of this classifier alone.
        label_accuracy: for each strength the share of labels that the target gave too.
        support: share of bootstrap draws over items in which this strength is chosen.
        n: number of items.
        reason: in a few words.
    """

    strength: float
    imitation: dict[float, float]
    human: float
    distance: dict[float, float]
    by_classifier: dict[str, dict[str, Any]]
    label_accuracy: dict[float, float]
    support: float
    n: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON writes it: strengths as text."""
        plain = asdict(self)
        for name in ("imitation", "distance", "label_accuracy"):
            plain[name] = _as_text(plain[name])
        for seen in plain["by_classifier"].values():
            seen["imitation"] = _as_text(seen["imitation"])
        return plain


class HumanYardstick:
    """The target's own texts about the validation items, and classifiers that know the target.

    Attributes:
        item_ids: the items to answer: those the target explained.

    Raises:
        DataError: the target explained no validation item, or an annotator no training item.
    """

    def __init__(
        self,
        dataset: Dataset,
        target: str,
        embedder: Embedder,
        *,
        views: Sequence[View] = VIEWS,
    ) -> None:
        self._dataset, self._target, self._embedder, self._views = dataset, target, embedder, views
        self._items = held_out_items(dataset, "validation")
        self._own = next(
            stream
            for stream in human_streams(dataset, self._items)
            if (stream.source, stream.target) == (HUMAN, target)
        )
        if not len(self._own):
            raise DataError(
                f"annotator {target!r} explained no validation item",
                where=dataset.name,
                todo="switch calibration off, or split the data again",
            )
        self.item_ids = tuple(self._items[index] for index in self._own.item)

    def choose(
        self, answers: Mapping[float, Sequence[CalibrationAnswer]], *, seed: int = 0
    ) -> CalibratedStrength:
        """Return the strength whose answers are nearest to the target's own texts.

        Args:
            answers: for each strength, 0 among them, one answer to each of `item_ids`, in order.
        """
        strengths = sorted(answers)
        streams = [self._stream(answers[strength]) for strength in strengths]
        hits = self._hits([*streams, self._own])
        gold = self._labels()
        right = np.array(
            [
                [label in given for label, given in zip(stream.labels, gold, strict=True)]
                for stream in streams
            ],
            dtype=float,
        )
        made, human = hits[:, :-1], hits[:, -1]
        place = _nearest(_distances(made, human), right.mean(axis=1))
        rng = np.random.default_rng([seed, 0xCA11])
        draws = rng.integers(0, human.shape[1], (DRAWS, human.shape[1]))
        chosen = [
            _nearest(_distances(made[..., draw], human[:, draw]), right[:, draw].mean(axis=1))
            for draw in draws
        ]

        def by_strength(values: np.ndarray) -> dict[float, float]:
            return dict(zip(strengths, values.tolist(), strict=True))

        return CalibratedStrength(
            strength=strengths[place],
            imitation=by_strength(made.mean(axis=(0, 2))),
            human=float(human.mean()),
            distance=by_strength(_distances(made, human)),
            by_classifier={
                view.representation: {
                    "imitation": by_strength(shares.mean(axis=1)),
                    "human": float(own.mean()),
                }
                for view, shares, own in zip(self._views, made, human, strict=True)
            },
            label_accuracy=by_strength(right.mean(axis=1)),
            support=float(np.mean([each == place for each in chosen])),
            n=human.shape[1],
            reason=_reason(strengths, place, made.mean(axis=2), human.mean(axis=1)),
        )

    def is_enough(self, answers: Mapping[float, Sequence[CalibrationAnswer]]) -> bool:
        """Return whether larger strengths than those answered cannot be nearer.

        Imitation grows with the strength, so that a classifier which is beyond the target's own
        level only gets farther from it, while another may still get near. Where two successive
        strengths are so far beyond that this alone is farther than the nearest strength, by
        `BEYOND`, larger ones are farther still. Where all classifiers have SFT itself at that level
        or beyond, two that are no nearer than SFT suffice.

        Args:
            answers: as in `choose`, from 0 upwards.
        """
        if len(answers) < 3:
            return False
        streams = [self._stream(answers[strength]) for strength in sorted(answers)]
        hits = self._hits([*streams, self._own]).mean(axis=2)
        away = hits[:, :-1] - hits[:, -1:]
        distance = np.abs(away).mean(axis=0)
        at_least = np.maximum(away, 0).mean(axis=0)[-2:].min()
        if (away[:, 0] >= 0).all():
            return bool(at_least >= distance[0])
        return bool(at_least > distance.min() + BEYOND)

    def _stream(self, answers: Sequence[CalibrationAnswer]) -> Stream:
        read = [parse_response(answer.text, self._dataset.task) for answer in answers]
        return Stream(
            "calibration",
            self._target,
            "",
            self._own.item,
            tuple(one.label for one in read),
            tuple("" if one.problem else one.explanation for one in read),
        )

    def _hits(self, streams: Sequence[Stream]) -> np.ndarray:
        """Return whether each classifier gives a text to the target, else 0, or a share of a tie.

        Returns:
            [classifiers, streams, items], 0 to 1.
        """
        target = self._dataset.annotators.index(self._target)
        by_view = []
        for view in self._views:
            found = attributed(self._dataset, self._items, streams, view, self._embedder)
            by_view.append([given_to(scores)[:, target] for scores in found.streams])
        return np.array(by_view)

    def _labels(self) -> list[set[str]]:
        """Return the labels that the target gave each item; an annotator may give two."""
        rows = self._dataset.annotations
        rows = rows[(rows["annotator_id"] == self._target) & (rows["valid"] != "false")]
        given = rows.groupby("item_id")["label"].agg(set).to_dict()
        return [given[item_id] for item_id in self.item_ids]


def _as_text(by_strength: Mapping[float, float]) -> dict[str, float]:
    return {f"{strength:g}": value for strength, value in by_strength.items()}


def _distances(made: np.ndarray, human: np.ndarray) -> np.ndarray:
    """Return the distance of each strength from the target's own texts.

    Args:
        made: [classifiers, strengths, items]. human: [classifiers, items].
    """
    return np.abs(made.mean(axis=2) - human.mean(axis=1)[:, None]).mean(axis=0)


def _nearest(distances: np.ndarray, labels: np.ndarray) -> int:
    """Return the place of the nearest strength that keeps the labels; the smaller one of a tie."""
    kept = labels >= labels[0] - LABEL_LOSS
    return int(np.argmin(np.round(np.where(kept, distances, np.inf), 12)))


def _reason(strengths: Sequence[float], place: int, shares: np.ndarray, human: np.ndarray) -> str:
    """Return why this strength was chosen, in a few words.

    Args:
        shares: attributed to the target [classifiers, strengths]; human: [classifiers].
    """
    if place == 0:
        if (shares[:, 0] >= human).all():
            return "SFT is already at the target's own level"
        return "no larger strength is nearer and keeps the labels"
    if place == len(strengths) - 1 and (shares[:, place] < human).all():
        return "the CAPO adapter itself does not reach the target's own level"
    return "nearest to the target's own texts"
