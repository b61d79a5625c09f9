"""Plots of all items by two sources, and the map of disagreement; a click opens the item."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.distributions import cache, charts, item_data
from capo_core.dashboard.distributions.item_data import BARS, TERNARY, halves
from capo_core.dashboard.distributions.items import Items
from capo_core.dashboard.distributions.selection import PAGE, Chosen
from capo_core.dashboard.distributions.summary import of_halves
from capo_core.dashboard.ui import components, url_state
from capo_core.dashboard.ui.components import (
    is_dark,
    section_heading,
    show_figure,
    show_note,
    side_by_side,
)
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.glossary import DISTRIBUTIONS_HELP
from capo_core.dashboard.ui.text import markdown, plotly
from capo_core.dashboard.ui.theme import Look, human_look
from capo_core.distributions.wording import called, in_words, listed, source_name
from capo_core.task import LabelScale

LONGEST = 50
MOST_TOGETHER = 7  # sources in one picture
_LOOKS = {
    "far": f"{LONGEST} longest",
    "all": "All arrows",
    "none": "No arrows",
    "together": "All together",
}


def show(chosen: Chosen, items: Items) -> None:
    """Show the two charts side by side."""
    scale = chosen.reading.judgments.task.scale
    kind = item_data.kind_of(scale)
    look = url_state.get("look")
    look = "together" if kind == BARS else look if look in _LOOKS else "far"
    with side_by_side("distributions", [1, 1]) as (left, right):
        with left:
            _left(chosen, items, scale, look)
            if kind != BARS:
                url_state.choice(
                    st.segmented_control, "Shown", list(_LOOKS), page=PAGE, key="look",
                    format_func=_LOOKS.__getitem__, label_visibility="collapsed",
                )  # fmt: skip
        with right:
            _map(chosen, items, scale)


def _left(chosen: Chosen, items: Items, scale: LabelScale, look: str) -> None:
    if look == "together":
        what = "this answer or lower" if scale.ordinal else "each label"
        section_heading(
            f"All items together: how often {what} is given", DISTRIBUTIONS_HELP["intervals"]
        )
        figure = cache.figure((*chosen.key, look, *_light()), lambda: _together(chosen, scale))
        alt = "Mean probability of each label by source, with intervals"
    else:
        section_heading(
            markdown(f"From {called(chosen.focus, 30)} to {called(chosen.against, 30)}"),
            DISTRIBUTIONS_HELP["arrows"],
        )
        figure = cache.figure(
            (*chosen.key, look, items.open, *_light()),
            lambda: _places(chosen, items, scale, look, human_look(dark=is_dark()).color),
        )
        alt = "Each item's position by the source and by the reference"
    show_figure(
        figure,
        key=f"{PAGE}.places",
        file_name=f"{chosen.file_stem}-places",
        alt=alt,
        on_select=_clicked("places") if look != "together" else None,
    )
    left_out = _with_items(chosen)[MOST_TOGETHER:]
    if look == "together" and left_out:
        show_note(f"Only the first {MOST_TOGETHER} are drawn; not shown: {listed(left_out)}.")


def _light() -> tuple[str, ...]:
    """Return the theme, on which the colours of a figure depend."""
    return ("dark" if is_dark() else "light",)


@figure_kind("places", "From source to reference, item by item")
def _places(chosen: Chosen, items: Items, scale: LabelScale, look: str, ink: str) -> go.Figure:
    """Return each item's way from source to reference, the open item's in the colour `ink`."""
    ternary = item_data.kind_of(scale) == TERNARY
    figure = (charts.triangle if ternary else charts.plane)(scale)
    rows = chosen.of_focus()
    if rows.empty:
        return figure
    ids = rows["item_id"].tolist()
    judgments = chosen.reading.judgments
    start = item_data.places(judgments.source(chosen.focus).rows(ids), scale)
    end = item_data.places(judgments.source(chosen.against).rows(ids), scale)
    if not ternary:
        highest = max(float(start[:, 1].max()), float(end[:, 1].max()), 0.5)
        figure.update_yaxes(range=[-0.06 * highest, 1.1 * highest])
    far = rows[chosen.measure].to_numpy()
    if look != "none":
        drawn = np.argsort(-far, kind="stable")[: LONGEST if look == "far" else None]
        charts.arrows(figure, start[drawn], end[drawn], chosen.looks[chosen.focus].color)
    for name, at in ((chosen.against, end), (chosen.focus, start)):
        charts.points(
            figure, at, ids, far, name=plotly(source_name(name), 30), look=_look(chosen, name)
        )
    if items.open in ids:
        place = ids.index(items.open)
        charts.chosen(figure, start[place], end[place], ink)
    return figure


def _look(chosen: Chosen, name: str) -> Look:
    """Return the look of a source; the marker distinguishes the two without colour."""
    look = chosen.looks[name]
    return Look(look.color, "circle" if name == chosen.against else "diamond", look.dash)


def _with_items(chosen: Chosen) -> list[str]:
    """Return the reference, the source in the charts and the other shown ones, unless empty."""
    names = dict.fromkeys((chosen.against, chosen.focus, *chosen.shown))
    return [name for name in names if len(chosen.reading.judgments.source(name).shares)]


def _together(chosen: Chosen, scale: LabelScale) -> go.Figure:
    """Return cumulated steps for an ordinal scale, bars otherwise."""
    drawn = []
    for name in _with_items(chosen)[:MOST_TOGETHER]:
        shares = chosen.reading.judgments.source(name).shares
        of_what = item_data.steps(shares) if scale.ordinal else shares
        mean = item_data.mean_shares(of_what)
        drawn.append((source_name(name), chosen.looks[name], *mean))
    if scale.ordinal:
        return charts.cumulated(scale, drawn, source_name(chosen.against), charts.TALL)
    return charts.bars(scale, drawn)


def _map(chosen: Chosen, items: Items, scale: LabelScale) -> None:
    section_heading(
        markdown(f"Where {called(chosen.against, 30)} disagrees"), DISTRIBUTIONS_HELP["map"]
    )
    rows = chosen.of_focus()
    if rows.empty:
        show_note("The two sources have no items in common.")
        return
    show_figure(
        cache.figure(
            (*chosen.key, "map", items.open, *_light()),
            lambda: charts.map_of_disagreement(
                rows, chosen.measure, _look(chosen, chosen.focus), items.open,
                human_look(dark=is_dark()).color, math.log(len(scale.labels)),
            ),
        ),
        key=f"{PAGE}.map",
        file_name=f"{chosen.file_stem}-disagreement",
        alt="Entropy of the reference vs. distance of the source, one point per item",
        on_select=_clicked("map"),
    )  # fmt: skip
    apart = halves(rows, chosen.measure)
    show_note(in_words(of_halves(apart, chosen.focus, chosen.against, chosen.measure)))


def _clicked(name: str) -> Callable[[], None]:
    def act() -> None:
        points = url_state.now(f"{PAGE}.{name}").selection.points
        if points and points[0].get("customdata"):
            components.request_scroll(PAGE)
            url_state.put(PAGE, {"item": points[0]["customdata"][0], "part": None})

    return act
