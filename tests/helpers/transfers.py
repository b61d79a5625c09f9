"""Transfer of planted teams: imitations that mix a crowd's distributions with noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.distributions.judgments import (
    CROWD,
    Judgments,
    LabelDistribution,
    no_explanations,
)
from capo_core.distributions.transfer import measure_transfer
from capo_core.distributions.transfer_report import Transfer
from capo_core.provenance import UNKNOWN
from capo_core.task import NLI

LABELS = NLI.scale.labels


def judged(name, n, rng):
    """Items with a crowd of varied distributions."""
    ids = tuple(f"{name}{number}" for number in range(n))
    items = pd.DataFrame({"item_id": ids, "text_a": ids, "text_b": "it is"})
    crowd = LabelDistribution(CROWD, LABELS, ids, rng.dirichlet([0.7] * 3, size=n))
    return Judgments(name, NLI, items, (crowd,), no_explanations()).with_uniform()


def seen(judgments, rng, skill, who):
    """An imitation that mixes the crowd's distribution (`skill`) with noise of its own."""
    crowd = judgments.source(CROWD)
    noise = rng.dirichlet([1.0] * 3, size=len(crowd.item_ids))
    shares = skill * crowd.shares + (1 - skill) * noise
    return LabelDistribution(who, LABELS, crowd.item_ids, shares)


def made_transfer(
    dataset: Dataset,
    at_home=0.7,
    away=0.7,
    n=80,
    seed=1,
    away_data=UNKNOWN,
    seeds=(),
    settings=None,
    crowd=True,
) -> Transfer:
    """A planted team; without a crowd on the other data it is not measured there."""
    rng = np.random.default_rng(seed)
    home, other = judged("home", n, rng), judged("away", n, rng)
    other = replace(other, data=away_data)
    estimates = {
        who: (seen(home, rng, at_home, who), seen(other, rng, away, who)) for who in ("A", "B", "C")
    }
    if not crowd:
        other = replace(other, sources=other.sources[1:])
    return measure_transfer(
        home, other, estimates, np.full(3, 1 / 3), dataset, model="planted",
        members={who: f"sft-{who}" for who in estimates}, seeds=seeds, settings=settings,
    )  # fmt: skip
