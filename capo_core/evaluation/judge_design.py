"""The trials of a judge: which texts, beside which cards, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.attribution import training_rows
from capo_core.evaluation.judge_prompt import judge_prompt
from capo_core.evaluation.streams import Stream
from capo_core.imitation.prompts import Prompt
from capo_core.workspace import content_hash


@dataclass(frozen=True)
class JudgeConfig:
    """How a judge is asked.

    Attributes:
        cards: explanations on each annotator's card, drawn from the training split.
        k: explanations of one stream that are to be attributed together.
        trials: at most so many for each stream, drawn by the seed; 0 takes all. Multiples of the
            number of annotators keep the cards' positions even.
        seed: of the cards, their order and the groups.
        max_new_tokens: room for the answer, and for the thoughts before it.
    """

    cards: int = 6
    k: int = 1
    trials: int = 40
    seed: int = 0
    max_new_tokens: int = 512

    def __post_init__(self) -> None:
        if min(self.cards, self.k, self.max_new_tokens) < 1 or min(self.trials, self.seed) < 0:
            raise ConfigError(
                "the judge's settings cannot be used",
                where=f"{self}",
                expected="at least one text on a card, one to judge and one token to answer",
            )

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Trial:
    """One question to the judge.

    Attributes:
        key: the same for the same question everywhere.
        stream: number of the stream that the texts come from.
        rows: the texts, by their place in the stream.
        order: annotators by the position of their cards.
        seed: of the judge's answer, 0 to 2³¹ − 1.
    """

    key: str
    stream: int
    rows: tuple[int, ...]
    order: tuple[str, ...]
    prompt: Prompt
    seed: int


def plan(
    dataset: Dataset, streams: Sequence[Stream], config: JudgeConfig = JudgeConfig()
) -> list[Trial]:
    """The trials of all streams, each text in one trial of its stream at most.

    Trials come in blocks of as many as there are annotators. A block has one random order of the
    cards in all its rotations, so that within it each annotator stands once in each position, and
    its own draw of texts on the cards, so that no single draw decides.

    Raises:
        DataError: an annotator has fewer training explanations than a card needs.
    """
    written = _card_texts(dataset, config.cards)
    trials = []
    for number, stream in enumerate(streams):
        # A stream's draws hang on what it is, not on which others are judged beside it.
        who = content_hash(stream.source, stream.target, stream.replicate)
        rng = np.random.default_rng([config.seed, int(who[:8], 16)])
        rows = np.flatnonzero([bool(text.strip()) for text in stream.explanations])
        groups = rng.permutation(rows)[: len(rows) // config.k * config.k].reshape(-1, config.k)
        if config.trials:
            groups = groups[: config.trials]
        order: list[str] = []
        cards: dict[str, list[str]] = {}
        for place, group in enumerate(groups):
            if place % len(dataset.annotators) == 0:
                order = [dataset.annotators[i] for i in rng.permutation(len(dataset.annotators))]
                cards = {
                    name: [texts[i] for i in rng.choice(len(texts), config.cards, replace=False)]
                    for name, texts in written.items()
                }
            prompt = judge_prompt(
                dataset.task, cards, order, [stream.explanations[row] for row in group]
            )
            key = content_hash(who, [int(stream.item[row]) for row in group], prompt.text)[:24]
            seed = int(key[:8], 16) & 0x7FFFFFFF
            trials.append(Trial(key, number, tuple(map(int, group)), tuple(order), prompt, seed))
            order = [*order[1:], order[0]]
    return trials


def _card_texts(dataset: Dataset, wanted: int) -> dict[str, list[str]]:
    rows = training_rows(dataset)
    rows = rows[rows["valid"] != "false"]
    found = {a: rows.loc[rows["annotator_id"] == a, "explanation"].tolist()
             for a in dataset.annotators}  # fmt: skip
    for name, texts in found.items():
        if len(texts) < wanted:
            raise DataError(
                f"annotator {name!r} has {len(texts)} training explanations",
                where=dataset.name,
                expected=f"at least {wanted}, which a judge's card shows",
                todo="put fewer texts on a card",
            )
    return found
