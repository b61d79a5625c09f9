"""The explanations of an item on the ladder: whom each is attributed to, by reduction."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, page_link
from capo_core.dashboard.stability import cache as stability_cache
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import Field, section_heading, show_note, table
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.theme import reduction_name, representation_name
from capo_core.dataset import Dataset
from capo_core.formatting import number, short


def show(page: str, context: PageContext, dataset: Dataset, item_id: str) -> None:
    """Show the attribution of each explanation of an item, from the saved stability report."""
    saved = stability_cache.with_evidence(context.workspace, context.entry)
    if saved is None:
        show_note("There is no stability report with the explanations behind it yet.")
        page_link(context, "stability", "Open Stability")
        return
    rows = cache.annotations_by_id(dataset)
    rows = rows[rows["item_id"] == item_id]
    pools = [str(k) for k in saved.config.pool]
    section_heading("Where these explanations fall on the ladder", HELP["margin"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        representation = url_state.choice(
            st.selectbox,
            "Representation",
            list(stability_cache.evidence_representations(saved)),
            page=page,
            key="rep",
            format_func=representation_name,
            width=230,
        )
        k = int(
            url_state.choice(
                st.selectbox, "Explanations pooled (k)", pools, page=page, key="k", width=200
            )
        )
    found = stability_cache.points_of(saved, tuple(rows.index), representation, k)
    if found.empty:
        show_note(
            "None of them is among the explanations that the report attributed: too short, too few "
            "of their annotator, or in a group that was not filled."
        )
        return
    reductions = list(dict.fromkeys(found["reduction"]))
    shown = attribution_table(found, rows)
    # Their beginnings are needed only where an annotator has several; else all reductions have
    # room in a window of 1440 pixels.
    texts = {"explanation": Field("Explanation", width="small")}
    table(
        shown,
        {
            "annotator": Field("Annotator"),
            **({} if shown["annotator"].is_unique else texts),
            **{name: Field(reduction_name(name), _CELL) for name in reductions},
        },
        key=f"{page}.ladder",
        file_name=f"{dataset.name}-{item_id}-ladder",
    )
    if k > 1:
        show_note(
            f"Each explanation is attributed together with {k - 1} others of its annotator, on "
            "other items, in one of the partitions."
        )
    page_link(
        context, "stability", "All explanations behind this point",
        rep=representation, k=str(k), part="evidence",
    )  # fmt: skip


_CELL = (
    "To whom it is attributed, with the margin: the author's score minus the best other one; below "
    "0 is wrong. The place of that margin among all is in the CSV."
)


def attribution_table(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row an explanation, with a column for each reduction, and one for the place of its
    margin.

    Args:
        found: see `Evidence.points_of`. rows: annotations by annotation_id.
    """
    shown = []
    for annotation_id, own in found.groupby("annotation_id", sort=False):
        row = {
            "annotator": own["annotator_id"].iloc[0],
            "explanation": short(rows.at[annotation_id, "explanation"], 80),
        }
        for each in own.itertuples():
            mark = "✓" if each.correct else "✗"
            row[each.reduction] = f"{mark} {short(each.predicted, 20)} ({number(each.margin)})"
            row[f"{each.reduction}_rank"] = each.rank
        shown.append(row)
    return pd.DataFrame(shown)
