"""Simulated annotators with known strength of style, of content and of label bias.

    simulation = simulate(SimulationConfig(task="nli", items=500, annotators=4, seed=1))
    simulation.dataset, simulation.ground_truth, simulation.specs

Uses: to check that a measure finds existing differences and no others, to try the product without
real data, and to pre-train on annotators who are in no study.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.progress import Progress, silent
from capo_core.schema import ANNOTATIONS, CROWD, ITEMS
from capo_core.settings import setting, settings
from capo_core.simulation import languages
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


@settings("Simulation")
class SimulationConfig:
    """Settings of a simulated dataset.

    The same configuration gives the same data anywhere. Items and annotators do not depend on the
    strengths (style, content, label bias), so datasets of different strengths can be compared.

    Raises:
        ConfigError: a value is out of range, or two annotators have one identifier.
    """

    task: str = setting("nli", "Task", "Task of the items.", choices=tuple(TASKS))
    language: str = setting(
        languages.ENGLISH,
        "Language",
        "Language of the texts. Texts in Hindi, Arabic and Chinese are simple, with one planted "
        "phrase for each annotator, and judged as natural language inference.",
        choices=(languages.ENGLISH, *languages.LANGUAGES),
    )
    items: int = setting(500, "Items", "Number of items.", ge=1, le=10_000_000)
    annotators: int = setting(
        4, "Annotators", "Number of annotators, drawn from the seed.", ge=1, le=100_000
    )
    style: float = setting(
        1.0, "Style",
        "Strength of the differences in style: 0 none (annotators are exchangeable given item and "
        "label), 1 as between people, more for stronger ones.", ge=0, le=20,
    )  # fmt: skip
    content: float = setting(
        1.0, "Content", "Use of words from the item in explanations: 0 none, 2 nearly always.",
        ge=0, le=2,
    )  # fmt: skip
    label_bias: float = setting(
        1.0, "Label bias",
        "Strength of the differences in labelling: 0 none, 1 as between people.", ge=0, le=20,
    )  # fmt: skip
    coverage: float = setting(
        1.0, "Coverage", "Share of the item × annotator cells that are filled.", gt=0, le=1
    )
    second_labels: float = setting(
        0.0, "Second labels", "Share of the filled cells with a second label and explanation.",
        ge=0, le=1,
    )  # fmt: skip
    validity: bool = setting(
        False, "Validity", "Whether annotations are judged valid or not (else unknown)."
    )
    crowd: int = setting(
        0, "Crowd", "Number of simulated people who also label each item; 0 for no crowd table.",
        ge=0, le=1_000_000,
    )  # fmt: skip
    empty: float = setting(
        0.0, "Empty explanations", "Share of explanations left empty.", ge=0, le=1
    )
    seed: int = setting(0, "Random seed", "Seed of items, annotators, labels and texts.", ge=0)
    specs: tuple[AnnotatorSpec, ...] | None = setting(
        None, "Annotator specifications", "The annotators, if they are not to be drawn.",
        empty="drawn from the seed",
    )  # fmt: skip
    name: str = setting("simulated", "Name", "Name of the dataset.")

    def __post_init__(self) -> None:
        if self.language != languages.ENGLISH and self.task != "nli":
            raise ConfigError(
                f"the task {self.task!r} has no texts in {self.language}",
                where="Simulation",
                expected="the task nli",
            )
        ids = [spec.annotator_id for spec in self.specs or ()]
        if self.specs is not None and (not ids or len(set(ids)) != len(ids)):
            raise ConfigError(
                f"the annotators are {ids}", where="Simulation", expected="each identifier once"
            )


@dataclass(frozen=True)
class Simulation:
    """The data and their ground truth.

    Attributes:
        relations: item_id → relation of the item's second text to its first.
    """

    dataset: Dataset
    specs: tuple[AnnotatorSpec, ...]
    config: SimulationConfig
    relations: dict[str, str]

    @cached_property
    def ground_truth(self) -> pd.DataFrame:
        """Phrases that tell annotators apart, with expected rates (see `ground_truth_phrases`)."""
        config = self.config
        if config.language != languages.ENGLISH:
            wording = languages.LANGUAGES[config.language]
            names = [spec.annotator_id for spec in self.specs]
            return languages.planted_phrases(wording, names, config.style)
        task, draw_item = TASKS[config.task]
        return ground_truth_phrases(
            config.task,
            task.scale.labels,
            self.specs,
            draw_item,
            style=config.style,
            content=config.content,
            label_bias=config.label_bias,
            seed=config.seed,
            draws_each=max(400, min(3000, 40_000 // len(self.specs))),
        )


def simulate(config: SimulationConfig, progress: Progress = silent) -> Simulation:
    """Return items, annotators and annotations by `config`.

    About 60 µs per annotation. `progress` is called every 1,000 items.
    """
    task, draw_item = TASKS[config.task]
    specs = config.specs or sample_annotators(
        config.annotators, [config.seed, 1], ids=annotator_ids(config.annotators)
    )
    draws = Draws([config.seed, 2])
    items = [draw_item(draws) for _ in range(config.items)]
    width = len(str(config.items))
    ids = [f"{config.task}-{i + 1:0{width}d}" for i in range(config.items)]
    about, texts = (), [(item.text_a, item.text_b) for item in items]
    if config.language != languages.ENGLISH:
        wording = languages.LANGUAGES[config.language]
        found = languages.sentences(wording, config.items, config.seed)
        about, texts = [one[0] for one in found], [one[1:] for one in found]
    rows = _annotations(config, task, specs, items, ids, about, progress)
    dataset = Dataset(
        name=config.name,
        task=task,
        items=pd.DataFrame(
            {
                "item_id": ids,
                "text_a": [text_a for text_a, _ in texts],
                "text_b": [text_b for _, text_b in texts],
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
    """Return whether an annotator labelled an item, [items, annotators].

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


def _annotations(config, task, specs, items, ids, about, progress: Progress) -> list[tuple]:
    """Return the rows of the annotations; `about` is what items in another language are about."""
    rng = np.random.default_rng([config.seed, 22])
    filled = filled_cells(len(items), len(specs), config.coverage, config.seed)
    styles = [style_of(spec, config.style) for spec in specs]
    labels = task.scale.labels
    # Labels and texts have streams of their own: another style leaves the labels as they are.
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
                if about:
                    wording = languages.LANGUAGES[config.language]
                    text = languages.write_in(
                        wording, about[i], position, j,
                        style=config.style, content=config.content, rng=rng,
                    )  # fmt: skip
                else:
                    start = start_rule(config.task, item, label)
                    text = write(start, item, styles[j], config.content, words)
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
    """Return the probability that a label chosen by a `share` of people is rejected."""
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
