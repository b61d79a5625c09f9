"""Two one-sided tests against statsmodels, hand-computed cases and edges."""

import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_paired

from capo_core.errors import ConfigError
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.stats.agreement import alpha_of_items
from capo_core.stats.bootstrap import difference, resample
from capo_core.stats.equivalence import (
    DIFFERENT,
    EQUIVALENT,
    INSENSITIVE,
    MIN_ITEMS,
    UNDECIDED,
    EquivalenceTest,
    alpha_substitution,
    bootstrap_tost,
    insensitive,
    paired_tost,
    tost,
    tost_of,
)

NOMINAL = False  # labels have no order


def score(values, *, share):
    values = np.asarray(values, dtype=float)
    return item_mean(values, np.arange(len(values)), n_items=len(values), share=share)


@pytest.mark.parametrize("gain", [0.0, 0.05, 0.2])
def test_with_one_difference_an_item_it_is_the_textbook_test(gain):
    rng = np.random.default_rng(3)
    one, other = rng.normal(gain, 0.3, 80), rng.normal(0, 0.3, 80)
    expected = ttost_paired(one, other, -0.1, 0.1)[0]
    found = paired_tost(one - other, np.arange(80), 0.1)
    assert found.p == pytest.approx(expected, abs=1e-12)
    same = tost_of(difference(score(one, share=False), score(other, share=False)), 0.1)
    assert (same.p, same.low) == pytest.approx((found.p, found.low))


def test_several_answers_to_an_item_count_as_one_cluster():
    """Each of 40 items four times the same is no more evidence than once."""
    apart = np.random.default_rng(4).normal(0.02, 0.3, 40)
    once = paired_tost(apart, np.arange(40), 0.1)
    four = paired_tost(np.repeat(apart, 4), np.repeat(np.arange(40), 4), 0.1)
    assert four.p == pytest.approx(once.p) and four.n == once.n == 40


def test_the_three_verdicts():
    assert tost(0.0, 0.02, 0.1, items=100).verdict == EQUIVALENT
    assert tost(0.3, 0.05, 0.1, items=100).verdict == DIFFERENT
    assert tost(0.0, 0.2, 0.1, items=100).verdict == UNDECIDED
    assert tost(0.12, 0.05, 0.1, items=100).verdict == UNDECIDED


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.5), st.floats(0.01, 0.5), st.integers(10, 500))
@settings(deadline=None, max_examples=150)
def test_equivalent_is_said_exactly_where_the_interval_lies_within_the_margin(
    value, error, margin, items
):
    found = tost(value, error, margin, items=items)
    within = -margin < found.low and found.high < margin
    if min(abs(found.low + margin), abs(found.high - margin)) > 1e-9:
        assert (found.verdict == EQUIVALENT) == within
    assert 0 <= found.p <= 1 and found.low <= found.value <= found.high


def test_two_sources_that_agree_on_few_items_are_not_thereby_equivalent():
    """All hits alike: at a margin of .1, (1 − .1)^n is .35 at n = 10 and .04 at n = 30."""
    for n, verdict in ((10, UNDECIDED), (20, UNDECIDED), (40, EQUIVALENT)):
        hits = score(np.ones(n), share=True)
        assert tost_of(difference(hits, hits), 0.1).verdict == verdict
    assert paired_tost(np.zeros(12), np.arange(12), 0.1, share=True).verdict == UNDECIDED


@pytest.mark.parametrize("n", [0, 1, MIN_ITEMS - 1])
def test_too_few_items_are_said_in_words(n):
    found = paired_tost(np.zeros(n), np.arange(n), 0.1)
    assert math.isnan(found.p) and found.verdict == UNDECIDED
    assert "too few for an equivalence test" in found.note


@pytest.mark.parametrize("margin", [0.0, -0.1, math.nan])
def test_a_margin_is_above_zero(margin):
    with pytest.raises(ConfigError, match="margin"):
        tost(0.0, 0.1, margin, items=50)


def test_equal_differences_have_no_variance():
    assert paired_tost(np.full(20, 0.05), np.arange(20), 0.1).p < 1e-12
    assert paired_tost(np.full(20, 0.15), np.arange(20), 0.1).p == 1.0


def test_draws_of_a_bootstrap_lead_to_the_same_verdict_as_the_t_test():
    rng = np.random.default_rng(5)
    values, items = rng.normal(0.03, 0.3, 100), np.arange(100)

    def weighted_mean(weights):
        return weights @ values / weights.sum(axis=1)

    drawn = resample(weighted_mean, items, n_items=100)
    by_t = paired_tost(values, items, 0.1)
    by_draws = bootstrap_tost(drawn.value, drawn.draws, 0.1, items=100)
    assert by_draws.p == pytest.approx(by_t.p, abs=0.015)
    assert by_draws.low == pytest.approx(by_t.low, abs=0.012)


def test_undefined_draws_are_no_test():
    draws = np.full(100, np.nan)
    draws[:40] = 0.0
    found = bootstrap_tost(0.0, draws, 0.1, items=50)
    assert math.isnan(found.p) and "bootstrap" in found.note


def one_hot(labels, n=3):
    labels = np.asarray(labels)
    return np.where(labels[..., None] >= 0, np.eye(n)[np.maximum(labels, 0)], 0.0)


def test_alpha_of_a_published_example():
    """Krippendorff (2011), example C: four observers, nominal α = .743 on 12 units."""
    missing = -1
    data = np.array([
        [1, 2, 3, 3, 2, 1, 4, 1, 2, missing, missing, missing],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, missing, 3],
        [missing, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, missing],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, missing],
    ]).T  # fmt: skip
    labels = one_hot(np.where(data > 0, data - 1, -1), 5)
    pairable = labels.any(axis=2).sum(axis=1) >= 2
    alpha = alpha_of_items(labels[pairable], False)
    assert alpha(np.ones((1, pairable.sum())))[0] == pytest.approx(0.743, abs=5e-4)


def crowd(rng, items=150, annotators=4, noise=0.3):
    truth = rng.integers(0, 3, items)
    return truth, np.stack(
        [np.where(rng.random(items) < noise, rng.integers(0, 3, items), truth)
         for _ in range(annotators)], axis=1,
    )  # fmt: skip


def test_an_annotator_is_equivalent_to_itself():
    labels = one_hot(crowd(np.random.default_rng(6))[1])
    found = alpha_substitution(labels, 1, [labels[:, 1]], NOMINAL, 0.05)
    assert found.replaced == found.people and found.test.value == 0
    assert found.test.verdict == EQUIVALENT and found.test.n == 150


def test_ordered_labels_take_the_ordinal_metric():
    rng = np.random.default_rng(3)
    levels = rng.integers(0, 5, (40, 3))
    alpha = alpha_of_items(np.eye(5)[levels], True)
    expected = krippendorff.alpha(
        reliability_data=levels.T.astype(float), level_of_measurement="ordinal"
    )
    assert alpha(np.ones((1, 40)))[0] == pytest.approx(expected)


def test_noise_in_an_annotators_place_lowers_alpha_beyond_the_margin():
    rng = np.random.default_rng(7)
    labels = one_hot(crowd(rng)[1])
    noise = one_hot(rng.integers(0, 3, 150))
    found = alpha_substitution(labels, 0, [noise], NOMINAL, 0.1)
    assert found.test.verdict == DIFFERENT and found.test.value < -0.2


@pytest.mark.parametrize(
    ("annotators", "noise", "tested"), [(4, 0.3, True), (30, 0.3, False), (4, 0.8, False)]
)
def test_where_nobody_makes_a_difference_nobody_is_equivalent(annotators, noise, tested):
    """Finding: among 30 annotators, or some who hardly agree, labels at random in one's place were
    indistinguishable from the person's."""
    rng = np.random.default_rng(4)
    people = crowd(rng, items=300, annotators=annotators, noise=noise)[1]
    at_random = rng.integers(0, 3, 300)
    found = alpha_substitution(one_hot(people), 0, [one_hot(at_random)], NOMINAL, 0.1)
    assert found.test.verdict != EQUIVALENT
    assert (found.test.note == INSENSITIVE) == math.isnan(found.test.p) == (not tested)


def test_a_difference_beyond_the_margin_is_one_by_any_measure():
    far = EquivalenceTest(0.3, 0.2, 0.4, 0.1, 0.99, 50)
    near = EquivalenceTest(0.0, -0.05, 0.05, 0.1, 0.01, 50)
    assert insensitive(far) == far
    assert math.isnan(insensitive(near).p) and insensitive(near).note == INSENSITIVE


def test_someone_of_the_same_kind_may_be_shown_equivalent_and_someone_better_not():
    rng = np.random.default_rng(8)
    truth, people = crowd(rng, items=600)
    alike = np.where(rng.random(600) < 0.3, rng.integers(0, 3, 600), truth)
    labels = one_hot(people)
    assert alpha_substitution(labels, 2, [one_hot(alike)], NOMINAL, 0.1).test.verdict == EQUIVALENT
    better = alpha_substitution(labels, 2, [one_hot(truth)], NOMINAL, 0.05)
    assert better.test.value > 0.05 and better.test.verdict == DIFFERENT


def test_substitution_edges_are_said_in_words():
    labels = one_hot(crowd(np.random.default_rng(9), items=20)[1])
    alone = labels.copy()
    alone[:, 1:] = 0
    nobody = alpha_substitution(alone, 0, [labels[:, 0]], NOMINAL, 0.1)
    assert nobody.test.n == 0 and "too few" in nobody.test.note
    one_label = np.zeros_like(labels)
    one_label[:, :, 0] = 1
    same = alpha_substitution(one_label, 0, [one_label[:, 0]], NOMINAL, 0.1)
    assert math.isnan(same.test.p) and "every label is the same" in same.test.note
    half = labels[:, 0].copy()
    half[10:] = 0
    assert alpha_substitution(labels, 0, [half], NOMINAL, 0.1).test.n == 10
    assert alpha_substitution(labels, 0, [], NOMINAL, 0.1).test.n == 20
