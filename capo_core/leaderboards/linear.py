"""Linear models of each annotator's labels, on TF-IDF or on sentence vectors.

Ridge regression of the labels on text features, with weights that all annotators share and weights
of each annotator's own: the features are φ(x) and √τ·φ(x) of the annotator (Daumé III 2007,
"Frustratingly Easy Domain Adaptation"), so that the kernel of two cells is
k(x, x')·(1 + τ·[same annotator]). What is regressed is the difference from the annotator's mean
label distribution, which serves as the intercept. τ = 0 shares all weights: annotators then differ
in their intercept alone, which is all that a few labels of theirs can tell.

Features of an item are those of its two texts u, v as [u, v, |u − v|, u·v] (Conneau et al. 2017),
each block and each row of unit length; of an explanation, those of its text, beside those of the
item where cross-validation finds them useful. Penalty, τ and the item's weight are chosen by
five-fold cross-validation over the items of the training and development parts, by task B's
distance.

Own code and not scikit-learn's, since kernels of cells are products of small kernels of items, and
one factorisation serves all labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from capo_core.leaderboards import scores
from capo_core.leaderboards.boards import CONTENT, EXPLANATION, ORDINAL, SEVERAL, Board
from capo_core.leaderboards.cells import AskedCells, GivenTask, LabelledCells
from capo_core.leaderboards.systems import (
    SHRINK,
    Prediction,
    Resources,
    annotator_means,
    label_targets,
    system,
)
from capo_core.text.representations import NGramFeatures, count_ngrams

PENALTIES = (0.3, 1.0, 3.0, 10.0)
OWN_WEIGHTS = (0.0, 2.0)  # τ
ITEM_WEIGHTS = (0.0, 0.3)  # of the item's features beside an explanation's
OWN_FROM = 100  # labels an annotator, on average, from which on own weights are tried
FOLDS = 5
_SMALL = 600  # rows up to which equations are solved in double precision

Matrix = np.ndarray | sparse.csr_matrix
# Texts, and which of them are learned from (TF-IDF is fitted on these) → features [texts, d].
Vectors = Callable[[list[str], np.ndarray], Matrix]


def word_vectors(texts: list[str], learned: np.ndarray) -> Matrix:
    """Return TF-IDF of words and word pairs [texts, d]; vocabulary and idf from `learned`."""
    features = NGramFeatures(count_ngrams([text.lower() for text in texts], "words"))
    return features.split(learned, np.arange(len(texts)))[1]


@dataclass(frozen=True)
class Rows:
    """Rows to regress on: text rows, which may be of several cells, and their targets.

    Attributes:
        text: [n], number of the row's text in the kernel.
        item, annotator: [n]. target: [n, L].
    """

    text: np.ndarray
    item: np.ndarray
    annotator: np.ndarray
    target: np.ndarray


def item_features(texts: list[tuple[str, str]], vectors: Vectors, learned: np.ndarray) -> Matrix:
    """Return features of items, rows of unit length: of both texts, or of the only one."""
    first, second = [a for a, _ in texts], [b for _, b in texts]
    if not any(second):
        return _unit(vectors(first, learned))
    both = vectors([*first, *second], np.concatenate([learned, learned + len(texts)]))
    u, v = both[: len(texts)], both[len(texts) :]
    product = u.multiply(v).tocsr() if sparse.issparse(u) else u * v
    blocks = [_unit(each) for each in (u, v, abs(u - v), product)]
    return _unit(sparse.hstack(blocks).tocsr() if sparse.issparse(u) else np.hstack(blocks))


def _unit(matrix: Matrix) -> Matrix:
    """Return the rows with length 1; rows of zeros stay."""
    if sparse.issparse(matrix):
        length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        return sparse.diags(1 / np.where(length > 0, length, 1)).dot(matrix).tocsr()
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(length > 0, length, 1)


def _kernel(left: Matrix, right: Matrix) -> np.ndarray:
    found = left @ right.T
    return np.asarray(found.todense() if sparse.issparse(found) else found, dtype=np.float64)


def _predict(task: GivenTask, track: str, vectors: Vectors) -> Prediction:
    """Return the linear model's prediction of the test cells."""
    board, learn, test = task.board, task.learn, task.test
    used = np.unique(np.concatenate([learn.item, test.item]))
    learned_items = np.isin(used, learn.item)
    features = item_features(
        [task.texts[item] for item in used], vectors, np.flatnonzero(learned_items)
    )
    place = {int(item): number for number, item in enumerate(used)}
    of_items = _kernel(features, features)
    if track == CONTENT:
        rows = Rows(
            np.array([place[int(item)] for item in learn.item]),
            learn.item,
            learn.annotator,
            label_targets(learn, board.kind),
        )
        asked = np.array([place[int(item)] for item in test.item])
        return _fitted(task, rows, {0.0: of_items}, asked, np.arange(len(test)))
    texts, rows, asked, cell = _explanation_rows(learn, test, len(board.labels))
    explained = _unit(vectors(texts, np.arange(len(rows.text))))
    own = _kernel(explained, explained)
    at = np.array(
        [place[int(item)] for item in np.concatenate([rows.item, test.item[cell]])], dtype=int
    )
    kernels = {weight: own + weight * of_items[np.ix_(at, at)] for weight in ITEM_WEIGHTS}
    return _fitted(task, rows, kernels, asked, cell)


def _explanation_rows(
    learn: LabelledCells, test: AskedCells, n_labels: int
) -> tuple[list[str], Rows, np.ndarray, np.ndarray]:
    """Return all explanations; those with a label as rows; the asked ones, and their cells."""
    texts, where, labels = [], [], []
    for number, (said, named) in enumerate(zip(learn.explanations, learn.labels, strict=True)):
        for text, label in zip(said, named, strict=True):
            texts.append(text)
            where.append(number)
            labels.append(label)
    at = np.array(where, dtype=int)
    rows = Rows(
        np.arange(len(texts)), learn.item[at], learn.annotator[at], np.eye(n_labels)[labels]
    )
    cell = np.array(
        [number for number, said in enumerate(test.explanations) for _ in said], dtype=int
    )
    texts += [text for said in test.explanations for text in said]
    return texts, rows, np.arange(len(rows.text), len(texts)), cell


def _fitted(
    task: GivenTask,
    rows: Rows,
    kernels: dict[float, np.ndarray],
    asked: np.ndarray,
    cell: np.ndarray,
) -> Prediction:
    """Return the prediction by the settings that cross-validation chooses.

    Args:
        kernels: item's weight → kernel of all texts. asked: texts of the test rows, and `cell` the
            test cell of each.
    """
    board, n_annotators = task.board, len(task.annotators)
    means = annotator_means(task.learn, board.kind, n_annotators, SHRINK)
    often = len(rows.text) / len(np.unique(rows.annotator)) >= OWN_FROM
    grid = list(itertools.product(kernels, OWN_WEIGHTS if often else (0.0,), PENALTIES))
    items = np.unique(rows.item)
    fold = np.random.default_rng(0).permutation(np.arange(len(items)) % FOLDS)
    of_row = fold[np.searchsorted(items, rows.item)]
    of_cell = fold[np.searchsorted(items, task.learn.item)]
    loss = dict.fromkeys(grid, 0.0)
    for number in range(FOLDS):
        train, held = of_row != number, of_row == number
        truth = task.learn.rows(of_cell == number)
        place = {
            key: n
            for n, key in enumerate(zip(truth.item.tolist(), truth.annotator.tolist(), strict=True))
        }
        at = np.array(
            [
                place[key]
                for key in zip(rows.item[held].tolist(), rows.annotator[held].tolist(), strict=True)
            ]
        )
        for weight, own in itertools.product(kernels, {tau for _, tau, _ in grid}):
            found = _regress(
                kernels[weight], rows, train, rows.text[held], rows.annotator[held], means, own
            )
            for penalty, raw in zip(PENALTIES, found, strict=True):
                chances = _of_cells(board, raw, at, means[truth.annotator])
                said = scores.decided(board, chances)
                each = scores.perspective(board, truth.given, said, truth.item)
                loss[weight, own, penalty] += float(each.sum()) / len(items)
    best = min(grid, key=lambda one: (round(loss[one], 9), -one[2]))
    weight, own, penalty = best
    annotator = task.test.annotator[cell]
    every = np.ones(len(rows.text), dtype=bool)
    (raw,) = _regress(kernels[weight], rows, every, asked, annotator, means, own, (penalty,))
    chances = _of_cells(board, raw, cell, means[task.test.annotator])
    chosen = [f"penalty {penalty:g}"]
    if often:
        chosen.append(f"own weights τ = {own:g}")
    if len(kernels) > 1:
        chosen.append(f"the item's features with weight {weight:g}")
    return Prediction(
        chances,
        f"Chosen by five-fold cross-validation over items (task B {loss[best]:.3f}): "
        f"{', '.join(chosen)}.",
    )


def _regress(
    kernel: np.ndarray,
    rows: Rows,
    train: np.ndarray,
    asked: np.ndarray,
    annotator: np.ndarray,
    means: np.ndarray,
    own: float,
    penalties: tuple[float, ...] = PENALTIES,
) -> list[np.ndarray]:
    """Return regressed targets of the asked rows [asked, L], one for each penalty.

    With shared weights alone (own = 0), the rows of one text enter as their mean, weighted by
    their number, which gives the same and costs texts³ and not rows³.
    """
    text, who = rows.text[train], rows.annotator[train]
    residual = rows.target[train] - means[who]
    if own:
        same = 1 + own * (who[:, None] == who)
        gram = kernel[np.ix_(text, text)] * same
        cross = kernel[np.ix_(asked, text)] * (1 + own * (annotator[:, None] == who))
        noise, right = np.ones(len(text)), residual
    else:
        texts, number, n = np.unique(text, return_inverse=True, return_counts=True)
        gram, cross = kernel[np.ix_(texts, texts)], kernel[np.ix_(asked, texts)]
        right = np.column_stack([np.bincount(number, each) / n for each in residual.T])
        noise = 1.0 / n
    found = []
    for penalty in penalties:
        system_ = gram.copy()
        system_[np.diag_indices_from(system_)] += penalty * noise
        factor = linalg.cho_factor(system_, overwrite_a=True, check_finite=False)
        found.append(means[annotator] + cross @ linalg.cho_solve(factor, right, check_finite=False))
    return found


def _of_cells(board: Board, raw: np.ndarray, cell: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return probabilities of cells [cells, L] from regressed rows.

    Rows of one cell are explanations of one annotator, each for a label of its own: a label is
    given unless none of them is for it. A cell without a row has its annotator's mean.
    """
    chances = proper(board, raw)
    if len(cell) == len(prior) and (np.diff(cell) > 0).all():
        return chances
    none = np.ones(prior.shape)
    np.multiply.at(none, cell, 1 - chances)
    found = np.where(np.isin(np.arange(len(prior)), cell)[:, None], 1 - none, prior)
    return found if board.kind == SEVERAL else found / found.sum(axis=1, keepdims=True)


def proper(board: Board, raw: np.ndarray) -> np.ndarray:
    """Return regressed values [n, L] as probabilities: between 0 and 1, and of sum 1 unless several
    labels may be given; on ordinal scales by their cumulated sums, which are made to rise."""
    if board.kind == SEVERAL:
        return np.clip(raw, 0.0, 1.0)
    if board.kind == ORDINAL:
        rising = np.maximum.accumulate(np.clip(np.cumsum(raw, axis=1), 0.0, 1.0), axis=1)
        rising[:, -1] = 1.0
        return np.diff(rising, axis=1, prepend=0.0)
    kept = np.clip(raw, 0.0, None)
    return kept / kept.sum(axis=1, keepdims=True)


@system(
    "words",
    "Linear model, TF-IDF",
    "Ridge regression on TF-IDF of words and word pairs, with weights shared by all annotators and "
    "weights of each annotator's own.",
    reads=(CONTENT, EXPLANATION),
)
def words(task: GivenTask, track: str, resources: Resources) -> Prediction:
    """Return the linear model's prediction on TF-IDF."""
    return _predict(task, track, word_vectors)


@system(
    "minilm",
    "Linear model, MiniLM",
    "The same on sentence vectors of all-MiniLM-L6-v2.",
    torch=True,
)
def minilm(task: GivenTask, track: str, resources: Resources) -> Prediction:
    """Return the linear model's prediction on sentence vectors."""
    return _predict(
        task, track, lambda texts, learned: resources.embedder(texts, resources.progress)
    )
