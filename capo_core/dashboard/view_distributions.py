"""The page Distributions: a sentence, the table of distances, the pictures, and what is behind."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import (
    distributing_words,
    leading,
    state,
    view_distributions_choice,
    view_distributions_explanations,
    view_distributions_export,
    view_distributions_items,
    view_distributions_models,
    view_distributions_pictures,
    view_distributions_table,
    view_distributions_training,
)
from capo_core.dashboard.components import note, says
from capo_core.dashboard.frame import Frame, link
from capo_core.dashboard.view_distributions_choice import PAGE, Chosen
from capo_core.dashboard.words import markdown
from capo_core.distributions.from_dataset import ANNOTATORS
from capo_core.distributions.judgments import CROWD, UNIFORM

KEYS = (
    *view_distributions_choice.KEYS,
    *view_distributions_pictures.KEYS,
    *view_distributions_items.KEYS,
    *view_distributions_explanations.KEYS,
    *view_distributions_table.KEYS,
    *view_distributions_training.KEYS,
    "part",
)
_PARTS = {
    "items": "Item by item",
    "differences": "Differences between sources",
    "explanations": "Explanations",
    "models": "Models’ estimates",
    "training": "Classifiers",
}


def show(frame: Frame) -> None:
    """The comparison of the chosen sources, or the way to one."""
    headline = st.container()
    chosen = view_distributions_choice.current(frame)
    if chosen is None:
        _nothing_to_compare(frame)
        return
    with headline:
        says(
            distributing_words.headline(chosen.table, chosen.apart, chosen.against, chosen.measure)
        )
        if not chosen.reading.dataset:
            note(_whose_items(frame, chosen))
        _what_is_missing(frame, chosen)
    view_distributions_table.show(chosen)
    items = view_distributions_items.order(chosen)
    view_distributions_pictures.show(chosen, items)
    with leading.place():
        part = state.choice(
            st.segmented_control, "Behind the numbers", list(_PARTS), page=PAGE, key="part",
            format_func=_PARTS.__getitem__, label_visibility="collapsed",
        )  # fmt: skip
    if part == "items":
        view_distributions_items.show(chosen, items)
    elif part == "differences":
        view_distributions_table.differences(chosen)
    elif part == "explanations":
        view_distributions_explanations.show(frame, chosen)
    elif part == "models":
        view_distributions_models.show(frame, chosen)
    else:
        view_distributions_training.show(frame, chosen)
    view_distributions_export.show(chosen)
    leading.lead(PAGE)


def _what_is_missing(frame: Frame, chosen: Chosen) -> None:
    """The way to a crowd, or to something to set beside it, where there is none."""
    if CROWD not in chosen.reading.names:
        people = chosen.dataset.annotators if chosen.dataset is not None else ()
        alone = (
            "There is one annotator only, so every source but uniform repeats them. "
            if len(people) == 1
            else ""
        )
        with st.container(border=True):
            st.markdown(
                "**There is no crowd here.** Nobody has asked many people about these items, so "
                f"the sources are measured by what {_measure_said(chosen)}. {alone}Open a file "
                "with a crowd’s distributions under *Files*, or import data that have one (VariErr "
                "brings the hundred answers of ChaosNLI along)."
            )
            link(frame, "data", "Import a dataset")
    elif set(chosen.reading.names) == {chosen.against, UNIFORM}:
        with st.container(border=True):
            st.markdown(
                "**There is nothing to compare yet.** Ask a model what people would say, or open a "
                "file with another source under *Files*."
            )
            st.button(
                "Ask a model", key=f"{PAGE}.ask", on_click=state.put,
                args=(PAGE, {"part": "models"}),
            )  # fmt: skip


def _whose_items(frame: Frame, chosen: Chosen) -> str:
    own = f"These are the items of {chosen.file_stem}, a file, not of {frame.entry.name}"
    simulated = "; the notice above the title is not about them"
    return f"{own}{simulated if frame.entry.simulated else ''}."


def _measure_said(chosen: Chosen) -> str:
    if chosen.against == ANNOTATORS:
        return "the annotators said together, themselves among them"
    return f"{markdown(distributing_words.called(chosen.against))} says"


def _nothing_to_compare(frame: Frame) -> None:
    says("There is only one source of label distributions here, so nothing can be compared.")
    with st.container(border=True):
        st.markdown(
            "Open a file with distributions under *Files*, or import labels by several annotators."
        )
        link(frame, "data", "Import a dataset")
