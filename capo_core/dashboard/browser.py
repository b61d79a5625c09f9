"""Items and explanations as HTML: everything from the data is escaped here, and only here built.

The greyed words are those of `tokens.input_spans`, the ones that `mask_input` removes: what is
seen is what is measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from capo_core.dashboard.theme import NEUTRAL, Look
from capo_core.dashboard.words import escape
from capo_core.task import Task
from capo_core.text.tokens import input_spans, spans

# What is longer is cut on the screen, and said to be; the download has the whole.
LONGEST = 4000


@dataclass(frozen=True)
class Answer:
    """One annotation as it is shown: who, which label, why, and what else is to be said of it."""

    annotator_id: str
    label: str
    explanation: str
    remark: str = ""


def marked(text: str, inputs: Sequence[str] = (), phrase: str = "") -> str:
    """`text` as HTML: words of `inputs` greyed, occurrences of `phrase` marked, all escaped.

    Args:
        inputs: the item's own texts; empty for no greying.
        phrase: words as `find_phrase` finds them; empty for no mark.
    """
    cut = len(text) > LONGEST
    text = text[:LONGEST]
    grey = [(span.start, span.end) for span in input_spans(text, *inputs)] if inputs else []
    found = find_phrase(text, phrase)
    edges = sorted({0, len(text), *(edge for pair in [*grey, *found] for edge in pair)})
    parts = []
    for start, end in pairwise(edges):
        piece = escape(text[start:end])
        if any(a <= start and end <= b for a, b in grey):
            piece = f'<span class="capo-input">{piece}</span>'
        if any(a <= start and end <= b for a, b in found):
            piece = f"<mark>{piece}</mark>"
        parts.append(piece)
    if cut:
        parts.append(' <span class="capo-label">… (cut here; the download has the whole)</span>')
    return "".join(parts)


def find_phrase(text: str, phrase: str) -> list[tuple[int, int]]:
    """Where the tokens of `phrase` stand one after the other in `text`, else its characters.

    Whole tokens first, as the phrase tables count them; where none match (part of a word was
    typed), the characters as they are, whatever their case.
    """
    wanted = [span.token for span in spans(phrase)]
    if not wanted:
        return []
    have = spans(text)
    n = len(wanted)
    found = [
        (have[i].start, have[i + n - 1].end)
        for i in range(len(have) - n + 1)
        if [span.token for span in have[i : i + n]] == wanted
    ]
    if found:
        return found
    pattern = re.compile(re.escape(phrase.strip()), re.IGNORECASE)
    return [match.span() for match in pattern.finditer(text)]


def item_html(task: Task, text_a: str, text_b: str, phrase: str = "") -> str:
    """The item's own texts under their roles."""
    rows = [(task.role_a, text_a), (task.role_b, text_b)]
    lines = (
        f'<p dir="auto"><span class="capo-role">{escape(role.capitalize())}</span>'
        f"{marked(text, (), phrase)}</p>"
        for role, text in rows
        if text
    )
    return f'<div class="capo-item">{"".join(lines)}</div>'


def answers_html(
    answers: Iterable[Answer],
    looks: Mapping[str, Look],
    *,
    inputs: Sequence[str] = (),
    phrase: str = "",
) -> str:
    """Answers side by side, each beside the colour of its annotator."""
    blocks = []
    for answer in answers:
        look = looks.get(answer.annotator_id)
        color = look.color if look else NEUTRAL
        text = marked(answer.explanation, inputs, phrase)
        if not answer.explanation.strip():
            text = '<span class="capo-label">no explanation given</span>'
        label = f' <span class="capo-label">{escape(answer.label)}</span>' if answer.label else ""
        remark = (
            f' <span class="capo-label">· {escape(answer.remark)}</span>' if answer.remark else ""
        )
        blocks.append(
            f'<div class="capo-answer" style="--who:{color}"><p class="capo-head">'
            f"<b>{escape(answer.annotator_id)}</b>{label}{remark}</p>"
            f'<p class="capo-text" dir="auto">{text}</p></div>'
        )
    return f'<div class="capo-answers">{"".join(blocks)}</div>'
