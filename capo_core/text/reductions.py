"""Input-content reduction: taking what the item says out of what the annotator wrote.

Two reductions work on the text (`mask_input`, `style_only`; `random_mask` is the control of the
first), two on vectors (`residual`, `subspace`; `random_subspace` is the control of the second).
What has to be fitted is fitted on training rows only. None of them sees who wrote a text.

Centering on the item's own mean is not among them: with all annotators present the residuals of an
item sum to zero, so that each text is decoded from the others. `stability.controls` shows this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import linalg

from capo_core.text.lexicons import MANNER_WORDS
from capo_core.text.tokens import Span, input_spans, spans

REDUCTIONS = ("none", "mask_input", "residual", "subspace", "style_only")
CONTROLS = ("random_mask", "random_subspace")

# A word that a sentence encoder reads as "some content"; runs of it are kept, since how much of
# the input an annotator takes over, and in what shape, is manner.
PLACEHOLDER = "something"


def replace_spans(text: str, found: list[Span]) -> str:
    """`text` with each of the `found` spans replaced by the placeholder."""
    pieces, end = [], 0
    for span in found:
        pieces += [text[end : span.start], PLACEHOLDER]
        end = span.end
    return "".join([*pieces, text[end:]])


def mask_input(text: str, inputs: tuple[str, str]) -> str:
    """Every word of `text` that stands in the item's own texts becomes the placeholder."""
    return replace_spans(text, input_spans(text, *inputs))


def random_mask(text: str, inputs: tuple[str, str], rng: np.random.Generator) -> str:
    """As many words replaced as `mask_input` replaces, chosen at random: its control."""
    candidates = [span for span in spans(text) if span.is_word]
    count = len(input_spans(text, *inputs))
    chosen = np.sort(rng.permutation(len(candidates))[:count])
    return replace_spans(text, [candidates[index] for index in chosen])


def style_only(text: str) -> str:
    """Only closed-class words and punctuation stay; every content word becomes the placeholder.

    After POSNoise (Halvani & Graner 2021), with a word list in place of a tagger.
    """
    return replace_spans(
        text, [s for s in spans(text) if s.is_word and s.token not in MANNER_WORDS]
    )


class VectorReduction(Protocol):
    """A reduction of vectors, fitted on the training rows of one fold."""

    def __call__(
        self, train: np.ndarray, test: np.ndarray, train_rows: np.ndarray, test_rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The reduced train [n_train, d] and test [n_test, d]; `*_rows` number the corpus rows."""
        ...


@dataclass(frozen=True)
class Residual:
    """What ridge regression cannot predict from the input's embedding.

    Attributes:
        inputs: features of each item's input [items, e], see `input_features`.
        item: the item of each corpus row [n].
        penalty: ridge penalty on `inputs` (unit-length parts).
        inner_folds: residuals of training rows come from models that did not see the row's item;
            in-sample residuals would be smaller than those of test rows.
    """

    inputs: np.ndarray
    item: np.ndarray
    penalty: float = 10.0
    inner_folds: int = 5
    shuffle_seed: int | None = None  # a control: pair the items with the wrong inputs

    def __call__(self, train, test, train_rows, test_rows):
        inputs = self.inputs
        if self.shuffle_seed is not None:
            inputs = inputs[np.random.default_rng(self.shuffle_seed).permutation(len(inputs))]
        items, code = np.unique(self.item[train_rows], return_inverse=True)
        count = np.bincount(code).astype(np.float32)
        mean = _sum_rows(train, code, len(items)) / count[:, None]
        own = np.empty_like(train)
        inner = np.arange(len(items)) % self.inner_folds
        for fold in range(self.inner_folds):
            fitted, held = inner != fold, inner == fold
            if not held.any():
                continue
            predicted = np.zeros((len(items), train.shape[1]), dtype=train.dtype)
            predicted[held] = ridge_predict(
                inputs[items[fitted]],
                mean[fitted],
                count[fitted],
                inputs[items[held]],
                self.penalty,
            )
            rows = held[code]
            own[rows] = train[rows] - predicted[code[rows]]
        test_items, test_code = np.unique(self.item[test_rows], return_inverse=True)
        predicted = ridge_predict(inputs[items], mean, count, inputs[test_items], self.penalty)
        return own, test - predicted[test_code]


@dataclass(frozen=True)
class Subspace:
    """Leading directions of the inputs projected out.

    Attributes:
        item: the item of each corpus row [n].
        rank: how many directions; at most a quarter of the dimensions are taken.
        random_seed: a control: as many random directions instead.
    """

    item: np.ndarray
    rank: int = 16
    random_seed: int | None = None

    def directions(self, inputs: np.ndarray, dimensions: int) -> np.ndarray:
        """Orthonormal rows [rank, d] to be removed."""
        rank = max(1, min(self.rank, dimensions // 4, len(inputs) - 1))
        if self.random_seed is not None:
            noise = np.random.default_rng(self.random_seed).normal(size=(dimensions, rank))
            return np.linalg.qr(noise)[0].T.astype(np.float32)
        centered = (inputs - inputs.mean(axis=0)).astype(np.float64)
        few = len(centered) < dimensions
        gram = centered @ centered.T if few else centered.T @ centered
        size = len(gram)
        top = linalg.eigh(gram, subset_by_index=[size - rank, size - 1])[1]
        return np.linalg.qr(centered.T @ top if few else top)[0].T.astype(np.float32)


def project_out(matrix: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """`matrix` [n, d] without its components along the orthonormal `directions` [r, d]."""
    return matrix - (matrix @ directions.T) @ directions


def input_features(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Features of an input pair from its embeddings [items, e] each: a, b, a·b, |a − b|."""
    if not np.any(b):
        return a
    return np.concatenate([a, b, a * b, np.abs(a - b)], axis=1)


def ridge_predict(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, x_new: np.ndarray, penalty: float
) -> np.ndarray:
    """Weighted ridge regression of y [n, d] on x [n, e] with intercept, predicted at x_new.

    Solved in the smaller of the two forms: (XᵀWX + αI)⁻¹ or (XXᵀ + αW⁻¹)⁻¹.
    """
    total = weight.sum()
    x_mean = (weight[:, None] * x).sum(axis=0) / total
    y_mean = (weight[:, None] * y).sum(axis=0) / total
    x, x_new, y = x - x_mean, x_new - x_mean, y - y_mean
    if len(x) <= x.shape[1]:
        kernel = x @ x.T
        kernel[np.diag_indices_from(kernel)] += penalty / weight
        return (x_new @ x.T) @ np.linalg.solve(kernel, y) + y_mean
    gram = x.T @ (weight[:, None] * x)
    gram[np.diag_indices_from(gram)] += penalty
    return x_new @ np.linalg.solve(gram, x.T @ (weight[:, None] * y)) + y_mean


def _sum_rows(matrix: np.ndarray, code: np.ndarray, groups: int) -> np.ndarray:
    from scipy.sparse import csr_matrix

    ones = np.ones(len(code), dtype=matrix.dtype)
    picker = csr_matrix((ones, (code, np.arange(len(code)))), shape=(groups, len(code)))
    return picker @ matrix
