"""The result of parsing an answer, its problems, and the removal of surrounding text.

Removed are thinking, end tokens, code fences, and a repeated prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.imitation.parsing.labels import NO_LABEL, OFF_SCALE, TWO_LABELS, LabelReading
from capo_core.imitation.prompting.prompts import (
    PLAIN_END,
    WORKED_FORM,
    label_lines,
    response_form,
)
from capo_core.task import Task

EMPTY_TEXT = "empty"
ONLY_THINKING = "only thinking"
NO_EXPLANATION = "no explanation"
PROBLEMS = (EMPTY_TEXT, ONLY_THINKING, NO_LABEL, OFF_SCALE, TWO_LABELS, NO_EXPLANATION)


@dataclass(frozen=True)
class ParsedResponse:
    """A parsed answer.

    Attributes:
        label: on the task's scale; "" where none could be read without doubt.
        explanation: with single spaces; "" where none was found.
        problem: "" where both were read, else one of `PROBLEMS`.
    """

    label: str
    explanation: str
    problem: str = ""


def resolve_answers(found: Sequence[LabelReading], explanation: str) -> ParsedResponse:
    """Return one answer from all places where a label was found; any doubt is a problem."""
    explanation = " ".join(explanation.split())
    labels = {each.label for each in found if each.label}
    problems = [each.problem for each in found if each.problem]
    if len(labels) > 1:
        return ParsedResponse("", explanation, TWO_LABELS)
    if problems or not labels:
        return ParsedResponse("", explanation, problems[0] if problems else NO_LABEL)
    return ParsedResponse(labels.pop(), explanation, "" if explanation else NO_EXPLANATION)


def first_paragraph(lines: Sequence[str]) -> str:
    """Return the lines up to the first empty one, as one line; leading empty lines are skipped."""
    taken: list[str] = []
    for line in lines:
        if line.strip():
            taken.append(line)
        elif taken:
            break
    return " ".join(taken)


_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_THINKING = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.I)
_END_TOKENS = re.compile(
    r"<\|(?:im_end|eot_id|end_of_text|endoftext|end|return)\|>|</s>|<eos>|<end_of_turn>", re.I
)
_FENCE = re.compile(r"^[ \t]*```[ \t]*\w*[ \t]*$", re.M)
_ASKED_AGAIN = (
    "task", "annotator", "about the annotator", "user", "human", "assistant", "system", "question",
    "next question", "next", "example",
)  # fmt: skip


def answer_part(text: str, task: Task) -> tuple[str, bool]:
    """Return the part of a text that can contain the answer, and whether thinking was cut off."""
    text = _BREAKS.sub("\n", text)
    text, thought = _without_thinking(text)
    ended = _END_TOKENS.search(text)
    text = text[: ended.start()] if ended else text
    return _FENCE.sub("", _without_prompt(text, task)).strip(), thought


def _without_thinking(text: str) -> tuple[str, bool]:
    """Return `text` outside of thinking blocks, including blocks without beginning or end."""
    tags = list(_THINKING.finditer(text))
    if not tags:
        return text, False
    pieces: list[str] = []
    depth, outside = 0, 0  # how many blocks are open; where the text outside of them began
    for tag in tags:
        if not tag[1]:
            if depth == 0:
                pieces.append(text[outside : tag.start()])
            depth += 1
        elif depth > 0:
            depth -= 1
            outside = tag.end()
        else:  # the beginning stood in the prompt: all before this was thinking
            pieces, outside = [], tag.end()
    if depth == 0:
        pieces.append(text[outside:])
    return "\n".join(pieces), True


def _without_prompt(text: str, task: Task) -> str:
    """Return `text` without the prompt, which some models repeat before the answer."""
    if text.lstrip().startswith(f"Task: {task.name}"):
        end = text.find(PLAIN_END.rstrip("\n") + "\n")
        text = text[end + len(PLAIN_END) :] if end >= 0 else text
    for part in (response_form(task), WORKED_FORM, label_lines(task)):
        text = text.replace(part, "\n")
    return text


def asks_again(task: Task) -> re.Pattern:
    """Return a pattern for a line with which a model continues to another question."""
    roles = [role for role in (task.role_a or "text", task.role_b) if role]
    names = "|".join(re.escape(name) for name in (*roles, *_ASKED_AGAIN))
    return re.compile(rf"[\s*_#>-]{{0,20}}(?:(?:{names})[*_]*\s*:|answer[*_]*\s*:\s*$|<\|)", re.I)
