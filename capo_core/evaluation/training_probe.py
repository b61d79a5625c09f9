"""Probe of a model in training: how far its answers are attributed to the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy.special import softmax

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import (
    FOLDS,
    View,
    attributed,
    fit_slope,
    given_to,
    training_rows,
)
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, human_streams
from capo_core.imitation.parsing import parse_response
from capo_core.stats.intervals import Z95, wilson
from capo_core.text.embeddings import Embedder


class ProbeAnswer(Protocol):
    """Answer in the format of training (`imitation.training.samples.SampledAnswer`)."""

    item_id: str
    target: str
    text: str


class Probe:
    """Attribution of a model's answers during training, by the classifier of `attribution`.

    The classifier is fitted anew for each probe, since its features (word frequencies) are
    computed with the texts; it is still fitted on human training texts only. That takes well under
    a second for some thousand texts. The share of answers attributed to the target is soon 100 %
    of a few texts; the mean probability goes on telling steps apart, and stands beside that of the
    people's own texts about the same items.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """

    def __init__(self, dataset: Dataset, view: View | None = None) -> None:
        training_rows(dataset)
        self._dataset, self._view, self._embedder = dataset, view or View(), Embedder()

    @cached_property
    def _slope(self) -> float:
        """Return the factor that makes scores into probabilities, from people's training texts
        alone: it is the same for every probe, and after a training was resumed."""
        found = attributed(self._dataset, (), [], self._view, self._embedder, folds=FOLDS)
        return fit_slope(found.train, found.author)

    def __call__(self, answers: Sequence[ProbeAnswer]) -> dict[str, Any]:
        """Return the fields of an event "probe".

        Args:
            answers: one for each item.

        Returns:
            target_share: share of `n` answers attributed to their target; one that cannot
            be read is attributed to nobody (`unread` counts them). low, high: its 95 %
            interval (Wilson). chance: 1 / number of annotators. probability: mean probability of
            the target by the classifier, 0 for one that cannot be read, with probability_low and
            probability_high (95 %, normal). human, others: the same of the targets' own texts
            about these items, and of the other annotators' (`human_n`, `others_n` texts); left out
            where there are none.
        """
        names = self._dataset.annotators
        read = [parse_response(answer.text, self._dataset.task) for answer in answers]
        texts = tuple("" if one.problem else one.explanation for one in read)
        items = tuple(answer.item_id for answer in answers)
        labels = tuple(one.label for one in read)
        targets = [names.index(answer.target) for answer in answers]
        stream = Stream("probe", "", "", np.arange(len(items)), labels, texts)
        known = tuple(dict.fromkeys(items))
        asked = {answer.target for answer in answers}
        people = [one for one in human_streams(self._dataset, known)
                  if one.target in asked and len(one)]  # fmt: skip
        here = [replace(one, item=np.array([items.index(known[n]) for n in one.item]))
                for one in people]  # fmt: skip
        found = attributed(self._dataset, items, [stream, *here], self._view, self._embedder)
        own = np.arange(len(items)), targets
        hits = float(given_to(found.streams[0])[own].sum())
        low, high = wilson(hits, len(items))
        chances = np.where(
            [bool(text.strip()) for text in texts], self._probabilities(found.streams[0])[own], 0.0
        )
        mean = float(chances.mean())
        half = Z95 * float(chances.std(ddof=1)) / len(items) ** 0.5 if len(items) > 1 else 1.0
        event = {
            "target_share": hits / len(items),
            "n": len(items),
            "low": low,
            "high": high,
            "chance": 1 / len(names),
            "unread": sum(not text for text in texts),
            "probability": mean,
            "probability_low": max(0.0, mean - half),
            "probability_high": min(1.0, mean + half),
        }
        for name, source in (("human", HUMAN), ("others", OTHER)):
            theirs = [
                self._probabilities(scores)[:, names.index(one.target)]
                for one, scores in zip(people, found.streams[1:], strict=True)
                if one.source == source
            ]
            if theirs:
                every = np.concatenate(theirs)
                event |= {name: float(every.mean()), f"{name}_n": len(every)}
        return event

    def _probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Return probabilities [n, C] of scores."""
        return softmax(self._slope * scores, axis=1)


def probe_for(dataset: Dataset, settings: Any) -> Probe | None:
    """Return the probe that a training's settings request; None if they request none.

    Raises:
        DataError: see `Probe`.
    """
    return Probe(dataset) if settings.probe_items else None
