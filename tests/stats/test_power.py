"""The smallest detectable difference against statsmodels, exact tests and its own design."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.power import TTestPower

from capo_core.errors import ConfigError
from capo_core.evaluation.measures.attribution import item_mean, pooled_accuracy
from capo_core.stats.bootstrap import ResampledScore, difference
from capo_core.stats.power import PairedDesign, detectable, power_at, smallest_difference


@pytest.mark.parametrize("items", [12, 50, 400])
@pytest.mark.parametrize("comparisons", [1, 6])
def test_it_is_the_power_of_the_paired_t_test(items, comparisons):
    found = smallest_difference(0.3 / math.sqrt(items), items, comparisons=comparisons)
    expected = TTestPower().solve_power(
        nobs=items, alpha=0.05 / comparisons, power=0.8, alternative="two-sided"
    )
    assert found / 0.3 == pytest.approx(expected, rel=0.02)
    at = power_at(found, 0.3 / math.sqrt(items), items, comparisons=comparisons)
    assert at == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("items", [12, 50, 400])
def test_shares_without_an_observed_difference_have_the_exact_tests_limit(items):
    """The exact test needs six items on one side, and at .05/3 seven."""
    for comparisons, needed in ((1, 6), (3, 7)):
        found = smallest_difference(0.0, items, answers=items, comparisons=comparisons)
        assert binom.sf(needed - 1, items, found) == pytest.approx(0.8, abs=1e-6)


def test_with_five_items_no_difference_of_shares_can_be_significant():
    assert smallest_difference(0.1, 5, answers=20) == 1.0
    assert smallest_difference(0.1, 6, answers=20, comparisons=3) == 1.0
    assert smallest_difference(math.nan, 1, answers=1) == 1.0
    assert math.isnan(PairedDesign(5, 4).smallest_difference())
    assert smallest_difference(0.1, 6, answers=6) > 0.9


@pytest.mark.parametrize(("error", "items"), [(math.nan, 50), (0.1, 1), (0.1, 0), (0.0, 50)])
def test_what_is_not_known_is_undefined(error, items):
    assert math.isnan(smallest_difference(error, items))


def test_a_design_of_independent_answers_is_n_single_answers():
    design = PairedDesign(items=50, targets=4, seeds=2, spread=0.6, share=False)
    assert design.error == pytest.approx(0.6 / math.sqrt(400))


def test_answers_to_one_item_that_all_say_the_same_are_one():
    design = PairedDesign(50, 4, 3, 0.6, between_targets=1.0, between_seeds=1.0)
    assert design.error == pytest.approx(0.6 / math.sqrt(50))


def test_the_design_effect_against_simulated_answers():
    """Standard error of the mean of 40 items × 3 targets × 2 seeds with planted correlations."""
    rng = np.random.default_rng(0)
    design = PairedDesign(40, 3, 2, 1.0, between_targets=0.2, between_seeds=0.5, share=False)
    shape = (4000, 40, 3, 2)
    apart = (
        math.sqrt(0.2) * rng.normal(size=(*shape[:2], 1, 1))
        + math.sqrt(0.3) * rng.normal(size=(*shape[:3], 1))
        + math.sqrt(0.5) * rng.normal(size=shape)
    )
    assert apart.mean(axis=(1, 2, 3)).std() == pytest.approx(design.error, rel=0.04)


@pytest.mark.parametrize("items", [30, 100])
@pytest.mark.parametrize("comparisons", [1, 6])
def test_sign_flips_find_a_difference_of_that_size_in_four_of_five_experiments(items, comparisons):
    apart, experiments, flips = 0.3, 2000, 2999
    gap = PairedDesign(items, 4, 1, math.sqrt(apart)).smallest_difference(comparisons=comparisons)
    rng = np.random.default_rng(items + comparisons)
    shares = [(apart - gap) / 2, 1 - apart, (apart + gap) / 2]
    by_item = rng.choice([-1.0, 0.0, 1.0], (experiments, items, 4), p=shares).sum(axis=2)
    signs = rng.choice([-1.0, 1.0], (flips, items))
    as_far = (np.abs(signs @ by_item.T) >= np.abs(by_item.sum(axis=1)) - 1e-9).sum(axis=0)
    found = (1 + as_far) / (1 + flips) <= 0.05 / comparisons
    assert found.mean() == pytest.approx(0.8, abs=0.03)  # standard error .009


@given(
    st.integers(2, 300), st.integers(1, 6), st.floats(0.05, 1.0), st.floats(0, 1),
    st.integers(1, 10),
)  # fmt: skip
@settings(deadline=None, max_examples=80)
def test_more_items_or_fewer_comparisons_never_hide_a_difference(
    items, targets, spread, correlation, comparisons
):
    design = PairedDesign(items, targets, 1, spread, between_targets=correlation, between_seeds=1.0)
    more = PairedDesign(
        2 * items, targets, 1, spread, between_targets=correlation, between_seeds=1.0
    )
    found = design.smallest_difference(comparisons=comparisons)
    if math.isfinite(found):  # too few items for any difference are more than enough for none
        assert more.smallest_difference(comparisons=comparisons) < found
        assert design.smallest_difference() <= found


def test_one_item_detects_nothing():
    assert math.isnan(PairedDesign(1).smallest_difference())


@pytest.mark.parametrize(
    "wrong", [{"items": 0}, {"items": 5, "spread": 0.0}, {"items": 5, "between_targets": 1.2},
              {"items": 5, "between_targets": 0.5, "between_seeds": 0.2}],
)  # fmt: skip
def test_an_impossible_design_is_refused(wrong):
    with pytest.raises(ConfigError, match="paired design"):
        PairedDesign(**wrong)


def test_a_comparison_that_was_made_can_detect_what_its_error_allows():
    rng = np.random.default_rng(1)
    one, other = (rng.random(100) < 0.5).astype(float), (rng.random(100) < 0.5).astype(float)
    sides = [item_mean(values, np.arange(100), n_items=100) for values in (one, other)]
    apart = difference(*sides)
    expected = smallest_difference((one - other).std() / 10, 100, comparisons=3, answers=100)
    assert detectable(apart, comparisons=3) == pytest.approx(expected)
    assert 0.15 < expected < 0.35
    same = difference(sides[0], sides[0])
    assert detectable(same) == pytest.approx(smallest_difference(0.0, 100, answers=100))


def test_groups_of_answers_are_not_bound_to_whole_items():
    scores = np.random.default_rng(2).normal(size=(40, 3))
    sides = [pooled_accuracy(scores, np.arange(40), c, 8, n_items=40) for c in (0, 1)]
    apart = difference(*sides)
    assert detectable(apart) == pytest.approx(smallest_difference(apart.error, 40))


def test_what_is_no_average_goes_by_its_draws():
    draws = np.random.default_rng(3).normal(0.0, 0.05, 1000)
    found = detectable(ResampledScore(0.02, draws, 100))
    assert found == pytest.approx(smallest_difference(0.05, 100), rel=0.1)
    assert math.isnan(detectable(ResampledScore(0.0, np.full(10, np.nan), 100)))
