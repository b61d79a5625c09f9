"""Systems: our rows of a board, in a registry.

A system takes a `GivenTask`, a track and `Resources`, and returns the probability that each test
annotator gives each label. Labels (task B) and distributions (task A) follow from it by one rule
for all systems (`scores.decided`, `scores.shares`). One more system is one more function with the
decorator `system`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from capo_core.leaderboards.boards import CONTENT, EXPLANATION, ORDINAL, SEVERAL, SINGLE, Board
from capo_core.leaderboards.cells import GivenTask, LabelledCells
from capo_core.progress import Progress, silent
from capo_core.text.embeddings import Embedder


@dataclass(frozen=True)
class Prediction:
    """A system's prediction of the test cells.

    Attributes:
        chances: [cells, L], probability that the annotator gives each label. NaN in rows of cells
            that the system did not answer.
        note: what the system chose or left out, as sentences; "" for nothing.
    """

    chances: np.ndarray = field(repr=False)
    note: str = ""


@dataclass(frozen=True)
class Resources:
    """Needs of systems besides the data.

    Attributes:
        embedder: sentence vectors of texts.
        seeds: of what is initialised at random.
    """

    embedder: Embedder
    seeds: tuple[int, ...] = (0, 1, 2)
    progress: Progress = silent


Predict = Callable[[GivenTask, str, Resources], Prediction]


@dataclass(frozen=True)
class System:
    """A system in the registry.

    Attributes:
        reads: the tracks it has a row in; a system that reads nothing is in all.
        kinds: the boards' kinds it is for.
        torch: whether it needs torch or a sentence encoder.
        revision: raised where the system predicts otherwise, so that saved predictions of before
            are not used.
    """

    name: str
    title: str
    description: str
    predict: Predict = field(repr=False)
    reads: tuple[str, ...] = (CONTENT, EXPLANATION)
    kinds: tuple[str, ...] = (ORDINAL, SINGLE, SEVERAL)
    torch: bool = False
    revision: int = 1

    def fits(self, board: Board, track: str) -> bool:
        """Return whether the system has a row on a track of a board."""
        return track in self.reads and board.kind in self.kinds


SYSTEMS: dict[str, System] = {}


def system(name: str, title: str, description: str, **more: Any) -> Callable[[Predict], Predict]:
    """Decorate a function so that it is a system of the registry; `more` are fields of `System`."""

    def add(predict: Predict) -> Predict:
        SYSTEMS[name] = System(name, title, description, predict, **more)
        return predict

    return add


def systems_of(board: Board, track: str, names: Sequence[str] = ()) -> list[System]:
    """Return the systems of a track of a board, or those of these names, in registry order."""
    found = [each for each in SYSTEMS.values() if each.fits(board, track)]
    return [each for each in found if each.name in names] if names else found


def label_targets(learn: LabelledCells, kind: str) -> np.ndarray:
    """Return what is learned for each cell, float [n, L]: the labels given; of boards with one
    label each as shares that sum to 1."""
    given = learn.given.astype(float)
    return given if kind == SEVERAL else given / given.sum(axis=1, keepdims=True)


def annotator_means(
    learn: LabelledCells, kind: str, n_annotators: int, shrink: float = 0.0
) -> np.ndarray:
    """Return each annotator's mean target [annotators, L], towards the mean of all cells by the
    weight of `shrink` cells; an annotator without a cell has the mean of all."""
    targets = label_targets(learn, kind)
    pooled = targets.mean(axis=0)
    counts = np.bincount(learn.annotator, minlength=n_annotators)[:, None].astype(float)
    sums = np.column_stack(
        [np.bincount(learn.annotator, column, n_annotators) for column in targets.T]
    )
    weight = np.where(counts > 0, shrink, 1.0)
    return (sums + weight * pooled) / (counts + weight)


@system(
    "nothing",
    "No label for anybody",
    "The all-zero vector: no annotator gives any label. The organisers' baseline for boards on "
    "which an annotator may give several.",
    kinds=(SEVERAL,),
)
def nothing(task: GivenTask, track: str, resources: Resources) -> Prediction:
    """Return probability 0 for every label."""
    return Prediction(np.zeros((len(task.test), len(task.board.labels))))


@system(
    "frequent",
    "Each annotator's most frequent label",
    "The label that the annotator gave most often in the training and development parts, the lower "
    "one of two equally frequent; of an unknown annotator, the most frequent of all.",
)
def frequent(task: GivenTask, track: str, resources: Resources) -> Prediction:
    """Return probability 1 for each annotator's most frequent label."""
    means = annotator_means(task.learn, task.board.kind, len(task.annotators))
    chosen = np.eye(len(task.board.labels))[means.argmax(axis=1)]
    return Prediction(chosen[task.test.annotator])


@system(
    "mean",
    "Mean training distribution",
    "The mean label distribution of the training and development parts, the same for every item "
    "and annotator.",
)
def mean(task: GivenTask, track: str, resources: Resources) -> Prediction:
    """Return the pooled label distribution for every cell."""
    pooled = label_targets(task.learn, task.board.kind).mean(axis=0)
    return Prediction(np.tile(pooled, (len(task.test), 1)))


@system(
    "annotator-mean",
    "Each annotator's training distribution",
    "The annotator's own label distribution of the training and development parts, drawn towards "
    "that of all annotators by the weight of five labels; the same for every item.",
)
def annotator_mean(task: GivenTask, track: str, resources: Resources) -> Prediction:
    """Return each annotator's label distribution for all their cells."""
    means = annotator_means(task.learn, task.board.kind, len(task.annotators), SHRINK)
    return Prediction(means[task.test.annotator])


SHRINK = 5.0  # labels of the average annotator that an annotator's own are mixed with
