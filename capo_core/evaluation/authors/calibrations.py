"""Calibrations of likelihoods by folds of items, so that no text is in its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.evaluation.likelihood import FOLDS, LikelihoodCalibration, fit_calibration
from capo_core.evaluation.streams import Stream
from capo_core.formatting import count


@dataclass(frozen=True)
class Calibrations:
    """Calibrations by fold: that of a fold was fitted on the human texts of the other folds' items.

    Attributes:
        fold: item → its fold.
    """

    whole: LikelihoodCalibration
    by_fold: list[LikelihoodCalibration]
    fold: dict[str, int]

    def scores(
        self,
        item_ids: tuple[str, ...],
        streams: Sequence[Stream],
        matrices: Sequence[np.ndarray],
    ) -> list[np.ndarray]:
        """Return calibrated scores of each stream, by the calibration of the item's fold."""
        fold = np.array([self.fold[item] for item in item_ids])
        found = []
        for stream, matrix in zip(streams, matrices, strict=True):
            result = np.zeros_like(matrix)
            for number, one in enumerate(self.by_fold):
                here = fold[stream.item] == number
                result[here] = one.scores(matrix[here])
            found.append(result)
        return found

    def to_dict(self, annotators: Sequence[str]) -> dict[str, Any]:
        """Return the calibration on all texts, as JSON."""
        offsets = dict(zip(annotators, self.whole.offsets.tolist(), strict=True))
        return {
            "slope": self.whole.slope,
            "offsets": offsets,
            "texts": self.whole.n,
            "folds": len(self.by_fold),
        }


def fit_calibrations(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    matrices: Sequence[np.ndarray],
) -> Calibrations:
    """Fit the calibrations on human texts.

    Raises:
        DataError: an annotator has texts in one fold at most.
    """
    there = [np.isfinite(matrix).all(axis=1) for matrix in matrices]
    check_enough(dataset, item_ids, streams, there)
    matrix = np.concatenate(matrices)
    fold = np.concatenate([stream.item for stream in streams]) % FOLDS
    author = np.repeat(
        [dataset.annotators.index(s.target) for s in streams], [len(s) for s in streams]
    )
    return Calibrations(
        fit_calibration(matrix, author),
        [fit_calibration(matrix[fold != n], author[fold != n]) for n in range(FOLDS)],
        {item: n % FOLDS for n, item in enumerate(item_ids)},
    )


def check_enough(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    there: Sequence[np.ndarray],
) -> None:
    """Check that every annotator has texts in two folds at least.

    Args:
        there: for each stream, which of its texts have a score.

    Raises:
        DataError: an annotator has texts in one fold at most.
    """
    folds: dict[str, set[int]] = {name: set() for name in dataset.annotators}
    for stream, known in zip(streams, there, strict=True):
        folds[stream.target] |= set((stream.item[known] % FOLDS).tolist())
    for name, found in folds.items():
        if len(found) < 2:
            raise DataError(
                f"annotator {name!r} has explanations on too few of the "
                f"{count(len(item_ids), 'item')} to be scored: the scores cannot be calibrated",
                where=dataset.name,
                expected="explanations by every annotator on several validation and test items",
                todo="divide the data again, with more items in validation and test, and train "
                "again",
            )
