"""Samples as tokens: what each step reads. The rows of a step depend on seed and step alone."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from capo_core.data.simulate import TASKS
from capo_core.data.simulation.draws import Draws
from capo_core.imitation.base.config import FORMATS, BaseConfig
from capo_core.imitation.base.samples import Sample, Samples, response_of
from capo_core.imitation.base.world import HELD_OUT, STEPS, STREAM, Answer
from capo_core.imitation.render import prompt_text, response_ids
from capo_core.imitation.response import LABEL_MARK

# How many examples an in-context prompt shows, and one that asks for a profile: (from, to, share).
_SHOWN = {
    "in_context": ((1, 3, 0.2), (4, 8, 0.6), (9, 16, 0.2)),
    "ask_for_profile": ((10, 20, 0.6), (21, 35, 0.25), (36, 50, 0.15)),
}
# Where an item's second text stands in a prompt of either task.
_SECOND_TEXT = re.compile(
    "^(?:" + "|".join(task.role_b.capitalize() for task, _ in TASKS.values()) + "):(.*)$", re.M
)


Spread = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Row:
    """One sequence.

    Attributes:
        weights: for each token, what predicting it counts; 0 where it is given, not learned.
        answer: where the answer begins.
        spread: position → ((token, probability), …) where it is known how likely other tokens
            would have been: at labels, which annotators give by chance.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    answer: int
    spread: Mapping[int, Spread] = field(default_factory=dict)


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
    ids = [*read["input_ids"], *response_ids(sample.response, tokenizer)]
    ends = [end for _, end in read["offset_mapping"]]
    begin = len(ends)
    weights = [0.0] * begin + [1.0] * (len(ids) - begin)
    for line in _SECOND_TEXT.finditer(text):
        for i in range(bisect_right(ends, line.start(1)), bisect_right(ends, line.end(1))):
            weights[i] = config.prompt_weight
    answers = [(begin, sample.asked)] if sample.asked else []
    at = 0
    for shown in sample.shown:
        response = response_of(shown)
        start = text.index(response, at)
        at = start + len(response)
        first = bisect_right(ends, start)
        for i in range(first, bisect_right(ends, at)):
            weights[i] = 1.0
        answers.append((first, shown))
    labels = _label_tokens(tokenizer, sample.task)
    spread: dict[int, Spread] = {}
    for first, said in answers:
        # A response begins with the mark, whose tokens stand before the label's.
        spread |= _spread(labels, said, first + len(tokenizer(LABEL_MARK)["input_ids"]))
    for position in spread:
        weights[position] = config.label_weight
    return Row(tuple(ids), tuple(weights), begin, spread)


def _label_tokens(tokenizer: Any, task: str) -> dict[str, tuple[int, ...]]:
    """Label → its tokens, as they follow the mark."""
    mark = len(tokenizer(LABEL_MARK)["input_ids"])
    return {
        label: tuple(tokenizer(f"{LABEL_MARK} {label}")["input_ids"][mark:])
        for label in TASKS[task][0].scale.labels
    }


def _spread(labels: dict[str, tuple[int, ...]], said: Answer, at: int) -> dict[int, Spread]:
    """How likely each token was at the positions of a label that stands from `at` on.

    A later token of a label is judged among the labels that begin with the earlier ones.
    """
    given = labels[said.example.label]
    found: dict[int, Spread] = {}
    for i in range(len(given)):
        likely: dict[int, float] = {}
        for tokens, share in zip(labels.values(), said.shares, strict=True):
            if tokens[:i] == given[:i] and len(tokens) > i:
                likely[tokens[i]] = likely.get(tokens[i], 0.0) + share
        total = sum(likely.values())
        found[at + i] = tuple((token, share / total) for token, share in likely.items())
    return found


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
