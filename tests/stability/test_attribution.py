"""Pooled accuracy, its interval, and where it crosses a level."""

import numpy as np
import pytest
from helpers.simulated_annotators import world

from capo_core.stability import attribution
from capo_core.stability.corpus import build_corpus, partition


@pytest.fixture(scope="module")
def corpus():
    return build_corpus(world(lambda i, a: f"{i} {a}"))


@pytest.fixture(scope="module")
def parts(corpus):
    return [partition(corpus, folds=4, groupings=2, seed=s) for s in range(3)]


def right_scores(corpus, margin=1.0):
    return margin * np.eye(4, dtype=np.float32)[corpus.annotator]


def test_all_right_and_all_wrong(corpus, parts):
    right = [right_scores(corpus)] * 3
    wrong = [-right_scores(corpus)] * 3
    for k in (1, 2, 4, 8):
        # 40 items in 4 folds: 10 a fold, so ⌊10 / k⌋ groups a fold and annotator.
        point = attribution.pool(right, corpus, parts, k)
        assert (point.accuracy, point.n_groups, point.n_items) == (1.0, 16 * (10 // k), 40)
        assert point.high == pytest.approx(1.0)
        assert 0 < point.low < 1
        assert attribution.pool(wrong, corpus, parts, k).accuracy == 0.0


def test_equal_scores_share_the_point(corpus, parts):
    flat = [np.zeros((len(corpus), 4), dtype=np.float32)] * 3
    assert attribution.pool(flat, corpus, parts, 2).accuracy == pytest.approx(0.25)


def test_annotators_count_the_same_however_many_rows_they_have():
    corpus = build_corpus(world(lambda i, a: f"{i} {a}" if a != "A" or i < 8 else None))
    parts = [partition(corpus, folds=2, groupings=1, seed=0)]
    scores = right_scores(corpus)
    scores[corpus.annotator == 0] *= -1  # all 8 rows of A wrong, all 120 others right
    assert attribution.pool([scores], corpus, parts, 1).accuracy == pytest.approx(0.75)


def test_a_group_is_judged_by_its_sum(corpus, parts):
    # Each row is right with a margin of 1 on even items, wrong by 0.1 on odd ones: in a group of
    # two, one even item is enough.
    scores = right_scores(corpus)
    scores[corpus.item % 2 == 1] *= -0.1
    assert attribution.pool([scores] * 3, corpus, parts, 1).accuracy == pytest.approx(0.5)
    expected = []
    for part in parts:
        for order in part.orders:
            first, _ = attribution.group_slices(part.starts, 2)
            expected += [(corpus.item[order[f : f + 2]] % 2 == 0).any() for f in first]
    got = attribution.pool([scores] * 3, corpus, parts, 2).accuracy
    assert got == pytest.approx(np.mean(expected))


def test_a_k_that_fills_no_group_is_none(corpus, parts):
    assert attribution.pool([right_scores(corpus)] * 3, corpus, parts, 16) is None


def test_effective_trials_of_a_binomial_are_its_trials():
    values = np.random.default_rng(0).binomial(120, 0.25, size=20_000) / 120
    # The variance of 20,000 draws is known to 1 %.
    assert attribution.effective_trials(values) == pytest.approx(120, rel=0.05)
    assert attribution.effective_trials(values, share=0.5) == pytest.approx(240, rel=0.05)
    assert attribution.effective_trials(values[:19]) is None
    assert attribution.effective_trials(np.full(100, 0.25)) is None


def test_crossing_is_linear_in_log_k():
    assert attribution.crossing([1, 2, 4], [0.5, 0.8, 1.0], 0.9) == pytest.approx(2 * 2**0.5)
    assert attribution.crossing([1, 2], [0.95, 1.0], 0.9) == 1.0
    assert attribution.crossing([1, 2], [0.3, 0.4], 0.9) is None


def test_the_temperature_of_many_annotators_is_that_of_few():
    rng = np.random.default_rng(0)
    annotators, n = 70, 700  # above 64 in single precision, in one pass
    annotator = np.repeat(np.arange(annotators), n // annotators)
    scores = rng.standard_normal((n, annotators)).astype(np.float32)
    scores[np.arange(n), annotator] += 1.5

    def loss(log_slope):
        values = np.exp(log_slope) * scores.astype(float)
        own = values[np.arange(n), annotator]
        return float(np.mean(np.log(np.exp(values).sum(axis=1)) - own))

    grid = np.linspace(-6, 4, 4001)
    best = np.exp(grid[int(np.argmin([loss(each) for each in grid[1500:3000:10]])) * 10 + 1500])
    assert attribution._temperature(scores, annotator) == pytest.approx(best, rel=0.02)
