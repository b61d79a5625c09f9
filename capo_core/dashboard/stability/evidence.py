"""The explanations behind a point of the ladder: every group of k, and its attribution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from capo_core.dashboard.annotators.items import paging
from capo_core.dashboard.app import cache
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import Field, section_heading, show_note, table
from capo_core.dashboard.ui.exports import download_table
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.item_html import Answer, Tile, same_texts, tiles_html
from capo_core.dashboard.ui.theme import looks
from capo_core.dataset import Dataset
from capo_core.formatting import count, number, short
from capo_core.stability.evidence import by_annotator
from capo_core.templates import render
from capo_core.text.reductions import REDUCTIONS, masked_words
from capo_core.text.tagging import TextTagger
from capo_core.text.tokens import Span, normalise

_OUTCOMES = {"all": "All", "right": "Correctly attributed", "wrong": "Misattributed"}
_ORDERS = {"clear": "Largest margin first", "mistaken": "Smallest margin first"}
# Explanations per page, whatever the size of a group.
_TEXTS = 24


@dataclass(frozen=True)
class Masking:
    """The way the texts of a point were reduced, for dimming what was masked.

    Attributes:
        reduction: name of the reduction. raw: texts were measured as typed.
        cache: folder of the workspace in which the tags of the texts lie.
    """

    reduction: str
    raw: bool
    cache: Path

    def note(self) -> str:
        """Return what is dimmed; "" where nothing is masked."""
        found = REDUCTIONS.get(self.reduction)
        if found is None or found.masked is None:
            return ""
        return f"Dimmed: words that are replaced under “{found.title}”."

    def words(self, texts: pd.DataFrame, items: pd.DataFrame) -> list[tuple[Span, ...]]:
        """Return the masked words of each explanation.

        Args:
            texts: with explanation and item_id. items: by item_id, with text_a and text_b.
        """
        found = REDUCTIONS.get(self.reduction)
        if found is None or found.masked is None:
            return [()] * len(texts)
        explanations = texts["explanation"].tolist()
        tags = None
        if found.tagged:
            # Tagged when the report was computed: no tagger is loaded for a page.
            measured = explanations if self.raw else [normalise(text) for text in explanations]
            tags = TextTagger(self.cache).known(list(dict.fromkeys(measured)))
        sources = items.loc[texts["item_id"], ["text_a", "text_b"]]
        inputs = sources.itertuples(index=False, name=None)
        return [
            tuple(masked_words(found, text, pair, raw=self.raw, tags=tags))
            for text, pair in zip(explanations, inputs, strict=True)
        ]


def show(page: str, dataset: Dataset, groups: pd.DataFrame, k: int, masking: Masking) -> None:
    """Show the groups behind one point, filtered and paged; equal texts stand there once.

    Args:
        groups: one row an explanation: group, annotator_id, predicted, correct, margin,
            annotation_id.
    """
    heads = groups.drop_duplicates("group").set_index("group")
    heading = st.container()  # of the chosen annotator, who is chosen below
    with st.expander("By annotator"):
        _annotators(page, dataset, groups, k)
    columns = st.columns(3)
    with columns[0]:
        who = url_state.choice(
            st.selectbox,
            "Annotator",
            ["", *dataset.annotators],
            page=page,
            key="who",
            clears=("p",),
            format_func=lambda value: value or "Any",
        )
    with columns[1]:
        outcome = url_state.choice(
            st.selectbox,
            "Outcome",
            list(_OUTCOMES),
            page=page,
            key="outcome",
            clears=("p",),
            format_func=_OUTCOMES.__getitem__,
        )
    with columns[2]:
        order = url_state.choice(
            st.selectbox,
            "Order",
            list(_ORDERS),
            page=page,
            key="order",
            clears=("p",),
            format_func=_ORDERS.__getitem__,
            help=HELP["margin"],
        )
    if who:
        heads = heads[heads["annotator_id"] == who]
    with heading:
        section_heading(
            f"{int(heads['correct'].sum()):,} of {count(len(heads), 'group' if k > 1 else 'text')}"
            f"{f' of {short(who, 40)}' if who else ''} correctly attributed, in one of the "
            "partitions"
        )
    if outcome != "all":
        heads = heads[heads["correct"] == (outcome == "right")]
    heads = heads.sort_values("margin", ascending=order == "mistaken", kind="stable")
    if heads.empty:
        show_note("No group matches these filters.")
        return
    texts = cache.annotations_by_id(dataset)
    if masking.note():
        show_note(masking.note())
    if k == 1:
        _singles(page, dataset, heads, texts, masking)
    else:
        start, end = paging(page, "p", len(heads), max(1, _TEXTS // k), "group")
        of_group = dict(iter(groups.groupby("group", sort=False)))
        for head in heads.iloc[start:end].itertuples():
            _group(dataset, head, of_group[head.Index], texts, masking)
    download_table(
        groups.merge(texts.reset_index()[["annotation_id", "item_id", "label", "explanation"]]),
        key=f"{page}.evidence.csv",
        file_name=f"{dataset.name}-behind-the-point",
    )


def _annotators(page: str, dataset: Dataset, groups: pd.DataFrame, k: int) -> None:
    """Show how identifiable each annotator is at the open point."""
    table(
        by_annotator(groups),
        {
            "annotator_id": Field("Annotator"),
            "accuracy": Field("Accuracy", "Share attributed to the annotator.", 0, percent=True),
            "low": Field("From", "Lower end of Wilson's 95 % interval.", 0, percent=True),
            "high": Field("To", "Upper end of the 95 % interval.", 0, percent=True),
            "groups": Field("Groups" if k > 1 else "Texts", "Of one partition.", 0),
            "taken_for": Field("Most often taken for", "Of those that are misattributed."),
        },
        key=f"{page}.by_annotator",
        file_name=f"{dataset.name}-by-annotator",
    )


def _singles(
    page: str, dataset: Dataset, heads: pd.DataFrame, texts: pd.DataFrame, masking: Masking
) -> None:
    rows = heads.drop(columns="annotator_id").join(texts, on="annotation_id")
    same = same_texts(rows, "predicted")
    start, end = paging(page, "p", len(same), _TEXTS, "different text")
    remarks = []
    for part in same[start:end]:
        low, high = (number(value) for value in (part["margin"].min(), part["margin"].max()))
        margin = low if low == high else f"{low} to {high}"
        remarks.append(f"{_verdict(part.iloc[0])}, margin {margin}")
    _tiles(dataset, same[start:end], remarks, masking)


def _group(
    dataset: Dataset, head, rows: pd.DataFrame, texts: pd.DataFrame, masking: Masking
) -> None:
    look = looks(dataset.annotators)[head.annotator_id]
    with st.container(border=True):
        html = render(
            "dashboard/stability/group_head.html.j2",
            color=look.color,
            explanations=count(len(rows), "explanation"),
            annotator=short(head.annotator_id, 60),
            verdict=_verdict(head),
            margin=number(head.margin),
        )
        st.html(html)
        same = same_texts(texts.loc[rows["annotation_id"]])
        _tiles(dataset, same, [""] * len(same), masking)


def _tiles(
    dataset: Dataset, same: list[pd.DataFrame], remarks: list[str], masking: Masking
) -> None:
    items = cache.items_by_id(dataset)
    first = pd.DataFrame([part.iloc[0] for part in same])
    tiles = [
        Tile(
            Answer(row.annotator_id, row.label, row.explanation, remark),
            tuple(part["item_id"]),
            dimmed,
        )
        for row, part, remark, dimmed in zip(
            first.itertuples(), same, remarks, masking.words(first, items), strict=True
        )
    ]
    st.html(
        tiles_html(
            tiles,
            looks(dataset.annotators),
            lambda item: url_state.address("annotators", view="items", item=item),
            task=dataset.task,
            items=items,
        )
    )


def _verdict(head) -> str:
    return "correctly attributed" if head.correct else f"attributed to {short(head.predicted, 60)}"
