"""Controls: the leak is a leak, and what should not tell does not."""

import numpy as np
import pytest
from helpers.simulated_annotators import world

from capo_core.stability import attribution, controls
from capo_core.stability.corpus import build_corpus, partition
from capo_core.text.representations import DenseFeatures


def test_others_mean_leaves_the_own_text_out():
    vectors = np.array([[1.0, 0], [3, 0], [5, 6], [7, 7]])
    mean, alone = controls.others_mean(vectors, np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(mean, [[4, 3], [3, 3], [2, 0], [0, 0]])
    assert alone.tolist() == [False, False, False, True]


def test_centering_leaks_and_the_others_alone_show_it():
    """Annotators with a manner: the mean of the three others names the fourth."""
    corpus = build_corpus(world(lambda i, a: f"{i} {a}", items=120))
    rng = np.random.default_rng(0)
    manner = rng.normal(size=(4, 12))
    vectors = 0.7 * manner[corpus.annotator] + rng.normal(size=(len(corpus), 12))
    others, _ = controls.others_mean(vectors, corpus.item)
    parts = [partition(corpus, folds=5, groupings=1, seed=0)]
    scores = [attribution.held_out_scores(DenseFeatures(others), corpus, parts[0])]
    point = attribution.pool(scores, corpus, parts, 1)
    assert point.low > 0.25


def test_pairs_of_equal_labels():
    labels = {(0, "A"): "neutral", (0, "B"): "neutral", (0, "C"): "neutral"}
    corpus = build_corpus(
        world(
            lambda i, a: f"{i} {a}",
            items=2,
            label=lambda i, a: labels.get((i, a), f"{'entailment' if a in 'AB' else 'neutral'}"),
        )
    )
    pairs = controls.same_label_pairs(corpus)
    # Item 0: A, B and C say neutral, and D does too: 6 pairs; item 1: A–B and C–D.
    said = {tuple(sorted(corpus.annotation_ids[list(pair)])) for pair in pairs}
    assert len(said) == len(pairs) == 8
    assert ("1-A", "1-B") in said and ("1-A", "1-C") not in said


def test_whose_is_whose():
    corpus = build_corpus(world(lambda i, a: f"{i} {a}", items=30, annotators="AB"))
    pairs = controls.same_label_pairs(corpus)

    def accuracy_of(*scores):
        hits = [controls.pair_hits(score, corpus, pairs) for score in scores]
        return controls.matched_accuracy(hits, corpus, pairs)

    right = np.eye(2, dtype=np.float32)[corpus.annotator]
    assert accuracy_of(right) == (1.0, 0.0, 30, 30)
    assert accuracy_of(np.zeros_like(right))[0] == 0.5
    assert accuracy_of(right, right, -right)[0] == pytest.approx(2 / 3)
    # Right in 10 of 30 items: standard error √(p(1 − p)/n) with p = 1/3.
    some = np.where((corpus.item < 10)[:, None], right, -right)
    accuracy, error, *_ = accuracy_of(some)
    assert accuracy == pytest.approx(1 / 3)
    assert error == pytest.approx(np.sqrt(1 / 3 * 2 / 3 / 30))
