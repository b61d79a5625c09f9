"""Judges of known attentiveness, their votes, and an oracle that knows how they were made."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta

from capo_core.study.analysis import attentiveness_em
from capo_core.study.analysis.attentiveness_em import GRID, Votes, curves

PRIOR = (3.0, 1.5)  # of attentiveness: most attend, some hardly; the EM does not know it
MU = 0.75


def design(rng: np.random.Generator, judges: int, comparisons: int, overlap: int):
    """Return judge [n] and text_pair [n]: `overlap` different judges per text pair, near-balanced.

    Blocks of as many text pairs as judges: text pair i goes to the judges i, i + s₂, i + s₃, … of a
    random order, with random different shifts s.
    """
    text_pairs = judges * comparisons // overlap
    rows = []
    for start in range(0, text_pairs, judges):
        order = rng.permutation(judges)
        shifts = np.append(0, 1 + rng.choice(judges - 1, overlap - 1, replace=False))
        block = np.arange(min(judges, text_pairs - start))
        rows.append(order[(block[:, None] + shifts[None, :]) % judges])
    judge = np.concatenate(rows)
    return judge.ravel(), np.repeat(np.arange(text_pairs), overlap)


def simulated(rng, eta: np.ndarray, comparisons: int, overlap: int, mu: float):
    """Votes of judges with attentiveness `eta`, and bool [text_pairs], is the first text better?"""
    judge, text_pair = design(rng, len(eta), comparisons, overlap)
    size = int(text_pair.max()) + 1
    better = rng.random(size) < mu
    attends = rng.random(len(judge)) < eta[judge]
    first = np.where(attends, better[text_pair], rng.random(len(judge)) < 0.5)
    votes = Votes(
        judge, text_pair, first, np.zeros(size, dtype=int), np.full(size, np.nan),
        tuple(f"J{k + 1:03}" for k in range(len(eta))), tuple(map(str, range(size))),
        (("human", "sft"),), np.zeros(len(judge), dtype=bool), np.zeros(len(eta), dtype=int),
    )  # fmt: skip
    return votes, better


def oracle(votes: Votes, mu: float) -> np.ndarray:
    """[judges]: posterior mean of attentiveness with the true μ and the true prior.

    EM with both given tells how likely each text is the better one; then, judge by judge, the
    posterior of η on a grid, which is exact where no text pair is shared.
    """
    fit = attentiveness_em.fit(votes, mu=np.array([mu]), prior=PRIOR)
    value, _told = curves(votes, fit)
    inner = (GRID > 0) & (GRID < 0.999)
    grid = GRID[inner]
    log_p = value[:, inner] + beta(*PRIOR).logpdf(grid) + np.log(np.gradient(grid))
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return (p @ grid) / p.sum(axis=1)
