"""The explanations behind a point of the ladder: every group of k, and its attribution."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.annotators.items import paging
from capo_core.dashboard.app import cache
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import section_heading, show_note
from capo_core.dashboard.ui.exports import download_table
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.item_html import Answer, answers_html
from capo_core.dashboard.ui.theme import looks
from capo_core.dataset import Dataset
from capo_core.formatting import count, number, short
from capo_core.templates import render

_OUTCOMES = {"all": "All", "right": "Correctly attributed", "wrong": "Misattributed"}
_ORDERS = {"clear": "Largest margin first", "mistaken": "Smallest margin first"}
# Explanations per page, whatever the size of a group.
_TEXTS = 24


def show(page: str, dataset: Dataset, groups: pd.DataFrame, k: int) -> None:
    """Show the groups behind one point, filtered and paged.

    Args:
        groups: one row an explanation: group, annotator_id, predicted, correct, margin,
            annotation_id.
    """
    heads = groups.drop_duplicates("group").set_index("group")
    section_heading(
        f"{int(heads['correct'].sum()):,} of {count(len(heads), 'group' if k > 1 else 'text')} "
        "correctly attributed, in one of the partitions"
    )
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
    if outcome != "all":
        heads = heads[heads["correct"] == (outcome == "right")]
    heads = heads.sort_values("margin", ascending=order == "mistaken", kind="stable")
    if heads.empty:
        show_note("No group matches these filters.")
        return
    start, end = paging(page, "p", len(heads), max(1, _TEXTS // k), "group" if k > 1 else "text")
    texts = cache.annotations_by_id(dataset)
    of_group = dict(iter(groups.groupby("group", sort=False)))
    if k == 1:
        _singles(dataset, heads.iloc[start:end], texts)
    else:
        for head in heads.iloc[start:end].itertuples():
            _group(dataset, head, of_group[head.Index], texts)
    download_table(
        groups.merge(texts.reset_index()[["annotation_id", "item_id", "label", "explanation"]]),
        key=f"{page}.evidence.csv",
        file_name=f"{dataset.name}-behind-the-point",
    )


def _singles(dataset: Dataset, heads: pd.DataFrame, texts: pd.DataFrame) -> None:
    answers = [
        _answer(texts.loc[head.annotation_id], f"{_verdict(head)}, margin {head.margin:.2f}")
        for head in heads.itertuples()
    ]
    st.html(answers_html(answers, looks(dataset.annotators)))


def _group(dataset: Dataset, head, rows: pd.DataFrame, texts: pd.DataFrame) -> None:
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
        answers = [_answer(texts.loc[name], "") for name in rows["annotation_id"]]
        st.html(answers_html(answers, looks(dataset.annotators)))


def _answer(row: pd.Series, remark: str) -> Answer:
    return Answer(row["annotator_id"], row["label"], row["explanation"], remark)


def _verdict(head) -> str:
    return "correctly attributed" if head.correct else f"attributed to {short(head.predicted, 60)}"
