"""Parsing of a model's text into a label and an explanation.

The requested format is that of `prompts.write_response`; other forms are parsed as well if
unambiguous: marks in bold or as headings, JSON, a label as a line or a sentence of its own,
thinking before and prose around. An ambiguous text is not parsed, and its problem is named: a wrong
label would count as the annotator's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from capo_core.imitation.parsing.answers import at_marks, in_json, in_prose, one_answer
from capo_core.imitation.parsing.labels import reader_of
from capo_core.imitation.parsing.result import (
    EMPTY_TEXT,
    NO_EXPLANATION,
    ONLY_THINKING,
    PROBLEMS,
    ParsedResponse,
    answer_part,
)
from capo_core.imitation.prompting.prompts import EXPLANATION_MARK, LABEL_MARK
from capo_core.task import Task

__all__ = ["PROBLEMS", "ParsedResponse", "count_problems", "parse_response"]


def parse_response(text: str, task: Task) -> ParsedResponse:
    """Return the label and the explanation in a model's text; never raises, and never guesses.

    A text in the exact format is parsed literally, whatever its explanation contains. In any other,
    the first paragraph under the explanation's mark (or, without a mark, after the label) is the
    explanation; further questions that a model adds after its answer are cut off.

    >>> from capo_core.task import NLI
    >>> answer = parse_response("**Label:** Neutral\\n\\nExplanation: Nobody says so.", NLI)
    >>> answer.label, answer.explanation, answer.problem
    ('neutral', 'Nobody says so.', '')
    >>> parse_response("It is either neutral or a contradiction.", NLI).problem
    'two labels'
    """
    if not text.strip():
        return ParsedResponse("", "", EMPTY_TEXT)
    exact = _exact(text.strip(), task)
    if exact:
        return exact
    answer, thought = answer_part(text, task)
    if not answer:
        return ParsedResponse("", "", ONLY_THINKING if thought else EMPTY_TEXT)
    answer, reader = one_answer(answer, task), reader_of(task.scale)
    return (
        _exact(answer, task)
        or in_json(answer, reader)
        or at_marks(answer, reader)
        or in_prose(answer, task, reader)
    )


def count_problems(parsed: Iterable[ParsedResponse]) -> dict[str, int]:
    """Return the number of answers with each of `PROBLEMS`, without those that none has."""
    counts = Counter(each.problem for each in parsed)
    return {problem: counts[problem] for problem in PROBLEMS if counts[problem]}


def _exact(text: str, task: Task) -> ParsedResponse | None:
    """Parse a text of exactly two lines, in the format of `write_response`."""
    for label in task.scale.labels:
        head = f"{LABEL_MARK} {label}\n{EXPLANATION_MARK}"
        if text.startswith(head) and len(text[len(head) :].splitlines()) <= 1:
            explanation = " ".join(text[len(head) :].split())
            return ParsedResponse(label, explanation, "" if explanation else NO_EXPLANATION)
    return None
