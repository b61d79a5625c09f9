"""Scoring rules of LeWiDi-2025, as the organisers' scorer has them; one number an item.

Read from the scorer that the participants were given (kept in cs-nlp-uu/LeWiDi_ICL,
`src/evaluation.py`) and held to the printed baselines by a test: Paraphrase .3618 (printed .362)
and VariErrNLI .3450 (.345). The scorer's rounding of each item to five digits is left out.

Task B (`perspective`): mean over the annotators of an item. ORDINAL: absolute distance divided by
the number of labels; SINGLE: share of wrong labels; SEVERAL: share of labels, given or not, that
are wrong. Task A (`soft`): ORDINAL: Wasserstein distance over the labels' positions; SINGLE:
Manhattan distance; SEVERAL: Manhattan distance of [not given, given], mean over the labels. A
board's score is the mean over its items.
"""

from __future__ import annotations

import numpy as np

from capo_core.leaderboards.boards import ORDINAL, SEVERAL, Board
from capo_core.stats import distances


def perspective(board: Board, given: np.ndarray, said: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return task B's distance of each item [items], in the order of the items' numbers.

    Args:
        given, said: bool [cells, L], the labels that an annotator gave, and those predicted.
        item: [cells], the item of each cell.
    """
    if board.kind == ORDINAL:
        each = np.abs(_position(given) - _position(said)) / board.divisor
    elif board.kind == SEVERAL:
        each = (given != said).mean(axis=1)
    else:
        each = (given != said).any(axis=1).astype(float)
    return item_means(each, item)


def soft(board: Board, people: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return task A's distance of each item [items].

    Args:
        people, said: [items, L], the share of an item's annotators who gave each label.
    """
    if board.kind == ORDINAL:
        return distances.wasserstein(people, said, np.arange(len(board.labels), dtype=float))
    if board.kind == SEVERAL:
        return distances.manhattan_per_label(people, said)
    return distances.manhattan(people, said)


def decided(board: Board, chances: np.ndarray) -> np.ndarray:
    """Return the labels, bool [cells, L], with the least expected distance of task B.

    ORDINAL: the median of the distribution; SINGLE: the most probable label; SEVERAL: each label
    of a probability above one half.

    Args:
        chances: [cells, L], the probability that the annotator gives each label.
    """
    if board.kind == SEVERAL:
        return chances > 0.5
    place = chances.argmax(axis=1)
    if board.kind == ORDINAL:
        cumulated = np.cumsum(chances, axis=1) / chances.sum(axis=1, keepdims=True)
        place = (cumulated < 0.5 - 1e-9).sum(axis=1)
    return np.eye(chances.shape[1], dtype=bool)[place]


def shares(chances: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return the mean of the cells of each item [items, L]: of labels given, the people's shares;
    of predicted probabilities, the predicted distribution."""
    return np.column_stack([item_means(column, item) for column in chances.T.astype(float)])


def item_means(values: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return the mean of the cells of each item [items], in the order of the items' numbers."""
    _, number, n = np.unique(item, return_inverse=True, return_counts=True)
    return np.bincount(number, values, len(n)) / n


def _position(labels: np.ndarray) -> np.ndarray:
    return labels.argmax(axis=1).astype(float)
