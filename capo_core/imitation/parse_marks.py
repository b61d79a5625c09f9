"""Answers under marks: "Label: neutral", "**Final answer:** 3", "### Explanation"."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from capo_core.imitation.parse_clean import asks_again
from capo_core.imitation.parse_label import Found, LabelReader
from capo_core.imitation.parse_result import Parsed, first_paragraph, settled
from capo_core.task import Task

# The names asked for come first: where one of them stands, the others are ordinary words.
LABEL_NAMES = ("label", "answer", "rating", "score", "judgment", "judgement", "verdict")
EXPLANATION_NAMES = ("explanation", "reason", "reasoning", "rationale", "justification")


def _mark(names: tuple[str, ...]) -> re.Pattern:
    return re.compile(
        r"[\s>*_#`\"'{•–-]{0,20}(?:\d{1,2}[.)]\s+)?[*_`\"']{0,4}"
        rf"(?:(?:final|my|the|predicted)\s+)?(?P<name>{'|'.join(names)})(?:\s*\([^()]{{0,60}}\))?"
        r"(?:\s+is)?(?P<quote>[\s*_`\"']{0,5})(?:[:=：]|$)[*_]{0,3}",
        re.I,
    )


_LABEL = _mark(LABEL_NAMES)
_EXPLANATION = _mark(EXPLANATION_NAMES)
_EXPLANATION_WITHIN = re.compile(
    rf"(?<!\w)[*_`\"']{{0,4}}(?:{'|'.join(EXPLANATION_NAMES)})[*_`\"']{{0,4}}\s?[:：]", re.I
)
_LABEL_WITHIN = re.compile(r"(?<=[\s.!?;,|*])(?=(?:final )?label[*_`\"']{0,4}\s?[:：])", re.I)


@dataclass
class Part:
    """What stands under one mark ("" for none), up to the next."""

    kind: str
    name: str = ""
    lines: list[str] = field(default_factory=list)


def one_answer(text: str, task: Task) -> str:
    """`text` up to where, after a label under a mark (or in JSON), another question begins."""
    again = asks_again(task)
    lines = text.split("\n")
    announced = answered = False
    for number, line in enumerate(lines):
        if answered and again.match(line):
            return "\n".join(lines[:number])
        mark = _LABEL.match(line)
        value = line[mark.end() :] if mark else line
        answered = answered or ((announced or bool(mark)) and bool(value.strip()))
        announced = announced or bool(mark)
    return text


def at_marks(text: str, reader: LabelReader) -> Parsed | None:
    """The answer under the marks of `text`; None where no mark announces a label."""
    cut = parts_of(text)
    if not any(part.kind == "label" for part in cut):
        # All on one line: "The premise says so. Label: entailment"
        cut = parts_of(_LABEL_WITHIN.sub("\n", text))
    read = [(part, *_label_of(part, reader)) for part in _preferred(cut, "label", LABEL_NAMES)]
    # A mark with nothing under it, or with the question under it, is no answer.
    said = [each for each in read if not _silent(each[0], reader)]
    if not said:
        return settled([found for _, found, _ in read], marked_explanation(cut)) if read else None
    part, _, after = said[0]
    explanation = marked_explanation(cut, behind=part) or first_paragraph(after)
    return settled([found for _, found, _ in said], explanation)


def parts_of(text: str) -> list[Part]:
    """`text` cut at its marks."""
    parts = [Part("")]
    for line in text.split("\n"):
        label, explanation = _LABEL.match(line), _EXPLANATION.match(line)
        if label:
            value = line[label.end() :]
            within = _EXPLANATION_WITHIN.search(value)
            parts.append(_part("label", label, value[: within.start()] if within else value))
            if within:
                line = value[within.start() :]
                explanation = _EXPLANATION.match(line)
        if explanation:
            parts.append(_part("explanation", explanation, line[explanation.end() :]))
        elif not label:
            parts[-1].lines.append(line)
    return parts


def marked_explanation(parts: list[Part], behind: Part | None = None) -> str:
    """The first paragraph under an explanation's mark: the first one behind a part, or of all."""
    marked = _preferred(parts, "explanation", EXPLANATION_NAMES)
    start = next((place for place, part in enumerate(parts) if part is behind), -1)
    later = [part for part in parts[start + 1 :] if any(part is each for each in marked)]
    said = (first_paragraph(part.lines) for part in (*later, *marked))
    return next((text for text in said if text.strip()), "")


def _part(kind: str, mark: re.Match, value: str) -> Part:
    if '"' in mark["quote"] or "'" in mark["quote"]:  # an object that is no JSON
        value = value.strip(" \t\"',}]")
    return Part(kind, mark["name"].casefold(), [value.strip()])


def _preferred(parts: list[Part], kind: str, names: tuple[str, ...]) -> list[Part]:
    """The parts of a kind; only those under its first name where there are any."""
    found = [part for part in parts if part.kind == kind]
    return [part for part in found if part.name == names[0]] or found


def _label_of(part: Part, reader: LabelReader) -> tuple[Found, list[str]]:
    """The label in a part's first words, and the lines that follow it."""
    for number, line in enumerate(part.lines):
        if line.strip():
            found = reader.read(line)
            return found, [found.rest, *part.lines[number + 1 :]]
    return reader.read(""), []


def _silent(part: Part, reader: LabelReader) -> bool:
    first = next((line for line in part.lines if line.strip()), "")
    return not first or reader.names_all(first)
