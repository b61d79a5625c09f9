"""The view of all annotators: ranked by a measure, top and bottom of many, with a search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from capo_core.dashboard.annotators import PAGE, charts
from capo_core.dashboard.annotators import cache as annotators_cache
from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_figure,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.text import markdown
from capo_core.dataset import Dataset
from capo_core.formatting import count, number, percent, short

if TYPE_CHECKING:
    from capo_core.stability.annotator_profiles import AnnotatorProfile

EACH = 10  # annotators shown from the top, and from the bottom
_LEAST = 10  # labels or explanations, with fewer of which an annotator is not ranked
_SIZES = {"annotations": "Annotations", "explanations": "Explanations"}


def top_and_bottom(rows: pd.DataFrame, each: int, also: Collection[str] = ()) -> pd.DataFrame:
    """Return the rows to show of many: the highest and lowest values, and those searched for.

    Args:
        rows: annotator_id, value, …; in any order.
        each: rows from the top, and from the bottom; all where there are no more than two more.
        also: annotators shown wherever they stand.

    Returns: the rows in descending order, with `rank` (from 1) and `skipped`: how many are left
        out directly above a row.
    """
    ranked = rows.sort_values("value", ascending=False, kind="stable").reset_index(drop=True)
    ranked = ranked.assign(rank=range(1, len(ranked) + 1))
    if len(ranked) > 2 * each + 2:
        edge = (ranked["rank"] <= each) | (ranked["rank"] > len(ranked) - each)
        ranked = ranked[edge | ranked["annotator_id"].isin(list(also))]
    before = ranked["rank"].shift(1, fill_value=0)
    return ranked.assign(skipped=ranked["rank"] - before - 1).reset_index(drop=True)


def measured(profiles: Sequence[AnnotatorProfile], measure: str) -> pd.DataFrame:
    """Return annotator_id, value, low, high, n of a measure; annotators without it are left out.

    Args:
        measure: "annotations", "explanations", "words" (median, with quartiles), or "label:X" (the
            share of a label, with its 95 % interval).
    """
    rows = []
    for one in profiles:
        if measure in _SIZES:
            size = one.n if measure == "annotations" else one.n_explanations
            rows.append((one.annotator_id, size, size, size, size))
        elif measure == "words":
            if (found := one.length) is not None:
                rows.append((one.annotator_id, found.median, found.low_quarter,
                             found.high_quarter, one.n_explanations))  # fmt: skip
        else:
            use = next(use for use in one.labels if f"label:{use.label}" == measure)
            total = sum(each.count for each in one.labels)
            if total:
                rows.append((one.annotator_id, use.share, use.low, use.high, total))
    return pd.DataFrame(rows, columns=["annotator_id", "value", "low", "high", "n"])


def show(context: PageContext, dataset: Dataset) -> None:
    """Show the annotators by the chosen measure, and the table of all."""
    profiles = annotators_cache.profiles(context.workspace, context.entry)
    labels = {f"label:{label}": f"Share of label {label}" for label in dataset.task.scale.labels}
    titles = {"words": "Words per explanation (median)", **labels, **_SIZES}
    has_words = any(one.length is not None for one in profiles)
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        measure = url_state.choice(
            st.selectbox,
            "Measure",
            list(titles) if has_words else [key for key in titles if key != "words"],
            page=PAGE,
            key="measure",
            format_func=titles.__getitem__,
        )
    rows = measured(profiles, measure)
    few = rows["n"] < _LEAST
    if measure not in _SIZES and (~few).sum() > 2 * EACH:
        rows = rows[~few]
    with right:
        also = st.multiselect(
            "Search for annotators",
            list(rows["annotator_id"]),
            key=f"{PAGE}.also",
            placeholder="shown wherever they stand",
            disabled=len(rows) <= 2 * EACH + 2,
        )
    shown = top_and_bottom(rows, EACH, also)
    _chart(context, shown, rows, measure, titles[measure])
    if unranked := len(profiles) - len(rows):
        show_note(
            f"{count(unranked, 'annotator')} with fewer than {_LEAST} labels or explanations "
            f"{'is' if unranked == 1 else 'are'} not ranked."
        )
    _table(context, profiles, labels)


def _chart(
    context: PageContext, shown: pd.DataFrame, rows: pd.DataFrame, measure: str, title: str
) -> None:
    if rows.empty:
        show_note("No annotator has this measure.")
        return
    share = measure.startswith("label:")
    middle = float(rows["value"].median())
    text = percent(middle) if share else number(middle, 0 if middle.is_integer() else 1)
    show_headline(f"{title}: the median over {count(len(rows), 'annotator')} is {text}.")
    hidden = len(rows) - len(shown)
    section_heading(
        f"The {EACH} highest and the {EACH} lowest" if hidden else "All annotators",
        "Whiskers: 95 % interval of a share, quartiles of the words. Dashed: the median of all. "
        "Of many annotators the highest are so by chance too: look at the intervals. Equal values "
        "stand in the order of the dataset.",
    )
    show_figure(
        charts.ranked(shown, title, middle, share=share),
        key=f"{PAGE}.ranked",
        file_name=f"{context.entry.name}-annotators",
        alt=f"{title}, by annotator",
        on_select=_clicked,
    )


def _clicked() -> None:
    points = url_state.now(f"{PAGE}.ranked").selection.points
    if points and points[0].get("customdata"):
        url_state.put(PAGE, {"view": "one", "who": points[0]["customdata"][0]})


def _table(
    context: PageContext, profiles: Sequence[AnnotatorProfile], labels: dict[str, str]
) -> None:
    frame = pd.DataFrame(
        [
            {
                "annotator_id": one.annotator_id,
                "annotations": one.n,
                "explanations": one.n_explanations,
                "words": None if one.length is None else one.length.median,
                **{f"label:{use.label}": use.share for use in one.labels},
            }
            for one in profiles
        ]
    )
    with st.expander(f"Table of {count(len(frame), 'annotator')}"):
        table(
            frame,
            {
                "annotator_id": Field("Annotator"),
                "annotations": Field("Annotations", None, 0),
                "explanations": Field("Explanations", None, 0),
                "words": Field("Words", "Median words per explanation.", 0),
                **{
                    key: Field(markdown(short(name.removeprefix("Share of label "), 20)),
                               name, 0, percent=True)
                    for key, name in labels.items()
                },
            },
            key=f"{PAGE}.all",
            file_name=f"{context.entry.name}-annotators-table",
        )  # fmt: skip
