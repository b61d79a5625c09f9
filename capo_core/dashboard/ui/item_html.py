"""Items and explanations as escaped HTML, and the filter of the items view; no Streamlit here.

The dimmed words are those of `tokens.input_spans`, exactly the ones that `mask_input` removes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd
from markupsafe import Markup

from capo_core.dashboard.ui.text import escape
from capo_core.dashboard.ui.theme import NEUTRAL, Look
from capo_core.dataset import Dataset
from capo_core.formatting import short
from capo_core.task import Task
from capo_core.templates import render
from capo_core.text.tokens import Span, input_spans, normalise, spans, unify_quotes

MOST_COLUMNS = 8  # annotators with a column each
# Longer texts are cut on the screen, with a remark; downloads have the full text.
LONGEST = 4000


@dataclass(frozen=True)
class Answer:
    """One annotation on the screen: annotator, label, explanation, and a remark."""

    annotator_id: str
    label: str
    explanation: str
    remark: str = ""


def marked(
    text: str, inputs: Sequence[str] = (), phrase: str = "", dimmed: Iterable[Span] = ()
) -> str:
    """Return `text` as escaped HTML, words of `inputs` dimmed and occurrences of `phrase` marked.

    Args:
        inputs: the item's own texts; empty for no dimming.
        phrase: words as `find_phrase` finds them; empty for no mark.
        dimmed: further words of `text` to be dimmed.
    """
    cut = len(text) > LONGEST
    text = text[:LONGEST]
    grey = [(span.start, span.end) for span in input_spans(text, *inputs)] if inputs else []
    grey += [(span.start, min(span.end, len(text))) for span in dimmed if span.start < len(text)]
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
    shown = [_shown(answer, looks, inputs, phrase) for answer in answers]
    return render("dashboard/ui/answers.html.j2", answers=shown)


def _shown(
    answer: Answer, looks: Mapping[str, Look], inputs: Sequence[str], phrase: str
) -> tuple[Answer, str, Markup]:
    """Return an answer with its colour and its marked text; "" without an explanation."""
    look = looks.get(answer.annotator_id)
    text = marked(answer.explanation, inputs, phrase) if answer.explanation.strip() else ""
    return answer, look.color if look else NEUTRAL, Markup(text)


def annotators_html(
    answers: Sequence[Answer],
    looks: Mapping[str, Look],
    *,
    inputs: Sequence[str] = (),
    phrase: str = "",
) -> str:
    """Return an item's answers as HTML, in a column for each annotator of the dataset.

    The columns are the same for every item, so that one annotator can be read down a list; one who
    did not annotate the item leaves the column empty. With more than `MOST_COLUMNS` annotators the
    answers stand side by side as they come.

    Args:
        looks: of all annotators, in their fixed order.
    """
    if len(looks) > MOST_COLUMNS:
        return answers_html(answers, looks, inputs=inputs, phrase=phrase)
    columns = []
    for name, look in looks.items():
        own = [
            _shown(answer, looks, inputs, phrase)
            for answer in answers
            if answer.annotator_id == name
        ]
        columns.append((name, look.color, own))
    return render("dashboard/ui/annotators.html.j2", columns=columns)


@dataclass(frozen=True)
class Tile:
    """Equal explanations of one annotator, shown once.

    Attributes:
        answer: annotator, label, text and remark.
        item_ids: the item of each of the explanations.
        dimmed: words of the text to be dimmed.
    """

    answer: Answer
    item_ids: tuple[str, ...]
    dimmed: tuple[Span, ...] = ()


def same_texts(rows: pd.DataFrame, *by: str) -> list[pd.DataFrame]:
    """Return the rows in groups with equal explanations, annotators and labels, in their order.

    Case, outer spaces and final punctuation make no difference, as in all that is measured.

    Args:
        rows: with explanation, annotator_id and label. by: further columns to be equal.
    """
    plain = rows["explanation"].map(normalise)
    keys = [plain, rows["annotator_id"], rows["label"], *(rows[name] for name in by)]
    return [part for _, part in rows.groupby(keys, sort=False, dropna=False)]


_LINKS = 5  # items named at a tile


def tiles_html(
    tiles: Iterable[Tile],
    looks: Mapping[str, Look],
    link: Callable[[str], str],
    *,
    task: Task | None = None,
    items: pd.DataFrame | None = None,
    phrase: str = "",
) -> str:
    """Return explanations apart from their items as HTML, each with how often it stands there.

    Args:
        link: item → the address that opens it.
        task, items: by item_id, to show the texts of the (first) item; None for links alone.
    """
    roles = [] if task is None else [task.role_a.capitalize(), task.role_b.capitalize()]
    shown = []
    for tile in tiles:
        look = looks.get(tile.answer.annotator_id)
        text = tile.answer.explanation
        item = items.loc[tile.item_ids[0], ["text_a", "text_b"]] if items is not None else ()
        different = list(dict.fromkeys(tile.item_ids))
        shown.append(
            {
                "answer": tile.answer,
                "color": look.color if look else NEUTRAL,
                "times": len(tile.item_ids),
                "text": Markup(marked(text, (), phrase, tile.dimmed)) if text.strip() else "",
                "item": [(role, text) for role, text in zip(roles, item, strict=False) if text],
                "links": [(name, link(name)) for name in different[:_LINKS]],
                "more": max(0, len(different) - _LINKS),
            }
        )
    return render("dashboard/ui/tiles.html.j2", tiles=shown, short=short)


@dataclass(frozen=True)
class Filter:
    """Conditions on an annotation ("" = any) and on its item.

    Attributes:
        phrase: occurs in the explanation, or in one of the item's texts.
        annotator_id, label: of the annotation.
        disagreement: only items whose annotators gave different labels.
        pair: only items to which these two gave different labels; with `pair_labels`, to which they
            gave just these.
    """

    phrase: str = ""
    annotator_id: str = ""
    label: str = ""
    disagreement: bool = False
    pair: tuple[str, ...] = ()
    pair_labels: tuple[str, ...] = ()

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
    if wanted.pair:
        labels = labels_of_two(dataset, *wanted.pair)
        chosen = labels["first"] != labels["second"]
        if wanted.pair_labels:
            first, second = wanted.pair_labels
            chosen = (labels["first"] == first) & (labels["second"] == second)
        kept &= set(labels.index[chosen])
    if not (wanted.narrows_annotations or wanted.disagreement or wanted.pair):
        return dataset.items["item_id"].tolist()
    return [item for item in dataset.items["item_id"] if item in kept]


def labels_of_two(dataset: Dataset, first: str, second: str) -> pd.DataFrame:
    """Return all pairs of labels on common items: columns first and second, indexed by item."""
    by = dataset.annotations.set_index("item_id")
    one = by.loc[by["annotator_id"] == first, ["label"]].rename(columns={"label": "first"})
    other = by.loc[by["annotator_id"] == second, ["label"]].rename(columns={"label": "second"})
    return one.join(other, how="inner")


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
