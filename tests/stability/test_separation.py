"""Separation without training."""

import numpy as np
import pytest
from helpers.simulated_annotators import world
from scipy import sparse
from sklearn.metrics import roc_auc_score

from capo_core.stability import separation as stability_separation
from capo_core.stability.corpus import build_corpus


@pytest.fixture(scope="module")
def corpus():
    return build_corpus(world(lambda i, a: f"{i} {a}", items=80))


def vectors(corpus, signal, seed=0):
    rng = np.random.default_rng(seed)
    return signal * rng.normal(size=(4, 8))[corpus.annotator] + rng.normal(size=(len(corpus), 8))


def separation(matrix, corpus, k, seed=0):
    found = stability_separation.separations(matrix, corpus, (k,), seed=seed)
    return found[0] if found else None


def test_nothing_planted_lies_at_one_half(corpus):
    found = [separation(vectors(corpus, 0.0, s), corpus, 4, seed=s) for s in range(12)]
    covered = [f.low <= 0.5 <= f.high for f in found]
    # 12 intervals of 95 %: fewer than 9 that cover have a probability of 2 in 10,000.
    assert sum(covered) >= 9
    assert np.mean([f.auc for f in found]) == pytest.approx(0.5, abs=0.05)


def test_what_is_planted_shows_more_with_more_explanations(corpus):
    matrix = vectors(corpus, 0.5)
    aucs = [
        found.auc for found in stability_separation.separations(matrix, corpus, (1, 4, 16), seed=0)
    ]
    assert aucs == sorted(aucs)
    assert aucs[-1] > 0.9


def test_sparse_and_dense_agree(corpus):
    matrix = vectors(corpus, 0.5)
    dense = separation(matrix, corpus, 4)
    other = separation(sparse.csr_matrix(matrix), corpus, 4, seed=0)
    assert (other.auc, other.low) == pytest.approx((dense.auc, dense.low))


def test_too_few_items_are_none(corpus):
    assert separation(vectors(corpus, 1.0), corpus, 64, seed=0) is None


def test_cosines_are_those_of_group_means(corpus):
    matrix = vectors(corpus, 0.3)
    rng = np.random.default_rng(0)
    groups = rng.permutation(len(corpus))[:48].reshape(2, 2, 4, 3)  # two draws
    centred = matrix - matrix.mean(axis=0)
    gram = stability_separation._gram(matrix)
    for k, got in zip((2, 3), stability_separation._cosines(gram, groups, [2, 3]), strict=True):
        for found, (left, right) in zip(got, groups, strict=True):
            means = [centred[rows[:, :k]].mean(axis=1) for rows in (left, right)]
            means = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in means]
            np.testing.assert_allclose(found, means[0] @ means[1].T, atol=1e-9)


def test_large_data_are_drawn_down(corpus, monkeypatch):
    monkeypatch.setattr(stability_separation, "MANY_ROWS", 200)
    found = separation(vectors(corpus, 0.5), corpus, 4)
    assert found.n_items == 50  # 4 annotators each


@pytest.mark.parametrize("classes", [6, 20], ids=["few", "many"])
def test_auc_is_scikit_learn_s(classes):
    # Rounded: with ties.
    cosines = np.random.default_rng(1).normal(size=(3, classes, classes)).round(1)
    same = np.eye(classes, dtype=bool)
    expected = [roc_auc_score(same.ravel(), cosine.ravel()) for cosine in cosines]
    assert stability_separation._aucs(cosines) == pytest.approx(expected)
