"""Cells of a board: what each annotator gave each item, to learn from and to be predicted.

A system is given a `GivenTask`: `LabelledCells` of the training and development parts, and
`AskedCells` of the test part, which hold no label. `BoardTask` adds the labels that it is scored
on, and stays with the scorer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.formatting import count, name_list
from capo_core.leaderboards.boards import Board
from capo_core.workspace import content_hash

LEARNED = ("train", "validation")
TEST = "test"


@dataclass(frozen=True)
class AskedCells:
    """Pairs of an item and one of its annotators.

    Attributes:
        item: [n], number of the item in `BoardTask.texts`.
        annotator: [n], number of the annotator in `BoardTask.annotators`.
        explanations: the annotator's explanations of the item, in the order of the data; () for
            none.
    """

    item: np.ndarray = field(repr=False)
    annotator: np.ndarray = field(repr=False)
    explanations: tuple[tuple[str, ...], ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.item)


@dataclass(frozen=True)
class LabelledCells(AskedCells):
    """Cells with their labels.

    Attributes:
        given: bool [n, L], the labels that the annotator gave.
        labels: numbers of the labels, in the order of `explanations`.
    """

    given: np.ndarray = field(repr=False)
    labels: tuple[tuple[int, ...], ...] = field(repr=False)

    def rows(self, kept: np.ndarray) -> LabelledCells:
        """Return the cells where `kept`, bool [n]."""
        at = np.flatnonzero(kept)
        return LabelledCells(
            self.item[at],
            self.annotator[at],
            tuple(self.explanations[row] for row in at),
            self.given[at],
            tuple(self.labels[row] for row in at),
        )

    def asked(self) -> AskedCells:
        """Return the same cells without their labels."""
        return AskedCells(self.item, self.annotator, self.explanations)


@dataclass(frozen=True)
class GivenTask:
    """A board's data as systems see them: no label of the test part is in it.

    Attributes:
        texts: (text_a, text_b) of each item of all parts.
        item_ids: of the same items.
        development: bool, of the same items: whether it is of the development part.
        learn: cells of the training and development parts. test: those of the test part.
    """

    board: Board
    annotators: tuple[str, ...]
    texts: tuple[tuple[str, str], ...] = field(repr=False)
    item_ids: tuple[str, ...] = field(repr=False)
    development: np.ndarray = field(repr=False)
    learn: LabelledCells = field(repr=False)
    test: AskedCells = field(repr=False)


@dataclass(frozen=True)
class BoardTask(GivenTask):
    """A board's data, and the labels that systems are scored on.

    Attributes:
        truth: cells of the test part with their labels; for scoring alone.
        parts: number of items by part.
        comparable: whether the test part has the texts of the published one.
        notes: deviations from the published parts, as sentences.
    """

    dataset: Dataset = field(repr=False)
    truth: LabelledCells = field(repr=False)
    parts: dict[str, int]
    comparable: bool
    notes: tuple[str, ...] = ()

    def given(self) -> GivenTask:
        """Return the part that systems see."""
        return GivenTask(**{one.name: getattr(self, one.name) for one in fields(GivenTask)})


def texts_hash(items: pd.DataFrame) -> str:
    """Return the SHA-256 (hex) of the texts of items, in any order; of their texts and not of their
    identifiers, since an import of several files tells alike identifiers apart."""
    return content_hash(sorted(map(list, zip(items["text_a"], items["text_b"], strict=True))))


def board_task(dataset: Dataset, board: Board) -> BoardTask:
    """Return the cells of a dataset's training, development and test parts.

    Raises:
        DataError: the labels are not the board's, or a part is empty.
    """
    labels = dataset.task.scale.labels
    if set(labels) - set(board.labels):
        raise DataError(
            f"the dataset has the labels {name_list(labels)}",
            where=dataset.name,
            expected=f"those of {board.title}: {name_list(board.labels)}",
            todo="name a dataset of this board (--data), or another board (--dataset)",
        )
    items = dataset.items
    parts = {part: int((items["split"] == part).sum()) for part in (*LEARNED, TEST)}
    for wanted, names in (((TEST,), "test"), (LEARNED, "training or development")):
        if not sum(parts[part] for part in wanted):
            raise DataError(
                f"the dataset has no {names} items",
                where=dataset.name,
                expected=f"the parts of {board.title} as one dataset with their split",
                todo="import all files of the board together: data import "
                f"{board.file}_train.json {board.file}_dev.json {board.file}_test.json",
            )
    annotators = dataset.annotators
    learn = _cells(dataset, board, annotators, LEARNED)
    truth = _cells(dataset, board, annotators, (TEST,))
    comparable = texts_hash(items[items["split"] == TEST]).startswith(board.test_texts)
    return BoardTask(
        board=board,
        annotators=annotators,
        texts=tuple(zip(items["text_a"], items["text_b"], strict=True)),
        item_ids=tuple(items["item_id"]),
        development=(items["split"] == "validation").to_numpy(dtype=bool),
        learn=learn,
        test=truth.asked(),
        dataset=dataset,
        truth=truth,
        parts=parts,
        comparable=comparable,
        notes=tuple(_deviations(board, parts, learn, truth, comparable)),
    )


def _cells(
    dataset: Dataset, board: Board, annotators: Sequence[str], parts: Sequence[str]
) -> LabelledCells:
    place = {item: number for number, item in enumerate(dataset.items["item_id"])}
    who = {name: number for number, name in enumerate(annotators)}
    label = {name: number for number, name in enumerate(board.labels)}
    wanted = set(dataset.items.loc[dataset.items["split"].isin(parts), "item_id"])
    rows: pd.DataFrame = dataset.annotations[dataset.annotations["item_id"].isin(wanted)]
    cells: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for row in rows.itertuples():
        key = place[row.item_id], who[row.annotator_id]
        cells.setdefault(key, []).append((label[row.label], row.explanation))
    order = sorted(cells)
    given = np.zeros((len(order), len(board.labels)), dtype=bool)
    for number, key in enumerate(order):
        given[number, [each for each, _ in cells[key]]] = True
    explained = [[(each, text) for each, text in cells[key] if text.strip()] for key in order]
    return LabelledCells(
        np.array([item for item, _ in order], dtype=np.int64),
        np.array([name for _, name in order], dtype=np.int64),
        tuple(tuple(text for _, text in one) for one in explained),
        given,
        tuple(tuple(each for each, _ in one) for one in explained),
    )


def _deviations(
    board: Board,
    parts: dict[str, int],
    learn: LabelledCells,
    truth: LabelledCells,
    comparable: bool,
):
    """Yield what differs from the published parts, as sentences."""
    if not parts["train"]:
        size = f" ({count(board.items['train'], 'item')})" if "train" in board.items else ""
        yield (
            f"The training part{size} is not in this dataset: our rows learned from the "
            f"{count(parts['validation'], 'item')} of the development part alone, the published "
            "ones from both."
        )
    elif parts["train"] != board.items.get("train", parts["train"]):
        yield (
            f"The training part has {count(parts['train'], 'item')}, the published one "
            f"{board.items['train']:,}."
        )
    if parts[TEST] != board.items[TEST]:
        yield (
            f"The test part has {count(parts[TEST], 'item')}, the published one "
            f"{board.items[TEST]:,}: published rows are not comparable."
        )
    elif not comparable:
        yield (
            f"The {count(parts[TEST], 'item')} of the test part are not those of the published one "
            "(another split, or other texts): published rows are not comparable."
        )
    new = set(truth.annotator.tolist()) - set(learn.annotator.tolist())
    if new:
        cells = int(np.isin(truth.annotator, list(new)).sum())
        yield (
            f"{count(len(new), 'test annotator')} ({count(cells, 'cell')}) without a label to "
            "learn from: predicted as the average annotator."
        )
