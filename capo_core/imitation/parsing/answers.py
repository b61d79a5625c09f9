"""Three forms of answers: under marks, as JSON, and in prose.

Marks: "Label: neutral", "**Final answer:** 3", "### Explanation". JSON: {"label": "neutral",
"explanation": "…"}, alone or within prose. Prose: a label on a line of its own, or in a sentence
that states it.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field

from capo_core.imitation.parsing.labels import TWO_LABELS, LabelReader, LabelReading, is_word
from capo_core.imitation.parsing.result import (
    ParsedResponse,
    asks_again,
    first_paragraph,
    resolve_answers,
)
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
class MarkedPart:
    """The text under one mark ("" for none), up to the next."""

    kind: str
    name: str = ""
    lines: list[str] = field(default_factory=list)


def one_answer(text: str, task: Task) -> str:
    """Return `text` up to the beginning of another question after a label under a mark (or in
    JSON).
    """
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


def at_marks(text: str, reader: LabelReader) -> ParsedResponse | None:
    """Parse the answer under the marks of `text`; None if no mark announces a label."""
    cut = marked_parts(text)
    if not any(part.kind == "label" for part in cut):
        # All on one line: "The premise says so. Label: entailment"
        cut = marked_parts(_LABEL_WITHIN.sub("\n", text))
    read = [(part, *_label_of(part, reader)) for part in _preferred(cut, "label", LABEL_NAMES)]
    # A mark with nothing under it, or with the question under it, is no answer.
    said = [each for each in read if not _silent(each[0], reader)]
    if not said:
        return (
            resolve_answers([found for _, found, _ in read], marked_explanation(cut))
            if read
            else None
        )
    part, _, after = said[0]
    explanation = marked_explanation(cut, behind=part) or first_paragraph(after)
    return resolve_answers([found for _, found, _ in said], explanation)


def marked_parts(text: str) -> list[MarkedPart]:
    """Split `text` at its marks."""
    parts = [MarkedPart("")]
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


def marked_explanation(parts: list[MarkedPart], behind: MarkedPart | None = None) -> str:
    """Return the first paragraph under an explanation mark: the first after a part, or of all."""
    marked = _preferred(parts, "explanation", EXPLANATION_NAMES)
    start = next((place for place, part in enumerate(parts) if part is behind), -1)
    later = [part for part in parts[start + 1 :] if any(part is each for each in marked)]
    said = (first_paragraph(part.lines) for part in (*later, *marked))
    return next((text for text in said if text.strip()), "")


def _part(kind: str, mark: re.Match, value: str) -> MarkedPart:
    if '"' in mark["quote"] or "'" in mark["quote"]:  # an object that is no JSON
        value = value.strip(" \t\"',}]")
    return MarkedPart(kind, mark["name"].casefold(), [value.strip()])


def _preferred(parts: list[MarkedPart], kind: str, names: tuple[str, ...]) -> list[MarkedPart]:
    """Return the parts of a kind; only those under its first name if there are any."""
    found = [part for part in parts if part.kind == kind]
    return [part for part in found if part.name == names[0]] or found


def _label_of(part: MarkedPart, reader: LabelReader) -> tuple[LabelReading, list[str]]:
    """Parse the label in a part's first words; also return the lines that follow it."""
    for number, line in enumerate(part.lines):
        if line.strip():
            found = reader.read(line)
            return found, [found.rest, *part.lines[number + 1 :]]
    return reader.read(""), []


def _silent(part: MarkedPart, reader: LabelReader) -> bool:
    first = next((line for line in part.lines if line.strip()), "")
    return not first or reader.names_all(first)


_TRIES = 20  # places at which an object may begin


def in_json(text: str, reader: LabelReader) -> ParsedResponse | None:
    """Parse the answer in the JSON objects of `text`; None if no object has a label."""
    members = [
        (str(name).strip().casefold(), value)
        for fields in _objects(text)
        for name, value in fields
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    found = [reader.read(str(value)) for name, value in members if name in LABEL_NAMES]
    if not found:
        return None
    texts = [(name, value) for name, value in members if isinstance(value, str)]
    said = [value for name, value in texts if name in EXPLANATION_NAMES]
    return resolve_answers(found, next((text for text in said if text.strip()), ""))


def _objects(text: str) -> list[list[tuple[str, object]]]:
    """Return the members of all JSON objects in `text`, nested ones included."""
    objects: list[list[tuple[str, object]]] = []

    def collect(members: list[tuple[str, object]]) -> list[tuple[str, object]]:
        objects.append(members)  # as pairs: a name given twice must not hide a second label
        return members

    decoder = json.JSONDecoder(object_pairs_hook=collect)
    end = 0
    for brace in list(re.finditer(r"\{", text))[:_TRIES]:
        if brace.start() < end:
            continue
        with suppress(ValueError, RecursionError):  # no JSON: an object inside it may be
            end = decoder.raw_decode(text, brace.start())[1]
    return objects


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


def in_prose(text: str, task: Task, reader: LabelReader) -> ParsedResponse:
    """Parse the answer in the lines or sentences of `text`; a problem if there is none."""
    text = _before_next_question(text, task)
    explanation = marked_explanation(marked_parts(text))
    for search in (_on_own_line, _in_sentence):
        found, after = search(text, reader)
        if found:
            return resolve_answers(found, explanation or first_paragraph(after))
    return resolve_answers([], explanation)


def _before_next_question(text: str, task: Task) -> str:
    again = asks_again(task)
    lines = text.split("\n")
    end = next((n for n, line in enumerate(lines) if n and again.match(line)), len(lines))
    return "\n".join(lines[:end])


def _on_own_line(text: str, reader: LabelReader) -> tuple[list[LabelReading], list[str]]:
    """Return a label that begins the answer or is its last line, and the lines after it."""
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    found, after = [], []
    for number in dict.fromkeys(filled[:1] + filled[-1:]):
        alone = reader.alone(lines[number])
        if alone and (number == filled[0] or not alone.rest):
            after = after or [alone.rest, *lines[number + 1 :]]
            found.append(alone)
    return found, after


def _in_sentence(text: str, reader: LabelReader) -> tuple[list[LabelReading], list[str]]:
    """Return the labels stated in sentences, and the text after the first of them."""
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
