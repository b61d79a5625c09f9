"""Intervals against statsmodels, and the weights of the bootstrap."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from capo_core.stats.intervals import accuracy_interval, bayesian_weights, wilson


def test_wilson_equals_statsmodels_and_knows_of_nothing():
    for successes, n in [(0, 5), (3, 9), (50, 50), (1, 1000)]:
        expected = proportion_confint(successes, n, method="wilson")
        assert wilson(successes, n) == pytest.approx(expected, abs=1e-12)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (13, 40), (40, 40)])
def test_interval_is_wilson_s(hits, n):
    expected = proportion_confint(hits, n, method="wilson")
    assert accuracy_interval(hits / n, n) == pytest.approx(expected, abs=1e-9)


def test_a_larger_error_over_items_widens_the_interval():
    # p = .5 and an error of .1 are worth .25 / .01 = 25 trials.
    assert accuracy_interval(0.5, 100, 0.1) == pytest.approx(accuracy_interval(0.5, 25))
    assert accuracy_interval(0.5, 100, 0.01) == pytest.approx(accuracy_interval(0.5, 100))


def test_bayesian_weights_come_in_blocks_that_do_not_change_them():
    one = np.vstack(list(bayesian_weights(np.random.default_rng(0), 7, 5)))
    many = np.vstack(list(bayesian_weights(np.random.default_rng(0), 7, 5, block=10)))
    np.testing.assert_array_equal(one, many)
    assert one.shape == (7, 5) and (one > 0).all()
