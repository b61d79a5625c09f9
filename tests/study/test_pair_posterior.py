"""Probabilities of pairs with all that is not known averaged over."""

import itertools

import numpy as np
import pytest
from helpers.judgments import drawn_votes
from scipy.special import expit

from capo_core.study.analysis.attentiveness_em import Votes, weight
from capo_core.study.analysis.judge_quality import Prior
from capo_core.study.analysis.pair_posterior import _grid, mu_priors, pair_posterior

FLAT = np.array([[1.0, 1.0]])


def votes_of(rows, known=(), repeats=()):
    """(judge, text pair, first preferred?)."""
    judge, text_pair, first = (np.array(column) for column in zip(*rows, strict=True))
    size = text_pair.max() + 1
    truth = np.full(size, np.nan)
    truth[list(known)] = 1.0
    repeat = np.isin(np.arange(len(rows)), list(repeats))
    return Votes(
        judge, text_pair, first.astype(bool), np.zeros(size, dtype=int), truth,
        tuple(f"J{k}" for k in range(judge.max() + 1)), tuple(f"T{k}" for k in range(size)),
        (("human", "sft"),), repeat, np.zeros(judge.max() + 1, dtype=int),
    )  # fmt: skip


def exact(votes, mu):
    """The posterior of each text pair by going through all of η and (m, s), μ given."""
    grid, log_prior = _grid()
    share = np.exp(log_prior) / len(log_prior)
    total, better = 0.0, np.zeros(len(votes.text_pairs))
    for cells in itertools.product(range(len(grid)), repeat=len(votes.judges)):
        cells = np.array(cells)
        prior = share[:, cells].prod(axis=1).sum() if len(cells) else 1.0
        eta = grid[cells][votes.judge]
        right = np.where(votes.first, (1 + eta) / 2, (1 - eta) / 2)
        one = np.array([right[votes.text_pair == k].prod() for k in range(len(better))])
        two = np.array([(1 - right)[votes.text_pair == k].prod() for k in range(len(better))])
        whole = prior * (mu * one + (1 - mu) * two).prod()
        total += whole
        better += whole * mu * one / (mu * one + (1 - mu) * two)
    return better / total


def test_two_judges_as_by_exact_summation():
    votes = votes_of([(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 0), (0, 2, 0), (1, 2, 0)])
    found = pair_posterior(votes, np.array([[0.6, np.inf]]), sweeps=6000)
    assert found.better == pytest.approx(exact(votes, 0.6), abs=0.015)
    assert (found.mu == 0.6).all()


def test_random_judges_are_not_believed_and_attentive_ones_are():
    rng = np.random.default_rng(2)
    coins = pair_posterior(drawn_votes(rng, np.zeros(6), 80, 3, 0.5), FLAT)
    assert np.maximum(coins.better, 1 - coins.better).max() < 0.9
    votes = drawn_votes(rng, np.full(6, 0.95), 80, 3, 0.5)
    alike = np.isin(np.bincount(votes.text_pair, votes.first), (0, 3))
    sure = np.maximum(*(lambda p: (p, 1 - p))(pair_posterior(votes, FLAT).better))
    assert (sure[alike] > 0.99).all()


def test_the_same_seed_gives_the_same_numbers():
    votes = drawn_votes(np.random.default_rng(1), np.full(4, 0.7), 30, 3)
    one, again = pair_posterior(votes, FLAT), pair_posterior(votes, FLAT)
    assert (one.better == again.better).all() and (one.mu == again.mu).all()
    assert not (pair_posterior(votes, FLAT, seed=1).better == one.better).all()


def test_a_repeat_tells_of_the_judge_and_is_no_vote():
    rows = [(j, t, 1) for j in range(3) for t in range(12)]
    once = votes_of([*rows, (0, 12, 1)], known=range(12))
    twice = votes_of([*rows, (0, 12, 1), (0, 12, 1)], known=range(12), repeats=[len(rows) + 1])
    held = np.array([[0.5, np.inf]])
    p = [pair_posterior(votes, held, sweeps=1500).better[-1] for votes in (once, twice)]
    assert p[0] == pytest.approx(p[1], abs=0.03)  # three votes of weight w would make it surer
    most = expit(2 * weight(np.array([0.9]))[0])
    assert p[1] < most


def test_checks_keep_their_known_answer():
    votes = votes_of([(0, 0, 1), (1, 0, 0), (0, 1, 1)], known=[0])
    assert pair_posterior(votes, FLAT, sweeps=50).better[0] == 1


def test_priors_of_mu():
    votes = votes_of([(0, 0, 1)])
    assert mu_priors(votes, ()).tolist() == [[1.0, 1.0]]
    assert mu_priors(votes, [Prior("human", "sft", 0.75, 40)]).tolist() == [[30.0, 10.0]]
    assert mu_priors(votes, [Prior("human", "sft", 0.75)]).tolist() == [[0.75, np.inf]]
