"""Distances of distributions: by hand, against SciPy and dcor, and their bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.spatial.distance import jensenshannon

from capo_core.errors import ConfigError, DataError
from capo_core.stats import distances
from capo_core.stats.distances import distance_correlation

P = np.array([[0.5, 0.5, 0.0]])
Q = np.array([[0.25, 0.25, 0.5]])

pairs = hnp.arrays(
    float, st.tuples(st.just(2), st.integers(2, 12), st.just(3)), elements=st.floats(0.01, 1)
)


def normal(raw):
    return raw / raw.sum(axis=-1, keepdims=True)


def test_distances_of_two_distributions_by_hand():
    # KL: 2 · 0.5 · ln(0.5 / 0.25) = ln 2; what P rules out costs nothing.
    assert distances.kl(P, Q, clip=0) == pytest.approx(np.log(2))
    # TVD: half of 0.25 + 0.25 + 0.5.
    assert distances.total_variation(P, Q) == pytest.approx(0.5)
    assert distances.manhattan(P, Q) == pytest.approx(1.0)
    # From -1, 0, 1 with P: half of the mass has to come to the last label, a quarter over one
    # step and a quarter over two.
    assert distances.wasserstein(P, Q, np.array([-1, 0, 1])) == pytest.approx(0.25 * 2 + 0.25)
    assert distances.entropy(P) == pytest.approx(np.log(2))
    # CE(P, Q) = -ln(0.25), and KL = CE - H.
    assert distances.cross_entropy(P, Q) == pytest.approx(np.log(4))


def test_the_clip_is_what_a_zero_costs():
    # Q gives nothing to a label with share 0.5: 0.5 · ln(0.5 / clip) of the KL, about.
    q = np.array([[1.0, 0.0, 0.0]])
    for clip in (1e-10, 1e-4):
        expected = 0.5 * np.log(0.5) + 0.5 * np.log(0.5 / clip)
        assert distances.kl(P, q, clip=clip) == pytest.approx(expected, rel=1e-3)
    assert distances.kl(P, q, clip=0) == np.inf
    with pytest.raises(ConfigError, match="clip"):
        distances.kl(P, q, clip=-1)


def test_the_js_distance_reaches_its_bound_where_nothing_is_shared():
    p, q = np.array([[1.0, 0, 0]]), np.array([[0, 1.0, 0]])
    assert distances.js_distance(p, q) == pytest.approx(np.sqrt(np.log(2)))


@settings(max_examples=40, deadline=None)
@given(pairs)
def test_equal_to_the_references(raw):
    p, q = normal(raw)
    with np.errstate(invalid="ignore"):  # SciPy takes the root of −1e-17 for equal ones
        expected = np.nan_to_num([jensenshannon(a, b) for a, b in zip(p, q, strict=True)])
    np.testing.assert_allclose(distances.js_distance(p, q), expected, atol=1e-7)
    np.testing.assert_allclose(
        distances.kl(p, q, clip=0),
        [stats.entropy(a, b) for a, b in zip(p, q, strict=True)],
        atol=1e-15,  # of equal distributions one may round to 1e-17 and the other to 0
    )
    values = np.array([-2, 0, 5])
    np.testing.assert_allclose(
        distances.wasserstein(p, q, values),
        [stats.wasserstein_distance(values, values, a, b) for a, b in zip(p, q, strict=True)],
        atol=1e-9,
    )
    import dcor  # compiles for ten seconds, which every worker would wait for at the top

    # dcor leaves out what rounds to nothing at another place than we do: far from it, equal.
    if min(np.ptp(p), np.ptp(q)) > 1e-3:
        assert distance_correlation(p, q) == pytest.approx(
            dcor.distance_correlation(p, q), abs=1e-6
        )


@settings(max_examples=40, deadline=None)
@given(pairs)
def test_what_every_distance_is(raw):
    p, q = normal(raw)
    for distance in (
        distances.js_distance,
        distances.total_variation,
        distances.manhattan,
        distances.kl,
    ):
        assert (distance(p, q) >= 0).all()
        np.testing.assert_allclose(distance(p, p), 0, atol=1e-7)
    assert (distances.total_variation(p, q) <= 1 + 1e-12).all()
    # Pinsker: TVD ≤ √(KL / 2).
    assert (distances.total_variation(p, q) <= np.sqrt(distances.kl(p, q) / 2) + 1e-9).all()


def test_distance_correlation_under_weights_is_that_of_repeated_items():
    rng = np.random.default_rng(1)
    x, y = rng.dirichlet([1, 1, 1], 8), rng.dirichlet([2, 1, 1], 8)
    times = np.array([1, 2, 1, 1, 3, 0, 1, 1])
    weighted = distance_correlation(x, y, (times / times.sum())[None])
    repeated = distance_correlation(x.repeat(times, axis=0), y.repeat(times, axis=0))
    assert weighted[0] == pytest.approx(repeated)


def test_a_constant_side_has_no_shape():
    x = np.random.default_rng(0).dirichlet([1, 1, 1], 9)
    assert distance_correlation(x, np.full((9, 3), 1 / 3)) == 0.0


def test_other_shapes_are_refused():
    with pytest.raises(DataError, match="cannot be compared"):
        distances.kl(P, np.array([[0.5, 0.5]]))
