"""Is the confidence of exported preference pairs what it says? Simulated judges of known truth.

    python benchmarks/pair_calibration.py [--pairs 8000] [--only random attentive] [--out x.json]

Grid: judges × judges for each text pair × μ × who judges (random: attentiveness 0 for all;
attentive: Beta(3, 1.5); mixed: 30 % Beta(1, 12), else Beta(6, 2)), 40 comparisons each. A cell is
repeated until about `--pairs` text pairs were judged. For each cell: how many studies the export by
quality refuses; of the others, at each level of confidence, the share of text pairs that pass, how
many of them have the better text chosen (with its standard error over studies), and the mean of
what was claimed; also of majorities of three votes or more, and of the probability that takes the
estimates for facts (`plug_in`, as exported formerly). Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import report
from simulated_judges import simulated

from capo_core.study.analysis import attentiveness_em
from capo_core.study.analysis.judge_quality import estimate_votes
from capo_core.study.analysis.pair_posterior import mu_priors, pair_posterior

LEVELS = (0.8, 0.9, 0.95, 0.99)
MUS = (0.5, 0.75, 0.9)
COMPARISONS = 40
DESIGNS = ((3, 3), (6, 3), (6, 5), (20, 3), (20, 5), (50, 3), (50, 5))  # judges, of each text pair
Population = Callable[[np.random.Generator, int], np.ndarray]
POPULATIONS: dict[str, Population] = {
    "random": lambda rng, n: np.zeros(n),
    "attentive": lambda rng, n: rng.beta(3, 1.5, n),
    "mixed": lambda rng, n: np.where(rng.random(n) < 0.3, rng.beta(1, 12, n), rng.beta(6, 2, n)),
}


def cell(name: str, judges: int, overlap: int, mu: float, pairs: int) -> dict:
    rng = np.random.default_rng([judges, overlap, int(100 * mu), len(name)])
    studies = max(12, round(pairs * overlap / (judges * COMPARISONS)))
    found: dict[str, list] = {"pair_posterior": [], "plug_in": [], "majority": []}
    refused, began = 0, time.process_time()
    for _study in range(studies):
        votes, better = simulated(rng, POPULATIONS[name](rng, judges), COMPARISONS, overlap, mu)
        made = estimate_votes(votes)
        first = np.bincount(votes.text_pair, votes.first)
        lead = 2 * first - np.bincount(votes.text_pair)
        found["majority"].append((np.abs(lead) > 0, (lead > 0) == better))
        fit = attentiveness_em.fit(votes)
        sure = np.maximum(fit.better, 1 - fit.better)
        found["plug_in"].append((sure, (fit.better > 0.5) == better))
        if made.why_not_weighted:
            refused += 1
            continue
        p = pair_posterior(votes, mu_priors(votes, ())).better
        sure = np.where((p > 0.5) == (lead > 0), np.maximum(p, 1 - p), 0.0)
        found["pair_posterior"].append((np.where(lead == 0, 0.0, sure), (p > 0.5) == better))
    majority = _at(found["majority"], 0.5)
    return {
        "judges_are": name, "judges": judges, "overlap": overlap, "mu": mu, "studies": studies,
        "refused": round(refused / studies, 3),
        "majority": {"passed": majority["passed"], "right": majority["right"]},
        "levels": {
            str(level): {
                rule: _at(found[rule], level) for rule in ("pair_posterior", "plug_in")
            }
            for level in LEVELS
        },
        "passed_of_all": {
            str(level): round(
                _at(found["pair_posterior"], level)["passed"] * (1 - refused / studies), 4
            )
            for level in LEVELS
        },
        "cpu_s": round(time.process_time() - began, 1),
    }  # fmt: skip


def _at(studies: list, level: float) -> dict:
    """Shares of text pairs that pass, and of these with the better text chosen; None without."""
    if not studies:
        return {"passed": 0.0, "right": None, "error": None, "claimed": None}
    passed = np.array([(sure >= level).sum() for sure, _right in studies])
    right = np.array([right[sure >= level].sum() for sure, right in studies])
    all_ = np.array([len(right) for _sure, right in studies])
    share = {"passed": round(float(passed.sum() / all_.sum()), 4)}
    if not passed.sum():
        return share | {"right": None, "error": None, "claimed": None}
    hit = right.sum() / passed.sum()
    error = np.sqrt(((right - hit * passed) ** 2).sum()) / passed.sum()
    claimed = sum(float(sure[sure >= level].sum()) for sure, _right in studies) / passed.sum()
    return share | {
        "right": round(float(hit), 3), "error": round(float(error), 3),
        "claimed": round(claimed, 3), "n": int(passed.sum()),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8000)
    parser.add_argument("--only", nargs="*", choices=list(POPULATIONS), default=list(POPULATIONS))
    parser.add_argument("--judges", type=int, nargs="*", default=[3, 6, 20, 50])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for name in options.only:
        for judges, overlap in DESIGNS:
            if judges not in options.judges:
                continue
            for mu in MUS:
                rows.append(cell(name, judges, overlap, mu, options.pairs))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    result = {"pairs": options.pairs, "comparisons": COMPARISONS, "cells": rows}
    if options.out:
        options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    report(result)


if __name__ == "__main__":
    main()
