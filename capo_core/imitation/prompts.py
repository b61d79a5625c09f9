"""What a model is asked: one builder a method, for any task.

A prompt has the task and the format of the answer at the top, what is known of the annotator
below it, and the item last, so that everything before the item is the same for all items of a run
(servers cache it). Every text is pinned by a golden file in `tests/golden`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.imitation.response import response_form, write_response
from capo_core.task import Task

METHODS = ("zero_shot", "icl", "profile", "sft", "capo")
PROMPTING = METHODS[:3]
TRAINED = METHODS[3:]


@dataclass(frozen=True)
class Item:
    """One item as a prompt shows it; `text_b` is empty for one-text tasks."""

    item_id: str
    text_a: str
    text_b: str = ""


@dataclass(frozen=True)
class Example:
    """An item with one annotator's own response to it."""

    item: Item
    label: str
    explanation: str


@dataclass(frozen=True)
class Prompt:
    """What is asked, as one user message; `capo_core.imitation.render` makes it tokens."""

    text: str


def zero_shot(task: Task, item: Item, *, annotator: str = "") -> Prompt:
    """The task alone; also what SFT and CAPO are trained on.

    Args:
        annotator: named in the prompt where one adapter serves all annotators. The name stands
            after the item, so that the item's tokens can be shared by all of them.
    """
    named = f"\nAnnotator: {annotator}" if annotator else ""
    return Prompt(f"{_head(task)}\n\n{_shown(task, item)}{named}")


def in_context(task: Task, item: Item, examples: Sequence[Example]) -> Prompt:
    """The task and how the annotator answered other items, in the order of `examples`."""
    shown = "\n\n".join(_answered(task, example) for example in examples)
    return Prompt(
        f"{_head(task)}\n\nThis is how one annotator answered:\n\n{shown}\n\n"
        f"Answer the next one as this annotator would.\n\n{_shown(task, item)}"
    )


def with_profile(task: Task, item: Item, profile: str) -> Prompt:
    """The task and a description of the annotator (see `ask_for_profile`)."""
    return Prompt(
        f"{_head(task)}\n\nAbout the annotator:\n{profile.strip()}\n\n"
        f"Answer as this annotator would.\n\n{_shown(task, item)}"
    )


PROFILE_PARTS = ("Labels:", "Manner:", "Rules:")


def ask_for_profile(task: Task, examples: Sequence[Example]) -> Prompt:
    """Asks a model to describe an annotator from examples of what they wrote."""
    shown = "\n\n".join(_answered(task, example) for example in examples)
    return Prompt(
        f"Task: {task.name}. {task.instruction}".rstrip()
        + f"\n\nThis is how one annotator answered:\n\n{shown}\n\n"
        "Describe this annotator for somebody who has to answer in their place, in three lines.\n"
        f"{PROFILE_PARTS[0]} which labels they prefer or avoid, and when\n"
        f"{PROFILE_PARTS[1]} how they explain: openings, typical words and phrases, length, "
        "quoting, hedging, punctuation\n"
        f"{PROFILE_PARTS[2]} what to do to answer like them"
    )


def _head(task: Task) -> str:
    return f"Task: {task.name}. {task.instruction}".rstrip() + "\n" + response_form(task)


def _shown(task: Task, item: Item) -> str:
    lines = [f"{_capital(task.role_a or 'text')}: {_line(item.text_a)}"]
    if item.text_b:
        lines.append(f"{_capital(task.role_b or 'second text')}: {_line(item.text_b)}")
    return "\n".join(lines)


def _answered(task: Task, example: Example) -> str:
    return f"{_shown(task, example.item)}\n{write_response(example.label, example.explanation)}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
