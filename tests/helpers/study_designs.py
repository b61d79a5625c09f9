"""Datasets and designs of studies: simulated with finished runs, or small and written out."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pandas as pd

from capo_core.data.catalog import Catalog
from capo_core.data.splits import assign_splits
from capo_core.dataset import Dataset
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.generation.generate import (
    generate,
    generation_folder,
    generation_run_config,
)
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.study.config import StudyConfig
from capo_core.study.design import sources
from capo_core.study.design.draft import assemble
from capo_core.study.design.sources import AvailableTexts, SourceText, reference_cards
from capo_core.study.tables import from_cell
from capo_core.task import NLI

ANNOTATORS = ("ann", "bob", "cy", "dee")
VOICES = dict(zip(ANNOTATORS, ("she", "he", "it", "one"), strict=True))


def simulated(items: int = 150, annotators: int = 3):
    made = simulate(
        SimulationConfig(task="nli", items=items, annotators=annotators, style=1.0, seed=5)
    )
    return assign_splits(made.dataset, seed=1)


def finished_run(workspace, world, *, answer=None, **settings) -> str:
    """The id of a finished generation by the fake backend, for all annotators."""
    config = GenerateConfig(**{"method": "zero_shot", **settings})
    backend = FakeBackend(answer) if answer else FakeBackend()
    folder = generation_folder(
        workspace, generation_run_config(world, world.annotators, config, backend, {}, {})
    )
    generate(world, world.annotators, config, backend, folder)
    return folder.run_id


def design(world, **changes) -> StudyConfig:
    settings = {
        "name": "trial-run", "dataset": world.name, "sources": {"human": "human"}, "judges": 6,
        "trials_per_judge": 12, "judgments_per_trial": 3, "card_examples": 2, "practice": 2,
    }  # fmt: skip
    return StudyConfig(**{**settings, **changes})


def put(workspace, world):
    Catalog(workspace).add(world)
    return world


def seen_by_judge(draft, purposes=("main",)):
    """judge → rows (trial, kind, sources, items, target, position, order) in order."""
    kind = draft.trials.set_index("trial_id")["kind"].to_dict()
    items = draft.texts.set_index("text_id")["item_id"].to_dict()
    shown = {
        row.trial_id: [items[text] for text in from_cell(row.text_ids)]
        for row in draft.trials.itertuples()
    }
    sealed = defaultdict(list)
    for row in draft.sealed.sort_values(["trial_id", "slot"]).itertuples():
        sealed[row.trial_id].append(row)
    found = defaultdict(list)
    for row in draft.assignments.sort_values(["judge_slot", "position"]).itertuples():
        rows = sealed[row.trial_id]
        if rows[0].purpose in purposes:
            found[row.judge_slot].append(
                {
                    "trial": row.trial_id,
                    "kind": kind[row.trial_id],
                    "sources": [one.source for one in rows],
                    "annotators": [one.annotator_id for one in rows],
                    "items": shown[row.trial_id],
                    "mirror_of": rows[0].mirror_of,
                    "purpose": rows[0].purpose,
                    "position": row.position,
                    "order": from_cell(row.order),
                }
            )
    return dict(found)


def strata_of(trial) -> tuple:
    """What `balance` counts: kind and sources, a reasoning trial's reference left out."""
    named = trial["sources"][:1] if trial["kind"] != "comparison" else sorted(trial["sources"])
    return trial["kind"], *named


def counts(values) -> Counter:
    return Counter(values)


@cache
def small_dataset(items: int, annotators: int = 4) -> Dataset:
    """Everybody explained every item; six items are for training."""
    names = [f"i{n}" for n in range(items + 6)]
    who = ANNOTATORS[:annotators]
    return Dataset(
        "handmade",
        NLI,
        pd.DataFrame(
            {
                "item_id": names,
                "text_a": [f"fact {n}" for n in names],
                "text_b": [f"claim {n}" for n in names],
                "split": ["train"] * 6 + ["test"] * items,
            }
        ),
        pd.DataFrame(
            [
                (f"{n}-{a}", n, a, "neutral", f"{VOICES[a]} thinks of {n}", "true")
                for n in names
                for a in who
            ],
            columns=["annotation_id", "item_id", "annotator_id", "label", "explanation", "valid"],
        ),
    )


def with_methods(
    material: AvailableTexts, config: StudyConfig, gaps: float, seed: int
) -> AvailableTexts:
    """The people's material with made-up answers of the design's methods, a share missing."""
    rng = np.random.default_rng(seed)
    texts = dict(material.texts)
    for method in config.methods:
        for target in material.targets:
            for item in material.items:
                if rng.random() >= gaps:
                    said = f"{VOICES[target]} says of {item}, {method}"
                    texts[method, target, item] = (SourceText("neutral", said, target, "a-run"),)
    return AvailableTexts(material.items, material.targets, texts, ())


def small_draft(config: StudyConfig, items: int, annotators: int = 4, gaps: float = 0.0):
    dataset = small_dataset(items, annotators)
    material = with_methods(
        sources.collect_human_texts(dataset, config, "test"), config, gaps, config.seed
    )
    cards = reference_cards(dataset, config.card_examples, config.seed)
    return assemble(dataset, config, cards, material, [material])


def small_design(**changes) -> StudyConfig:
    both = {"human": "human", "other_human": "other_human"}
    return StudyConfig(
        **{"name": "s", "dataset": "handmade", "sources": both, "card_examples": 2, **changes}
    )
