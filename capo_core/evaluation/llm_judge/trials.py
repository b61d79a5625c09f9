"""Trials of an LLM judge: selection of texts and cards, the prompt, and parsing of the answer."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.measures.attribution import training_rows
from capo_core.evaluation.streams import Stream
from capo_core.formatting import count
from capo_core.imitation.backends.base import GenerationRequest
from capo_core.imitation.prompting.prompts import Prompt
from capo_core.settings import setting, settings
from capo_core.task import Task
from capo_core.text.tokens import normalise
from capo_core.workspace import content_hash

LETTERS = string.ascii_uppercase
_ANSWER = re.compile(r"\W*answer\W{0,6}(?:(?:annotator|card)\W{1,3})?([A-Z])\W*", re.IGNORECASE)


def llm_judge_prompt(
    task: Task, cards: Mapping[str, Sequence[str]], order: Sequence[str], texts: Sequence[str]
) -> Prompt:
    """Return the prompt: cards of all annotators in `order`, by letter, and the texts to attribute.

    All texts are normalised (see `text.tokens.normalise`): capitals and final periods would name
    an annotator without being manner.

    Args:
        cards: annotator → explanations that this person wrote.
        texts: one explanation, or a pool by one hidden author.

    Raises:
        ConfigError: there are more annotators than letters.
    """
    if len(order) > len(LETTERS):
        raise ConfigError(
            f"{len(order)} annotators are too many for an LLM judge",
            expected=f"at most {len(LETTERS)}, one per letter",
        )
    shown = "\n\n".join(
        f"Annotator {letter}:\n" + "\n".join(f"- {normalise(text)}" for text in cards[who])
        for letter, who in zip(LETTERS, order, strict=False)
    )
    wanted = "\n".join(f"- {normalise(text)}" for text in texts)
    what = "this explanation" if len(texts) == 1 else f"these {len(texts)} explanations"
    last = LETTERS[len(order) - 1]
    return Prompt(
        f"Several annotators did the same task ({task.name}) and explained their answers. Here is "
        "how each of them writes. The explanations are about different items, so look at the "
        "manner: openings, typical words and phrases, length, quoting, hedging, punctuation.\n\n"
        f"{shown}\n\n"
        f"One of them wrote {what}, about {'another item' if len(texts) == 1 else 'other items'}:\n"
        f"{wanted}\n\n"
        f"Who was it? Answer in one line with one letter from A to {last}.\nAnswer: letter"
    )


def random_answer(request: GenerationRequest) -> str:
    """Return an answer in the required format that names a random card, the same for the same
    question: a random judge for tests without a model.
    """
    last = re.search(r"one letter from A to ([A-Z])\.", request.prompt.text)[1]
    drawn = random.Random(request.key).choice(LETTERS[: LETTERS.index(last) + 1])
    return f"Answer: {drawn}"


def read_answer(text: str, count: int) -> int | None:
    """Return the position 0…`count` − 1 that the judge named; None if it is ambiguous.

    Read are a line "Answer: B" (or "Answer: Annotator B"), and a text that is one letter. Two lines
    with different letters, a letter beyond the cards, and an answer inside an unfinished thinking
    block are not read.
    """
    answer = text.rpartition("</think>")[2]
    if "<think>" in answer:
        return None
    bare = re.fullmatch(r"\W*([A-Z])\W*", answer)
    named = [found[1] for line in answer.splitlines() if (found := _ANSWER.fullmatch(line))]
    letters = {bare[1]} if bare else {letter.upper() for letter in named}
    if len(letters) != 1:
        return None
    position = LETTERS.index(letters.pop())
    return position if position < count else None


@settings("LLM judge")
class LlmJudgeConfig:
    """Settings of an LLM judge."""

    cards: int = setting(
        6,
        "Texts per card",
        "Training explanations of each annotator that the LLM judge sees.",
        ge=1,
        usual=(1, 100),
    )
    k: int = setting(
        1,
        "Texts judged together",
        "Explanations of one author that are attributed together; several are easier.",
        ge=1,
        usual=(1, 64),
    )
    trials: int = setting(
        40,
        "Max trials per stream",
        "At most this many for each method, target and seed, and for people's own texts, drawn by "
        "the seed (0 = all). Multiples of the number of annotators balance the cards' positions.",
        ge=0,
        usual=(0, 100_000),
    )
    seed: int = setting(0, "Random seed", "Seed of the cards, their order and the groups.", ge=0)
    max_new_tokens: int = setting(
        512,
        "Max new tokens",
        "Length limit of an answer, including any reasoning before it.",
        ge=1,
        usual=(1, 32768),
    )


@dataclass(frozen=True)
class LlmTrial:
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


def plan_trials(
    dataset: Dataset, streams: Sequence[Stream], config: LlmJudgeConfig | None = None
) -> list[LlmTrial]:
    """Return the trials of all streams, each text in at most one trial of its stream.

    Trials come in blocks of as many as there are annotators. A block has one random order of the
    cards in all its rotations, so that within it each annotator stands once in each position, and
    its own draw of texts on the cards, so that no single draw decides.

    Raises:
        DataError: there is a single annotator, or one has fewer training explanations than a card
            needs.
    """
    config = config or LlmJudgeConfig()
    if len(dataset.annotators) < 2:
        raise DataError(
            f"{count(len(dataset.annotators), 'annotator')}: there is nobody to mistake them for",
            where=dataset.name,
            expected="two annotators or more, among whom the judge chooses",
        )
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
            prompt = llm_judge_prompt(
                dataset.task, cards, order, [stream.explanations[row] for row in group]
            )
            key = content_hash(who, [int(stream.item[row]) for row in group], prompt.text)[:24]
            seed = int(key[:8], 16) & 0x7FFFFFFF
            trials.append(LlmTrial(key, number, tuple(map(int, group)), tuple(order), prompt, seed))
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
                expected=f"at least {wanted}, as shown on each card",
                todo="show fewer texts per card",
            )
    return found
