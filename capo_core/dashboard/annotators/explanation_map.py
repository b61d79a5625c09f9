"""The map of explanations: computed on a click and kept; a point opens its text and those near."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.atlas.explanation_map import (
    DISCRIMINANT,
    TSNE,
    ExplanationMap,
    MapConfig,
    largest_map,
    made_map,
    map_title,
)
from capo_core.dashboard.annotators import PAGE
from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, no_explanations
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.charts import blank
from capo_core.dashboard.ui.components import (
    control_row,
    is_dark,
    section_heading,
    show_errors,
    show_figure,
    show_headline,
    show_note,
)
from capo_core.dashboard.ui.exports import describe, download
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.item_html import Answer, Tile, tiles_html
from capo_core.dashboard.ui.text import plotly
from capo_core.dashboard.ui.theme import (
    OKABE_ITO,
    SYMBOLS,
    Look,
    human_look,
    looks,
    method_looks,
    reduction_name,
    representation_name,
)
from capo_core.dataset import Dataset
from capo_core.evaluation.streams import HUMAN
from capo_core.formatting import count
from capo_core.imitation.prompting.prompts import method_name
from capo_core.runs import comparisons
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS

MOST_POINTS = 20_000  # drawn; above, so many of them, and lines of the density of all
_NEAR = 12  # texts opened by a point
_METHODS = {DISCRIMINANT: "Discriminant directions", TSNE: "t-SNE"}
_SHOWS = {
    DISCRIMINANT: "Each explanation is a point, drawn by the two directions in which annotators "
    "differ most.",
    TSNE: "Each explanation is a point; similar ones lie beside each other.",
}
_COLORS = {"annotator_id": "Annotator", "label": "Label", "source": "Method"}
_BINS = 64
_SHARES = (0.9, 0.75, 0.5, 0.25)  # of all points, enclosed by the lines of density


def show(context: PageContext, dataset: Dataset) -> None:
    """Show the choices of a map, the map where it was computed, and the texts of a point."""
    if no_explanations(context, dataset):
        return
    config, color, runs = _controls(context)
    found = largest_map(dataset, config, context.workspace, runs)
    if found is None:
        show_note(
            f"{map_title(config)}: not computed yet. {_SHOWS[config.method]} It takes seconds for "
            "a few thousand explanations, minutes for twenty thousand."
        )
        if st.button("Compute the map", type="primary", key=f"{PAGE}.map.compute"):
            with show_errors(), st.spinner("Computing the map …"):
                made_map(dataset, config, context.workspace, runs)
                st.rerun()
        return
    describe(details=found.provenance.details)
    show_headline(found.statement.text)
    show_figure(
        figure(found.frame, color, dataset, dark=is_dark()),
        key=f"{PAGE}.map.figure",
        file_name=f"{context.entry.name}-map",
        alt=f"{map_title(config)}, coloured by {_COLORS[color].lower()}",
        title=found.statement.text,
        on_select=_clicked,
    )
    for note in (*amount_notes(found, dataset), method_note(found)):
        show_note(note)
    download(
        PAGE, "Points (Parquet, for Embedding Atlas)", f"{context.entry.name}-map.parquet",
        "application/vnd.apache.parquet", lambda source: found.to_parquet(),
    )  # fmt: skip
    _texts(found, dataset)


def _controls(context: PageContext) -> tuple[MapConfig, str, tuple[str, ...]]:
    runs = _runs(context)
    with control_row("map", [2, 2, 2, 2]) as places:
        with places[0]:
            method = url_state.choice(
                st.selectbox, "Map", list(_METHODS), page=PAGE, key="kind", clears=("seen",),
                format_func=_METHODS.__getitem__,
            )  # fmt: skip
        with places[1]:
            representation = url_state.choice(
                st.selectbox, "Representation", list(REPRESENTATIONS), page=PAGE, key="rep",
                clears=("seen",), format_func=representation_name, help=HELP["representation"],
            )  # fmt: skip
        with places[2]:
            reduction = url_state.choice(
                st.selectbox, "Reduction", list(REDUCTIONS), page=PAGE, key="red",
                default="mask_input", clears=("seen",), format_func=reduction_name,
                help=HELP["reduction"],
            )  # fmt: skip
        with places[3]:
            color = url_state.choice(
                st.selectbox, "Colour", list(_COLORS) if runs else list(_COLORS)[:2], page=PAGE,
                key="set", format_func=_COLORS.__getitem__,
            )  # fmt: skip
    config = MapConfig(method=method, representation=representation, reduction=reduction)
    return config, color, runs


def _runs(context: PageContext) -> tuple[str, ...]:
    """Return the generations of the newest evaluation, whose answers are drawn too."""
    finished = comparisons.finished_generations(context.workspace, context.entry)
    known = comparisons.all_comparisons(context.workspace, context.entry, finished)
    return next((one.runs for one in known if one.report_path is not None), ()) if finished else ()


def amount_notes(found: ExplanationMap, dataset: Dataset) -> list[str]:
    """Return what of the data is on the map and what of the map is drawn, where it is not all."""
    there = int((found.frame["source"] == HUMAN).sum())
    written = int((dataset.annotations["explanation"].str.strip() != "").sum())
    notes = []
    if found.config.most and there < written and written > found.config.most:
        notes.append(
            f"The map has {there:,} of {count(written, 'explanation')}: whole items drawn at "
            "random. The command export map --most 0 computes the map of all, which this page "
            "then shows."
        )
    if len(found.frame) > MOST_POINTS:
        notes.append(
            f"Points: {MOST_POINTS:,} of {len(found.frame):,}, drawn at random. Lines: they "
            "enclose the densest 25, 50, 75 and 90 % of all points."
        )
    return notes


def method_note(found: ExplanationMap) -> str:
    """Return what the places on a map mean, and whether answers of methods had a part in them."""
    if found.config.method == DISCRIMINANT:
        return (
            "Each point is drawn by directions that were fitted without its item, so that "
            "annotators who do not differ are not separated. Distances have no unit."
        )
    text = (
        "Neighbours on the map are neighbours in the representation; sizes of groups and distances "
        "between them mean little. Annotators were not used."
    )
    if (found.frame["source"] != HUMAN).any():
        text += (
            " The answers of methods were placed together with the annotators' explanations, whose "
            "places and shares would be others without them."
        )
    return text


@figure_kind("map", "Map of explanations")
def figure(frame: pd.DataFrame, color: str, dataset: Dataset, *, dark: bool) -> go.Figure:
    """Return the map with a colour for each value of the column `color`."""
    drawn = blank(560, legend=True)
    every, size, opacity = frame, 6, 0.75
    if len(frame) > MOST_POINTS:
        size, opacity = 4, 0.4
        frame = frame.sample(MOST_POINTS, random_state=0).sort_index()
    for value, look, name in _groups(frame, color, dataset, dark=dark):
        rows = frame[frame[color] == value]
        drawn.add_scatter(
            x=rows["x"], y=rows["y"], mode="markers", name=plotly(name, 24),
            marker={
                "color": look.color, "symbol": look.symbol, "size": size, "opacity": opacity
            },
            selected={"marker": {"opacity": opacity}},
            unselected={"marker": {"opacity": opacity}},
            customdata=[
                (row.id, plotly(row.annotator_id), plotly(row.label), plotly(row.text, 90))
                for row in rows.itertuples()
            ],
            hovertemplate="%{customdata[3]}<br>%{customdata[1]}, %{customdata[2]}"
            "<br>click to read it and those near<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    if len(every) > MOST_POINTS:
        _density(drawn, every, dark=dark)
        drawn.update_layout(legend_itemsizing="constant")  # the points are too small for a legend
    drawn.update_xaxes(showticklabels=False, title="Map, first direction")
    drawn.update_yaxes(showticklabels=False, title="Map, second direction")
    return drawn


def _groups(
    frame: pd.DataFrame, color: str, dataset: Dataset, *, dark: bool
) -> list[tuple[str, Look, str]]:
    """Return value, look and name of each group that has points."""
    there = set(frame[color])
    named: Mapping[str, Look]
    if color == "annotator_id":
        named = looks(dataset.annotators)
    elif color == "label":
        labels = [*dataset.task.scale.labels, ""]
        named = {
            label: Look(
                OKABE_ITO[place % len(OKABE_ITO)],
                SYMBOLS[place // len(OKABE_ITO) % len(SYMBOLS)],  # a scale may have more labels
                "solid",
            )
            for place, label in enumerate(labels)
        }
    else:
        methods = [name for name in dict.fromkeys(frame["source"]) if name != HUMAN]
        named = {HUMAN: human_look(dark=dark), **method_looks(methods)}
    title = method_name if color == "source" else (lambda value: value or "unreadable")
    return [(value, look, title(value)) for value, look in named.items() if value in there]


def _density(drawn: go.Figure, frame: pd.DataFrame, *, dark: bool) -> None:
    """Draw lines above the points that enclose the densest shares of all points."""
    from contourpy import contour_generator
    from scipy.ndimage import gaussian_filter

    counts, xs, ys = np.histogram2d(frame["x"], frame["y"], bins=_BINS)
    dense = gaussian_filter(counts, 1.5)
    contours = contour_generator((xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2, dense.T)
    falling = np.sort(dense.ravel())[::-1]
    enclosed = np.cumsum(falling) / falling.sum()
    for share in _SHARES:
        level = falling[np.searchsorted(enclosed, share)]
        lines = [np.vstack([line, [[np.nan, np.nan]]]) for line in contours.lines(level)]
        path = np.vstack(lines) if lines else np.empty((0, 2))
        drawn.add_scatter(
            x=path[:, 0], y=path[:, 1], mode="lines", hoverinfo="skip", showlegend=False,
            name="density",
            line={"color": "#F2F4F6" if dark else "#1F2328", "width": 1.6, "dash": "solid"},
        )  # fmt: skip


def _clicked() -> None:
    points = url_state.now(f"{PAGE}.map.figure").selection.points
    if points and points[0].get("customdata"):
        url_state.put(PAGE, {"seen": points[0]["customdata"][0]})


def _texts(found: ExplanationMap, dataset: Dataset) -> None:
    """Show the chosen explanation and those nearest to it on the map."""
    frame = found.frame
    chosen = frame.index[frame["id"] == url_state.get("seen")]
    if not len(chosen):
        show_note("Click a point to read the explanation and those nearest to it.")
        return
    place = frame.loc[chosen[0], ["x", "y"]].astype(float)
    distance = (frame["x"] - place["x"]) ** 2 + (frame["y"] - place["y"]) ** 2
    rows = frame.loc[distance.sort_values(kind="stable").index[: 1 + _NEAR]]
    section_heading(
        f"The chosen explanation and the {count(len(rows) - 1, 'explanation')} nearest to it"
    )
    tiles = [
        Tile(
            Answer(
                row.annotator_id, row.label, row.text,
                "" if row.source == HUMAN else f"by {method_name(row.source)} for this annotator",
            ),
            (row.item_id,),
        )
        for row in rows.itertuples()
    ]  # fmt: skip
    link = url_state.address
    st.html(
        tiles_html(
            tiles, looks(dataset.annotators), lambda item: link(PAGE, view="items", item=item),
            task=dataset.task, items=cache.items_by_id(dataset),
        )
    )  # fmt: skip
