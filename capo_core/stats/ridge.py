"""Ridge (least-squares) classification in a form that is cheap for thousands of permutations.

The one classifier of the stability measures. It is solved here and not by scikit-learn's
`RidgeClassifier`, which must be fitted anew for each permutation of the labels.

With one-hot targets Y, centred features X and penalty α, the scores of a test fold are

    Z = 1·ȳᵀ + A·Y,   A = X_te (X_trᵀX_tr + αI)⁻¹ X_trᵀ = X_te X_trᵀ (X_trX_trᵀ + αI)⁻¹.

A holds no label, and its rows sum to zero. So it is computed once a fold, and every permutation of
the labels is some more columns of one matrix product. The prediction argmax_c Z_c is exactly that
of scikit-learn's `RidgeClassifier(alpha=α)`; a test holds them equal. Here Z is divided by ȳ_c
first, so that an annotator with many explanations is not favoured (with equal counts: no change).
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

Matrix = np.ndarray | sparse.csr_matrix

# Above this many training rows the equations are solved in the features instead of the rows: the
# operator, rows × rows, would no longer fit in memory, and cost stays linear in the rows.
MANY_ROWS = 5000
_SMALL = 600  # rows or features up to which equations are solved in double precision
PENALTY = 1.0  # on rows of about unit length; VariErr's accuracies are flat from 0.3 to 3


def operator(train: Matrix, test: Matrix, penalty: float = PENALTY) -> np.ndarray:
    """Return A, float32 [n_test, n_train]: test scores are `A @ Y_train` plus class shares."""
    if train.shape[1] < train.shape[0] and not sparse.issparse(train):
        mean = train.mean(axis=0)
        left, right = train - mean, test - mean
        return (right @ _solve(left.T @ left, left.T, penalty)).astype(np.float32)
    # In the rows: centring of the features is done on the products, which keeps sparse text sparse.
    kernel = _product(train, train)
    cross = _product(test, train)
    column = kernel.mean(axis=0)
    cross = cross - column - cross.mean(axis=1, keepdims=True) + column.mean()
    kernel = kernel - column - column[:, None] + column.mean()
    return _solve(kernel, cross.T, penalty).T.astype(np.float32)


def apply(made: np.ndarray, targets: Matrix) -> np.ndarray:
    """Compute A·Y [n_test, C] from an `operator` and `targets` [n_train, C], dense or sparse."""
    if sparse.issparse(targets):
        return (targets.T @ made.T).T
    return made @ targets.astype(np.float32)


def scores(train: Matrix, test: Matrix, targets: Matrix, penalty: float = PENALTY) -> np.ndarray:
    """Compute A·Y [n_test, C] for `targets` [n_train, C], without forming A if rows are many."""
    if train.shape[0] <= MANY_ROWS:
        return apply(operator(train, test, penalty), targets)
    mean = np.asarray(train.mean(axis=0)).ravel()
    n = train.shape[0]
    gram = _product(train.T, train.T) - n * np.outer(mean, mean)
    if sparse.issparse(targets):
        share = np.asarray(targets.mean(axis=0)).ravel()
        right = _dense((targets.T @ train).T) - n * np.outer(mean, share)
    else:
        right = np.asarray(train.T @ (targets - targets.mean(axis=0)))
    weights = _solve(gram, right, penalty)
    return np.asarray(test @ weights) - mean @ weights


def _dense(matrix: Matrix) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def _product(left: Matrix, right: Matrix) -> np.ndarray:
    """Return left·rightᵀ as a dense matrix, in float64 for the accuracy of the diagonal."""
    product = left @ right.T
    return np.asarray(product.todense() if sparse.issparse(product) else product, dtype=np.float64)


def _solve(symmetric: np.ndarray, right: np.ndarray, penalty: float) -> np.ndarray:
    """Solve (symmetric + penalty·I) x = right.

    In single precision where that saves time: with rows of unit length the condition number is at
    most rows / penalty, and the error stays below 1e-4 of a score.
    """
    kind = np.float64 if len(symmetric) <= _SMALL else np.float32
    symmetric = np.array(symmetric, dtype=kind)
    symmetric[np.diag_indices_from(symmetric)] += penalty
    factor = linalg.cho_factor(symmetric, overwrite_a=True, check_finite=False)
    return linalg.cho_solve(factor, right.astype(kind), check_finite=False)
