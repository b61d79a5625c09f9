"""Explanations written by a model: for every label, or for the labels that people gave.

"label-free" explains every label of the scale for every item; "guided" explains the labels that a
source of people's explanations or labels has, as often as they gave them (Chen et al. 2025,
Findings of ACL). The answer's form is the project's own with one label to choose from, so that a
model trained here keeps to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from capo_core.distributions.judgments import SAID, Judgments
from capo_core.errors import ConfigError, RunError
from capo_core.imitation.backends.base import Backend, Decoding, Request, stop_fields
from capo_core.imitation.generate_config import seed_of
from capo_core.imitation.parse import parse_response
from capo_core.imitation.prompts import Item, Prompt, zero_shot
from capo_core.progress import Progress, part_of, silent
from capo_core.task import LabelScale, Task
from capo_core.workspace import content_hash

LABEL_FREE, GUIDED = "label-free", "guided"


@dataclass(frozen=True)
class ExplainConfig:
    """Which explanations are wanted, and how they are drawn."""

    # label-free, or guided by the labels of `by`.
    mode: str = LABEL_FREE
    # guided: a source of labels ("annotators"); each label is explained as often as people gave it.
    by: str = ""
    # label-free: explanations of each label.
    count: int = 1
    # An answer that argues for another label, or cannot be read, is drawn again so often.
    tries: int = 3
    temperature: float = 0.7
    top_p: float = 0.95
    max_new_tokens: int = 96
    # Only the first so many items; 0 takes all.
    items: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("mode", self.mode in (LABEL_FREE, GUIDED), f"{LABEL_FREE} or {GUIDED}"),
            ("by", bool(self.by) == (self.mode == GUIDED), "a source of labels, for guided only"),
            ("count", 1 <= self.count <= 20, "a whole number from 1 to 20"),
            ("tries", 1 <= self.tries <= 20, "a whole number from 1 to 20"),
            ("items", self.items >= 0, "0 for all, or a whole number"),
            ("seed", self.seed >= 0, "a whole number of 0 or more"),
        ):
            if not holds:
                raise ConfigError(
                    f"{getattr(self, name)!r} cannot be used",
                    where=f"ExplainConfig, {name}",
                    expected=expected,
                )
        Decoding(self.temperature, self.top_p, self.max_new_tokens)

    def source(self, model: str) -> str:
        """What the explanations are called."""
        return f"{model}, {self.mode}" + (f" by {self.by}" if self.by else "")


@dataclass(frozen=True)
class Explained:
    """Explanations (`SAID`), how many were wanted, and how many the model did not give."""

    frame: pd.DataFrame
    wanted: int
    missing: int


def explain(
    judgments: Judgments,
    backend: Backend,
    config: ExplainConfig = ExplainConfig(),
    *,
    progress: Progress = silent,
) -> Explained:
    """Explanations of labels, written by a model; what it does not give in form is counted.

    Raises:
        ConfigError: there is no such source of labels.
        RunError: not one answer could be used.
        BackendUnavailable: the model cannot be asked any more.
    """
    wanted = _wanted(judgments, config)
    decoding = Decoding(
        config.temperature, config.top_p, config.max_new_tokens, stop_fields(judgments.task)
    )
    found: dict[int, str] = {}
    for attempt in range(config.tries):
        left = [number for number in range(len(wanted)) if number not in found]
        requests = [
            Request(f"{number}-{attempt}", prompt_for(judgments.task, *wanted[number][:2]),
                    seed=seed_of(config.seed, content_hash(*map(str, wanted[number])),
                                 str(attempt)))
            for number in left
        ]  # fmt: skip
        part = part_of(progress, attempt / config.tries, (attempt + 1) / config.tries)
        for request, reply in backend.complete(requests, decoding, progress=part):
            number = int(request.key.partition("-")[0])
            read = parse_response(reply.text, judgments.task)
            if read.label == wanted[number][1] and read.explanation.strip():
                found[number] = read.explanation.strip()
    if not found:
        raise RunError(
            f"{backend.name} wrote no explanation that could be used, of {len(wanted)} wanted",
            todo="try another model, or more tries",
        )
    rows = [
        (item.item_id, config.source(backend.name), position, label, found[number])
        for number, (item, label, position) in enumerate(wanted)
        if number in found
    ]
    frame = pd.DataFrame(rows, columns=SAID.names)
    return Explained(frame, len(wanted), len(wanted) - len(found))


def prompt_for(task: Task, item: Item, label: str) -> Prompt:
    """Asks for an answer to `item` with the given label."""
    return zero_shot(replace(task, scale=LabelScale((label,), task.scale.ordinal)), item)


def _wanted(judgments: Judgments, config: ExplainConfig) -> list[tuple[Item, str, int]]:
    """(item, label, position) of every explanation wanted."""
    rows = judgments.items.iloc[: config.items] if config.items else judgments.items
    times = _times(judgments, config)
    wanted = []
    for row in rows.itertuples():
        item = Item(row.item_id, row.text_a, row.text_b)
        labels = [
            label
            for label, count in zip(
                judgments.task.scale.labels, times.get(row.item_id, ()), strict=False
            )
            for _ in range(int(count))
        ]
        wanted += [(item, label, position) for position, label in enumerate(labels)]
    if not wanted:
        raise ConfigError(f"{config.by!r} has no labels for these items")
    return wanted


def _times(judgments: Judgments, config: ExplainConfig) -> dict[str, Sequence[float]]:
    """How often each label of each item is to be explained."""
    if config.mode == LABEL_FREE:
        each = [config.count] * len(judgments.task.scale.labels)
        return dict.fromkeys(judgments.items["item_id"], each)
    source = judgments.source(config.by)
    if not np.isfinite(source.people).all():
        raise ConfigError(
            f"it is not known how many people are behind {config.by!r}",
            expected="a source of single labels, such as annotators",
        )
    counts = np.rint(source.shares * source.people[:, None])
    return dict(zip(source.item_ids, counts.tolist(), strict=True))
