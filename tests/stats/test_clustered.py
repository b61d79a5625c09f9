"""Clustered intervals: by hand, against known formulas, and at their edges."""

import math

import numpy as np
import pytest

from capo_core.stats.clustered import difference, mean, share, two_way
from capo_core.stats.intervals import wilson


def test_variance_by_hand():
    # Two sums by judge, 1 + 2 and −3 + 0, three by item; 3 judges and items are the least.
    influence = np.array([1.0, 2.0, -3.0, 0.0, 0.5])
    judge = np.array(["u", "u", "v", "v", "w"])
    item = np.array(["x", "y", "x", "z", "z"])
    by_judge = 3 / 2 * (3.0**2 + 3.0**2 + 0.5**2)
    by_item = 3 / 2 * (2.0**2 + 2.0**2 + 0.5**2)
    by_both = 5 / 4 * (1 + 4 + 9 + 0.25)
    variance, quantile = two_way(influence, judge, item)
    assert variance == pytest.approx(by_judge + by_item - by_both)
    assert 1.96 < quantile < 4.31  # Student's with two degrees or more


def test_one_judgment_a_judge_and_item_is_the_textbook_variance():
    rng = np.random.default_rng(0)
    hit = rng.random(400) < 0.3
    told = share(hit, np.arange(400), np.arange(400))
    assert told.se**2 == pytest.approx(hit.mean() * (1 - hit.mean()) / 399, rel=1e-9)
    low, high = wilson(hit.sum(), 400)
    assert told.low == pytest.approx(low, abs=0.002)
    assert told.high == pytest.approx(high, abs=0.002)
    assert (told.wilson_low, told.wilson_high) == (low, high)


def test_judges_who_differ_widen_the_interval():
    judge = np.repeat(np.arange(10), 30)
    item = np.tile(np.arange(30), 10)
    rng = np.random.default_rng(1)
    alike = rng.random(300) < 0.5
    differ = rng.random(300) < np.where(judge % 2, 0.85, 0.15)
    wide, narrow = share(differ, judge, item), share(alike, judge, item)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert wide.low < wide.wilson_low and wide.wilson_high < wide.high


def test_all_alike_has_wilsons_interval_and_says_so():
    told = share(np.ones(30, dtype=bool), np.arange(30) % 5, np.arange(30) % 6)
    assert (told.value, told.high) == (1.0, pytest.approx(1.0))
    assert told.low == wilson(30, 30)[0]
    assert "alike" in told.note


@pytest.mark.parametrize("make", [share, mean])
def test_too_few_clusters_have_no_interval_and_nothing_has_no_value(make):
    two = make(np.array([1.0, 0.0, 1.0]), np.array([1, 1, 2]), np.array([1, 2, 3]))
    assert two.value == pytest.approx(2 / 3)
    assert math.isnan(two.low) and "too few" in two.note
    none = make(np.zeros(0), np.zeros(0), np.zeros(0))
    assert none.n == 0 and math.isnan(none.value) and none.note == "no judgment"


def test_a_mean_keeps_within_its_bounds():
    values = np.array([5, 5, 5, 4, 5, 5, 5, 5, 3.0])
    told = mean(values, np.arange(9) % 3, np.arange(9) // 3, (1, 5))
    assert told.high == 5 and 1 <= told.low < told.value


def test_pairing_makes_a_difference_surer():
    """The same judges and items on both sides: what they share cancels out."""
    rng = np.random.default_rng(2)
    judge, item = np.repeat(np.arange(12), 20), np.tile(np.arange(20), 12)
    base = rng.normal(size=12)[judge] + rng.normal(size=20)[item]
    a, b = base + 0.1 * rng.normal(size=240), base + 0.1 * rng.normal(size=240)
    paired = difference(a, judge, item, b, judge, item)
    apart = difference(a, judge, item, b, judge + 50, item + 50)
    assert paired.value == pytest.approx(a.mean() - b.mean())
    assert paired.se < apart.se / 5


def test_a_difference_with_one_side_is_not_defined():
    told = difference([1.0], [1], [1], [], [], [])
    assert math.isnan(told.value) and told.note
