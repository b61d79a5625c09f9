"""Prompts of every format with their answers, as text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capo_core.data.simulate import TASKS
from capo_core.data.simulation.draws import Draws
from capo_core.imitation import prompts
from capo_core.imitation.base.world import STREAM, World, answer, draw_item
from capo_core.imitation.profile_rules import Common, common_of, profile
from capo_core.imitation.prompts import Example, Prompt
from capo_core.imitation.response import write_response

# Examples a profile is made from.
PROFILE_EXAMPLES = (10, 50)
_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Sample:
    """A prompt and what is to be learned of it.

    Attributes:
        shown: responses inside the prompt, in order, that are learned too.
        response: what follows the prompt.
        asked: the item that is asked about and the annotator's answer; None for profiles.
    """

    prompt: Prompt
    response: str
    asked: Example | None = None
    shown: tuple[str, ...] = ()


class Samples:
    """Samples of one world, each from a stream of draws and a range of annotators."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._common: dict[str, Common] = {}

    def draw(self, kind: str, task: str, number: int, draws: Draws, *, examples: int = 0) -> Sample:
        """One sample of format `kind` by annotator `number`.

        Args:
            examples: in_context and ask_for_profile: how many the prompt shows.
        """
        writer = self.world.writer(number)
        about = TASKS[task][0]

        def answers(n: int) -> list[Example]:
            return [answer(task, writer, draw_item(task, draws), draws) for _ in range(n)]

        if kind == "ask_for_profile":
            shown = answers(examples)
            return Sample(
                prompts.ask_for_profile(about, shown),
                profile(about, shown, self.common(task)),
                None,
                tuple(_response(example) for example in shown),
            )
        if kind == "in_context":
            *shown, asked = answers(examples + 1)
            return Sample(
                prompts.in_context(about, asked.item, shown),
                _response(asked),
                asked,
                tuple(_response(example) for example in shown),
            )
        (asked,) = answers(1)
        if kind == "with_profile":
            known = answers(PROFILE_EXAMPLES[0] + draws.index(np.ptp(PROFILE_EXAMPLES) + 1))
            text = profile(about, known, self.common(task))
            return Sample(prompts.with_profile(about, asked.item, text), _response(asked), asked)
        prompt = prompts.zero_shot(
            about, asked.item, annotator=_name(draws) if kind == "named" else ""
        )
        return Sample(prompt, _response(asked), asked)

    def common(self, task: str) -> Common:
        """What annotators of this world do on the whole, from up to 4,000 of their responses."""
        if task not in self._common:
            people = self.world.config.annotators
            draws = Draws([STREAM, self.world.config.seed, len(task)])
            responses = []
            for _ in range(min(4000, 10 * people)):
                writer = self.world.writer(draws.index(people))
                responses.append(answer(task, writer, draw_item(task, draws), draws))
            self._common[task] = common_of(TASKS[task][0], responses)
        return self._common[task]


def _response(example: Example) -> str:
    return write_response(example.label, example.explanation)


def _name(draws: Draws) -> str:
    """A pseudonym as datasets have them: a letter, a number, or both; it says nothing of manner."""
    letter, number = draws.pick(_NAMES), str(1 + draws.index(60))
    return draws.pick((letter, number, letter + number, f"Ann{number}"))
