"""The posterior of the mixed-effects model for many data sets at once, on a grid of both σ.

The same model, Laplace approximation and correction of the mean as `stats/mixed_model.py`; that one
averages over σ by quadrature around their mode, this one on a grid, for hundreds of data sets in
one pass: an eighth of the time a data set with few judges. `python benchmarks/mixed_posterior.py`
prints how far the two are apart.
"""

from __future__ import annotations

import numpy as np
from crossed_designs import DESIGNS, EFFECTS, LOG_ODDS, drawn
from measuring import report
from scipy.special import expit

from capo_core.stats.mixed_model import RATE, SOURCE_SD, TILT, CrossedEffectsModel

NEWTON, CLOSE, LONGEST = 30, 1e-3, 2.0  # steps; the last one's length; the longest of one effect


def spread(low: float, high: float, nodes: int) -> np.ndarray:
    """Return nodes of log σ."""
    return np.linspace(np.log(low), np.log(high), nodes)


# Of judges and of items, by the true effects: where the posterior of σ has its mass.
GRIDS = {
    "none": (spread(0.02, 1.2, 10), spread(0.02, 1.2, 10)),
    "small": (spread(0.02, 1.5, 11), spread(0.02, 1.5, 11)),
    "middle": (spread(0.03, 2.2, 11), spread(0.08, 2.5, 11)),
    "large": (spread(0.1, 4.0, 12), spread(0.15, 4.0, 12)),
}
# Of 30 judges, who tell more of σ.
NARROW = {
    "none": (spread(0.02, 0.8, 8), spread(0.02, 0.9, 8)),
    "small": (spread(0.03, 1.0, 9), spread(0.03, 1.1, 9)),
    "middle": (spread(0.05, 1.5, 9), spread(0.25, 1.9, 8)),
    "large": (spread(0.4, 2.4, 8), spread(0.5, 2.9, 8)),
}
WIDE = spread(0.02, 4.0, 11)  # few judges tell little of σ, whatever it is


def grids(judges: int, effects: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes of log σ of judges and of items."""
    if judges < 12:
        return WIDE, WIDE
    return GRIDS[effects] if judges < 30 else NARROW[effects]


def tables(design, sds, log_odds, seeds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return [seeds, judges, items] of what was judged, of hits, and of the second source."""
    shape = (len(seeds), *design[:2])
    judged, hits, second = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for row, seed in enumerate(seeds):
        rng = np.random.default_rng([seed, *design])
        hit, source, judge, item = drawn(rng, design, sds, log_odds)
        judged[row, judge, item], hits[row, judge, item], second[row, judge, item] = 1, hit, source
    return judged, hits, second


class Tables:
    """Data sets of one design with two sources, each [data sets, judges, items]."""

    def __init__(self, judged: np.ndarray, hits: np.ndarray, second: np.ndarray) -> None:
        self.judged, self.hits = judged, hits
        self.sources = (judged * (1 - second), judged * second)
        sets, self.judges, self.items = judged.shape
        self.first = np.zeros((sets, 2 + self.judges))  # β and the judges' effects
        self.last = np.zeros((sets, self.items))  # the items'

    def posterior(self, grids) -> tuple[np.ndarray, np.ndarray]:
        """Return means [data sets, 2] and covariances [data sets, 2, 2] of β."""
        found = []
        for turn, one in enumerate(grids[0]):
            for other in grids[1] if turn % 2 == 0 else grids[1][::-1]:  # from a neighbour
                found.append(self._given(one, other))
        log_posterior, mean, covariance = (np.array(part) for part in zip(*found, strict=True))
        share = np.exp(log_posterior - log_posterior.max(axis=0))
        share /= share.sum(axis=0)
        value = np.einsum("kn,kns->ns", share, mean)
        apart = mean - value
        within = np.einsum("kn,knst->nst", share, covariance)
        return value, within + np.einsum("kn,kns,knt->nst", share, apart, apart)

    def _given(self, log_judge: float, log_item: float):
        """Return the log posterior of both σ, and mean and covariance of β given them."""
        precision = np.repeat([SOURCE_SD**-2, np.exp(-2 * log_judge)], [2, self.judges])
        of_items = np.exp(-2 * log_item)
        for _ in range(NEWTON):
            odds = self._odds(self.first, self.last)
            p = expit(odds)
            self._factor(p * (1 - p) * self.judged, precision, of_items)
            upper, lower = self._sums((self.hits - p) * self.judged)
            step, below = self._solve(upper - precision * self.first, lower - of_items * self.last)
            if max(np.abs(step).max(), np.abs(below).max()) < CLOSE:
                break
            self.first = self.first + np.clip(step, -LONGEST, LONGEST)
            self.last = self.last + np.clip(below, -LONGEST, LONGEST)
        fit = (self.hits * odds - self.judged * np.logaddexp(0, odds)).sum(axis=(1, 2))
        prior = (precision * self.first**2).sum(axis=1) + of_items * (self.last**2).sum(axis=1)
        determinant = np.linalg.slogdet(self._matrix)[1] + np.log(self._items).sum(axis=1)
        log_posterior = (
            fit - (prior + determinant) / 2 - self.judges * log_judge - self.items * log_item
            + log_judge + log_item - RATE * (np.exp(log_judge) + np.exp(log_item))
        )  # fmt: skip
        moved, next_order = self._skewness(p)
        inverse, beside = np.linalg.inv(self._matrix), self._beside.copy()
        covariance = np.empty((len(p), 2, 2))
        for source in (0, 1):
            column = inverse[:, :, source]
            below = -(beside * column[:, :, None]).sum(axis=1)
            tilt = (TILT / np.sqrt(column[:, source]))[:, None]
            ends = []
            for sign in (1, -1):
                first = self.first + sign * tilt * column
                p = expit(self._odds(first, self.last + sign * tilt * below))
                self._factor(p * (1 - p) * self.judged, precision, of_items)
                ends.append(first[:, :2] + self._skewness(p)[0])
            covariance[:, source] = (ends[0] - ends[1]) / (2 * tilt)
        covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
        return log_posterior + next_order, self.first[:, :2] + moved, covariance

    def _odds(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return log-odds [data sets, judges, items]."""
        return (
            self.sources[0] * first[:, 0, None, None] + self.sources[1] * first[:, 1, None, None]
            + first[:, 2:, None] + last[:, None, :]
        )  # fmt: skip

    def _skewness(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of β less its mode, and the next order of the log posterior."""
        variance = self._variance(np.linalg.inv(self._matrix))
        weight = p * (1 - p) * self.judged
        skew = self._sums(-weight * (1 - 2 * p) * variance)
        moved = self._solve(*skew)
        along = sum((one * two).sum(axis=1) for one, two in zip(skew, moved, strict=True))
        fourth = (-weight * (1 - 6 * p * (1 - p)) * variance**2).sum(axis=(1, 2))
        return moved[0][:, :2] / 2, (along + fourth) / 8

    def _sums(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sums by source and judge, and by item."""
        of_sources = [(values * each).sum(axis=(1, 2))[:, None] for each in self.sources]
        return np.concatenate([*of_sources, values.sum(axis=2)], axis=1), values.sum(axis=1)

    def _factor(self, weight: np.ndarray, precision: np.ndarray, of_items: float) -> None:
        """Hold the Hessian with the items' diagonal block taken out (Schur's complement)."""
        weights = [weight * each for each in self.sources]
        self._items = weight.sum(axis=1) + of_items
        beside = np.concatenate([*(each.sum(axis=1)[:, None] for each in weights), weight], axis=1)
        above = np.zeros((len(weight), 2 + self.judges, 2 + self.judges))
        place = np.arange(2 + self.judges)
        for number, each in enumerate(weights):
            by_judge = each.sum(axis=2)
            above[:, number, number] = by_judge.sum(axis=1)
            above[:, number, 2:] = above[:, 2:, number] = by_judge
        above[:, place[2:], place[2:]] = weight.sum(axis=2)
        above[:, place, place] += precision
        self._beside = beside / self._items[:, None, :]
        self._matrix = above - self._beside @ beside.transpose(0, 2, 1)

    def _solve(self, upper: np.ndarray, lower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        right = upper - (self._beside @ lower[:, :, None])[:, :, 0]
        solved = np.linalg.solve(self._matrix, right[:, :, None])[:, :, 0]
        return solved, lower / self._items - (self._beside * solved[:, :, None]).sum(axis=1)

    def _variance(self, covariance: np.ndarray) -> np.ndarray:
        """Return the variance of each judgment's log-odds from not knowing the effects."""
        across = covariance @ self._beside
        place = np.arange(2, 2 + self.judges)
        of_item = 1 / self._items + (self._beside * across).sum(axis=1)
        found = covariance[:, place, place][:, :, None] + of_item[:, None, :] - 2 * across[:, 2:, :]
        for number, each in enumerate(self.sources):
            both = covariance[:, number, 2:, None] - across[:, number, None, :]
            found = found + each * (covariance[:, number, number, None, None] + 2 * both)
        return found


def main() -> None:
    """Print, for each design and size of the effects, how far grid and fit are apart."""
    rows = []
    for design in DESIGNS[:2]:
        for name, sds in EFFECTS.items():
            seeds = range(12)
            mean, covariance = Tables(*tables(design, sds, LOG_ODDS[1], seeds)).posterior(
                grids(design[0], name)
            )
            apart, ratio = [], []
            for row, seed in enumerate(seeds):
                rng = np.random.default_rng([seed, *design])
                fit = CrossedEffectsModel(*drawn(rng, design, sds, LOG_ODDS[1])).fit()
                value, error, *_ = fit.difference(0, 1)
                contrast = np.array([1, -1])
                apart.append((mean[row] @ contrast - value) / error)
                ratio.append(np.sqrt(contrast @ covariance[row] @ contrast) / error)
            told = {"judges": design[0], "effects": name}
            told["difference_in_errors"] = round(float(np.abs(apart).max()), 3)
            told["errors"] = [round(float(end), 3) for end in (min(ratio), max(ratio))]
            rows.append(told)
    report({"rows": rows})


if __name__ == "__main__":
    main()
