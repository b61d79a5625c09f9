"""Paired tests against scipy and statsmodels, and differences with their verdicts."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from capo_core.evaluation.measures.attribution import View, item_mean, pooled_accuracy
from capo_core.evaluation.table import differences
from capo_core.stats.bootstrap import ResampledScore, difference, mean, resample
from capo_core.stats.significance import benjamini_hochberg, bootstrap_p, holm, sign_flip


def score(values, n_items=None):
    values = np.asarray(values, dtype=float)
    return item_mean(values, np.arange(len(values)), n_items=n_items or len(values), share=False)


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=9))
@settings(max_examples=40, deadline=None)
def test_sign_flip_is_the_exact_permutation_test_for_few_items(values):
    one, other = np.array(values, dtype=float), np.zeros(len(values))
    expected = stats.permutation_test(
        (one, other),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
    ).pvalue
    assert sign_flip(difference(score(one), score(other)).contributions) == pytest.approx(expected)


def test_sign_flip_agrees_with_scipy_for_many_items():
    rng = np.random.default_rng(2)
    one, other = rng.random(60), rng.random(60) - 0.06
    expected = stats.permutation_test(
        (one, other),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue
    found = sign_flip(difference(score(one), score(other)).contributions)
    assert 0.001 < expected < 0.2
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("k", "missing"), [(1, 0), (4, 0), (1, 20)])
def test_sign_flip_is_level_where_methods_do_not_differ(k, missing):
    """Of 300 pairs of equal methods about 5 % have p ≤ .05: of single and of pooled scores, and
    where one of the two has no answer to some items."""
    low = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        both = rng.normal(0.4, 0.6, size=60)
        sides = []
        for there in (60, 60 - missing):
            margin = both + rng.normal(0, 1, size=60)
            table = np.stack([margin, np.zeros(60)], axis=1)
            sides.append(
                pooled_accuracy(
                    table[:there], np.arange(there), 0, k, n_items=60, seed=seed, groupings=60
                )
            )
        low += sign_flip(difference(*sides).contributions, flips=499) <= 0.05
    assert 0.01 <= low / 300 <= 0.09


def test_a_score_against_itself_is_no_difference():
    one = score([0.2, 0.9, 0.4])
    assert sign_flip(difference(one, one).contributions) == 1.0
    drawn = ResampledScore(0.5, np.linspace(0.4, 0.6, 100), 9)
    assert bootstrap_p(difference(drawn, drawn)) == 1.0


def test_two_scores_apart_by_rounding_are_equal():
    """Sums in another order, as by another number of BLAS threads, are no difference."""
    rng = np.random.default_rng(3)
    values = rng.random(40)
    rounding = 1e-17 * rng.integers(-8, 9, size=1000)
    one = ResampledScore(0.5, 0.4 + 0.1 * rng.random(1000), 40)
    other = ResampledScore(0.5 + 1e-16, one.draws + rounding, 40)
    assert one.value != other.value and (one.draws != other.draws).any()
    assert bootstrap_p(difference(one, other)) == 1.0
    apart = difference(score(values), score(values * (1 + 1e-15 * rng.integers(-8, 9, 40))))
    assert sign_flip(apart.contributions) == 1.0


def test_bootstrap_p_is_about_the_normal_one():
    rng = np.random.default_rng(0)
    drawn = ResampledScore(0.2, 0.2 + 0.1 * rng.normal(size=20_000), 50)
    assert bootstrap_p(drawn) == pytest.approx(2 * stats.norm.sf(2), abs=0.005)


def drawn_score(value, error, n=300, seed=0):
    rng = np.random.default_rng(seed)
    return ResampledScore(value, value + error * rng.normal(size=1000), n)


def test_bootstrap_p_is_not_bounded_by_the_number_of_draws():
    """Finding: with 9 methods and more nothing bootstrapped could be significant."""
    far = bootstrap_p(drawn_score(0.5, 0.02))
    assert 0 < far < 1e-20 and bootstrap_p(drawn_score(-0.5, 0.02)) < 1e-20
    # Of few items the tail is Student's, and never larger than that of ten draws.
    few = bootstrap_p(drawn_score(0.4, 0.1, n=6))
    assert few == pytest.approx(11 / 1001) and few > 2 * stats.norm.sf(4)
    assert bootstrap_p(drawn_score(0.4, 0.1, n=30)) == pytest.approx(0.0006, abs=3e-4)
    # Draws that are all the same say nothing of how far is far.
    assert bootstrap_p(ResampledScore(0.4, np.full(1000, 0.4), 9)) == pytest.approx(1 / 1001)


def test_of_twelve_methods_a_clear_difference_is_found():
    names = [f"m{i}" for i in range(12)]
    pairs = [*combinations(names, 2), *((one, two) for one in names for two in ("human", "other"))]
    parts, view = {}, View().name
    rng = np.random.default_rng(0)
    for number, name in enumerate((*names, "human", "other")):
        ahead = name in ("m0", "human")
        parts[name, "all", "kappa", 0] = drawn_score(0.9 if ahead else 0.4, 0.02, seed=number)
        hits = rng.permutation(np.arange(300) < (285 if ahead else 150)).astype(float)
        parts[name, "all", view, 1] = item_mean(hits, np.arange(300), n_items=300)
    found = differences(parts, pairs)
    assert len(pairs) == 90
    for measure in ("kappa", view):
        rows = found[(found["measure"] == measure) & found["against"].isin(names)]
        first = rows[rows["source"] == "m0"]
        assert set(first["verdict"]) == {"better"} and (first["detectable"] < 0.2).all()
        assert set(rows[rows["source"] != "m0"]["verdict"]) == {"undecided"}


def test_twelve_methods_that_do_not_differ_are_rarely_told_apart():
    """In one of twenty tables at most, whatever the number of pairs."""
    tables, wrong = 300, 0
    for seed in range(tables):
        values = 0.5 + 0.02 * np.random.default_rng([seed, 1]).normal(size=12)
        scores = [drawn_score(v, 0.02, seed=[seed, 2, i]) for i, v in enumerate(values)]
        p = [bootstrap_p(difference(one, two)) for one, two in combinations(scores, 2)]
        wrong += (holm(np.array(p)) <= 0.05).any()
    assert 0 < wrong / tables <= 0.07


def test_draws_are_the_same_items_for_all_scores():
    """So that the difference of two means has exactly the spread of the items' differences."""
    rng = np.random.default_rng(1)
    base = rng.random(40)

    def drawn(values):
        return resample(
            lambda w: w @ values / w.sum(axis=1), np.arange(len(values)), n_items=len(values)
        )

    apart = difference(drawn(base + 0.1), drawn(base))
    assert apart.value == pytest.approx(0.1)
    assert np.ptp(apart.draws) == pytest.approx(0, abs=1e-12)
    assert mean([drawn(base), drawn(base + 0.2)]).draws == pytest.approx(drawn(base + 0.1).draws)
    linear, bootstrapped = score(base).estimate(), drawn(base).estimate()
    assert bootstrapped.low == pytest.approx(linear.low, abs=0.02)
    assert bootstrapped.high == pytest.approx(linear.high, abs=0.02)


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_holm_equals_statsmodels(n):
    for seed in range(5):
        p_values = np.random.default_rng(seed).random(n).round(2) ** 3
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_leaves_what_is_undefined():
    found = holm(np.array([0.01, np.nan, 0.03]))
    assert found[0] == pytest.approx(0.02) and np.isnan(found[1])
    assert found[2] == pytest.approx(0.03)


def test_benjamini_hochberg_equals_statsmodels_and_scipy():
    p_values = np.random.default_rng(0).random(50) ** 2
    expected = multipletests(p_values, method="fdr_bh")[1]
    np.testing.assert_allclose(benjamini_hochberg(p_values), expected)
    # scipy multiplies and divides in another order: equal to fifteen digits, not to the last bit.
    np.testing.assert_allclose(
        benjamini_hochberg(p_values), stats.false_discovery_control(p_values), rtol=1e-15, atol=0
    )
    assert benjamini_hochberg(np.zeros(0)).shape == (0,)


def test_verdicts_know_the_direction_of_each_measure():
    high, low = np.full(40, 0.9) + np.arange(40) / 1e3, np.full(40, 0.2)
    parts = {}
    for name in ("label accuracy", "label error", "length ratio", "self-similarity"):
        parts["one", "all", name, 0] = score(high)
        parts["two", "all", name, 0] = score(low)
        parts["human", "all", name, 0] = score(low)
    found = differences(parts, [("one", "two"), ("two", "human")])
    found = found[found["source"] == "one"].set_index("measure")
    assert found["verdict"].to_dict() == {
        "label accuracy": "better",
        "label error": "worse",
        "length ratio": "better",  # .92 is nearer to 1 than .2
        "self-similarity": "worse",  # the human is at .2
    }
    # Two pairs are compared by each measure: the lesser p-value is doubled.
    assert found["p_holm"].to_numpy() == pytest.approx(2 * found["p"].to_numpy())
    same = differences(parts, [("two", "human")])
    assert set(same["verdict"]) == {"undecided"} and (same["p"] == 1).all()
    assert differences(parts, [("one", "nobody")]).empty
