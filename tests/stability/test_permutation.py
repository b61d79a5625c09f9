"""The fast null equals the slow one, permutation by permutation."""

import numpy as np
import pytest
from helpers.simulated_annotators import world
from sklearn.linear_model import RidgeClassifier

from capo_core.stability import attribution
from capo_core.stability.corpus import build_corpus, partition
from capo_core.stability.permutation import (
    NullDistribution,
    _Contrasts,
    permutation_null,
    shuffles,
)
from capo_core.text.representations import DenseFeatures


def setting(signal: float, annotators="ABCD", drop=lambda i, a: False, seed=0, penalty_scale=3.0):
    """A corpus, and features with a shift of `signal` for each annotator."""
    corpus = build_corpus(
        world(lambda i, a: None if drop(i, a) else f"{i} {a}", annotators=annotators)
    )
    rng = np.random.default_rng(seed)
    shift = rng.normal(size=(len(annotators), 6))
    matrix = rng.normal(size=(len(corpus), 6)) + signal * shift[corpus.annotator]
    features = DenseFeatures((penalty_scale * matrix).astype(np.float32))
    parts = [partition(corpus, folds=5, groupings=2, seed=s) for s in range(2)]
    return corpus, features, parts


def made(features, parts):
    return [attribution.operators(features, part) for part in parts]


def test_null_equals_ridge_classifier_refitted_for_each_permutation():
    corpus, features, parts = setting(0.4)
    moves = shuffles(corpus.item, 12, seed=3)
    fast = permutation_null(made(features, parts), corpus, parts, (1,), moves)
    for index, move in enumerate(moves):
        author = np.empty(len(corpus), dtype=int)
        author[move] = corpus.annotator  # the text that lies at a place is by the place's annotator
        accuracies = []
        for part in parts:
            hits = np.zeros(len(corpus))
            for fold in range(5):
                train, test = part.split(fold)
                model = RidgeClassifier(alpha=1.0).fit(features.matrix[train], author[train])
                hits[test] = model.predict(features.matrix[test]) == author[test]
            # Complete data: annotators have as many rows, so the plain mean is the balanced one.
            accuracies.append(hits.mean())
        assert fast.values[index, 0] == pytest.approx(np.mean(accuracies), abs=1e-12)


def test_an_annotator_of_one_fold_alone_stays_at_zero():
    """Where all their items are tested together, nobody has seen them in training."""
    corpus, features, parts = setting(0.5, drop=lambda i, a: a == "D" and i > 0)
    operators = made(features, parts)
    null = permutation_null(operators, corpus, parts, (1,), shuffles(corpus.item, 5, seed=0))
    scores = [attribution.held_out_scores(features, corpus, part) for part in parts]
    expected = attribution.pool(scores, corpus, parts, 1).accuracy
    assert null.observed[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("annotators", ["ABCD", "ABCDEFGHIJKLMNOPQR"], ids=["dense", "sparse"])
def test_unmoved_texts_give_the_ladder_s_own_accuracy(annotators):
    # B has items of some folds only, and of none enough for a pool of 4.
    corpus, features, parts = setting(
        0.3, annotators, drop=lambda i, a: (i + ord(a)) % 7 == 0 or (a == "B" and i > 7)
    )
    operators = made(features, parts)
    null = permutation_null(operators, corpus, parts, (1, 2, 4), shuffles(corpus.item, 3, seed=0))
    scores = [
        attribution.held_out_scores(features, corpus, part, own)
        for part, own in zip(parts, operators, strict=True)
    ]
    for index, k in enumerate((1, 2, 4)):
        point = attribution.pool(scores, corpus, parts, k)
        expected = np.nan if point is None else point.accuracy
        assert null.observed[index] == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert np.isfinite(null.observed[:2]).all()


def test_pooled_null_equals_a_ladder_on_moved_texts():
    corpus, features, parts = setting(0.5, drop=lambda i, a: (i * 3 + ord(a)) % 5 == 0)
    moves = shuffles(corpus.item, 4, seed=1)
    null = permutation_null(made(features, parts), corpus, parts, (1, 2, 4), moves)
    for index, move in enumerate(moves):
        # Carry each text to its new place; places keep annotator, fold and group.
        moved = DenseFeatures(features.matrix[move])
        scores = [attribution.held_out_scores(moved, corpus, part) for part in parts]
        for at, k in enumerate((1, 2, 4)):
            expected = attribution.pool(scores, corpus, parts, k).accuracy
            assert null.values[index, at] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("annotators", ["ABCD", "ABCDEFGHIJKLMNOPQR"], ids=["few", "many"])
def test_the_null_is_the_same_in_whatever_form_operators_are(annotators):
    corpus, features, parts = setting(0.4, annotators, drop=lambda i, a: (i + ord(a)) % 6 == 0)
    factors = made(features, parts)
    dense = [[one.dense() for one in folds] for folds in factors]
    moves = shuffles(corpus.item, 9, seed=2)
    one, other = (permutation_null(each, corpus, parts, (1, 2), moves) for each in (factors, dense))
    np.testing.assert_allclose(one.values, other.values, atol=1e-12)
    np.testing.assert_allclose(one.observed, other.observed, atol=1e-12)


def test_one_text_of_each_item_follows_from_the_others():
    corpus, features, parts = setting(0.4, drop=lambda i, a: (i + ord(a)) % 3 == 0)
    (train, _), whole = parts[0].split(0), made(features, parts)[0][0].dense()
    item, own = corpus.item[train], corpus.annotator[train]
    contrasts = _Contrasts.of(whole, item, own, 4)
    assert len(contrasts.rows) == len(train) - len(np.unique(item))
    for move in shuffles(item, 3, seed=0):
        targets = np.eye(4, dtype=np.float32)[own[move]]
        found = contrasts.operator @ targets[contrasts.rows] + contrasts.fixed
        np.testing.assert_allclose(found, whole @ targets, atol=1e-5)


def test_shuffles_stay_within_strata_and_are_uniform():
    strata = np.array([0, 1, 0, 1, 1, 2])
    moves = shuffles(strata, 3000, seed=0)
    assert (strata[moves] == strata).all()
    assert (np.sort(moves, axis=1) == np.arange(6)).all()
    # Three texts of stratum 1: each of 6 orders with probability 1/6; standard error .0068.
    orders, counts = np.unique(moves[:, [1, 3, 4]], axis=0, return_counts=True)
    assert len(orders) == 6
    assert np.abs(counts / 3000 - 1 / 6).max() < 5 * 0.0068


def test_p_value_counts_ties_and_is_never_zero():
    values = np.array([[0.2], [0.3], [0.5], [0.5 - 1e-12]])
    # Two of four reach 0.5 (one of them but for rounding): (1 + 2) / (1 + 4).
    assert NullDistribution((1,), values, np.array([0.5])).p_values() == pytest.approx([0.6])
    assert NullDistribution((1,), values, np.array([0.9])).p_values() == pytest.approx([0.2])


def test_features_equal_for_all_of_an_item_have_a_p_value_of_one():
    corpus, _, parts = setting(0.0)
    rng = np.random.default_rng(0)
    features = DenseFeatures(rng.normal(size=(40, 5)).astype(np.float32)[corpus.item])
    null = permutation_null(
        made(features, parts), corpus, parts, (1, 4), shuffles(corpus.item, 50, seed=0)
    )
    assert null.p_values() == pytest.approx([1.0, 1.0])


def test_a_strong_signal_has_the_smallest_p_value_there_is():
    corpus, features, parts = setting(2.0)
    null = permutation_null(
        made(features, parts), corpus, parts, (1, 4), shuffles(corpus.item, 99, seed=0)
    )
    assert null.p_values() == pytest.approx([0.01, 0.01])
    assert null.values[:, 0].mean() == pytest.approx(0.25, abs=0.03)
