"""Tables 4 and 5 of `judge_quality`: do intervals clustered by judge and item cover?"""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from simulated_judges import design

from capo_core.stats.bradley_terry import fit_ties
from capo_core.stats.clustered import difference, share


def _crossed(rng, judges: int, items: int, per_item: int, spread: tuple[float, float]):
    """Judge [n], item [n] and random effects of both, standard deviations `spread` (logits)."""
    judge, item = design(rng, judges, items * per_item // judges, per_item)
    of_judge = rng.normal(0, spread[0], judges)[judge]
    of_item = rng.normal(0, spread[1], item.max() + 1)[item]
    return judge, item, of_judge + of_item


def _true_share(level: float, spread: tuple[float, float]) -> float:
    """Mean of expit(level + random effects), by Gauss-Hermite."""
    x, w = np.polynomial.hermite_e.hermegauss(41)
    return float((w * expit(level + np.hypot(*spread) * x)).sum() / w.sum())


DRAWS = 400  # of the two-way bootstrap


def pigeonhole(rng, judge, item, weighted) -> tuple[float, float]:
    """Percentile interval of the two-way bootstrap (Owen 2007): judges and items are drawn with
    replacement, each apart from the other, and a judgment counts as often as both together.

    Args:
        weighted: from weights [draws × n] to values [draws].
    """
    counts = []
    for group in (judge, item):
        number = np.unique(group, return_inverse=True)[1]
        size = int(number.max()) + 1
        counts.append(rng.multinomial(size, np.full(size, 1 / size), size=DRAWS)[:, number])
    with np.errstate(invalid="ignore"):  # a draw may leave one source out
        return tuple(np.nanquantile(weighted(counts[0] * counts[1]), [0.025, 0.975]))


def shares(repetitions: int) -> list[dict]:
    """Table 4: coverage of clustered intervals of a share and of a difference of two sources, and
    of the two-way bootstrap's (in a third of the repetitions)."""
    rows = []
    for judges, items, per_item in ((6, 24, 3), (8, 60, 3), (12, 40, 3), (20, 60, 3), (30, 100, 3)):
        for level, spread in ((-1.0, (0.4, 0.6)), (0.3, (0.6, 0.8)), (1.5, (0.4, 0.6))):
            rng = np.random.default_rng([judges, items, int(10 * abs(level))])
            truth, second = _true_share(level, spread), _true_share(level - 0.5, spread)
            hits = {"two_way": 0, "difference": 0}
            boot = {"bootstrap": [], "bootstrap_difference": []}
            plain = 0
            for repetition in range(repetitions):
                judge, item, effect = _crossed(rng, judges, items, per_item, spread)
                source = rng.random(len(judge)) < 0.5
                hit = rng.random(len(judge)) < expit(level - 0.5 * source + effect)
                one = share(hit[~source], judge[~source], item[~source])
                hits["two_way"] += one.low <= truth <= one.high
                plain += one.wilson_low <= truth <= one.wilson_high
                apart = difference(
                    hit[~source], judge[~source], item[~source],
                    hit[source], judge[source], item[source],
                )  # fmt: skip
                hits["difference"] += apart.low <= truth - second <= apart.high
                if repetition % 3:
                    continue
                draws = np.random.default_rng([judges, items, repetition])
                low, high = pigeonhole(
                    draws,
                    judge[~source],
                    item[~source],
                    lambda w, hit=hit[~source]: w @ hit / w.sum(axis=1),
                )
                boot["bootstrap"].append(low <= truth <= high)
                low, high = pigeonhole(
                    draws, judge, item,
                    lambda w, hit=hit, two=source: (
                        w[:, ~two] @ hit[~two] / w[:, ~two].sum(axis=1)
                        - w[:, two] @ hit[two] / w[:, two].sum(axis=1)
                    ),
                )  # fmt: skip
                boot["bootstrap_difference"].append(low <= truth - second <= high)
            rows.append(
                {"judges": judges, "items": items, "share": round(truth, 2)}
                | {f"coverage_{k}": round(v / repetitions, 3) for k, v in hits.items()}
                | {"coverage_wilson_plain": round(plain / repetitions, 3)}
                | {f"coverage_{k}": round(float(np.mean(v)), 3) for k, v in boot.items()}
            )
    return rows


def strengths(repetitions: int) -> list[dict]:
    """Table 5: coverage for Davidson's strengths, where the model holds and judges differ in nu."""
    names = ("human", "icl", "sft")
    truth = np.array([0.8, -0.5, -0.3])
    rows = []
    for judges, items in ((8, 60), (20, 60), (30, 100)):
        rng = np.random.default_rng([judges, items])
        covered = []
        for _repetition in range(repetitions):
            judge, item = design(rng, judges, items * 3 // judges, 3)
            a = rng.integers(0, 3, len(judge))
            b = (a + rng.integers(1, 3, len(judge))) % 3
            tie = np.exp(-0.5 + rng.normal(0, 0.5, judges))[judge]
            pi = np.exp(truth)
            weights = np.stack([pi[a], pi[b], tie * np.sqrt(pi[a] * pi[b])], axis=1)
            cut = rng.random(len(judge)) * weights.sum(axis=1)
            outcome = (cut[:, None] > weights.cumsum(axis=1)).sum(axis=1)
            made = fit_ties(a, b, outcome, names, judge, item)
            inside = (made.strengths["low"] <= truth) & (truth <= made.strengths["high"])
            covered.append(inside.mean())
        rows.append({"judges": judges, "items": items, "coverage": round(np.mean(covered), 3)})
    return rows
