"""Who and what the base is pre-trained on: simulated annotators and items, none of the demo's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from capo_core.data.simulate import TASKS, simulate
from capo_core.data.simulation.annotators import (
    AnnotatorSpec,
    Manner,
    manner_of,
    sample_annotators,
)
from capo_core.data.simulation.demo import CONFIGS
from capo_core.data.simulation.draws import Draws, cumulative
from capo_core.data.simulation.items import Item as Simulated
from capo_core.data.simulation.labels import label_shares, start_rule
from capo_core.data.simulation.writing import write
from capo_core.imitation.base.config import BaseConfig
from capo_core.imitation.prompts import Example, Item

# Marks the seeds of the pre-training, so that no stream is one of the demo's or of a test's.
STREAM = 0xBA5E
PEOPLE, STRENGTHS, STEPS, HELD_OUT = range(4)


@dataclass(frozen=True)
class Writer:
    """One simulated annotator with their strengths."""

    number: int
    spec: AnnotatorSpec
    manner: Manner
    content: float
    label_bias: float


class World:
    """Annotators by number and items by seed; two worlds of one configuration are equal."""

    def __init__(self, config: BaseConfig) -> None:
        self.config = config
        self.writer = lru_cache(maxsize=4096)(self._writer)

    def _writer(self, number: int) -> Writer:
        """Annotator `number`; those from `config.annotators` on are never trained on."""
        config = self.config
        (spec,) = sample_annotators(1, [STREAM, config.seed, PEOPLE, number])
        rng = np.random.default_rng([STREAM, config.seed, STRENGTHS, number])
        manner, content, label_bias = (
            float(rng.uniform(*bounds))
            for bounds in (config.manner, config.content, config.label_bias)
        )
        return Writer(number, spec, manner_of(spec, manner), content, label_bias)


def draw_item(task: str, draws: Draws) -> Simulated:
    """An item none of whose texts is in the demo."""
    while True:
        item = TASKS[task][1](draws)
        if not {item.text_a, item.text_b} & demo_texts():
            return item


@dataclass(frozen=True)
class Answer:
    """One annotator's answer to one item.

    Attributes:
        shares: the probability with which this annotator gives each label, in the scale's order.
    """

    example: Example
    shares: tuple[float, ...]


def answer(task: str, writer: Writer, item: Simulated, draws: Draws) -> Answer:
    """What `writer` labels and writes about the item."""
    shares = label_shares(task, item, writer.spec, writer.label_bias)
    label = TASKS[task][0].scale.labels[draws.weighted(cumulative(list(shares)))]
    text = write(start_rule(task, item, label), item, writer.manner, writer.content, draws)
    example = Example(Item("", item.text_a, item.text_b), label, text)
    return Answer(example, tuple(shares))


@cache
def demo_texts() -> frozenset[str]:
    """All texts of the demo's items, of both tasks."""
    items = [simulate(config).dataset.items for config in CONFIGS.values()]
    return frozenset(text for table in items for text in (*table["text_a"], *table["text_b"]))
