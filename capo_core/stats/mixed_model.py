"""A logistic model with two crossed random effects, fitted by nested Laplace approximations.

Judgment r is a hit with log-odds β[source] + a[judge] + b[item], where β ~ N(0, 2²),
a ~ N(0, σ_a²), b ~ N(0, σ_b²), and σ_a, σ_b are exponential with rate 1 (above 3 in 5 %), which
shrinks towards no effect (a penalised-complexity prior, Simpson et al. 2017).

Given both σ, the mode of (β, a, b) is found by Newton's method, and p(σ | data) is what Laplace's
approximation around it gives (Tierney & Kadane 1986), with two terms of the next order (Shun &
McCullagh 1995),

    ⅛ Σ_r l⁗_r v_r² + ⅛ gᵀ H⁻¹ g,   g = Σ_r l‴_r v_r x_r,   v_r = var(log-odds_r)

without which σ comes out too small. The third of them, (1/12) Σ_rs l‴_r l‴_s cov(r, s)³, is left
out: it costs the square of the judgments, and all three are as much too large, against exact
integration, as these two are too small. The mean of β lies away from its mode where the posterior
is skew; the first-order difference, ½ H⁻¹ g, is added (Tierney, Kass & Kadane 1989). The covariance
of β is the derivative of that mean by a linear tilt of the log density, as the exact covariance is
of the exact mean; H⁻¹ alone gives errors up to 10 % too small. The two log σ are averaged over by
adaptive Gauss-Hermite quadrature around their mode (Naylor & Smith 1982), so that not knowing them
widens the errors of β (as Rue, Martino & Chopin 2009 do).

Why not the joint mode of σ and the effects together, which needs no determinant: it lies next to
σ = 0. All effects zero and σ → 0 makes their normal density grow without bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import expit

from capo_core.stats.intervals import Z95

SOURCE_SD = 2.0  # prior of log-odds
RATE = 1.0  # of the exponential prior of σ
START = np.log([0.5, 0.7])
NODES = 5  # of the quadrature, for each σ
STEP = 0.05  # of log σ, for second differences at the mode
NEWTON = 50
CLOSE = 1e-8
TILT = 0.1  # standard errors of β, for derivatives of its mean


@dataclass(frozen=True)
class ConditionalPosterior:
    """The posterior of the effects at one pair of σ.

    Attributes:
        log_posterior: of (log σ_a, log σ_b), but for a constant.
        mode: [sources + judges + items] of β, a, b. precision: the same, of their priors.
        mean: [sources] of β. hessian: at the mode.
    """

    log_posterior: float
    mode: np.ndarray
    precision: np.ndarray
    mean: np.ndarray
    hessian: Hessian


class Hessian:
    """Hessian of the negative log density of the effects, H = [[A, B], [Bᵀ, D]], D the items'
    block.

    A judgment is about one item, so that D is a diagonal (d [items]), and A less B D⁻¹ Bᵀ
    [sources + judges, squared] is all that has to be decomposed.
    """

    def __init__(self, a: np.ndarray, b: np.ndarray, d: np.ndarray) -> None:
        self.d, self.beside, self.first = d, b / d, len(a)
        self._factor = cho_factor(a - self.beside @ b.T)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return H⁻¹ right."""
        upper, lower = right[: self.first], right[self.first :]
        solved = cho_solve(self._factor, upper - self.beside @ lower)
        return np.concatenate([solved, lower / self.d - self.beside.T @ solved])

    def log_determinant(self) -> float:
        return float(2 * np.log(np.diag(self._factor[0])).sum() + np.log(self.d).sum())

    def covariance(self) -> np.ndarray:
        """Return the block of H⁻¹ of sources and judges."""
        return cho_solve(self._factor, np.eye(self.first))


@dataclass(frozen=True)
class MixedModelFit:
    """Attributes: value [sources], posterior means of β; covariance [sources × sources];
    deviations, exp of the posterior means of log σ_a and log σ_b."""

    value: np.ndarray
    covariance: np.ndarray
    deviations: tuple[float, float]

    def difference(self, one: int, other: int) -> tuple[float, float, float, float]:
        """Return β[one] − β[other], its standard error, and its 95 % interval by the normal
        quantile."""
        value = float(self.value[one] - self.value[other])
        spread = self.covariance
        error = math.sqrt(spread[one, one] + spread[other, other] - 2 * spread[one, other])
        return value, error, value - Z95 * error, value + Z95 * error


class CrossedEffectsModel:
    """The model of one table: `hit` [n] 0 or 1; `source`, `judge`, `item` [n] numbers from 0, each
    of which occurs."""

    def __init__(self, hit, source, judge, item) -> None:
        self.hit = np.asarray(hit, dtype=float)
        self.source, self.judge, self.item = source, judge, item
        self.sizes = tuple(int(each.max()) + 1 for each in (source, judge, item))
        self._start = np.zeros(sum(self.sizes))

    def fit(self) -> MixedModelFit:
        """Fit the model.

        Raises:
            np.linalg.LinAlgError: no mode of the σ was found (never observed so far).
        """

        def loss(log_sd: np.ndarray) -> float:
            return -self.given(log_sd).log_posterior

        options = {"xatol": 1e-3, "fatol": 1e-4}
        mode = minimize(loss, START, method="Nelder-Mead", options=options).x
        scale = np.linalg.cholesky(np.linalg.inv(_curvature(loss, mode)))
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        z = np.array(np.meshgrid(nodes, nodes)).reshape(2, -1).T
        points = mode + z @ scale.T
        given = [self.given(point) for point in points]
        log_weight = np.log(np.outer(weights, weights).ravel()) + (z**2).sum(axis=1) / 2
        log_weight += [each.log_posterior for each in given]
        share = np.exp(log_weight - log_weight.max())
        share /= share.sum()
        values = np.array([each.mean for each in given])
        value = share @ values
        apart = values - value
        covariances = np.array([self.covariance(each) for each in given])
        covariance = np.einsum("k,kst->st", share, covariances)
        covariance += np.einsum("k,ks,kt->st", share, apart, apart)
        deviations = np.exp(share @ points)
        sds = (float(deviations[0]), float(deviations[1]))
        return MixedModelFit(value, covariance, sds)

    def given(self, log_sd: np.ndarray) -> ConditionalPosterior:
        """Return the effects and the posterior at log σ_a, log σ_b.

        Starts from where the last call ended. The log posterior of the effects is concave, so
        Newton's method with halved steps gets to its one mode.
        """
        precision = np.repeat([SOURCE_SD**-2, *np.exp(-2 * np.asarray(log_sd))], self.sizes)
        effects = self._start
        value, odds = self._log_density(effects, precision)
        for _ in range(NEWTON):
            p = expit(odds)
            hessian = self._hessian(p, precision)
            step = hessian.solve(self._summed(self.hit - p) - precision * effects)
            if np.abs(step).max() < CLOSE:
                break
            length = 1.0
            further, odds = self._log_density(effects + step, precision)
            while further < value - 1e-9 and length > 1e-6:
                length /= 2
                further, odds = self._log_density(effects + length * step, precision)
            effects, value = effects + length * step, further
        self._start = effects
        sources, judges, items = self.sizes
        log_posterior = (
            value - judges * log_sd[0] - items * log_sd[1] - hessian.log_determinant() / 2
            + np.sum(log_sd) - RATE * np.sum(np.exp(log_sd))
        )  # fmt: skip
        variance = self._variance(hessian)
        moved, skew = self._skewness(p, variance, hessian)
        weight = p * (1 - p)
        fourth = -weight * (1 - 6 * weight)
        log_posterior += skew @ moved / 4 + fourth @ variance**2 / 8
        return ConditionalPosterior(
            float(log_posterior), effects, precision, (effects + moved)[:sources], hessian
        )

    def covariance(self, at: ConditionalPosterior) -> np.ndarray:
        """Return [sources × sources], the covariance of β given σ: the derivative of its mean by a
        tilt of the log density, from Hessians at the mode moved both ways."""
        sources = self.sizes[0]
        found = np.empty((sources, sources))
        for source in range(sources):
            column = at.hessian.solve(np.eye(1, len(at.mode), source)[0])
            tilt = TILT / math.sqrt(column[source])
            ends = [self._mean_at(at.mode + sign * tilt * column, at.precision) for sign in (1, -1)]
            found[source] = (ends[0] - ends[1])[:sources] / (2 * tilt)
        return (found + found.T) / 2

    def _mean_at(self, mode: np.ndarray, precision: np.ndarray) -> np.ndarray:
        """Return [sources + judges + items], the mean where the mode is that."""
        p = expit(self._log_density(mode, precision)[1])
        hessian = self._hessian(p, precision)
        return mode + self._skewness(p, self._variance(hessian), hessian)[0]

    def _skewness(self, p, variance, hessian: Hessian) -> tuple[np.ndarray, np.ndarray]:
        """Return means less modes of all effects, ½ H⁻¹ g, and g."""
        skew = self._summed(-p * (1 - p) * (1 - 2 * p) * variance)
        return hessian.solve(skew) / 2, skew

    def _log_density(self, effects: np.ndarray, precision: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density of hits and effects, without the term in σ alone, and the log-odds
        [n]."""
        sources, judges, _ = self.sizes
        odds = effects[self.source] + effects[sources + self.judge]
        odds = odds + effects[sources + judges + self.item]
        likelihood = np.sum(self.hit * odds - np.logaddexp(0, odds))
        return float(likelihood - np.sum(precision * effects**2) / 2), odds

    def _hessian(self, p: np.ndarray, precision: np.ndarray) -> Hessian:
        """Return the Hessian at hits of probabilities `p` [n]."""
        sources, judges, items = self.sizes
        weight, first = p * (1 - p), sources + judges
        diagonal = self._summed(weight) + precision
        a = np.diag(diagonal[:first])
        a[:sources, sources:] = _table(self.source, self.judge, weight, sources, judges)
        a[sources:, :sources] = a[:sources, sources:].T
        b = np.concatenate(
            [
                _table(self.source, self.item, weight, sources, items),
                _table(self.judge, self.item, weight, judges, items),
            ]
        )
        return Hessian(a, b, diagonal[first:])

    def _variance(self, hessian: Hessian) -> np.ndarray:
        """Return [n], the variance of each judgment's log-odds from not knowing the effects."""
        covariance = hessian.covariance()
        source, judge, item = self.source, self.sizes[0] + self.judge, self.item
        across = covariance @ hessian.beside  # less the covariance with items
        of_item = 1 / hessian.d + np.sum(hessian.beside * across, axis=0)
        return (
            covariance[source, source] + covariance[judge, judge] + of_item[item]
            + 2 * (covariance[source, judge] - across[source, item] - across[judge, item])
        )  # fmt: skip

    def _summed(self, of_judgment: np.ndarray) -> np.ndarray:
        """Return [sources + judges + items], sums of a value per judgment."""
        return np.concatenate(
            [
                np.bincount(number, of_judgment, size)
                for number, size in zip(
                    (self.source, self.judge, self.item), self.sizes, strict=True
                )
            ]
        )


def _table(row, column, weight, rows: int, columns: int) -> np.ndarray:
    """Return [rows × columns] sums of weights."""
    return np.bincount(row * columns + column, weight, rows * columns).reshape(rows, columns)


def _curvature(loss, at: np.ndarray) -> np.ndarray:
    """Return [2 × 2] second derivatives of `loss` by differences."""
    one, two = np.eye(2) * STEP
    here = loss(at)
    own = [(loss(at + e) - 2 * here + loss(at - e)) / STEP**2 for e in (one, two)]
    both = sum(
        sign * loss(at + k * one + m * two) for k, m, sign in
        ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    ) / (4 * STEP**2)  # fmt: skip
    return np.array([[own[0], both], [both, own[1]]])
