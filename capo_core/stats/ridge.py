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

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

Matrix = np.ndarray | sparse.csr_matrix

# Above this many training rows the equations are solved in the features instead of the rows: the
# operator, rows × rows, would no longer fit in memory, and cost stays linear in the rows.
MANY_ROWS = 5000
_FREQUENT = 0.05  # share of rows from which a sparse feature is worked on as a dense one
_SMALL = 600  # rows or features up to which equations are solved in double precision
PENALTY = 1.0  # on rows of about unit length; VariErr's accuracies are flat from 0.3 to 3


@dataclass(frozen=True)
class Factors:
    """An operator as the product of two matrices, which is less work where features are few.

    Attributes:
        left: [n_test, d]; right: [d, n_train].
    """

    left: np.ndarray
    right: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.left), self.right.shape[1]

    def __matmul__(self, targets: np.ndarray) -> np.ndarray:
        return self.left @ (self.right @ targets)

    def dense(self) -> np.ndarray:
        """Return the product [n_test, n_train]."""
        return self.left @ self.right


Operator = np.ndarray | Factors


def operator(train: Matrix, test: Matrix, penalty: float = PENALTY) -> np.ndarray:
    """Return A, float32 [n_test, n_train]: test scores are `A @ Y_train` plus class shares."""
    if train.shape[1] < train.shape[0] and not sparse.issparse(train):
        return _factors(train, test, penalty).dense()
    return operator_of_products(*products(train, test), penalty)


def quickest_operator(train: Matrix, test: Matrix, penalty: float = PENALTY) -> Operator:
    """Return A in the form that takes the least work for many targets."""
    n, m, d = train.shape[0], test.shape[0], train.shape[1]
    if d * (n + m) < n * m and not sparse.issparse(train):
        return _factors(train, test, penalty)
    return operator(train, test, penalty)


def _factors(train: np.ndarray, test: np.ndarray, penalty: float) -> Factors:
    mean = train.mean(axis=0)
    left, right = train - mean, test - mean
    solved = _solve(left.T @ left, right.T, penalty)
    return Factors(solved.T.astype(np.float32), left.T.astype(np.float32))


def products(train: Matrix, test: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return the products of the training rows with each other [n_train, n_train] and of the test
    rows with them [n_test, n_train]."""
    if not sparse.issparse(train):
        return train @ train.T, test @ train.T
    both = sparse.vstack([train, test], format="csr")
    # A feature of many rows makes as many products with each of them: quicker as a dense column.
    frequent = np.bincount(both.indices, minlength=both.shape[1]) > _FREQUENT * both.shape[0]
    dense = both[:, frequent].toarray()
    n = train.shape[0]
    found = dense @ dense[:n].T
    if not frequent.all():
        rare = both[:, ~frequent]
        found += (rare @ rare[:n].T).toarray()
    return found[:n], found[n:]


def operator_of_products(
    kernel: np.ndarray, cross: np.ndarray, penalty: float = PENALTY
) -> np.ndarray:
    """Return A from `products`, of features that are not centred.

    With intercepts b as unknowns, (K + αI) W + 1·b = Y and 1ᵀW = 0, whose solution is that of
    centred features (Suykens & Vandewalle 1999, for this form), without a pass over the products.
    """
    n_test, n = cross.shape
    right = np.empty((n_test + 1, n), dtype=cross.dtype)
    right[:-1], right[-1] = cross, 1
    solved = _solve(kernel, right.T, penalty).T
    made, one = solved[:-1], solved[-1]
    shares = one / one.sum(dtype=np.float64)
    rest = 1 - made.sum(axis=1, dtype=np.float64)
    return (made + (rest[:, None] * shares - 1 / n).astype(made.dtype)).astype(np.float32)


def apply(made: Operator, targets: Matrix) -> np.ndarray:
    """Compute A·Y [n_test, C] from an `operator` and `targets` [n_train, C], dense or sparse."""
    if not sparse.issparse(targets):
        return made @ targets.astype(np.float32)
    if isinstance(made, Factors):
        return made.left @ (targets.T @ made.right.T).T
    return (targets.T @ made.T).T


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
    # Fortran's order is LAPACK's: a symmetric matrix is its own transpose, and no copy is made.
    symmetric = np.array(symmetric, dtype=kind, order="C").T
    symmetric[np.diag_indices_from(symmetric)] += penalty
    factor = linalg.cho_factor(symmetric, lower=True, overwrite_a=True, check_finite=False)
    return linalg.cho_solve(factor, right.astype(kind, order="F"), check_finite=False)
