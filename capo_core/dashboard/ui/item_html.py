"""Items and explanations as HTML: everything from the data is escaped here, and only here built.

The greyed words are those of `tokens.input_spans`, the ones that `mask_input` removes: what is
seen is what is measured.

Which items a filter leaves, in the dataset's order. No Streamlit here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from capo_core.dashboard.ui.text import escape
from capo_core.dashboard.ui.theme import NEUTRAL, Look
from capo_core.dataset import Dataset
from capo_core.task import Task
from capo_core.text.tokens import input_spans, spans, unify_quotes

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


@dataclass(frozen=True)
class Filter:
    """What must hold of an annotation ("" = anything) and of its item.

    Attributes:
        phrase: stands in the explanation, or in one of the item's own texts.
        annotator_id, label: of the annotation.
        disagreement: only items whose annotators gave different labels.
    """

    phrase: str = ""
    annotator_id: str = ""
    label: str = ""
    disagreement: bool = False

    @property
    def narrows_annotations(self) -> bool:
        return bool(self.phrase or self.annotator_id or self.label)


def matches(dataset: Dataset, wanted: Filter) -> pd.DataFrame:
    """The annotations that pass the filter, in the dataset's order."""
    frame = dataset.annotations
    if wanted.annotator_id:
        frame = frame[frame["annotator_id"] == wanted.annotator_id]
    if wanted.label:
        frame = frame[frame["label"] == wanted.label]
    if wanted.phrase:
        frame = frame[with_phrase(frame["explanation"], wanted.phrase)]
    return frame


def item_ids(dataset: Dataset, wanted: Filter) -> list[str]:
    """The items with at least one annotation that passes, in the dataset's order."""
    kept = set(matches(dataset, wanted)["item_id"])
    if wanted.phrase:
        # A word of the item's own texts finds it too, if its annotations pass the rest.
        rest = Filter("", wanted.annotator_id, wanted.label)
        texts = dataset.items["text_a"] + "\n" + dataset.items["text_b"]
        named = set(dataset.items.loc[with_phrase(texts, wanted.phrase), "item_id"])
        kept |= named & set(matches(dataset, rest)["item_id"])
    if wanted.disagreement:
        labels = dataset.annotations.groupby("item_id")["label"].nunique()
        kept &= set(labels.index[labels > 1])
    if not wanted.narrows_annotations and not wanted.disagreement:
        return dataset.items["item_id"].tolist()
    return [item for item in dataset.items["item_id"] if item in kept]


def with_phrase(texts: pd.Series, phrase: str) -> pd.Series:
    """True where `browser.find_phrase` finds `phrase`: what is listed is what will be marked."""
    first = next((span.token for span in spans(phrase)), "")
    # The first token as characters rules most texts out at once, before tokens are compared.
    found = [
        not first or (first in unify_quotes(text).lower() and bool(find_phrase(text, phrase)))
        for text in texts
    ]
    return pd.Series(found, index=texts.index, dtype=bool)


def answers(dataset: Dataset, item_id: str) -> list[Answer]:
    """All annotations of one item, annotators in their fixed order."""
    rows = dataset.annotations[dataset.annotations["item_id"] == item_id]
    place = {annotator: position for position, annotator in enumerate(dataset.annotators)}
    remarks = {"false": "judged not valid later", "true": "", "unknown": ""}
    found = [
        Answer(row.annotator_id, row.label, row.explanation, remarks[row.valid])
        for row in rows.itertuples()
    ]
    return sorted(found, key=lambda answer: place[answer.annotator_id])
