"""What reading an answer gives, and the names of what can be wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.imitation.parse_label import NO_LABEL, OFF_SCALE, TWO_LABELS, Found

EMPTY_TEXT = "empty"
ONLY_THINKING = "only thinking"
NO_EXPLANATION = "no explanation"
PROBLEMS = (EMPTY_TEXT, ONLY_THINKING, NO_LABEL, OFF_SCALE, TWO_LABELS, NO_EXPLANATION)


@dataclass(frozen=True)
class Parsed:
    """An answer as it was read.

    Attributes:
        label: on the task's scale; "" where none could be read without doubt.
        explanation: with single spaces; "" where none was found.
        problem: "" where both were read, else one of `PROBLEMS`.
    """

    label: str
    explanation: str
    problem: str = ""


def settled(found: Sequence[Found], explanation: str) -> Parsed:
    """One answer from all the places where a label was looked for; doubt anywhere is doubt."""
    explanation = " ".join(explanation.split())
    labels = {each.label for each in found if each.label}
    problems = [each.problem for each in found if each.problem]
    if len(labels) > 1:
        return Parsed("", explanation, TWO_LABELS)
    if problems or not labels:
        return Parsed("", explanation, problems[0] if problems else NO_LABEL)
    return Parsed(labels.pop(), explanation, "" if explanation else NO_EXPLANATION)


def first_paragraph(lines: Sequence[str]) -> str:
    """The lines up to the first empty one, as one line; empty lines before them do not count."""
    taken: list[str] = []
    for line in lines:
        if line.strip():
            taken.append(line)
        elif taken:
            break
    return " ".join(taken)
