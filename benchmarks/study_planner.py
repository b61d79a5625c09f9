"""Do the planner's intervals cover, and how often are equal methods told apart? JSON on stdout.

python benchmarks/study_planner.py --simulations 2000
"""

from __future__ import annotations

import argparse

import numpy as np
from measuring import report

from capo_core.study.design.planner import crossing, simulate

DESIGNS = ((4, 20, 2), (6, 10, 3), (10, 12, 3), (20, 12, 3), (20, 20, 5), (60, 10, 3))
SHARES = (0.25, 0.6, 0.9)
EFFECTS = {"judge_sd": 0.5, "trial_sd": 0.8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000)
    n = parser.parse_args().simulations
    rows = []
    for judges, hand, each in DESIGNS:
        rng = np.random.default_rng(0)
        cross = crossing(rng, judges, hand, each)
        for share in SHARES:
            one = simulate(rng, cross, (share,), simulations=n, **EFFECTS)
            two = simulate(rng, cross, (share, share), simulations=n, **EFFECTS)
            rows.append(
                {
                    "judges": judges,
                    "trials_per_judge": hand,
                    "judgments_per_trial": each,
                    "share": share,
                    "simulations": n,
                    "coverage": one.covers(share) / n,
                    "width": float(np.mean(one.high - one.low)),
                    "bias": float(np.mean(one.estimate)) - share,
                    "equal_methods_told_apart": two.beyond(0.0) / n,
                }
            )
    report({**EFFECTS, "designs": rows})


if __name__ == "__main__":
    main()
