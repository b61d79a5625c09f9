"""The classifier against scikit-learn's."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import RidgeClassifier

from capo_core.stats import ridge


def problem(features: int, rows: int = 80, classes: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes  # equal counts: weighting by class share changes nothing
    x = rng.normal(size=(rows, features)) + 0.3 * rng.normal(size=(classes, features))[y]
    return x[:60].astype(np.float32), y[:60], x[60:].astype(np.float32)


@pytest.mark.parametrize("features", [10, 300], ids=["primal", "dual"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("penalty", [0.5, 20.0])
def test_scores_order_classes_as_ridge_classifier_does(features, form, penalty):
    train, y, test = problem(features)
    targets = np.eye(4, dtype=np.float32)[y]
    own = ridge.operator(form(train), form(test), penalty) @ targets
    # RidgeClassifier regresses on targets of -1 and 1 with an intercept: z' = 2(Z + share) - 1.
    theirs = RidgeClassifier(alpha=penalty).fit(train, y).decision_function(test)
    np.testing.assert_allclose(2 * (own + targets.mean(axis=0)) - 1, theirs, atol=2e-4)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_without_operator_scores_are_the_same(form, monkeypatch):
    train, y, test = problem(30)
    targets = np.eye(4, dtype=np.float32)[y]
    expected = ridge.scores(form(train), form(test), targets)
    monkeypatch.setattr(ridge, "MANY_ROWS", 10)
    np.testing.assert_allclose(ridge.scores(form(train), form(test), targets), expected, atol=1e-4)


@pytest.mark.parametrize("features", [40, 900], ids=["primal", "dual"])
def test_single_precision_changes_no_score_that_matters(features, monkeypatch):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(900, features)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    train, test = rows[:700], rows[700:]
    single = ridge.operator(train, test)
    monkeypatch.setattr(ridge, "_SMALL", 10_000)
    assert np.abs(single - ridge.operator(train, test)).sum(axis=1).max() < 1e-4


@pytest.mark.parametrize("features", [10, 300])
def test_rows_of_the_operator_sum_to_zero(features):
    train, _, test = problem(features)
    assert np.abs(ridge.operator(train, test).sum(axis=1)).max() < 1e-5


def test_frequent_and_rare_sparse_features_make_the_products_of_all():
    rng = np.random.default_rng(0)
    rows = sparse.random(100, 80, 0.03, format="csr", random_state=1, dtype=np.float32).tolil()
    rows[:, :5] = rng.normal(size=(100, 5))  # in every row
    rows = rows.tocsr()
    kernel, cross = ridge.products(rows[:70], rows[70:])
    dense = rows.toarray()
    np.testing.assert_allclose(kernel, dense[:70] @ dense[:70].T, atol=1e-5)
    np.testing.assert_allclose(cross, dense[70:] @ dense[:70].T, atol=1e-5)


def test_an_operator_of_few_features_is_two_factors_that_do_the_same():
    train, y, test = problem(10)
    targets = np.eye(4, dtype=np.float32)[y]
    quick, whole = ridge.quickest_operator(train, test), ridge.operator(train, test)
    assert isinstance(quick, ridge.Factors) and quick.shape == whole.shape == (20, 60)
    np.testing.assert_allclose(quick.dense(), whole, atol=1e-6)
    for form in (np.asarray, sparse.csr_matrix):
        expected = ridge.apply(whole, form(targets))
        np.testing.assert_allclose(ridge.apply(quick, form(targets)), expected, atol=1e-6)
    # 20 × 60 numbers are less than 30 × (20 + 60).
    assert isinstance(ridge.quickest_operator(*problem(30)[::2]), np.ndarray)
