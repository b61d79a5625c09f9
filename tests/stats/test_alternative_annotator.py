"""The alternative annotator test against hand-computed cases and the published procedure."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, ttest_1samp

from capo_core.stats.alternative_annotator import (
    EPSILONS,
    MIN_ITEMS,
    Advantage,
    advantage,
    alternative_annotator_test,
)
from capo_core.stats.significance import benjamini_yekutieli


def indicators(wins, ties, losses):
    """Items on which the model wins, ties and loses."""
    model = np.array([1.0] * (wins + ties) + [0.0] * losses)
    person = np.array([0.0] * wins + [1.0] * (ties + losses))
    return Advantage(model, person)


def test_a_hand_computed_case():
    """40 items: 12 won, 20 tied, 8 lost. mean d = (8 − 12)/40 = −.1; Σ d² = 20, so the variance is
    (20 − 40·.01)/39 = .50256, t = (−.1 − .2)/√(.50256/40) = −2.6764 at 39 degrees, p = .00542."""
    found = indicators(12, 20, 8)
    assert found.probability == pytest.approx(32 / 40)
    assert found.p_value(0.2) == pytest.approx(0.00542, abs=2e-5)
    assert found.p_value(0.2) < found.p_value(0.15) < found.p_value(0.1)


def test_a_tie_counts_for_both_and_an_unreadable_answer_loses():
    found = advantage(np.array([0.5, -math.inf, 1.0]), np.array([0.5, 0.0, 0.3]))
    assert found.model.tolist() == [1, 0, 1]
    assert found.person.tolist() == [1, 1, 0]


def test_repetitions_are_averaged_on_each_item():
    found = advantage(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([0.5, 0.5]))
    assert found.model.tolist() == [0.5, 0.0]
    assert found.person.tolist() == [0.5, 1.0]
    assert found.n == 2


def test_fewer_than_thirty_items_are_not_tested():
    few = indicators(MIN_ITEMS - 1, 0, 0)
    assert math.isnan(few.p_value(0.2))
    found = alternative_annotator_test([few], 0.2)
    assert (found.tested, found.won, found.passed) == (0, 0, False)
    assert math.isnan(found.winning_rate) and found.probability == 1.0


def test_no_annotator_and_no_item():
    assert math.isnan(alternative_annotator_test([], 0.2).probability)
    empty = advantage(np.zeros((1, 0)), np.zeros(0))
    found = alternative_annotator_test([empty], 0.2)
    assert math.isnan(empty.probability) and found.tested == 0


def test_where_all_items_say_the_same_the_decision_needs_no_variance():
    """Always tied: mean d = 0, which is below every ε above 0, and not below ε = 0."""
    tied = indicators(0, 40, 0)
    assert tied.p_value(0.1) == 0.0
    assert tied.p_value(0.0) == 1.0
    assert indicators(0, 0, 40).p_value(0.2) == 1.0


def test_the_winning_rate_is_of_annotators_after_correction():
    """Two clear wins, one clear loss, one with too few items: ω = 2/3."""
    comparisons = [
        indicators(20, 15, 5), indicators(18, 18, 4), indicators(4, 6, 30), indicators(3, 2, 1),
    ]  # fmt: skip
    found = alternative_annotator_test(comparisons, EPSILONS["experts"])
    assert (found.tested, found.won) == (3, 2) and found.passed
    assert found.winning_rate == pytest.approx(2 / 3)
    assert found.probability == pytest.approx(np.mean([35 / 40, 36 / 40, 10 / 40, 5 / 6]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(deadline=None, max_examples=50)
def test_benjamini_yekutieli_is_that_of_scipy(values):
    p = np.array(values)
    np.testing.assert_allclose(
        benjamini_yekutieli(p), false_discovery_control(p, method="by"), atol=1e-12
    )


def test_benjamini_yekutieli_does_not_count_what_was_not_tested():
    p = np.array([0.01, np.nan, 0.04])
    found = benjamini_yekutieli(p)
    assert math.isnan(found[1])
    np.testing.assert_allclose(found[[0, 2]], benjamini_yekutieli(p[[0, 2]]))
    assert len(benjamini_yekutieli(np.array([]))) == 0


def published(model, people, epsilon):
    """The procedure as the paper describes it, on annotations in dictionaries, with accuracy as
    the similarity: (winning rate, average advantage probability)."""
    p, probability = [], []
    for left_out, mine in people.items():
        apart, better = [], []
        for item, label in mine.items():
            rest = [other[item] for who, other in people.items() if who != left_out]
            of_person = np.mean([label == other for other in rest])
            of_model = np.mean([model[item] == other for other in rest])
            better.append(float(of_model >= of_person))
            apart.append(float(of_person >= of_model) - better[-1])
        p.append(ttest_1samp(apart, epsilon, alternative="less").pvalue)
        probability.append(np.mean(better))
    order, m = np.argsort(p), len(p)
    limits = np.arange(1, m + 1) / m * 0.05 / (1 / np.arange(1, m + 1)).sum()
    below = np.flatnonzero(np.array(p)[order] <= limits)
    return (below.max() + 1 if len(below) else 0) / m, float(np.mean(probability))


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_published_procedure(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 60)

    def noisy(share):
        return np.where(rng.random(60) < share, rng.integers(0, 3, 60), truth)

    given_labels = [noisy(0.4) for _ in range(4)]
    answers = noisy(rng.uniform(0.1, 0.8))
    people = {str(j): dict(enumerate(row)) for j, row in enumerate(given_labels)}
    comparisons = []
    for j, own in enumerate(given_labels):
        rest = np.array([row for k, row in enumerate(given_labels) if k != j])
        comparisons.append(advantage((rest == answers).mean(axis=0), (rest == own).mean(axis=0)))
    found = alternative_annotator_test(comparisons, 0.15)
    rate, probability = published(dict(enumerate(answers)), people, 0.15)
    assert found.winning_rate == pytest.approx(rate)
    assert found.probability == pytest.approx(probability)
