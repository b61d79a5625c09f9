"""Prompts of an estimate: an item with explanations, and the labels as options in some order."""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.errors import ConfigError
from capo_core.imitation.prompting.prompts import LABEL_MARK, Prompt, PromptItem, item_lines
from capo_core.task import Task

LETTERS, LABELS, WORDS = "letters", "labels", "words"
OPTIONS = (LETTERS, LABELS, WORDS)
ALL, ROTATIONS, ONE = "all", "rotations", "one"
ORDERS = (ALL, ROTATIONS, ONE)
_MOST_PERMUTED = 4  # labels; 24 orders


@dataclass(frozen=True)
class ShownExplanation:
    """Explanation shown to the model, with the label it argues for."""

    label: str
    explanation: str


def orders_of(labels: Sequence[str], which: str) -> list[tuple[int, ...]]:
    """Return the orders in which options are shown, as positions of `labels` from first to last.

    In "all" and in "rotations" every label is equally often at every position, which averages
    out position bias.

    Raises:
        ConfigError: all orders of more than four labels are asked for.
    """
    n = len(labels)
    if which == ALL and n > _MOST_PERMUTED:
        raise ConfigError(
            f"{n} labels have too many orders to ask all of them",
            todo="use rotations (--orders rotations): each label once at each position",
        )
    if which == ALL:
        return list(itertools.permutations(range(n)))
    turned = [tuple((k + start) % n for k in range(n)) for start in range(n)]
    return turned if which == ROTATIONS else turned[:1]


def question_prompt(
    task: Task,
    item: PromptItem,
    said: Sequence[ShownExplanation],
    order: Sequence[int],
    *,
    options: str = LETTERS,
    explicit: bool = False,
) -> tuple[Prompt, tuple[str, ...], str]:
    """Return the prompt, the possible beginnings of the answer (in the order of the task's labels),
    and the prefix.

    Args:
        said: the explanations shown, in this order. explicit: with the labels they argue for.
        order: see `orders_of`.
        options: LETTERS lists the labels as A, B, …; LABELS names them in the form of answers
            that this project's models are trained on, and weighs them behind "Label:".
    """
    labels = task.scale.labels
    shown = [labels[place] for place in order]
    lines = [f"Task: {task.name}. {task.instruction}".rstrip()]
    if said:
        lines.append(CAREFULLY)
    if options == LABELS:
        lines.append(f"Answer in two lines.\n{LABEL_MARK} {_one_of(shown)}")
        lines.append("Explanation: one or two sentences")
    else:
        lines.append("Choose one of the options, and begin your answer with its letter.")
    lines += ["", item_lines(task, item)]
    lines += comment_lines(said, explicit)
    if options == LABELS:
        return Prompt("\n".join(lines)), tuple(labels), LABEL_MARK
    if len(labels) > len(string.ascii_uppercase):
        raise ConfigError(f"{len(labels)} labels are more than the available letters")
    letters = string.ascii_uppercase[: len(labels)]
    lines += [f"{letter}. {label}" for letter, label in zip(letters, shown, strict=True)]
    letter_of = {place: letter for letter, place in zip(letters, order, strict=True)}
    return Prompt("\n".join(lines)), tuple(letter_of[k] for k in range(len(labels))), ""


CAREFULLY = "Base your choice on the comments, carefully and fairly."


def comment_lines(said: Sequence[ShownExplanation], explicit: bool) -> list[str]:
    """Return the explanations shown as lines of a prompt, with their labels where `explicit`."""
    return [
        f"Comment {number}: {_line(each.explanation)}"
        + (f" So I choose {each.label}." if explicit else "")
        for number, each in enumerate(said, start=1)
    ]


def _one_of(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:-1])} or {labels[-1]}" if len(labels) > 1 else labels[0]


def _line(text: str) -> str:
    return " ".join(text.split())
