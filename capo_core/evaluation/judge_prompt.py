"""What a model is asked that judges who wrote a text, and how its answer is read."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Mapping, Sequence

from capo_core.errors import ConfigError
from capo_core.imitation.backends.base import Request
from capo_core.imitation.prompts import Prompt
from capo_core.task import Task
from capo_core.text.tokens import normalise

LETTERS = string.ascii_uppercase
_ANSWER = re.compile(r"\W*answer\W{0,6}(?:(?:annotator|card)\W{1,3})?([A-Z])\W*", re.IGNORECASE)


def judge_prompt(
    task: Task, cards: Mapping[str, Sequence[str]], order: Sequence[str], texts: Sequence[str]
) -> Prompt:
    """Cards of all annotators in `order`, by letter, and the texts to be given to one of them.

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
            f"{len(order)} annotators are too many for a judge",
            expected=f"at most {len(LETTERS)}, one a letter",
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


def guess(request: Request) -> str:
    """An answer in form that names a card by chance, the same for the same question: what a judge
    without any judgement says, for trying the way without a model."""
    last = re.search(r"one letter from A to ([A-Z])\.", request.prompt.text)[1]
    drawn = random.Random(request.key).choice(LETTERS[: LETTERS.index(last) + 1])
    return f"Answer: {drawn}"


def read_answer(text: str, count: int) -> int | None:
    """The position 0…`count` − 1 that the judge named; None where that is not beyond doubt.

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
