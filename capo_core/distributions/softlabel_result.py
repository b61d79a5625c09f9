"""What trainings on label distributions show: scores, differences of sources, floors."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from capo_core.distributions import metrics
from capo_core.distributions.softlabel_config import SoftLabelConfig
from capo_core.distributions.softlabel_data import MEASURES, SoftSet, drawn_scores, mean_scores
from capo_core.stability.intervals import central, plain

# Scores by measure: draws [draws], and the value itself.
Scores = tuple[dict[str, np.ndarray], dict[str, float]]


def summary(
    dataset: str,
    learned: Mapping[str, SoftSet],
    scored: Mapping[str, SoftSet],
    cells: Mapping[tuple[str, int], Mapping[str, Any]],
    config: SoftLabelConfig,
    held_out: int,
) -> dict[str, Any]:
    """The result of a run, as result.json has it.

    Args:
        learned: what was learned from, by source. scored: what was scored on, by set.
        cells: for each source and seed, among others "said": distributions by set.
        held_out: items of the sets scored on, never learned from.
    """
    rows, apart = [], []
    for name, one in scored.items():
        found: dict[str, Scores] = {}
        for source in config.sources:
            said = [np.array(cells[source, seed]["said"][name]) for seed in config.seeds]
            found[source] = drawn_scores(one.shares, said), mean_scores(one.shares, said)
            rows += _rows(name, source, len(one), len(said), found[source])
        floors = _floors(one, learned)
        for guess, scores in floors.items():
            rows += _rows(name, guess, len(one), 0, scores)
        for first, second in itertools.combinations(config.sources, 2):
            apart += _apart(name, first, found[first], second, found[second], len(one))
        for source in config.sources:
            guess = _mean_of(source)
            apart += _apart(name, source, found[source], guess, floors[guess], len(one))
    return {
        "dataset": dataset,
        "settings": config.to_dict(),
        "interval": "95 %, over items (Bayesian bootstrap) and seeds",
        "scores": rows,
        "differences": apart,
        "least_cross_entropy": {
            name: float(metrics.entropy(one.shares).mean()) for name, one in scored.items()
        },
        "training_items": {name: len(one) for name, one in learned.items()},
        "not_trained_on": {name: one.without for name, one in learned.items()},
        "held_out_items": held_out,
        "trainings": [
            {key: cell[key] for key in ("source", "seed", "epoch", "cut", "seconds")}
            for cell in cells.values()
        ],
    }


def _rows(name: str, source: str, n: int, seeds: int, scores: Scores) -> list[dict[str, Any]]:
    draws, values = scores
    found = []
    for measure in MEASURES:
        low, high = central(draws[measure])
        found.append(
            {"set": name, "source": source, "measure": measure, "value": plain(values[measure]),
             "low": plain(low), "high": plain(high), "n": n, "seeds": seeds}
        )  # fmt: skip
    return found


def _apart(
    name: str, first: str, one: Scores, second: str, other: Scores, n: int
) -> list[dict[str, Any]]:
    """The first's scores minus the second's, on the same draws of items and seeds."""
    found = []
    for measure in MEASURES:
        low, high = central(one[0][measure] - other[0][measure])
        found.append(
            {"set": name, "source": first, "against": second, "measure": measure,
             "value": one[1][measure] - other[1][measure], "low": low, "high": high, "n": n}
        )  # fmt: skip
    return found


def _floors(one: SoftSet, learned: Mapping[str, SoftSet]) -> dict[str, Scores]:
    """What one scores who knows nothing of an item: all labels alike, or a training's mean."""
    labels = one.shares.shape[1]
    guesses = {"floor: uniform": np.full(labels, 1 / labels)}
    for source, each in learned.items():
        guesses[_mean_of(source)] = each.shares.mean(axis=0)
    return {
        guess: (
            drawn_scores(one.shares, [np.tile(shares, (len(one), 1))]),
            mean_scores(one.shares, [np.tile(shares, (len(one), 1))]),
        )
        for guess, shares in guesses.items()
    }


def _mean_of(source: str) -> str:
    return f"floor: mean of {source}"
