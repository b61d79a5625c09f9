"""People's explanations replaced by a model's: what does it do to an estimate of the crowd?

    python benchmarks/replacing.py --file NLI_explanations.json llama3_….json \
        --model machine_replaced_comments
    python benchmarks/replacing.py --workspace W --run GENERATION --model "sft team"

0, 25, 50, 75 and 100 % of each item's explanations are replaced by the model's for the same label,
the embedded base (or another) estimates the crowd's labels from what it is shown, and the estimate
is measured against the crowd. Which explanations are replaced is drawn anew with each seed; values
are means over seeds, intervals over items. The estimate without any explanation stands beside.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring import report, timed

from capo_core.distributions.compare import ENTROPY, measured
from capo_core.distributions.estimate import EstimateConfig, estimate
from capo_core.distributions.explanations import replace_explanations
from capo_core.distributions.judgments import CROWD, Judgments
from capo_core.distributions.variation import VariationConfig, variation
from capo_core.stats.distances import CLIP
from capo_core.stats.intervals import bayesian_weights, central_interval, json_value

SHARES = (0.25, 0.5, 0.75, 1.0)
# Measure → value, and draws [draws]: means over seeds.
Measured = dict[str, tuple[float, np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", nargs="+", type=Path, default=[])
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--dataset", default="demo-nli")
    parser.add_argument("--run", nargs="+", default=[])
    parser.add_argument("--model", required=True, help="the source of explanations put in")
    parser.add_argument("--people", default="humans")
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--items", type=int, default=0, help="the first so many; 0: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--orders", default="rotations")
    parser.add_argument("--temperature", type=float, default=1.0)
    settings = parser.parse_args()
    judgments = explained(read(settings), settings.people, settings.model, settings.items)
    result: dict = {"dataset": judgments.name, "model": settings.model,
                    "n": len(judgments.items)}  # fmt: skip
    with timed(result):
        result["shares"] = replacing(judgments, settings)
    report(result)


def read(settings: argparse.Namespace) -> Judgments:
    from capo_core.cli.judgments import judgments_of

    if not settings.run:
        return judgments_of(settings.file, None, None)
    from capo_core.data.catalog import Catalog
    from capo_core.distributions.sources import dataset_judgments
    from capo_core.distributions.store import with_runs
    from capo_core.workspace import Workspace

    workspace = Workspace(settings.workspace)
    return with_runs(
        dataset_judgments(Catalog(workspace).load(settings.dataset)), settings.run, workspace
    )


def explained(judgments: Judgments, people: str, model: str, items: int) -> Judgments:
    """Only items that both have explained, the first `items` of them."""
    said = judgments.explanations
    both = set.intersection(*(set(said.loc[said["source"] == who, "item_id"])
                              for who in (people, model)))  # fmt: skip
    kept = [item for item in judgments.items["item_id"] if item in both]
    kept = kept[: items or None]
    crowd = judgments.source(CROWD)
    rows = [crowd.item_ids.index(item) for item in kept]
    return Judgments(
        judgments.name,
        judgments.task,
        judgments.items[judgments.items["item_id"].isin(kept)].reset_index(drop=True),
        (replace(crowd, item_ids=tuple(kept), shares=crowd.shares[rows],
                 people=crowd.people[rows]),),
        said[said["item_id"].isin(kept)].reset_index(drop=True),
    )  # fmt: skip


def replacing(judgments: Judgments, settings: argparse.Namespace) -> list[dict]:
    from capo_core.imitation.backends.option_scores import TransformersScorer
    from capo_core.imitation.models.base_model import load_base_model

    scorer = TransformersScorer(load_base_model(settings.base))
    n = len(judgments.items)
    weights = np.concatenate(list(bayesian_weights(np.random.default_rng(0), 2000, n)))
    weights /= weights.sum(axis=1, keepdims=True)

    def distances(source: str, made: list[Judgments]) -> Measured:
        config = EstimateConfig(explanations=source, options="labels", orders=settings.orders,
                                temperature=settings.temperature)  # fmt: skip
        found = [estimate(one, scorer, config).source for one in made]
        return against_crowd(judgments, [one.rows(judgments.items["item_id"]) for one in found],
                             weights)  # fmt: skip

    people = distances(settings.people, [judgments])
    rows = [
        row("no explanations", distances("", [judgments]), people),
        {**row("0 %", people, people), **likeness(judgments, [settings.people])},
    ]
    for share in SHARES:
        drawn = [replace_explanations(judgments, settings.people, settings.model, share, seed=seed)
                 for seed in settings.seeds]  # fmt: skip
        name = drawn[0][0]["source"].iloc[0]
        made = [judgments.with_explanations(frame) for frame, _ in drawn]
        rows.append(
            {**row(f"{share:.0%}", distances(name, made), people),
             "seeds": len(drawn),
             "explanations": len(drawn[0][0]),
             "could_not_be_replaced": [missing for _, missing in drawn],
             **likeness(made[0], [name])}
        )  # fmt: skip
    return rows


def against_crowd(judgments: Judgments, said: list[np.ndarray], weights: np.ndarray) -> Measured:
    """Means over estimates (seeds) of every measure, and of its draws on the same weights."""
    crowd, scale = judgments.source(CROWD).shares, judgments.task.scale
    each = [list(measured(crowd, shares, scale, weights, CLIP)) for shares in said]
    found: Measured = {}
    for rows in zip(*each, strict=True):
        measure = rows[0][0]
        if measure != ENTROPY:
            shortest = min(len(draws) for _, _, draws, _ in rows)
            found[measure] = (
                float(np.mean([value for _, value, _, _ in rows])),
                np.mean([draws[:shortest] for _, _, draws, _ in rows], axis=0),
            )
    return found


def row(name: str, found: Measured, people: Measured) -> dict:
    """Values with intervals, and differences from people's own explanations."""
    values = {}
    for measure, (value, draws) in found.items():
        before, before_draws = people[measure]
        values[measure] = {
            **interval(value, draws),
            "minus_people": interval(value - before, draws - before_draws),
        }
    return {"replaced": name, "distances": values}


def interval(value: float, draws: np.ndarray) -> dict:
    low, high = central_interval(draws)
    return {"value": json_value(value), "low": json_value(low), "high": json_value(high)}


def likeness(judgments: Judgments, sources: list[str]) -> dict:
    """Return the similarity of an item's explanations, in words and in meaning."""
    table = variation(judgments, VariationConfig(ngrams=(1,)), sources=sources).table
    return {
        "likeness": {
            line.measure: {"value": line.value, "low": line.low, "high": line.high, "n": line.n}
            for line in table.itertuples()
            if line.measure in ("lexical", "cosine")
        }
    }


if __name__ == "__main__":
    main()
