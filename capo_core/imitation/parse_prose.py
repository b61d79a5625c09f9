"""Answers without marks: a label on a line of its own, or in a sentence that gives it."""

from __future__ import annotations

import re

from capo_core.imitation.parse_clean import asks_again
from capo_core.imitation.parse_label import TWO_LABELS, Found, LabelReader, is_word
from capo_core.imitation.parse_marks import marked_explanation, parts_of
from capo_core.imitation.parse_result import Parsed, first_paragraph, settled
from capo_core.task import Task

# Only at the beginning of a sentence: "I doubt that the label is neutral" gives none.
_START = r"(?:^|(?<=[.!?\n]))[\s*_\"'>#-]{0,10}"
_LEAD = r"(?:(?:so|therefore|thus|hence|overall|finally|in conclusion)\s?,?\s+)?"
_ARTICLE = r"[\s:]{1,3}(?:an?\s+)?"
_THING = (
    r"the\s+(?:correct\s+|right\s+|best\s+|final\s+)?"
    r"(?:label|answer|rating|score|judge?ment|verdict|relation|relationship)\s+"
    r"(?:is|would\s+be|should\s+be)"
)
_I_SAY = (
    r"i(?:\s+would|['’]d)?\s+(?:say|choose|pick|select|answer|go\s+with|"
    r"(?:rate|label|call|give)\s+(?:it|this)(?:\s+as)?)(?:\s+(?:it|this)\s+is)?"
)
_IT_IS = r"(?:it|this)\s+is(?:\s+clearly|\s+definitely)?"
_GIVES = re.compile(f"{_START}{_LEAD}(?:{_THING}|{_I_SAY}){_ARTICLE}", re.I)
_IS = re.compile(f"{_START}{_LEAD}{_IT_IS}{_ARTICLE}", re.I)


def in_prose(text: str, task: Task, reader: LabelReader) -> Parsed:
    """The answer in the lines or sentences of `text`; a problem where none of them gives one."""
    text = _before_next_question(text, task)
    explanation = marked_explanation(parts_of(text))
    for search in (_on_own_line, _in_sentence):
        found, after = search(text, reader)
        if found:
            return settled(found, explanation or first_paragraph(after))
    return settled([], explanation)


def _before_next_question(text: str, task: Task) -> str:
    again = asks_again(task)
    lines = text.split("\n")
    end = next((n for n, line in enumerate(lines) if n and again.match(line)), len(lines))
    return "\n".join(lines[:end])


def _on_own_line(text: str, reader: LabelReader) -> tuple[list[Found], list[str]]:
    """A label that begins the answer, or is its last line; the lines after it."""
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    found, after = [], []
    for number in dict.fromkeys(filled[:1] + filled[-1:]):
        alone = reader.alone(lines[number])
        if alone and (number == filled[0] or not alone.rest):
            after = after or [alone.rest, *lines[number + 1 :]]
            found.append(alone)
    return found, after


def _in_sentence(text: str, reader: LabelReader) -> tuple[list[Found], list[str]]:
    """Labels that sentences give; what follows the first of them."""
    found, after = [], []
    for pattern in (_GIVES, _IS):
        for match in pattern.finditer(text):
            line, *further = text[match.end() :].split("\n")
            said = reader.read(line)
            # "It is 5": of what? A number, or a single letter, must be called the answer.
            clear = said.label and (pattern is _GIVES or is_word(said.label))
            if clear or said.problem == TWO_LABELS:
                after = after or [said.rest, *further]
                found.append(said)
    return found, after
