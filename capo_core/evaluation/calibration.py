"""The yardstick of calibrated CAPO: how near a model's answers are to the target's own texts.

Answers to validation items at several strengths between the SFT and the CAPO adapter are attributed
by classifiers of human training texts, and compared with what the target wrote about the same
items. A strength at which the answers are attributed to the target more often than the target's own
texts is a caricature, not a better imitation: so the nearest strength is chosen, not the highest.
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
# Farther beyond the target's own level than the nearest strength, twice in a row: no larger one is
# asked for, since imitation only grows with the strength.
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
        label_accuracy: for each strength the share of labels that the target gave too.
        support: share of bootstrap draws over items in which this strength is chosen.
        n: number of items.
        reason: in a few words.
    """

    strength: float
    imitation: dict[float, float]
    human: float
    label_accuracy: dict[float, float]
    support: float
    n: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON writes it: strengths as text."""
        plain = asdict(self)
        for name in ("imitation", "label_accuracy"):
            plain[name] = {f"{strength:g}": value for strength, value in plain[name].items()}
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
        made, human = hits[:-1], hits[-1]
        place = _nearest(made.mean(axis=1), human.mean(), right.mean(axis=1))
        rng = np.random.default_rng([seed, 0xCA11])
        draws = rng.integers(0, len(human), (DRAWS, len(human)))
        chosen = [
            _nearest(made[:, draw].mean(axis=1), human[draw].mean(), right[:, draw].mean(axis=1))
            for draw in draws
        ]
        imitation = dict(zip(strengths, made.mean(axis=1).tolist(), strict=True))
        return CalibratedStrength(
            strength=strengths[place],
            imitation=imitation,
            human=float(human.mean()),
            label_accuracy=dict(zip(strengths, right.mean(axis=1).tolist(), strict=True)),
            support=float(np.mean([each == place for each in chosen])),
            n=len(human),
            reason=_reason(strengths[place], imitation, float(human.mean())),
        )

    def is_enough(self, answers: Mapping[float, Sequence[CalibrationAnswer]]) -> bool:
        """Return whether larger strengths than those answered cannot be nearer.

        Imitation grows with the strength: where two successive ones are beyond the target's own
        level, each by `BEYOND` more than the nearest, larger ones are farther still. Where SFT
        itself is at that level or beyond, two that are no nearer suffice.

        Args:
            answers: as in `choose`, from 0 upwards.
        """
        if len(answers) < 3:
            return False
        streams = [self._stream(answers[strength]) for strength in sorted(answers)]
        *made, human = self._hits([*streams, self._own]).mean(axis=1)
        away = np.array(made) - human
        beyond = away[-2:].min()
        if away[0] >= 0:
            return bool(beyond >= away[0])
        return bool(beyond > np.abs(away).min() + BEYOND)

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
        """Return the share of classifiers that give each text to the target [streams, items]."""
        target = self._dataset.annotators.index(self._target)
        by_view = []
        for view in self._views:
            found = attributed(self._dataset, self._items, streams, view, self._embedder)
            by_view.append([given_to(scores)[:, target] for scores in found.streams])
        return np.mean(by_view, axis=0)

    def _labels(self) -> list[set[str]]:
        """Return the labels that the target gave each item; an annotator may give two."""
        rows = self._dataset.annotations
        rows = rows[(rows["annotator_id"] == self._target) & (rows["valid"] != "false")]
        given = rows.groupby("item_id")["label"].agg(set).to_dict()
        return [given[item_id] for item_id in self.item_ids]


def _nearest(imitation: np.ndarray, human: float, labels: np.ndarray) -> int:
    """Return the place of the nearest strength that keeps the labels; the smaller one of a tie."""
    kept = labels >= labels[0] - LABEL_LOSS
    distance = np.where(kept, np.abs(imitation - human), np.inf)
    return int(np.argmin(np.round(distance, 12)))


def _reason(strength: float, imitation: Mapping[float, float], human: float) -> str:
    first = imitation[min(imitation)]
    if strength == 0:
        if first >= human:
            return "SFT is already at the target's own level"
        return "no larger strength is nearer and keeps the labels"
    if strength == max(imitation) and imitation[strength] < human:
        return "the CAPO adapter itself does not reach the target's own level"
    return "nearest to the target's own texts"
