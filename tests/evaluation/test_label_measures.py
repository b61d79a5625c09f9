"""Label measures against scikit-learn, krippendorff, scipy and the published LeWiDi formulas."""

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from capo_core.evaluation.measures import labels as measures_labels
from capo_core.evaluation.measures import soft_labels
from capo_core.evaluation.measures.labels import alpha, kappa, label_pairs, macro_f1
from capo_core.evaluation.streams import Stream
from capo_core.stats import distances
from capo_core.task import LabelScale

NOMINAL = LabelScale(("e", "n", "c"))
ORDINAL = LabelScale.between(-3, 3)


def stream(labels, item=None):
    item = np.arange(len(labels)) if item is None else item
    return Stream("m", "A", "", item, tuple(labels), ("",) * len(labels))


def labels_of(scale, seed, n=60):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(scale.labels), n)
    guess = np.where(rng.random(n) < 0.5, truth, rng.integers(0, len(scale.labels), n))
    return [scale.labels[i] for i in truth], [scale.labels[i] for i in guess]


@pytest.mark.parametrize("scale", [NOMINAL, ORDINAL], ids=["nominal", "ordinal"])
@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_kappa_and_alpha_equal_the_libraries(scale, seed):
    truth, guess = labels_of(scale, seed)
    own = [frozenset({label}) for label in truth]
    given_labels = sorted(set(truth))
    expected = metrics.f1_score(truth, guess, labels=given_labels, average="macro", zero_division=0)
    assert macro_f1(stream(guess), own, scale).value == pytest.approx(expected)
    weights = "quadratic" if scale.ordinal else None
    expected = metrics.cohen_kappa_score(truth, guess, labels=list(scale.labels), weights=weights)
    assert kappa(stream(guess), own, scale).value == pytest.approx(expected)
    coded = [[scale.number(label) for label in side] for side in (truth, guess)]
    level = "ordinal" if scale.ordinal else "nominal"
    expected = krippendorff.alpha(coded, level_of_measurement=level)
    assert alpha(stream(guess), own, scale).value == pytest.approx(expected)


def test_an_answer_that_could_not_be_read_is_a_miss_for_f1_and_left_out_of_kappa():
    truth, guess = labels_of(NOMINAL, 1)
    guess = ["" if i % 5 == 0 else label for i, label in enumerate(guess)]
    own = [frozenset({label}) for label in truth]
    expected = metrics.f1_score(
        truth, guess, labels=sorted(set(truth)), average="macro", zero_division=0
    )
    assert macro_f1(stream(guess), own, NOMINAL).value == pytest.approx(expected)
    read = [(t, g) for t, g in zip(truth, guess, strict=True) if g]
    found = kappa(stream(guess), own, NOMINAL)
    assert found.value == pytest.approx(metrics.cohen_kappa_score(*zip(*read, strict=True)))
    assert found.n == len(read) == 48


def test_of_several_labels_of_the_target_the_nearest_counts():
    own = [frozenset({"-2", "3"}), frozenset({"e"}), frozenset()]
    pairs, item = label_pairs(stream(["2"]), own, ORDINAL, unread=False)
    assert item.tolist() == [0]
    assert pairs[0, ORDINAL.labels.index("3"), ORDINAL.labels.index("2")] == 1
    # On a nominal scale without a match, both stand beside the answer in equal parts.
    pairs, _ = label_pairs(stream(["n"]), [frozenset({"e", "c"})], NOMINAL, unread=False)
    assert pairs[0, 0, 1] == pairs[0, 2, 1] == 0.5


def test_agreement_without_variation_or_without_answers_is_undefined():
    own = [frozenset({"e"})] * 4
    assert kappa(stream(["e"] * 4), own, NOMINAL) is None
    assert alpha(stream(["e"] * 4), own, NOMINAL) is None
    assert kappa(stream([""] * 4), own, NOMINAL) is None
    assert macro_f1(stream(["e"]), [frozenset()], NOMINAL) is None
    assert macro_f1(stream([""] * 4), own, NOMINAL).value == 0


def test_bootstrap_interval_of_kappa_covers_the_truth():
    """200 samples from a known joint distribution; true κ = (.7·1 + .3/3 − 1/3) / (2/3) = .7."""
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 3, 80)
        guess = np.where(rng.random(80) < 0.7, truth, rng.integers(0, 3, 80))
        own = [frozenset({NOMINAL.labels[i]}) for i in truth]
        found = kappa(stream([NOMINAL.labels[i] for i in guess]), own, NOMINAL).estimate()
        held += found.low <= 0.7 <= found.high
    assert 0.9 <= held / 200 <= 0.99


# The scorer of LeWiDi-2025, restated from its published formulas, one item at a time.
def published_error_rate(targets, predictions):
    """Vectors of 0 and 1 over annotators for each label: mean |t − p|, over labels, over items."""
    return np.mean(
        [
            np.mean([np.abs(np.subtract(t, p)).mean() for t, p in zip(ts, ps, strict=True)])
            for ts, ps in zip(targets, predictions, strict=True)
        ]
    )


def test_error_rate_equals_the_published_formula_averaged_over_annotators():
    rng = np.random.default_rng(3)
    people, n = 4, 30
    own = [
        [frozenset(rng.choice(NOMINAL.labels, rng.integers(1, 3), replace=False)) for _ in range(n)]
        for _ in range(people)
    ]
    said = rng.choice(NOMINAL.labels, (people, n))
    vectors = [
        [[[float(label in own[a][i]) for a in range(people)] for label in NOMINAL.labels]]
        for i in range(n)
    ]
    answers = [
        [[[float(label == said[a, i]) for a in range(people)] for label in NOMINAL.labels]]
        for i in range(n)
    ]
    expected = published_error_rate([v[0] for v in vectors], [v[0] for v in answers])
    found = [
        measures_labels.error_rate(stream(said[a]), own[a], NOMINAL).value for a in range(people)
    ]
    assert np.mean(found) == pytest.approx(expected)


def test_error_rate_of_one_wrong_answer_is_two_thirds_and_an_unread_one_costs_as_much():
    own = [frozenset({"e"})]
    assert measures_labels.error_rate(stream(["e"]), own, NOMINAL).value == 0
    assert measures_labels.error_rate(stream(["c"]), own, NOMINAL).value == pytest.approx(2 / 3)
    assert measures_labels.error_rate(stream([""]), own, NOMINAL).value == pytest.approx(2 / 3)


def test_absolute_distance_is_divided_by_the_number_of_labels():
    scale = LabelScale.between(-5, 5)
    own = [frozenset({"-4"}), frozenset({"2"})]
    found = measures_labels.absolute_distance(stream(["1", "2"]), own, scale)
    assert found.value == pytest.approx((5 / 11 + 0) / 2)
    # Unread: from -4 the farther end is 5, nine points away.
    assert measures_labels.absolute_distance(stream([""]), own[:1], scale).value == pytest.approx(
        9 / 11
    )


@given(
    st.lists(st.integers(0, 20), min_size=7, max_size=7).filter(any),
    st.lists(st.integers(0, 20), min_size=7, max_size=7).filter(any),
)
def test_wasserstein_and_manhattan_equal_scipy(p, q):
    values = np.arange(-3, 4)
    one, other = (np.array([row]) / np.sum(row) for row in (p, q))
    found = distances.wasserstein(one, other, values)[0]
    assert found == pytest.approx(stats.wasserstein_distance(values, values, p, q), abs=1e-9)
    assert distances.manhattan(one, other)[0] == pytest.approx(np.abs(one - other).sum())


def test_soft_distances_speak_of_the_same_people_on_both_sides():
    own = {"A": [frozenset({"e"}), frozenset({"n"})], "B": [frozenset({"c"}), frozenset()]}
    people = soft_labels.people_shares(own, NOMINAL.labels)
    assert people.tolist() == [[0.5, 0, 0.5], [0, 1, 0]]
    said = [
        Stream("m", "A", "0", np.arange(2), ("e", "n"), ("", "")),
        Stream("m", "B", "0", np.arange(2), ("e", "c"), ("", "")),
    ]
    method = soft_labels.method_shares(said, own, NOMINAL.labels)
    # B labelled the second item not at all, so that B's answer there does not count.
    assert method.tolist() == [[1, 0, 0], [0, 1, 0]]
    found = soft_labels.manhattan_distance(people, method)
    assert found.value == pytest.approx((1.0 + 0) / 2)
    # Per label 2·|p − q|: (2·.5 + 0 + 2·.5) / 3 on the first item.
    found = soft_labels.manhattan_per_label(people, method)
    assert found.value == pytest.approx((2 / 3 + 0) / 2)
    assert soft_labels.method_shares(said[:1], own, NOMINAL.labels) is None


def test_samples_of_one_target_are_averaged_before_targets_are():
    own = {"A": [frozenset({"e"})], "B": [frozenset({"e"})]}
    said = [
        Stream("m", "A", "0", np.arange(1), ("e",), ("",)),
        Stream("m", "A", "1", np.arange(1), ("n",), ("",)),
        Stream("m", "B", "0", np.arange(1), ("c",), ("",)),
        Stream("m", "B", "1", np.arange(1), ("",), ("",)),
    ]
    method = soft_labels.method_shares(said, own, NOMINAL.labels)
    assert method.tolist() == [[0.25, 0.25, 0.5]]
