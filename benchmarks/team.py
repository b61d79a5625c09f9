"""Does an imitated annotator team predict the crowd better than its parts?

    python benchmarks/team.py --workspace W --seed-runs sft-0,capo-0,zero-0 sft-1,capo-1 …

Each group of generations is one seed (of training and of sampling). Measured against the crowd on
the items that every source has: the team, the team with no more answers than one annotator has
(see `distributions.team`), and its parts, one by one and as their mean distance; beside them the
human annotators in the same way, and uniform. Values are means over seeds, intervals over items
(Bayesian bootstrap, 2,000 draws), differences paired.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from measuring import report

from capo_core.data.catalog import Catalog
from capo_core.distributions.compare import measured
from capo_core.distributions.judgments import CROWD, Judgments
from capo_core.distributions.sources import dataset_judgments
from capo_core.distributions.store import with_runs
from capo_core.stats.distances import CLIP
from capo_core.stats.intervals import bayesian_weights, central_interval, json_value
from capo_core.workspace import Workspace

MEASURES = ("KL", "JSD", "TVD", "D.Corr")
EQUAL = " team, equal count"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--dataset", default="demo-nli")
    parser.add_argument("--seed-runs", nargs="+", required=True, help="runs of a seed, by commas")
    settings = parser.parse_args()
    workspace = Workspace(settings.workspace)
    dataset = dataset_judgments(Catalog(workspace).load(settings.dataset))
    groups = [with_runs(dataset, runs.split(","), workspace) for runs in settings.seed_runs]
    report({"dataset": dataset.name, "seeds": len(groups), **teams(groups)})


def teams(groups: list[Judgments]) -> dict:
    methods = {name.removesuffix(EQUAL) for one in groups for name in names(one)
               if name.endswith(EQUAL)}  # fmt: skip
    shared = set.intersection(*(
        set(source.item_ids)
        for one in groups
        for source in one.sources
        if not source.name.startswith("annotator ")
    ))  # fmt: skip
    items = [item for item in groups[0].items["item_id"] if item in shared]
    weights = np.concatenate(list(bayesian_weights(np.random.default_rng(0), 2000, len(items))))
    weights /= weights.sum(axis=1, keepdims=True)
    found = {"annotators": of_source(groups[:1], "annotators", items, weights),
             "annotators, mean of single ones": people_alone(groups[0], items, weights),
             "uniform": of_source(groups[:1], "uniform", items, weights)}  # fmt: skip
    apart = {}
    for method in sorted(methods):
        inside = [one for one in groups if f"{method}{EQUAL}" in names(one)]
        parts = [name for name in names(inside[0])
                 if name.startswith(f"{method} ") and " team" not in name]  # fmt: skip
        alone = {part: of_source(inside, part, items, weights) for part in parts}
        team, equal, mean = f"{method} team", f"{method}{EQUAL}", f"{method}, mean of parts"
        found[team] = of_source(inside, team, items, weights)
        found[equal] = of_source(inside, equal, items, weights)
        found[mean] = {measure: mean_of([one[measure] for one in alone.values()])
                       for measure in MEASURES}  # fmt: skip
        found |= alone
        pairs = [(team, mean), (equal, mean), (team, "annotators"),
                 (mean, "annotators, mean of single ones"),
                 *((one, part) for one in (team, equal) for part in parts),
                 *((team, f"{other} team") for other in sorted(methods) if other < method),
                 *((equal, f"{other}{EQUAL}") for other in sorted(methods) if other < method),
                 ]  # fmt: skip
        for one, other in pairs:
            apart[f"{one} minus {other}"] = {
                measure: interval(*(a - b for a, b in zip(
                    found[one][measure], found[other][measure], strict=True)))
                for measure in MEASURES
            }  # fmt: skip
    return {
        "n": len(items),
        "samples": {one.name: one.about for one in groups[0].sources if one.name.endswith(EQUAL)},
        "distances": {name: {measure: interval(*each[measure]) for measure in MEASURES}
                      for name, each in found.items()},
        "differences": apart,
    }  # fmt: skip


def names(judgments: Judgments) -> list[str]:
    return [source.name for source in judgments.sources]


def of_source(groups: list[Judgments], name: str, items: list[str], weights: np.ndarray) -> dict:
    """Measure → (value, draws), means over the groups (seeds)."""
    scale = groups[0].task.scale
    each = []
    for one in groups:
        crowd, said = one.source(CROWD).rows(items), one.source(name).rows(items)
        each.append({measure: (value, draws) for measure, value, draws, _
                     in measured(crowd, said, scale, weights, CLIP)})  # fmt: skip
    return {measure: mean_of([one[measure] for one in each]) for measure in MEASURES}


def people_alone(judgments: Judgments, items: list[str], weights: np.ndarray) -> dict:
    """Distances of one human alone: an item's mean over those who labelled it, then over items.

    Nobody labelled every item, so that D.Corr, which needs all of them, is the mean over people on
    their own items, with no interval.
    """
    scale, crowd = judgments.task.scale, judgments.source(CROWD)
    people = [one for one in judgments.sources if one.name.startswith("annotator ")]
    sums: dict[str, np.ndarray] = {}
    count, shape = np.zeros(len(items)), []
    for one in people:
        own = [item for item in items if item in set(one.item_ids)]
        rows = [items.index(item) for item in own]
        count[rows] += 1
        single = np.eye(len(own))  # weights of one item each: draws are the items' own values
        for measure, value, draws, _ in measured(crowd.rows(own), one.rows(own), scale, single,
                                                 CLIP):  # fmt: skip
            if measure == "D.Corr":
                shape.append(value)
            elif measure in MEASURES:
                sums.setdefault(measure, np.zeros(len(items)))[rows] += draws
    found = {}
    for measure, total in sums.items():
        values = total / count
        found[measure] = (float(values.mean()), weights @ values)
    return {**found, "D.Corr": (float(np.mean(shape)), np.full(len(weights), np.nan))}


def mean_of(each: list[tuple[float, np.ndarray]]) -> tuple[float, np.ndarray]:
    shortest = min(len(draws) for _, draws in each)
    return (float(np.mean([value for value, _ in each])),
            np.mean([draws[:shortest] for _, draws in each], axis=0))  # fmt: skip


def interval(value: float, draws: np.ndarray) -> dict:
    low, high = central_interval(draws)
    return {"value": json_value(value), "low": json_value(low), "high": json_value(high)}


if __name__ == "__main__":
    main()
