"""Designs of blind studies with effects of judges and items, and data sets drawn from them.

What `mixed_effects.py` (coverage of the model's intervals) and `mixed_posterior.py` (its posterior
on a grid) are measured on.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

DESIGNS = ((6, 24, 16), (12, 40, 20), (30, 60, 20))  # judges, items, judgments of a judge
# Standard deviations of judges and of items.
EFFECTS = {"none": (0.0, 0.0), "small": (0.3, 0.3), "middle": (0.5, 0.8), "large": (1.0, 1.2)}
LOG_ODDS = ((0.6, -0.8), (2.0, -0.8))


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
