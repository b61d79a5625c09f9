"""Simulated studies: what interval and what power a design would give.

A judgment is right with the probability σ(a + u + v): u is the judge's effect, v the trial's, both
normal on the logit scale and new in each simulation; a is such that the mean over judges and
trials is the share asked for. Intervals are those of the two-way cluster-robust variance (Cameron,
Gelbach & Miller 2011), V = V_judge + V_trial − V_both, with Student's t on the degrees of freedom
of Satterthwaite (1946), each part having one less than its clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import t as student

from capo_core.study.balance import deal

BLOCK = 200_000  # judgments simulated at a time: more do not fit a processor's cache
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


@dataclass(frozen=True)
class Crossing:
    """Which judgment is whose: one source's trials dealt to judges.

    Attributes:
        judge, trial: [N] of each judgment; every judge has N/J of them, every trial N/T.
        judges, trials: how many of each, J and T.
    """

    judge: np.ndarray
    trial: np.ndarray
    judges: int
    trials: int

    def __len__(self) -> int:
        return len(self.judge)


@dataclass(frozen=True)
class Simulated:
    """One number per simulated study, all [S].

    Attributes:
        estimate: the share, or the difference of two.
        low, high: its 95 % interval.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def covers(self, truth: float) -> int:
        """In how many studies the interval holds the truth."""
        return int(((self.low <= truth) & (truth <= self.high)).sum())

    def beyond(self, value: float) -> int:
        """In how many studies the interval leaves `value` out."""
        return int(((self.low > value) | (self.high < value)).sum())


def crossing(rng: np.random.Generator, judges: int, hand: int, each: int) -> Crossing:
    """Judgments of one source: `hand` by each judge, `each` of each trial.

    Raises:
        ConfigError: the numbers do not come out even (see `balance.deal`).
    """
    trials = judges * hand // each
    hands = deal(rng, [0] * trials, judges, hand, each)
    judge = np.repeat(np.arange(judges), hand)
    return Crossing(judge, np.concatenate(hands), judges, trials)


def intercept(share: float, judge_sd: float, trial_sd: float) -> float:
    """The a for which σ(a + u + v) is `share` on average (0 < share < 1)."""
    sd = float(np.hypot(judge_sd, trial_sd))
    weights = _WEIGHTS / _WEIGHTS.sum()

    def excess(a: float) -> float:
        return float(weights @ expit(a + sd * _NODES)) - share

    return float(brentq(excess, -60, 60))


def simulate(
    rng: np.random.Generator,
    cross: Crossing,
    shares: tuple[float, ...],
    *,
    judge_sd: float,
    trial_sd: float,
    simulations: int,
) -> Simulated:
    """Studies of one source (its share right), or of two (first minus second).

    Two sources have the same judges, whose effects are the same for both, and trials of their own.
    """
    a = [intercept(share, judge_sd, trial_sd) for share in shares]
    step = max(1, BLOCK // (len(cross) * len(shares)))
    found = []
    for start in range(0, simulations, step):
        size = min(step, simulations - start)
        u = rng.normal(scale=judge_sd, size=(size, cross.judges))
        answers = []
        for each in a:
            v = rng.normal(scale=trial_sd, size=(size, cross.trials))
            p = expit(each + u[:, cross.judge] + v[:, cross.trial])
            answers.append(rng.random(p.shape) < p)
        found.append(_estimates(cross, answers))
    return Simulated(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _estimates(cross: Crossing, answers: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Estimate and interval of each study; answers [S, N] of one or two sources."""
    n = len(cross)
    signs = (1.0, -1.0)
    estimate = np.zeros(len(answers[0]))
    by_judge = np.zeros((len(estimate), cross.judges))
    by_trial, alone = 0.0, 0.0
    to_trial = np.argsort(cross.trial, kind="stable")
    for sign, right in zip(signs, answers, strict=False):
        mean = right.mean(axis=1)
        rest = right - mean[:, None]
        estimate += sign * mean
        by_judge += sign * rest.reshape(len(rest), cross.judges, -1).sum(axis=2)
        sums = rest[:, to_trial].reshape(len(rest), cross.trials, -1).sum(axis=2)
        by_trial = by_trial + (sums**2).sum(axis=1)
        alone = alone + (rest**2).sum(axis=1)
    judge = (by_judge**2).sum(axis=1) * cross.judges / max(cross.judges - 1, 1)
    trial = by_trial * cross.trials / max(cross.trials - 1, 1)
    # The difference can fall below what either alone gives, by chance; it is then not believed.
    variance = np.maximum(judge + trial - alone, np.maximum(judge, trial)) / n**2
    # All answers alike: what three in n would have been missed (the rule of three) is the width.
    variance = np.where(variance > 0, variance, (1.5 / n) ** 2)
    parts = judge**2 / max(cross.judges - 1, 1) + trial**2 / max(cross.trials - 1, 1)
    freedom = np.where(parts > 0, (judge + trial) ** 2 / np.where(parts > 0, parts, 1), 1)
    half = student.ppf(0.975, freedom) * np.sqrt(variance)
    least = 0.0 if len(answers) == 1 else -1.0
    return estimate, np.maximum(estimate - half, least), np.minimum(estimate + half, 1.0)
