"""Do the intervals of the mixed-effects model cover? Made-up answers of a known truth.

    python benchmarks/mixed_effects.py [--repetitions 200] [--effects none] [--judges 6 12]

Prints the machine, then one JSON line a design and size of the effects: the share of 95 % intervals
of the sources' log-odds, and of their difference (_z: by the normal quantile), that cover the
truth; mean error of log-odds and difference; mean of the estimated standard deviations; CPU seconds
a fit.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from measuring import machine
from scipy.special import expit

from capo_core.stats.mixed_model import CrossedEffectsModel

DESIGNS = ((6, 24, 16), (12, 40, 20), (30, 60, 20))  # judges, items, judgments of a judge
# Standard deviations of judges and of items.
EFFECTS = {"none": (0.0, 0.0), "small": (0.3, 0.3), "middle": (0.5, 0.8), "large": (1.0, 1.2)}
LOG_ODDS = ((0.6, -0.8), (2.0, -0.8))
Z = 1.96


def drawn(rng, design, sds, log_odds):
    """hit, source, judge, item; sources take turns."""
    judges, items, each = design
    of_judge, of_item = rng.normal(0, sds[0], judges), rng.normal(0, sds[1], items)
    judge = np.repeat(np.arange(judges), each)
    item = np.concatenate([rng.choice(items, each, replace=False) for _ in range(judges)])
    source = np.arange(len(judge)) % len(log_odds)
    chance = expit(np.array(log_odds)[source] + of_judge[judge] + of_item[item])
    item = np.unique(item, return_inverse=True)[1]
    return (rng.random(len(judge)) < chance).astype(float), source, judge, item


def cell(design, sds, log_odds, repetitions: int) -> dict:
    told, began = [], time.process_time()
    for k in range(repetitions):
        fit = CrossedEffectsModel(
            *drawn(np.random.default_rng([k, *design]), design, sds, log_odds)
        ).fit()
        apart = fit.value - log_odds
        errors = np.sqrt(np.diag(fit.covariance))
        gap, (_value, error, low, high) = apart[0] - apart[1], fit.difference(0, 1)
        true = log_odds[0] - log_odds[1]
        told.append(
            (np.mean(np.abs(apart) < Z * errors), low < true < high, abs(gap) < Z * error,
             *apart, gap, *fit.deviations)
        )  # fmt: skip
    mean = np.mean(told, axis=0).round(3).tolist()
    names = ("covered", "difference_covered", "difference_covered_z", "error_1", "error_2",
             "error_difference", "sd_judge", "sd_item")  # fmt: skip
    facts = {"judges": design[0], "items": design[1], "each": design[2], "sds": sds,
             "log_odds": log_odds, "repetitions": repetitions}  # fmt: skip
    seconds = round((time.process_time() - began) / repetitions, 4)
    return facts | dict(zip(names, mean, strict=True)) | {"cpu_s": seconds}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--effects", nargs="*", choices=list(EFFECTS), default=list(EFFECTS))
    parser.add_argument("--judges", type=int, nargs="*", default=[each[0] for each in DESIGNS])
    options = parser.parse_args()
    print(json.dumps(machine()), flush=True)
    for log_odds in LOG_ODDS:
        for design in DESIGNS:
            for name, sds in EFFECTS.items():
                if design[0] in options.judges and name in options.effects:
                    told = cell(design, sds, log_odds, options.repetitions)
                    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
