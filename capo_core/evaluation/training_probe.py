"""Probe of a model in training: the share of its answers that is attributed to the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import View, attributed, given_to, training_rows
from capo_core.evaluation.streams import Stream
from capo_core.imitation.parsing import parse_response
from capo_core.stats.intervals import wilson
from capo_core.text.embeddings import Embedder


class ProbeAnswer(Protocol):
    """Answer in the format of training (`imitation.sampling.Answer`)."""

    item_id: str
    target: str
    text: str


class Probe:
    """Attribution of a model's answers during training, by the classifier of `attribution`.

    The classifier is fitted anew for each probe, since its features (word frequencies) are
    computed with the texts; it is still fitted on human training texts only. That takes well under
    a second for some thousand texts.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """

    def __init__(self, dataset: Dataset, view: View | None = None) -> None:
        training_rows(dataset)
        self._dataset, self._view, self._embedder = dataset, view or View(), Embedder()

    def __call__(self, answers: Sequence[ProbeAnswer]) -> dict[str, Any]:
        """Return the fields of an event "probe".

        Args:
            answers: one for each item.

        Returns:
            target_share: share of `n` answers attributed to their target; one that cannot
            be read is attributed to nobody (`unread` counts them). low, high: its 95 %
            interval (Wilson). chance: 1 / number of annotators.
        """
        names = self._dataset.annotators
        read = [parse_response(answer.text, self._dataset.task) for answer in answers]
        texts = tuple("" if one.problem else one.explanation for one in read)
        items = tuple(answer.item_id for answer in answers)
        labels = tuple(one.label for one in read)
        stream = Stream("probe", "", "", np.arange(len(items)), labels, texts)
        found = attributed(self._dataset, items, [stream], self._view, self._embedder)
        targets = [names.index(answer.target) for answer in answers]
        hits = float(given_to(found.streams[0])[np.arange(len(items)), targets].sum())
        low, high = wilson(hits, len(items))
        return {
            "target_share": hits / len(items),
            "n": len(items),
            "low": low,
            "high": high,
            "chance": 1 / len(names),
            "unread": sum(not text for text in texts),
        }


def probe_for(dataset: Dataset, settings: Any) -> Probe | None:
    """Return the probe that a training's settings request; None if they request none.

    Raises:
        DataError: see `Probe`.
    """
    return Probe(dataset) if settings.probe_items else None
