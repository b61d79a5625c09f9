"""Prompts of every format with their answers, as text."""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.data.simulate import TASKS
from capo_core.data.simulation.draws import Draws
from capo_core.imitation import prompts
from capo_core.imitation.base.world import STREAM, Answer, World, answer, draw_item
from capo_core.imitation.profile_rules import Common, common_of, profile
from capo_core.imitation.prompts import Prompt
from capo_core.imitation.response import write_response

# Examples a profile is made from.
PROFILE_EXAMPLES = (10, 50)
_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Sample:
    """A prompt and what is to be learned of it.

    Attributes:
        task: name of the task in `simulate.TASKS`.
        response: what follows the prompt.
        asked: the answer that `response` writes out; None where it is a profile.
        shown: answers inside the prompt, in order, that are learned too.
    """

    task: str
    prompt: Prompt
    response: str
    asked: Answer | None
    shown: tuple[Answer, ...] = ()


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

        def answers(n: int) -> list[Answer]:
            return [answer(task, writer, draw_item(task, draws), draws) for _ in range(n)]

        if kind == "ask_for_profile":
            shown = answers(examples)
            known = [each.example for each in shown]
            text = profile(about, known, self.common(task))
            return Sample(task, prompts.ask_for_profile(about, known), text, None, tuple(shown))
        if kind == "in_context":
            *shown, asked = answers(examples + 1)
            prompt = prompts.in_context(about, asked.example.item, [each.example for each in shown])
            return Sample(task, prompt, response_of(asked), asked, tuple(shown))
        (asked,) = answers(1)
        item = asked.example.item
        if kind == "with_profile":
            low, high = PROFILE_EXAMPLES
            known = [each.example for each in answers(low + draws.index(high - low + 1))]
            prompt = prompts.with_profile(about, item, profile(about, known, self.common(task)))
        else:
            named = _name(draws) if kind == "named" else ""
            prompt = prompts.zero_shot(about, item, annotator=named)
        return Sample(task, prompt, response_of(asked), asked)

    def common(self, task: str) -> Common:
        """What annotators of this world do on the whole, from up to 4,000 of their responses."""
        if task not in self._common:
            people = self.world.config.annotators
            draws = Draws([STREAM, self.world.config.seed, len(task)])
            responses = []
            for _ in range(min(4000, 10 * people)):
                writer = self.world.writer(draws.index(people))
                responses.append(answer(task, writer, draw_item(task, draws), draws).example)
            self._common[task] = common_of(TASKS[task][0], responses)
        return self._common[task]


def response_of(said: Answer) -> str:
    """An answer in the fixed format."""
    return write_response(said.example.label, said.example.explanation)


def _name(draws: Draws) -> str:
    """A pseudonym as datasets have them: a letter, a number, or both; it says nothing of manner."""
    letter, number = draws.pick(_NAMES), str(1 + draws.index(60))
    return draws.pick((letter, number, letter + number, f"Ann{number}"))
