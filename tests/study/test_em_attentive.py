"""The model of attentiveness: likelihood, EM, information, intervals, against brute force."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from helpers.judgments import drawn_votes, judgments
from scipy.special import ndtr
from scipy.stats import binom

from capo_core.errors import DataError
from capo_core.study.analysis import attentiveness_em
from capo_core.study.analysis.attentiveness_em import (
    GRID,
    critical,
    curves,
    information,
    intervals,
    votes_of,
)

FLAT = (1 + 1e-12, 1 + 1e-12)


def brute(votes, eta, mu, prior=(2.0, 2.0), mu_prior=(2.0, 2.0)) -> float:
    """Penalised log-likelihood straight from the model's words, text pair by text pair."""
    total = 0.0
    for text_pair in range(len(votes.text_pairs)):
        at = votes.text_pair == text_pair
        value = 0.0
        for t in (True, False):
            chance = mu if t else 1 - mu
            if not np.isnan(votes.known[text_pair]):
                chance = float(bool(votes.known[text_pair]) == t)
            right = eta[votes.judge[at]] + (1 - eta[votes.judge[at]]) / 2
            wrong = (1 - eta[votes.judge[at]]) / 2
            value += chance * np.prod(np.where(votes.first[at] == t, right, wrong))
        total += np.log(value)
    total += ((prior[0] - 1) * np.log(eta) + (prior[1] - 1) * np.log(1 - eta)).sum()
    return total + (mu_prior[0] - 1) * np.log(mu) + (mu_prior[1] - 1) * np.log(1 - mu)


@pytest.fixture
def votes():
    rng = np.random.default_rng(3)
    return drawn_votes(rng, rng.beta(3, 1.5, 6), 40, 3, known=4, repeats=5)


@pytest.mark.parametrize("seed", range(6))
def test_the_likelihood_never_falls(seed):
    rng = np.random.default_rng(seed)
    votes = drawn_votes(
        rng, rng.beta(1, 1, 5), 30, 1 + seed % 3, rng.random(), known=seed, repeats=seed
    )
    fit = attentiveness_em.fit(votes)
    assert fit.converged
    assert len(fit.trace) > 2
    assert (np.diff(fit.trace) >= -1e-10).all()


def test_the_last_step_has_the_likelihood_of_the_model(votes):
    fit = attentiveness_em.fit(votes)
    assert fit.trace[-1] == pytest.approx(brute(votes, fit.eta, fit.mu[0]), abs=1e-6)


def test_em_ends_at_a_maximum(votes):
    fit = attentiveness_em.fit(votes)
    best = brute(votes, fit.eta, fit.mu[0])
    for k in range(len(fit.eta)):
        for step in (-0.01, 0.01):
            moved = fit.eta.copy()
            moved[k] = np.clip(moved[k] + step, 0.001, 0.999)
            assert brute(votes, moved, fit.mu[0]) < best
    assert brute(votes, fit.eta, fit.mu[0] + 0.01) < best
    assert brute(votes, fit.eta, fit.mu[0] - 0.01) < best


def test_without_overlap_it_is_the_papers_likelihood():
    """Cai & Li: the stronger source is chosen with probability ½ + η(μ − ½)."""
    rng = np.random.default_rng(1)
    votes = drawn_votes(rng, np.array([0.2, 0.9]), 60, 1)
    fit = attentiveness_em.fit(votes, mu=np.array([0.8]), prior=FLAT)
    for judge in range(2):
        own = votes.judge == judge
        n, k = own.sum(), votes.first[own].sum()
        grid = np.linspace(0, 1, 100_001)[1:-1]
        best = grid[binom.logpmf(k, n, 0.5 + grid * 0.3).argmax()]
        assert fit.eta[judge] == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("mu_prior", [(2.0, 2.0), (30.0, 10.0)])
def test_information_is_minus_the_second_derivative(votes, mu_prior):
    fit = attentiveness_em.fit(votes, mu_prior=mu_prior)
    found = information(votes, fit, np.array([True]), attentiveness_em.PRIOR, mu_prior)
    at = np.append(fit.eta, fit.mu)
    step = 1e-4

    def value(x):
        return brute(votes, x[:-1], x[-1], mu_prior=mu_prior)

    expected = np.empty((len(at), len(at)))
    for i, j in product(range(len(at)), repeat=2):
        terms = []
        for a, b in product((1, -1), repeat=2):
            x = at.copy()
            x[i] += a * step
            x[j] += b * step
            terms.append(a * b * value(x))
        expected[i, j] = -sum(terms) / (4 * step**2)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-2)


def test_a_curve_is_the_likelihood_along_one_judge(votes):
    fit = attentiveness_em.fit(votes)
    value, told = curves(votes, fit)
    for judge in (0, 3):
        for i, j in ((5, 30), (10, 20)):
            ends = []
            for k in (i, j):
                eta = fit.eta.copy()
                eta[judge] = GRID[k]
                ends.append(brute(votes, eta, fit.mu[0], (1, 1)))
            assert value[judge, j] - value[judge, i] == pytest.approx(ends[1] - ends[0], abs=1e-8)
    assert (told >= 0).all()


def test_critical_values_at_far_from_and_between_bounds():
    far, edge = np.array([50.0]), np.array([0.0])
    assert critical(far, far)[0] == pytest.approx(3.8415, abs=1e-3)
    assert critical(edge, far)[0] == pytest.approx(2.7055, abs=1e-3)  # 1.645²: one-sided
    # By simulation: a normal estimate, one standard error above the lower bound.
    z = np.random.default_rng(0).normal(size=200_000)
    estimate = 1 + z
    kept = np.clip(estimate, 0, None)
    deviance = z**2 - (estimate - kept) ** 2
    covered = (deviance <= critical(np.array([1.0]), far)[0]).mean()
    assert covered == pytest.approx(0.95, abs=0.002)
    assert 2 * ndtr(np.sqrt(critical(np.array([1.0]), far)[0])) - 1 < 0.95


def test_intervals_cover_and_are_ordered():
    rng = np.random.default_rng(7)
    inside = []
    for _repetition in range(40):
        eta = rng.beta(3, 1.5, 15)
        votes = drawn_votes(rng, eta, 200, 3)
        fit = attentiveness_em.fit(votes)
        informed = information(votes, fit, np.array([True]), attentiveness_em.PRIOR)
        inflation = np.diag(np.linalg.inv(informed))[:15] * np.diag(informed)[:15]
        low, high = intervals(votes, fit, np.maximum(inflation, 1))
        assert ((low >= 0) & (low < high) & (high <= 1)).all()
        inside.append((low <= eta) & (eta <= high))
    # 600 intervals, a few of them correlated: 95 % within about three standard errors.
    assert 0.91 <= np.mean(inside) <= 0.98


def test_votes_follow_the_source_not_the_slot_or_the_side():
    frame = judgments(
        {"answer": "a"},
        {"judge_id": "J02", "answer": "b", "side": "right"},
        {"trial_id": "T2", "source_a": "sft", "source_b": "human", "answer": "b"},
        {"trial_id": "T2", "judge_id": "J02", "source_a": "sft", "source_b": "human",
         "answer": "tie", "side": ""},
        {"trial_id": "T3", "purpose": "mirror", "mirror_of": "T1", "answer": "a"},
        {"trial_id": "T4", "purpose": "practice", "truth": "a"},
        {"trial_id": "T5", "purpose": "check", "source_b": "other_human", "truth": "b",
         "answer": "b"},
    )  # fmt: skip
    votes = votes_of(frame)
    assert votes.judges == ("J01", "J02")
    assert votes.text_pairs == ("T1", "T2", "T5")
    assert votes.pairs == (("human", "other_human"), ("human", "sft"))
    assert votes.n == 5
    told = sorted(
        zip(
            (votes.judges[k] for k in votes.judge),
            (votes.text_pairs[k] for k in votes.text_pair),
            votes.first.tolist(),
            votes.repeat.tolist(),
            strict=True,
        )
    )
    assert told == [
        ("J01", "T1", True, False),
        ("J01", "T1", True, True),
        ("J01", "T2", True, False),
        ("J01", "T5", False, False),
        ("J02", "T1", False, False),
    ]
    assert votes.ties.tolist() == [0, 1]
    np.testing.assert_array_equal(votes.known, [np.nan, np.nan, 0.0])


def test_a_mirror_of_other_sources_is_refused():
    frame = judgments({}, {"trial_id": "T2", "purpose": "mirror", "mirror_of": "T1",
                           "source_b": "capo"})  # fmt: skip
    with pytest.raises(DataError, match="mirrored repeat of trial T1"):
        votes_of(frame)


def test_checks_bind_what_a_careless_judge_cannot_hide():
    rng = np.random.default_rng(2)
    eta = np.array([0.02, 0.95])
    votes = drawn_votes(rng, eta, 80, 2, known=80)
    fit = attentiveness_em.fit(votes)
    right = votes.first == (votes.known[votes.text_pair] > 0)
    for judge in range(2):
        own = votes.judge == judge
        share = right[own].mean()
        # Mode under the Beta(2, 2) prior: near 2·share − 1, pulled to ½ by two votes' worth.
        assert fit.eta[judge] == pytest.approx(max(2 * share - 1, 0), abs=0.15)
    open_ = replace(votes, known=np.full(80, np.nan))
    assert attentiveness_em.fit(open_).trace[-1] != fit.trace[-1]
