"""When a share is above chance."""

import pytest
from scipy.stats import binom

from capo_core.stats.intervals import accuracy_interval
from capo_core.stats.significance import side_of_chance


def side(hits: int, n: int, chance: float) -> str:
    value = hits / n
    low, high = accuracy_interval(value, n, (value * (1 - value) / n) ** 0.5)
    return side_of_chance(value, low, high, n, chance)


@pytest.mark.parametrize("chance", [1 / 2, 1 / 4, 1 / 5, 1 / 30, 1 / 50])
@pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 20, 100])
def test_guesses_are_off_chance_in_one_of_twenty_cases_at_most(n, chance):
    """Finding: one text of five annotators was "above chance" in every fifth case."""
    apart = [hits for hits in range(n + 1) if side(hits, n, chance)]
    assert binom.pmf(apart, n, chance).sum() <= 0.05


def test_what_is_far_from_chance_is_said_to_be():
    assert side(60, 100, 0.25) == "above" and side(6, 6, 0.25) == "above"
    assert side(5, 100, 0.25) == "below" and side(30, 100, 0.25) == ""
    assert side(1, 1, 0.2) == side(5, 5, 0.2) == ""
