"""Two annotators against each other: labels on common items, and what each says that the other
does not."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard import cache, charts, state, view_annotators
from capo_core.dashboard.components import heading, is_dark, note, picture, says, side_by_side
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.help import HELP
from capo_core.dashboard.theme import looks
from capo_core.dashboard.words import count, percent, short
from capo_core.dataset import Dataset

PAGE = "annotators"
_MOST_LABELS = 40


def show(frame: Frame, dataset: Dataset) -> None:
    """The pair that was chosen; with one annotator, what is missing."""
    names = list(dataset.annotators)
    if len(names) < 2:
        note("This dataset has one annotator; there is nobody to compare with.")
        return
    with side_by_side("pair", [1, 1]) as (left, right):
        with left:
            first = view_annotators.choose_annotator("Annotator", "who", names)
        rest = [name for name in names if name != first]
        with right:
            second = view_annotators.choose_annotator("and annotator", "than", rest)
    common = _common(dataset, first, second)
    if common.empty:
        says(f"{first} and {second} have no item in common.")
    else:
        same = (common["first"] == common["second"]).mean()
        says(
            f"{first} and {second} both annotated {count(common.index.nunique(), 'item')}; they "
            f"gave the same label in {percent(same)} of the pairs of labels."
        )
    use = {card.annotator_id: card for card in cache.cards(frame.workspace, frame.entry)}
    look = looks(names)
    with side_by_side("labels", [1, 1]) as (left, right):
        with left:
            heading("How the labels are used", HELP["labels"])
            picture(
                charts.label_use_of_two(use[first].labels, use[second].labels, first, second, look),
                key=f"{PAGE}.two.labels",
                file_name=f"{frame.entry.name}-labels-{first}-{second}",
                alt=f"Share of each label, annotator {first} and annotator {second}",
            )
        with right:
            heading("Where they agree", HELP["kappa"])
            if common.empty:
                note("No common items.")
            elif len(dataset.task.scale.labels) > _MOST_LABELS:
                note("The scale has too many labels for a picture.")
            else:
                labels = list(dataset.task.scale.labels)
                counts = pd.crosstab(common["first"], common["second"])
                counts = counts.reindex(index=labels, columns=labels, fill_value=0)
                picture(
                    charts.confusion(counts, first, second, dark=is_dark()),
                    key=f"{PAGE}.two.confusion",
                    file_name=f"{frame.entry.name}-agreement-{first}-{second}",
                    alt=f"Labels of annotator {first} against those of annotator {second}",
                )
                st.button(
                    "Items where annotators differ",
                    key=f"{PAGE}.two.differ",
                    on_click=state.put,
                    args=(PAGE, {"view": "items", "differ": "1"}),
                )
    _phrases(frame, dataset, first, second)


def _common(dataset: Dataset, first: str, second: str) -> pd.DataFrame:
    """All pairs of labels on common items, indexed by item: columns first, second."""
    by = dataset.annotations.set_index("item_id")
    one = by.loc[by["annotator_id"] == first, ["label"]].rename(columns={"label": "first"})
    other = by.loc[by["annotator_id"] == second, ["label"]].rename(columns={"label": "second"})
    return one.join(other, how="inner")


def _phrases(frame: Frame, dataset: Dataset, first: str, second: str) -> None:
    found = cache.phrases_of_two(dataset, first, second)
    look = looks(dataset.annotators)
    with side_by_side("words", [1, 1]) as places:
        for place, own, other in ((places[0], first, second), (places[1], second, first)):
            with place:
                heading(f"What {short(own, 30)} says more than {short(other, 30)}", HELP["rate"])
                rows = found[(found["annotator_id"] == own) & (found["z"] > 0)]
                rows = rows[rows["clear"].astype(bool)].head(12)
                if rows.empty:
                    note("No phrase is clearly more frequent.")
                    continue
                picture(
                    charts.phrase_rates(rows, look[own], own, others=other),
                    key=f"{PAGE}.two.phrases.{own}",
                    file_name=f"{frame.entry.name}-phrases-{own}-than-{other}",
                    alt=f"Rates of phrases of annotator {own} against annotator {other}",
                )
