"""Samples as tokens: what each step reads. The rows of a step depend on seed and step alone."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from capo_core.data.simulate import TASKS
from capo_core.data.simulation.draws import Draws
from capo_core.imitation.base.config import FORMATS, BaseConfig
from capo_core.imitation.base.samples import Sample, Samples
from capo_core.imitation.base.world import HELD_OUT, STEPS, STREAM
from capo_core.imitation.render import prompt_text, response_ids

# How many examples an in-context prompt shows, and one that asks for a profile: (from, to, share).
_SHOWN = {
    "in_context": ((1, 3, 0.2), (4, 8, 0.6), (9, 16, 0.2)),
    "ask_for_profile": ((10, 20, 0.6), (21, 35, 0.25), (36, 50, 0.15)),
}
# Where an item's second text stands in a prompt of either task.
_SECOND_TEXT = re.compile(
    "^(?:" + "|".join(task.role_b.capitalize() for task, _ in TASKS.values()) + "):(.*)$", re.M
)


@dataclass(frozen=True)
class Row:
    """One sequence.

    Attributes:
        weights: for each token, what predicting it counts; 0 where it is given, not learned.
        answer: where the answer begins.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    answer: int


@dataclass(frozen=True)
class MicroBatch:
    """Rows of one format and task, so of one beginning; `share` of the step's loss is theirs."""

    kind: str
    task: str
    rows: tuple[Row, ...]
    share: float

    @property
    def tokens(self) -> int:
        """Tokens of all rows, each counted in full."""
        return sum(len(row.ids) for row in self.rows)


def common_beginning(rows: Sequence[Row]) -> int:
    """How many tokens all rows begin with.

    The token before the first learned one is left out: that one is predicted from it.
    """
    shortest = min(next(i for i, w in enumerate(row.weights) if w) - 1 for row in rows)
    first = rows[0].ids
    return next(
        (i for i in range(shortest) if any(row.ids[i] != first[i] for row in rows)), shortest
    )


def computed_tokens(rows: Sequence[Row]) -> int:
    """Tokens a network reads where the common beginning is read once."""
    return sum(len(row.ids) for row in rows) - common_beginning(rows) * (len(rows) - 1)


def row_of(sample: Sample, tokenizer: Any, config: BaseConfig) -> Row:
    """A sample as tokens, exactly those of `render.render`, with the weights of the loss."""
    text = prompt_text(sample.prompt, tokenizer)
    read = tokenizer(text, return_offsets_mapping=True)
    ends = [end for _, end in read["offset_mapping"]]
    weights = [0.0] * len(ends)
    for line in _SECOND_TEXT.finditer(text):
        for i in range(bisect_right(ends, line.start(1)), bisect_right(ends, line.end(1))):
            weights[i] = config.prompt_weight
    at = 0
    for shown in sample.shown:
        start = text.index(shown, at)
        at = start + len(shown)
        label_end = start + shown.index("\n") + 1
        for i in range(bisect_right(ends, start), bisect_right(ends, at)):
            weights[i] = config.label_weight if ends[i] <= label_end else 1.0
    answer = response_ids(sample.response, tokenizer)
    label = 0
    if sample.asked is not None:
        first_line = sample.response.partition("\n")[0] + "\n"
        label = len(tokenizer(first_line)["input_ids"])
    weights += [config.label_weight] * label + [1.0] * (len(answer) - label)
    return Row((*read["input_ids"], *answer), tuple(weights), len(read["input_ids"]))


class Batches:
    """What each step reads, drawn when it is asked for."""

    def __init__(self, samples: Samples, tokenizer: Any) -> None:
        self.samples, self.tokenizer = samples, tokenizer
        self.config: BaseConfig = samples.world.config

    def step(self, step: int) -> list[MicroBatch]:
        """The micro-batches of one step: both tasks' short prompts, and one other format."""
        config = self.config
        rng = np.random.default_rng([STREAM, config.seed, STEPS, step])
        draws = Draws([STREAM, config.seed, STEPS, step, 1])
        kinds = sorted(config.shares)
        other = str(rng.choice(kinds, p=[config.shares[kind] for kind in kinds]))
        task = str(rng.choice(list(TASKS)))
        made = [self._fill("short", name, config.step_tokens // 4, 0.25, draws) for name in TASKS]
        return [*made, self._fill(other, task, config.step_tokens // 2, 0.5, draws)]

    def held_out(self, kind: str, task: str) -> MicroBatch:
        """Rows of annotators and items that no step reads."""
        config = self.config
        draws = Draws([STREAM, config.seed, HELD_OUT, FORMATS.index(kind), len(task)])
        rows = tuple(
            self._row(kind, task, config.annotators + draws.index(1000), _shown(kind, draws), draws)
            for _ in range(config.validation_rows)
        )
        return MicroBatch(kind, task, rows, 1.0)

    def _fill(self, kind: str, task: str, tokens: int, share: float, draws: Draws) -> MicroBatch:
        """Rows until they have `tokens` tokens; at least one."""
        shown = _shown(kind, draws)
        rows: list[Row] = []
        # The beginning that all share is read once, so it counts once.
        while not rows or computed_tokens(rows) < tokens:
            drawn = kind
            if kind == "short":
                drawn = "named" if draws.chance(self.config.named) else "zero_shot"
            number = draws.index(self.config.annotators)
            rows.append(self._row(drawn, task, number, shown, draws))
        return MicroBatch(kind, task, tuple(rows), share)

    def _row(self, kind: str, task: str, number: int, shown: int, draws: Draws) -> Row:
        sample = self.samples.draw(kind, task, number, draws, examples=shown)
        return row_of(sample, self.tokenizer, self.config)


def sample_texts(samples: Samples, per_task: int) -> Iterator[str]:
    """Texts the vocabulary is learned from: prompts with their answers."""
    config = samples.world.config
    for task in TASKS:
        draws = Draws([STREAM, config.seed, STEPS, 2**32, len(task)])
        for i in range(per_task):
            kind = ("zero_shot", "with_profile")[i % 8 == 7]
            sample = samples.draw(kind, task, draws.index(config.annotators), draws)
            yield f"{sample.prompt.text}\n\nAnswer:\n{sample.response}"


def _shown(kind: str, draws: Draws) -> int:
    """How many examples a prompt of this format shows."""
    if kind not in _SHOWN:
        return 0
    bounds = np.cumsum([share for *_, share in _SHOWN[kind]])
    low, high, _ = _SHOWN[kind][draws.weighted(bounds.tolist())]
    return low + draws.index(high - low + 1)
