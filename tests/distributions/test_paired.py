"""Intervals of draws over few items hold the truth as often as they say."""

import numpy as np
import pytest

from capo_core.distributions.paired import interval
from capo_core.stats.intervals import bayesian_weights, central_interval


@pytest.mark.parametrize(("n", "least"), [(10, 0.91), (30, 0.925)])
def test_coverage_of_a_mean_of_few_skewed_values(n, least):
    rng = np.random.default_rng(n)
    covered = narrow = 0
    for _ in range(800):
        values = rng.beta(1, 4, n)
        weights = next(bayesian_weights(rng, 1000, n))
        draws = weights @ values / weights.sum(axis=1)
        low, high = interval(draws, n)
        covered += low <= 0.2 <= high
        low, high = central_interval(draws)
        narrow += low <= 0.2 <= high
    assert least <= covered / 800 <= 0.975
    assert narrow < covered, "the plain percentiles hold it less often"


def test_of_many_items_they_are_the_plain_percentiles():
    draws = np.random.default_rng(0).normal(size=4000)
    assert interval(draws, 100_000) == pytest.approx(central_interval(draws), abs=1e-3)
    low, high = interval(draws, 6)
    assert low < central_interval(draws)[0] and central_interval(draws)[1] < high


def test_a_single_item_has_none():
    assert np.isnan(interval(np.zeros(10), 1)).all()
