"""Simulated annotators with known strength of manner, of content and of label bias.

    simulation = simulate(SimulationConfig(task="nli", items=500, annotators=4, seed=1))
    simulation.dataset, simulation.planted, simulation.specs

What it is for: to see that a measure finds what was planted and nothing where nothing was, to try
the product without anybody's data, and to pre-train on annotators who are not in any study.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.progress import Progress, silent
from capo_core.schema import ANNOTATIONS, CROWD, ITEMS
from capo_core.simulation.annotate import NEUTRAL_SPEC, label_shares, start_rule, write
from capo_core.simulation.annotators import (
    AnnotatorSpec,
    annotator_ids,
    sample_annotators,
    style_of,
)
from capo_core.simulation.grammar import Draws, cumulative
from capo_core.simulation.ground_truth import ground_truth_phrases
from capo_core.simulation.items import SimulatedItem
from capo_core.simulation.nli_items import draw_nli_item
from capo_core.simulation.paraphrase_items import draw_paraphrase_item
from capo_core.task import NLI, PARAPHRASE, Task

ORIGIN = "Simulated by this project; no person wrote this"
TASKS: dict[str, tuple[Task, object]] = {
    "nli": (NLI, draw_nli_item),
    "paraphrase": (PARAPHRASE, draw_paraphrase_item),
}


@dataclass(frozen=True)
class SimulationConfig:
    """What to simulate.

    Attributes:
        task: "nli" or "paraphrase".
        items: how many items.
        annotators: how many annotators, drawn from the seed; not looked at where `specs` is given.
        manner: how far annotators' ways of writing differ: 0 not at all (exchangeable given item
            and label), 1 like real people, more than 1 more strongly.
        content: how much of the explanations are words of the item, 0 (none are put in) to 2.
        label_bias: how far annotators' labelling differs: 0 one distribution for all, 1 like
            real people.
        coverage: share of the item × annotator cells that are filled, above 0 to 1.
        second_labels: share of the filled cells with a second label and explanation.
        validity: whether annotations are judged valid or not (else "unknown").
        crowd: how many simulated people label each item besides; 0 for no crowd table.
        empty: share of explanations left empty.
        seed: everything follows from it: the same configuration gives the same data anywhere.
            Items and annotators do not depend on the strengths, so data sets can be compared.
        specs: the annotators, where they are to be given instead of drawn.

    Raises:
        ConfigError: a value is out of range.
    """

    task: str = "nli"
    items: int = 500
    annotators: int = 4
    manner: float = 1.0
    content: float = 1.0
    label_bias: float = 1.0
    coverage: float = 1.0
    second_labels: float = 0.0
    validity: bool = False
    crowd: int = 0
    empty: float = 0.0
    seed: int = 0
    specs: tuple[AnnotatorSpec, ...] | None = None
    name: str = "simulated"

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ConfigError(f"there is no task {self.task!r}", expected=f"one of {list(TASKS)}")
        for field, low, high in (
            ("items", 1, 10_000_000),
            ("annotators", 1, 100_000),
            ("manner", 0, 20),
            ("content", 0, 2),
            ("label_bias", 0, 20),
            ("coverage", 0, 1),
            ("second_labels", 0, 1),
            ("crowd", 0, 1_000_000),
            ("empty", 0, 1),
            ("seed", 0, math.inf),
        ):
            value = getattr(self, field)
            if not low <= value <= high or (field == "coverage" and value == 0):
                raise ConfigError(
                    f"{field} is {value}", where="simulation", expected=f"{low} to {high}"
                )
        ids = [spec.annotator_id for spec in self.specs or ()]
        if self.specs is not None and (not ids or len(set(ids)) != len(ids)):
            raise ConfigError(
                f"the annotators are {ids}", where="simulation", expected="each identifier once"
            )


@dataclass(frozen=True)
class Simulation:
    """The data, and what only the simulator knows.

    Attributes:
        relations: item_id → how the item's second text was made from its first.
    """

    dataset: Dataset
    specs: tuple[AnnotatorSpec, ...]
    config: SimulationConfig
    relations: dict[str, str]

    @cached_property
    def planted(self) -> pd.DataFrame:
        """Phrases by which annotators can be told, with expected rates (see `planted_phrases`)."""
        config = self.config
        task, draw_item = TASKS[config.task]
        return ground_truth_phrases(
            config.task,
            task.scale.labels,
            self.specs,
            draw_item,
            manner=config.manner,
            content=config.content,
            label_bias=config.label_bias,
            seed=config.seed,
            draws_each=max(400, min(3000, 40_000 // len(self.specs))),
        )


def simulate(config: SimulationConfig, progress: Progress = silent) -> Simulation:
    """Items, annotators and annotations after `config`.

    About 60 µs an annotation. `progress` hears from it every 1,000 items.
    """
    task, draw_item = TASKS[config.task]
    specs = config.specs or sample_annotators(
        config.annotators, [config.seed, 1], ids=annotator_ids(config.annotators)
    )
    draws = Draws([config.seed, 2])
    items = [draw_item(draws) for _ in range(config.items)]
    width = len(str(config.items))
    ids = [f"{config.task}-{i + 1:0{width}d}" for i in range(config.items)]
    rows = _annotations(config, task, specs, items, ids, progress)
    dataset = Dataset(
        name=config.name,
        task=task,
        items=pd.DataFrame(
            {
                "item_id": ids,
                "text_a": [item.text_a for item in items],
                "text_b": [item.text_b for item in items],
                "split": "",
            },
            columns=ITEMS.names,
        ),
        annotations=pd.DataFrame(rows, columns=ANNOTATIONS.names),
        crowd=_crowd(config, task, items, ids) if config.crowd else None,
        origin=ORIGIN,
        simulated=True,
    )
    relations = {item_id: item.relation for item_id, item in zip(ids, items, strict=True)}
    return Simulation(dataset, tuple(specs), config, relations)


def filled_cells(items: int, annotators: int, coverage: float, seed: int) -> np.ndarray:
    """Which annotator labelled which item: a table of truth values [items, annotators].

    Gaps come together, as they do where an item is unclear: of a share 4 · (1 − coverage) of the
    items each annotator leaves out a quarter, the other items are complete (VariErr: coverage
    0.93, 79 % of items complete). Below a coverage of 0.75 all cells are alike. No item is
    without an annotation.
    """
    rng = np.random.default_rng([seed, 3])
    gappy = min(1.0, 4 * (1 - coverage))
    share = 1 - (1 - coverage) / gappy if gappy else 1.0
    filled = rng.random((items, annotators)) < share
    filled |= (rng.random(items) >= gappy)[:, None]
    rescue = rng.integers(annotators, size=items)
    bare = np.flatnonzero(~filled.any(axis=1))
    filled[bare, rescue[bare]] = True
    return filled


def _annotations(config, task, specs, items, ids, progress: Progress) -> list[tuple]:
    filled = filled_cells(len(items), len(specs), config.coverage, config.seed)
    manners = [style_of(spec, config.manner) for spec in specs]
    labels = task.scale.labels
    # Labels and texts have streams of their own: another manner leaves the labels as they are.
    draws, words = Draws([config.seed, 4]), Draws([config.seed, 6])
    rows = []
    for i, (item, item_id) in enumerate(zip(items, ids, strict=True)):
        if i % 1000 == 0:
            progress("Simulating annotations", i / len(items))
        common = label_shares(config.task, item, NEUTRAL_SPEC, 0.0)
        for j in np.flatnonzero(filled[i]).tolist():
            spec = specs[j]
            shares = list(label_shares(config.task, item, spec, config.label_bias))
            given = [draws.weighted(cumulative(shares))]
            if config.second_labels and draws.chance(config.second_labels):
                shares[given[0]] = 0.0
                if sum(shares) > 0:
                    given.append(draws.weighted(cumulative(shares)))
            for n, position in enumerate(given):
                label = labels[position]
                start = start_rule(config.task, item, label)
                text = write(start, item, manners[j], config.content, words)
                if config.empty and draws.chance(config.empty):
                    text = ""
                valid = "unknown"
                if config.validity:
                    valid = "false" if draws.chance(_invalid(common[position])) else "true"
                rows.append(
                    (f"{item_id}-{spec.annotator_id}-{n + 1}", item_id, spec.annotator_id, label,
                     text, valid)
                )  # fmt: skip
    progress("Simulating annotations", 1.0)
    return rows


def _invalid(share: float) -> float:
    """The probability that a label which a `share` of people would give is judged wrong."""
    return 0.5 if share < 0.08 else 0.2 if share < 0.25 else 0.03


def _crowd(
    config: SimulationConfig, task: Task, items: list[SimulatedItem], ids: list[str]
) -> pd.DataFrame:
    rng = np.random.default_rng([config.seed, 5])
    labels = task.scale.labels
    rows = []
    for item, item_id in zip(items, ids, strict=True):
        shares = np.clip(label_shares(config.task, item, NEUTRAL_SPEC, 0.0), 0, 1)
        counts = rng.multinomial(config.crowd, shares / shares.sum())
        rows.extend(zip([item_id] * len(labels), labels, counts.tolist(), strict=True))
    return pd.DataFrame(rows, columns=CROWD.names)
