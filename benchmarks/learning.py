"""Does imitation learn the manner? Zero-shot, in-context, profile, SFT and CAPO on held-out items.

    python benchmarks/learning.py demo-nli --seeds 0 1 2 --out nli.json
    python benchmarks/learning.py demo-nli --shuffled        # nothing planted: names shuffled

For every target annotator and seed: both trainings and an answer of every method to each held-out
item; then label accuracy and attribution of pooled answers by a classifier that knows only human
training explanations, with intervals over items, and differences paired by item. Training runs
and answers are kept in the workspace (CAPO_WORKSPACE), so that a repeated call only scores.

`--sft` and `--capo` take settings as JSON, for instance --capo '{"beta": 0.2, "epochs": 2}'.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import peak_memory_gb, report, timed

from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.evaluation.streams import HUMAN, OTHER, held_out_items, human_streams, output_streams
from capo_core.evaluation.table import ALL, TableConfig, evaluate
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.generate import (
    generate,
    generation_folder,
    generation_run_config,
)
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.pairs.build import PairsConfig
from capo_core.imitation.prompting.prompts import METHOD_NAMES, TRAINED
from capo_core.imitation.prompting.responses import items_of
from capo_core.imitation.prompting.value_profiles import ProfileConfig, write_profile
from capo_core.imitation.training.config import CapoConfig, SftConfig
from capo_core.runs.kinds.training import capo_request, run_training, sft_request
from capo_core.stats.intervals import json_rows
from capo_core.workspace import Workspace

AGAINST = (
    ("icl", "zero_shot"),
    ("profile", "zero_shot"),
    ("sft", "zero_shot"),
    ("sft", "icl"),
    ("sft", "profile"),
    ("capo", "sft"),
    (HUMAN, "capo"),
)


def shuffled_names(dataset: Dataset, seed: int = 0) -> Dataset:
    """The data with annotators' names shuffled within every training and validation item.

    Everything else stays: items, labels and explanations, and how many each item has.
    """
    rng = np.random.default_rng(seed)
    rows = dataset.annotations.copy()
    split = dataset.items.set_index("item_id")["split"]
    names = rows["annotator_id"].to_numpy(dtype=object)
    parts = rows["item_id"].map(split).to_numpy()
    for places in rows.groupby("item_id").indices.values():
        if parts[places[0]] != "test":
            names[places] = rng.permutation(names[places])
    return replace(dataset, name=f"{dataset.name}-shuffled", annotations=rows.assign(
        annotator_id=names
    ))  # fmt: skip


def outputs(
    dataset: Dataset,
    workspace: Workspace,
    methods: list[str],
    seed: int,
    sft: SftConfig,
    capo: CapoConfig,
    drawn: GenerateConfig,
    base: str,
    targets: list[str],
    times: dict,
) -> dict[str, pd.DataFrame]:
    """Every method's answers for all targets, with one seed for training and answering."""
    backend = TransformersBackend(load_base_model(base))
    adapters: dict[str, dict[str, Path]] = {"sft": {}, "capo": {}}
    for target in targets if set(methods) & set(TRAINED) else ():
        request = sft_request(dataset, target, replace(sft, seed=seed), base)
        first = run_training(request, workspace, dataset=dataset)
        adapters["sft"][target] = first.adapter
        times.setdefault("sft_s", []).append(first.result["seconds"])
        if "capo" in methods:
            request = capo_request(dataset, target, replace(capo, seed=seed), first)
            second = run_training(request, workspace, dataset=dataset)
            adapters["capo"][target] = second.adapter
            times.setdefault("capo_s", []).append(second.result["seconds"])
            times.setdefault("capo", []).append(
                {"target": target, "seed": seed, "kept_step": second.result["kept_step"],
                 "steps": second.result["steps"], **second.result["figures"]}
            )  # fmt: skip
    found = {}
    for method in methods:
        config = replace(drawn, method=method, seed=seed)
        profiles = {}
        if method == "profile":
            about = ProfileConfig(seed=seed)
            for target in targets:
                made = write_profile(dataset, target, backend, about)
                assert made.text, f"no profile of {target}: {made.problem}"
                profiles[target] = made.text
        own = adapters.get(method, {})
        folder = generation_folder(
            workspace, generation_run_config(dataset, targets, config, backend, own, profiles)
        )
        found[method] = generate(
            dataset, targets, config, backend, folder, adapters=own, profiles=profiles
        )
        print(f"{method}, seed {seed}: {len(found[method])} answers", file=sys.stderr)
    return found


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("dataset")
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--methods", nargs="+", choices=METHOD_NAMES, default=list(METHOD_NAMES))
    ask.add_argument("--sft", type=json.loads, default={})
    ask.add_argument("--capo", type=json.loads, default={})
    ask.add_argument("--pairs", type=json.loads, default={})
    ask.add_argument("--generate", type=json.loads, default={})
    ask.add_argument("--base", default="embedded")
    ask.add_argument("--targets", nargs="+", help="some annotators only")
    ask.add_argument("--shuffled", action="store_true")
    ask.add_argument("--split", default="test", help="validation, to choose settings by")
    ask.add_argument("--out", type=Path)
    given = ask.parse_args()

    workspace = Workspace.default()
    true = Catalog(workspace).load(given.dataset)
    dataset = shuffled_names(true) if given.shuffled else true
    ids = held_out_items(true, given.split)
    assert [item.item_id for item in items_of(true, given.split)] == list(ids)
    sft = SftConfig(**given.sft)
    capo = CapoConfig(**{"pairs": PairsConfig(**given.pairs), **given.capo})
    targets = given.targets or list(dataset.annotators)
    drawn = GenerateConfig(method="zero_shot", split=given.split, **given.generate)

    result: dict = {"dataset": dataset.name, "seeds": given.seeds, "split": given.split}
    streams = [stream for stream in human_streams(true, ids) if stream.target in targets]
    unread: dict[str, list[float]] = {}
    times: dict = {}
    with timed(result):
        for seed in given.seeds:
            made = outputs(
                dataset,
                workspace,
                given.methods,
                seed,
                sft,
                capo,
                drawn,
                given.base,
                targets,
                times,
            )
            for method, table in made.items():
                streams += output_streams(table, ids, source=method, replicate=str(seed))
                unread.setdefault(method, []).append(float((table["parsed"] != "true").mean()))
    found = evaluate(true, ids, streams, TableConfig(), cache=workspace.cache)
    present = {HUMAN, OTHER, *given.methods}
    pairs = [pair for pair in AGAINST if set(pair) <= present]
    differences = found.differences(pairs)
    result |= {
        "settings": {"sft": sft.to_dict(), "capo": capo.to_dict(), "generate": drawn.to_dict()},
        "chance": found.chance,
        "unread_share": unread,
        "times": times,
        "peak_memory_gb": peak_memory_gb(),
        "scores": json_rows(found.scores),
        "differences": json_rows(differences),
    }
    if given.out:
        given.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    shown = found.scores[found.scores["target"] == ALL]
    shown = shown[~shown["measure"].str.contains("embedding")]
    print(shown.drop(columns=["target"]).round(3).to_string(index=False), file=sys.stderr)
    some = differences[differences["target"] == ALL]
    print(some.drop(columns=["target"]).round(3).to_string(index=False), file=sys.stderr)
    report({key: result[key] for key in ("dataset", "wall_s", "cpu_s", "unread_share")})


if __name__ == "__main__":
    main()
