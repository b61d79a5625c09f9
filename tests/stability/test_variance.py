"""Variance components: equal to the analysis of variance, unbiased, undefined in words."""

import json

import numpy as np
import pytest
from scipy import sparse

from capo_core.errors import ConfigError
from capo_core.stability.variance import shares

pytestmark = pytest.mark.filterwarnings("error")


def simulated(n_items, n_annotators, sd, *, d=4, seed=0, keep=1.0, mean=0.0):
    """y = mean + item + annotator + rest with standard deviations `sd`; a share `keep` of cells."""
    rng = np.random.default_rng(seed)
    items = np.repeat(np.arange(n_items), n_annotators)
    annotators = np.tile(np.arange(n_annotators), n_items)
    y = mean + sd[2] * rng.normal(size=(len(items), d))
    y += sd[0] * rng.normal(size=(n_items, d))[items]
    y += sd[1] * rng.normal(size=(n_annotators, d))[annotators]
    kept = rng.random(len(items)) < keep
    return y[kept], items[kept], annotators[kept]


def anova(y, n_items, n_annotators):
    """Textbook estimates from mean squares on a complete table [items × annotators × d]."""
    y = y.reshape(n_items, n_annotators, -1)
    grand = y.mean(axis=(0, 1))
    by_item, by_annotator = y.mean(axis=1), y.mean(axis=0)
    ms_item = n_annotators * ((by_item - grand) ** 2).sum() / (n_items - 1)
    ms_annotator = n_items * ((by_annotator - grand) ** 2).sum() / (n_annotators - 1)
    rest = y - by_item[:, None] - by_annotator[None] + grand
    ms_rest = (rest**2).sum() / ((n_items - 1) * (n_annotators - 1))
    return np.array(
        [(ms_item - ms_rest) / n_annotators, (ms_annotator - ms_rest) / n_items, ms_rest]
    )


def components(found):
    return np.array([found.item.value, found.annotator.value, found.residual.value]) * found.total


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(20, 4), (7, 3), (50, 2)])
def test_equals_the_analysis_of_variance_on_complete_tables(seed, shape):
    y, items, annotators = simulated(*shape, (1, 0.5, 1), seed=seed, mean=30.0)
    expected = anova(y, *shape)
    for design in ("complete", "all"):
        found = shares(y, items, annotators, design=design, draws=0)
        np.testing.assert_allclose(components(found), expected, rtol=1e-8, atol=1e-8)


def test_unbiased_with_and_without_missing_cells():
    # Components 1, .25, 1 (squares of the standard deviations) per dimension. Mean of 150 data
    # sets of 40 items × 6 annotators × 4 dimensions; the tolerance is four standard errors of
    # that mean, taken from the spread of the estimates themselves.
    for keep in (1.0, 0.5):
        drawn = []
        for seed in range(150):
            y, items, annotators = simulated(40, 6, (1, 0.5, 1), seed=seed, keep=keep)
            drawn.append(components(shares(y, items, annotators, design="all", draws=0)) / 4)
        error = np.std(drawn, axis=0) / np.sqrt(150)
        assert (np.abs(np.mean(drawn, axis=0) - [1, 0.25, 1]) < 4 * error).all()
        assert (error < 0.05).all()


def test_an_annotator_component_that_is_not_there_is_around_zero_and_often_below():
    values = np.array(
        [shares(*simulated(30, 4, (1, 0, 1), seed=s), draws=0).annotator.value for s in range(200)]
    )
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(200)
    assert 0.3 < (values < 0).mean() < 0.8


def test_pure_noise_gives_items_nothing():
    # A share of sums of squares would give the items 1/4 here.
    found = shares(*simulated(400, 4, (0, 0, 1), seed=1, d=50))
    assert abs(found.item.value) < 0.01
    assert found.item.low < 0 < found.item.high


def test_the_interval_over_items_covers_the_component_of_these_annotators():
    # The annotators are fixed in the interval: what it should cover is the estimate of very many
    # items with the same annotators. 60 trials; missing more than 9 has probability < .002.
    rng = np.random.default_rng(0)
    effects = 0.4 * rng.normal(size=(4, 6))
    between = ((effects - effects.mean(axis=0)) ** 2).sum() / 3 / 6
    true = between / (1 + between + 1)
    missed = 0
    for _ in range(60):
        y = rng.normal(size=(60, 1, 6)) + effects + rng.normal(size=(60, 4, 6))
        items, annotators = np.repeat(np.arange(60), 4), np.tile(np.arange(4), 60)
        found = shares(y.reshape(240, 6), items, annotators, draws=200)
        missed += not found.annotator.low < true < found.annotator.high
    assert missed <= 9


def test_sparse_dense_and_single_precision_agree():
    y, items, annotators = simulated(40, 4, (1, 0.5, 1), seed=2, keep=0.8)
    y[np.abs(y) < 0.5] = 0
    dense = shares(y, items, annotators, draws=20)
    for other in (sparse.csr_matrix(y), sparse.csr_array(y), y.astype(np.float32)):
        found = shares(other, items, annotators, draws=20)
        assert found.item.value == pytest.approx(dense.item.value, abs=1e-5)
        assert found.annotator.low == pytest.approx(dense.annotator.low, abs=1e-5)


def test_two_rows_of_one_annotator_on_one_item_enter_as_their_mean():
    y, items, annotators = simulated(20, 3, (1, 0.5, 1), seed=4)
    # Row 5 split into two rows around it.
    doubled = np.vstack([y, y[5] + 1])
    doubled[5] -= 1
    found = shares(doubled, [*items, items[5]], [*annotators, annotators[5]], draws=0)
    expected = shares(y, items, annotators, draws=0)
    np.testing.assert_allclose(components(found), components(expected))
    assert found.n_cells == 60


def test_complete_items_are_preferred_where_there_are_enough():
    y, items, annotators = simulated(40, 4, (1, 1, 1), seed=0)
    kept = ~((items < 10) & (annotators == 3))
    found = shares(y[kept], items[kept], annotators[kept], draws=0)
    assert (found.design, found.n_items) == ("complete", 30)
    kept = ~((items < 30) & (annotators == items % 4))
    found = shares(y[kept], items[kept], annotators[kept], draws=0)
    assert (found.design, found.n_items) == ("all", 40)


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([], "fewer than two annotators"),
        ([(0, "i1", "a")], "fewer than two annotators"),
        ([(0, "i1", "a"), (1, "i2", "a")], "fewer than two annotators"),
        ([(0, "i1", "a"), (1, "i1", "b")], "fewer than two shared items"),
        ([(0, "i1", "a"), (1, "i2", "b")], "fewer than two shared items"),
        ([(k, f"i{k // 2}", f"a{k}") for k in range(8)], "no annotator has two items"),
        ([(3, f"i{k // 2}", "ab"[k % 2]) for k in range(40)], "nothing varies"),
        ([(k, f"i{k // 2}", "ab"[k % 2]) for k in range(8)], "too few for intervals"),
    ],
)
def test_what_is_not_defined_is_said_in_words(rows, note):
    matrix = np.array([[float(value)] for value, _, _ in rows]).reshape(len(rows), 1)
    found = shares(matrix, [item for _, item, _ in rows], [who for _, _, who in rows])
    assert note in found.note
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match="design 'some'"):
        shares(np.zeros((2, 1)), [1, 2], [1, 2], design="some")
    with pytest.raises(ConfigError, match="3 rows came with 2 items"):
        shares(np.zeros((3, 1)), [1, 2], [1, 2])
