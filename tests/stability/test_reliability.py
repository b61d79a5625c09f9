"""Split-half reliability: planted profiles are recovered, noise is not."""

import json

import numpy as np
import pytest
from scipy import sparse

from capo_core.errors import ConfigError
from capo_core.stability.reliability import split_half

pytestmark = pytest.mark.filterwarnings("error")


def table(n_items=100, n_annotators=4, manner=0.5, *, d=30, seed=0, content=3.0):
    rng = np.random.default_rng(seed)
    items = np.repeat(np.arange(n_items), n_annotators)
    annotators = np.tile(np.arange(n_annotators), n_items)
    y = rng.normal(size=(len(items), d)) + content * rng.normal(size=(n_items, d))[items]
    return y + manner * rng.normal(size=(n_annotators, d))[annotators], items, annotators


def test_the_correlation_is_the_one_that_theory_expects():
    # In matched halves the items' content cancels. A centred profile is manner + noise with
    # variances manner² and 1/n (rest 1) per dimension, both times (1 − 1/A): the correlation of
    # two halves is manner² / (manner² + 1/n). With manner .2: n = 25 → .04/(.04+.04) = .5,
    # n = 100 → .04/(.04+.01) = .8. Few dimensions would leave luck in the planted manner: d = 2000.
    found = split_half(*table(200, 4, 0.2, d=2000), draws=20, sizes=[25, 100]).rows
    np.testing.assert_allclose(found["self"], [0.5, 0.8], atol=0.03)
    assert (found["low"] < found["self"]).all() and (found["self"] < found["high"]).all()
    # Centred profiles sum to 0: others are at −self/(A − 1).
    np.testing.assert_allclose(found["others"], -found["self"] / 3, atol=0.02)
    assert (found["shuffled"].abs() < 0.05).all()
    assert found["all_identified"].iloc[1] == 1
    assert (found["design"] == "same items for all").all()


def test_without_manner_there_is_no_reliability_and_chance_identification():
    rows = [split_half(*table(60, 4, 0.0, seed=s), draws=40, sizes=[30]).rows for s in range(20)]
    values = np.array([row["self"].iloc[0] for row in rows])
    identified = np.array([row["identified"].iloc[0] for row in rows])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(20) + 0.02
    assert abs(identified.mean() - 0.25) < 0.08


def test_annotators_who_share_few_items_bring_their_own():
    y, items, annotators = table(600, 10, 0.5, content=0.5)
    kept = np.random.default_rng(1).random(len(items)) < 0.2
    found = split_half(y[kept], items[kept], annotators[kept], draws=30)
    assert (found.rows["design"] == "own items of each").all()
    last = found.rows.iloc[-1]
    # manner .25 against (rest 1 + content .25)/n with n about 50: .25/(.25+.025) = .91
    assert last["self"] == pytest.approx(0.25 / (0.25 + 1.25 / last["n"]), abs=0.05)
    assert abs(last["shuffled"]) < 0.1
    assert last["identified"] > 0.95 and last["chance"] == 0.1
    assert sorted(found.by_annotator["annotator_id"]) == list(range(10))


def test_halves_share_no_item_and_matched_ones_serve_all():
    # If a half leaked into the other, an item effect shared by one annotator's rows alone would
    # show: here each row is its item's random vector plus nothing, private to the annotator.
    rng = np.random.default_rng(0)
    items, annotators = np.repeat(np.arange(41), 3), np.tile(np.arange(3), 41)
    values = [
        split_half(rng.normal(size=(123, 50)), items, annotators, draws=20) for _ in range(10)
    ]
    assert abs(np.mean([v.rows["self"].iloc[-1] for v in values])) < 0.1
    assert values[0].rows["n"].iloc[-1] == 20


def test_sparse_equals_dense_and_seeds_repeat():
    y, items, annotators = table(40, 3)
    y[np.abs(y) < 1] = 0
    dense = split_half(y, items, annotators, draws=10)
    other = split_half(sparse.csr_matrix(y), items, annotators, draws=10)
    for column in ("self", "low", "others", "shuffled"):
        np.testing.assert_allclose(other.rows[column], dense.rows[column])
    assert split_half(y, items, annotators, draws=10).to_dict() == dense.to_dict()


@pytest.mark.parametrize(
    ("n_items", "n_annotators", "note"),
    [
        (0, 1, "fewer than two annotators"),
        (30, 1, "fewer than two annotators"),
        (1, 2, "fewer than 10"),
        (9, 3, "fewer than"),
    ],
)
def test_too_little_is_said_in_words(n_items, n_annotators, note):
    found = split_half(*table(n_items, n_annotators))
    assert note in found.note and found.rows.empty
    json.dumps(found.to_dict(), allow_nan=False)


def test_profiles_that_do_not_differ_are_said_to():
    items, annotators = np.repeat(np.arange(20), 2), np.tile(np.arange(2), 20)
    found = split_half(np.ones((40, 3)), items, annotators, draws=5)
    assert found.rows["note"].iloc[-1] == "not defined: the profiles do not differ"
    json.dumps(found.to_dict(), allow_nan=False)


def test_sizes_that_are_not_there_are_refused():
    with pytest.raises(ConfigError, match="between 1 and 50"):
        split_half(*table(100), sizes=[10, 60])
    with pytest.raises(ConfigError, match="items"):
        split_half(np.zeros((3, 2)), [1], [1])
