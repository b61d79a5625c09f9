"""Do the intervals of the mixed-effects model cover? Made-up answers of a known truth.

    python benchmarks/mixed_effects.py [--repetitions 200] [--effects none] [--judges 6 12]
        [--log-odds 2] [--grid] [--keep FOLDER]

Prints the machine, then one JSON line a design and size of the effects: the share of 95 % intervals
of the sources' log-odds, and of their difference, that cover the truth; mean error of log-odds and
difference; the standard error of that coverage (difference_error); the differences' standard
deviation over data sets, divided by their mean standard error (spread); mean of the estimated
standard deviations; CPU seconds a fit. With --grid the posterior is that of `mixed_posterior`. With
--keep the estimates of each data set are kept in the folder, and those that are there are read:
another rule for the interval then needs no further fit. Clear it when the model has changed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from crossed_designs import DESIGNS, EFFECTS, LOG_ODDS, drawn
from measuring import machine
from mixed_posterior import Tables, grids, tables

from capo_core.stats.mixed_model import CrossedEffectsModel, MixedModelFit

Z = 1.96
AT_ONCE = 25  # data sets on the grid together
BLOCK = 100  # data sets a file


def fits(design, sds, log_odds, seeds) -> Iterator[MixedModelFit]:
    """Yield the model's fit to each data set."""
    for seed in seeds:
        rng = np.random.default_rng([seed, *design])
        yield CrossedEffectsModel(*drawn(rng, design, sds, log_odds)).fit()


def on_grid(design, sds, log_odds, seeds) -> Iterator[MixedModelFit]:
    """Yield the same from the posterior on a grid of σ, quicker; without deviations."""
    (name,) = [name for name, each in EFFECTS.items() if each == sds]
    for start in range(0, len(seeds), AT_ONCE):
        data = tables(design, sds, log_odds, seeds[start : start + AT_ONCE])
        for value, covariance in zip(*Tables(*data).posterior(grids(design[0], name)), strict=True):
            yield MixedModelFit(value, covariance, (np.nan, np.nan))


def kept(folder: Path, posterior, design, sds, log_odds, seeds) -> Iterator[MixedModelFit]:
    """Yield the same, from the folder where it is there; BLOCK data sets a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(seeds.start, seeds.stop, BLOCK):
        block = range(start, min(start + BLOCK, seeds.stop))
        told = (posterior.__name__, *design, *sds, *log_odds, block.start, block.stop)
        file = folder / ("_".join(map(str, told)) + ".npz")
        if not file.is_file():
            found = list(posterior(design, sds, log_odds, block))
            parts = zip(*((each.value, each.covariance, each.deviations) for each in found),
                        strict=True)  # fmt: skip
            np.savez(file, *map(np.array, parts))
        with np.load(file) as stored:
            for value, covariance, deviations in zip(*stored.values(), strict=True):
                yield MixedModelFit(value, covariance, tuple(deviations))


def cell(design, sds, log_odds, seeds: range, posterior) -> dict:
    told, began = [], time.process_time()
    for fit in posterior(design, sds, log_odds, seeds):
        apart = fit.value - log_odds
        errors = np.sqrt(np.diag(fit.covariance))
        gap, (_value, error, low, high) = apart[0] - apart[1], fit.difference(0, 1)
        true = log_odds[0] - log_odds[1]
        told.append(
            (np.mean(np.abs(apart) < Z * errors), low < true < high, *apart, gap, error,
             *fit.deviations)
        )  # fmt: skip
    mean = np.mean(told, axis=0).round(3).tolist()
    names = ("covered", "difference_covered", "error_1", "error_2", "error_difference",
             "standard_error", "sd_judge", "sd_item")  # fmt: skip
    facts = {"judges": design[0], "items": design[1], "each": design[2], "sds": sds,
             "log_odds": log_odds, "repetitions": len(seeds)}  # fmt: skip
    made = facts | dict(zip(names, mean, strict=True))
    covered = made["difference_covered"]
    made["difference_error"] = round((covered * (1 - covered) / len(seeds)) ** 0.5, 4)
    made["spread"] = round(float(np.std(told, axis=0)[4] / np.mean(told, axis=0)[5]), 3)
    made["cpu_s"] = round((time.process_time() - began) / len(seeds), 4)
    return {name: value for name, value in made.items() if value == value}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--effects", nargs="*", choices=list(EFFECTS), default=list(EFFECTS))
    parser.add_argument("--judges", type=int, nargs="*", default=[each[0] for each in DESIGNS])
    parser.add_argument("--log-odds", type=float, nargs="*", default=[each[0] for each in LOG_ODDS])
    parser.add_argument("--keep", type=Path, help="folder of the estimates of each data set")
    parser.add_argument("--first", type=int, default=0, help="number of the first data set")
    parser.add_argument("--grid", action="store_true", help="posterior on a grid of σ, quicker")
    options = parser.parse_args()
    print(json.dumps(machine()), flush=True)
    for log_odds in (each for each in LOG_ODDS if each[0] in options.log_odds):
        for design in DESIGNS:
            for name, sds in EFFECTS.items():
                if design[0] in options.judges and name in options.effects:
                    seeds = range(options.first, options.first + options.repetitions)
                    posterior = on_grid if options.grid else fits
                    if options.keep:
                        posterior = partial(kept, options.keep, posterior)
                    told = cell(design, sds, log_odds, seeds, posterior)
                    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
