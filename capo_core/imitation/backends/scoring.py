"""How a model weighs a few possible answers against each other, by the first token of each.

question  →  one score an option: a logit, a log-probability, or how often it was drawn
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from capo_core.errors import ConfigError
from capo_core.imitation.backends.base import Backend, Decoding, Request
from capo_core.imitation.generate_config import seed_of
from capo_core.imitation.prompts import Prompt
from capo_core.progress import Progress, part_of, silent

LOGIT, LOG_PROBABILITY, FREQUENCY = "logit", "log-probability", "frequency"
NO_OPTION = "none of the options among the likeliest first tokens"
NOT_A_NUMBER = "a score is not a number"
NONE_DRAWN = "no answer began with an option"


@dataclass(frozen=True)
class Question:
    """One weighing that is wanted.

    Attributes:
        key: identifies it within a run.
        options: what the answer may begin with, in the order in which scores are wanted.
        prefix: what the answer begins with before the option ("Label:"); "" for nothing. Only a
            model on this machine can be made to begin so; of others it can only be asked.
    """

    key: str
    prompt: Prompt
    options: tuple[str, ...]
    prefix: str = ""


@dataclass(frozen=True)
class Scored:
    """What came back: a score an option, or a problem and no scores.

    Attributes:
        bounded: options that were not among those listed by a server; their score is the lowest
            one listed, which it cannot exceed.
    """

    scores: tuple[float, ...] = ()
    problem: str = ""
    bounded: int = 0


class Scorer(ABC):
    """A model that weighs options.

    Attributes:
        kind: what its scores are: LOGIT, LOG_PROBABILITY or FREQUENCY.
        prefixes: whether it can weigh options behind `Question.prefix`.
    """

    name: str
    fingerprint: str
    kind: str
    prefixes: bool = False

    @abstractmethod
    def score(
        self, questions: Sequence[Question], progress: Progress = silent
    ) -> Iterator[tuple[Question, Scored]]:
        """The scores as they come, in any order.

        Raises:
            BackendUnavailable: the model cannot be asked (any more), or gives no scores.
            ConfigError: two options begin with the same token.
        """


class SampledScorer(Scorer):
    """How often each option is drawn, for models that give nothing but text.

    An answer counts where it begins with an option, behind the prefix where there is one: the
    prompt asks for it, and a model that was trained on that form writes it.

    Args:
        samples: answers drawn to each question.
    """

    kind = FREQUENCY
    prefixes = True

    def __init__(self, backend: Backend, samples: int, *, seed: int = 0) -> None:
        if not 1 <= samples <= 1000:
            raise ConfigError(
                f"{samples} samples cannot be drawn", expected="a whole number from 1 to 1000"
            )
        self.name, self.fingerprint = backend.name, backend.fingerprint
        self._backend, self._samples, self._seed = backend, samples, seed

    def score(
        self, questions: Sequence[Question], progress: Progress = silent
    ) -> Iterator[tuple[Question, Scored]]:
        decoding = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=8)
        for number, question in enumerate(questions):
            part = part_of(progress, number / len(questions), (number + 1) / len(questions))
            requests = [
                Request(f"{question.key}-{k}", question.prompt,
                        seed=seed_of(self._seed, question.key, str(k)))
                for k in range(self._samples)
            ]  # fmt: skip
            drawn = [0] * len(question.options)
            for _, reply in self._backend.complete(requests, decoding, progress=part):
                text = reply.text.lstrip().removeprefix(question.prefix)
                found = option_of(text, question.options)
                if found is not None:
                    drawn[found] += 1
            yield (
                question,
                Scored(tuple(map(float, drawn))) if any(drawn) else Scored(problem=NONE_DRAWN),
            )


def option_of(text: str, options: Sequence[str]) -> int | None:
    """Which option a written answer begins with; None where it is none, or not clear which."""
    begun = text.lstrip(" \n\t*_\"'([").lower()
    found = [
        place
        for place, option in enumerate(options)
        if re.match(rf"{re.escape(option.lower())}(?!\w)", begun)
    ]
    return found[0] if len(found) == 1 else None


def from_listed(listed: dict[str, float], options: Sequence[str]) -> Scored:
    """Scores of options from the first tokens that a server lists with their log-probabilities.

    A token stands for the option that it is the beginning of (for a single letter: that it is);
    forms of one option ("A", " A") are added up.
    """
    if any(math.isnan(value) for value in listed.values()):
        return Scored(problem=NOT_A_NUMBER)
    found: list[list[float]] = [[] for _ in options]
    for token, value in listed.items():
        bare = token.strip().rstrip(".):").lower()
        begun = [place for place, option in enumerate(options) if option.lower().startswith(bare)]
        if bare and len(begun) == 1:
            found[begun[0]].append(value)
    if not any(found):
        return Scored(problem=NO_OPTION)
    least = min(listed.values())
    scores = tuple(_log_sum(values) if values else least for values in found)
    return Scored(scores, bounded=sum(not values for values in found))


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))
