"""Items and explanations as escaped HTML, and the filter of the items view; no Streamlit here.

The dimmed words are those of `tokens.input_spans`, exactly the ones that `mask_input` removes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd
from markupsafe import Markup

from capo_core.dashboard.ui.text import escape
from capo_core.dashboard.ui.theme import NEUTRAL, Look
from capo_core.dataset import Dataset
from capo_core.task import Task
from capo_core.templates import render
from capo_core.text.tokens import input_spans, spans, unify_quotes

# Longer texts are cut on the screen, with a remark; downloads have the full text.
LONGEST = 4000


@dataclass(frozen=True)
class Answer:
    """One annotation on the screen: annotator, label, explanation, and a remark."""

    annotator_id: str
    label: str
    explanation: str
    remark: str = ""


def marked(text: str, inputs: Sequence[str] = (), phrase: str = "") -> str:
    """Return `text` as escaped HTML, words of `inputs` dimmed and occurrences of `phrase` marked.

    Args:
        inputs: the item's own texts; empty for no dimming.
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
        parts.append(
            ' <span class="capo-label">… (truncated; the download has the full text)</span>'
        )
    return "".join(parts)


def find_phrase(text: str, phrase: str) -> list[tuple[int, int]]:
    """Return (start, end) of every occurrence of `phrase` in `text`.

    Whole tokens are matched first, as in the phrase tables; without a match (part of a word), the
    characters, ignoring case.
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
    """Return the item's texts as HTML, each with its role."""
    rows = [(task.role_a, text_a), (task.role_b, text_b)]
    texts = [(role.capitalize(), Markup(marked(text, (), phrase))) for role, text in rows if text]
    return render("dashboard/ui/item.html.j2", texts=texts)


def answers_html(
    answers: Iterable[Answer],
    looks: Mapping[str, Look],
    *,
    inputs: Sequence[str] = (),
    phrase: str = "",
) -> str:
    """Return answers side by side as HTML, each with the colour of its annotator."""
    shown = []
    for answer in answers:
        look = looks.get(answer.annotator_id)
        text = marked(answer.explanation, inputs, phrase) if answer.explanation.strip() else ""
        shown.append((answer, look.color if look else NEUTRAL, Markup(text)))
    return render("dashboard/ui/answers.html.j2", answers=shown)


@dataclass(frozen=True)
class Filter:
    """Conditions on an annotation ("" = any) and on its item.

    Attributes:
        phrase: occurs in the explanation, or in one of the item's texts.
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
    """Return the annotations that pass the filter, in the dataset's order."""
    frame = dataset.annotations
    if wanted.annotator_id:
        frame = frame[frame["annotator_id"] == wanted.annotator_id]
    if wanted.label:
        frame = frame[frame["label"] == wanted.label]
    if wanted.phrase:
        frame = frame[with_phrase(frame["explanation"], wanted.phrase)]
    return frame


def item_ids(dataset: Dataset, wanted: Filter) -> list[str]:
    """Return the items with at least one annotation that passes, in the dataset's order."""
    kept = set(matches(dataset, wanted)["item_id"])
    if wanted.phrase:
        # A match in the item's texts counts too, if an annotation passes the other conditions.
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
    """Return True for each text in which `find_phrase` finds `phrase`: lists match marks."""
    first = next((span.token for span in spans(phrase)), "")
    # The first token as characters rules most texts out at once, before tokens are compared.
    found = [
        not first or (first in unify_quotes(text).lower() and bool(find_phrase(text, phrase)))
        for text in texts
    ]
    return pd.Series(found, index=texts.index, dtype=bool)


def answers(dataset: Dataset, item_id: str) -> list[Answer]:
    """Return all annotations of one item, annotators in their fixed order."""
    rows = dataset.annotations[dataset.annotations["item_id"] == item_id]
    place = {annotator: position for position, annotator in enumerate(dataset.annotators)}
    remarks = {"false": "rejected in the validation round", "true": "", "unknown": ""}
    found = [
        Answer(row.annotator_id, row.label, row.explanation, remarks[row.valid])
        for row in rows.itertuples()
    ]
    return sorted(found, key=lambda answer: place[answer.annotator_id])
