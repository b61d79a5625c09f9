"""The share of comparisons of label distributions that name a winner where there is none.

    python benchmarks/false_winners.py --worlds 200

Simulated crowds (three labels) and k sources that are equally far from them: mixed with noise drawn
alike for each source. Counted are worlds in which a source is called significantly closest, any two
sources significantly different, an unrelated source significantly closer than the baselines by
distance correlation; beside them what unadjusted 95 % intervals would have called (the lowest
source's interval against the next excludes 0, as in 0.2.0). Power: one source has less noise.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import pandas as pd
from measuring import report

from capo_core.distributions.compare import JSD, SHAPE, CompareConfig
from capo_core.distributions.findings import nearest_source
from capo_core.distributions.judgments import CROWD, Judgments, LabelDistribution, no_explanations
from capo_core.distributions.paired import UNDECIDED
from capo_core.distributions.ranking import Ranking, rank
from capo_core.task import NLI

CELLS = [(n, k) for n in (10, 50, 200) for k in (2, 6)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--draws", type=int, default=500)
    settings = parser.parse_args()
    config = CompareConfig(draws=settings.draws)
    rows = []
    for n, k in CELLS:
        for gain in (0.0, 0.1):
            found = [counts(ranking(n, k, gain, seed, config)) for seed in range(settings.worlds)]
            means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
            rows.append({"items": n, "sources": k, "gain": gain, **means})
    error = 1.96 * math.sqrt(0.05 * 0.95 / settings.worlds)
    report({"worlds": settings.worlds, "half_width_at_5_percent": error, "cells": rows})


def ranking(n: int, k: int, gain: float, seed: int, config: CompareConfig) -> Ranking:
    """A world: the crowd, k sources of the same noise (the first of less, by `gain`), and one that
    has nothing to do with the crowd."""
    rng = np.random.default_rng([seed, n, k])
    items = tuple(f"i{number}" for number in range(n))
    labels = NLI.scale.labels
    crowd = rng.dirichlet([1, 1, 1], n)
    sources = [LabelDistribution(CROWD, labels, items, crowd)]
    for number in range(k):
        noise = 0.5 - (gain if number == 0 else 0.0)
        shares = (1 - noise) * crowd + noise * rng.dirichlet([1, 1, 1], n)
        sources.append(LabelDistribution(f"s{number}", labels, items, shares))
    sources.append(LabelDistribution("unrelated", labels, items, rng.dirichlet([1, 1, 1], n)))
    frame = pd.DataFrame({"item_id": items, "text_a": "A", "text_b": "B"})
    world = Judgments("world", NLI, frame, tuple(sources), no_explanations())
    return rank(world, config)


def counts(made: Ranking) -> dict[str, bool]:
    rows = made.differences
    pairs = rows[(rows["measure"] == JSD) & rows["source"].str.startswith("s")]
    pairs = pairs[pairs["against"].str.startswith("s")]
    first, second = made.closest_first(JSD)[:2]
    gap = made.difference(first, second, JSD)
    over = made.difference("unrelated", "uniform", SHAPE)
    return {
        "called_closest": nearest_source(made, JSD).bold != "",
        "called_closest_is_the_first": nearest_source(made, JSD).bold == "s0",
        "any_pair_significant": bool((pairs["nearer"] != UNDECIDED).any()),
        "any_interval_excludes_0": bool(((pairs["low"] > 0) | (pairs["high"] < 0)).any()),
        "lowest_against_next_excludes_0": bool(gap.low > 0 or gap.high < 0),
        "unrelated_above_baseline": over.nearer != UNDECIDED,
        "unrelated_interval_above_0": bool(over.low > 0),
    }


if __name__ == "__main__":
    main()
