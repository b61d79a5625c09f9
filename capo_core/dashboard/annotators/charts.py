"""Charts of annotators: label use, phrase rates, and the confusion matrix of two."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.ui.charts import (
    blank,
    clickable_cells,
    join_points,
    percent_axis,
    whiskers,
)
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.text import plotly
from capo_core.dashboard.ui.theme import NEUTRAL, OKABE_ITO, Look, cell_colors
from capo_core.formatting import percent, percent_interval, rate
from capo_core.text.segmentation import as_written

_LOW = 170  # height in pixels of a chart of one row, legend and axis included


@figure_kind("label-use", "Label use of one annotator")
def label_use(use: Sequence, name: str, look: Look) -> go.Figure:
    """Return the share of each label of one annotator, with intervals, and of all the others.

    Args:
        use: `LabelUse` of every label, in order of display.
    """
    figure = blank(330, legend=True)
    known = [label for label in use if not math.isnan(label.share_others)]
    if known:
        figure.add_scatter(
            x=[use.index(label) for label in known],
            y=[label.share_others for label in known],
            mode="markers",
            name="all others",
            marker={
                "color": NEUTRAL,
                "symbol": "line-ew",
                "size": 26,
                "line": {"width": 3, "color": NEUTRAL},
            },
            cliponaxis=False,
            customdata=[(plotly(label.label, 40), percent(label.share_others)) for label in known],
            hovertemplate="%{customdata[0]}: %{customdata[1]}<extra>all others</extra>",
        )
    _shares(figure, use, name, look, 0.0)
    _label_axis(figure, use)
    return figure


@figure_kind("label-use-of-two", "Label use of two annotators")
def label_use_of_two(
    first_use: Sequence, second_use: Sequence, first: str, second: str, looks: dict[str, Look]
) -> go.Figure:
    """Return the share of each label of two annotators, with intervals."""
    figure = blank(330, legend=True)
    _shares(figure, first_use, first, looks[first], -0.12)
    _shares(figure, second_use, second, looks[second], 0.12)
    _label_axis(figure, first_use, second_use)
    return figure


def _shares(figure: go.Figure, use: Sequence, name: str, look: Look, shift: float) -> None:
    rows = pd.DataFrame(
        [(label.share, label.low, label.high) for label in use], columns=["y", "low", "high"]
    )
    figure.add_scatter(
        x=[place + shift for place in range(len(use))],
        y=rows["y"],
        error_y=whiskers(rows["y"], rows["low"], rows["high"], look.color),
        mode="markers",
        name=plotly(name, 24),
        marker={"color": look.color, "symbol": look.symbol, "size": 11},
        cliponaxis=False,
        customdata=[
            (
                plotly(label.label, 40),
                percent(label.share),
                percent_interval(label.low, label.high),
                label.count,
            )
            for label in use
        ],
        hovertemplate="%{customdata[0]}: %{customdata[1]} %{customdata[2]}, "
        "n = %{customdata[3]:,}<extra>%{fullData.name}</extra>",
    )


def _label_axis(figure: go.Figure, use: Sequence, *more: Sequence) -> None:
    step = -(-len(use) // 25)  # a long scale keeps every second or third label
    figure.update_xaxes(
        tickvals=list(range(0, len(use), step)),
        ticktext=[plotly(label.label, 18) for label in use[::step]],
        range=[-0.6, len(use) - 0.4],
        showgrid=False,
    )
    # Of all that is drawn: the others' share, or the other annotator's, may be the highest.
    drawn = [
        value
        for one in (use, *more)
        for label in one
        for value in (label.high, label.share_others)
        if not math.isnan(value)
    ]
    highest = max(drawn, default=1.0)
    figure.update_yaxes(**percent_axis("Share of labels", 0.0, highest))


def visible(phrase: str) -> str:
    """Return a phrase as it is written; in quotation marks where it is a mere mark, which is
    overlooked alone."""
    phrase = as_written(phrase)
    return phrase if any(letter.isalnum() for letter in phrase) else f"“{phrase}”"


@figure_kind("phrases", "Distinctive phrases")
def phrase_rates(
    frame: pd.DataFrame, look: Look, name: str, others: str = "the others"
) -> go.Figure:
    """Return the rates of distinctive phrases, with intervals: one annotator's (coloured) and the
    others' (grey).

    Args:
        frame: rows of `distinctive_phrases`, in descending z.
    """
    from capo_core.stability.phrases import with_rate_intervals  # loads the measures

    frame = with_rate_intervals(frame.iloc[::-1])
    figure = blank(max(_LOW, 90 + 26 * len(frame)), legend=True)
    labels = [plotly(visible(phrase), 34) for phrase in frame["phrase"]]
    places = list(range(len(frame)))
    for place, own, other in zip(places, frame["rate"], frame["rate_others"], strict=True):
        join_points(figure, place, other, own)
    for column, ends, size, color, symbol, called in (
        ("rate_others", "others", "n_others", NEUTRAL, "circle-open", plotly(others, 24)),
        ("rate", "rate", "n", look.color, look.symbol, plotly(name, 24)),
    ):
        low, high = frame[f"{ends}_low"], frame[f"{ends}_high"]
        shares = [
            f"{rate(share)} {percent_interval(*interval)} of {n:,}"
            for share, *interval, n in zip(frame[column], low, high, frame[size], strict=True)
        ]
        figure.add_scatter(
            x=frame[column],
            y=places,
            error_x=whiskers(frame[column], low, high, color),
            mode="markers",
            name=called,
            cliponaxis=False,
            marker={"color": color, "symbol": symbol, "size": 10},
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            customdata=frame[["phrase", "z"]].assign(label=labels, share=shares).to_numpy(),
            hovertemplate="%{customdata[2]}: in %{customdata[3]} explanations; "
            f"z = %{{customdata[1]:.1f}}<extra>{called}</extra>",
        )
    figure.update_yaxes(
        tickvals=places, ticktext=labels, showgrid=False, range=[-0.8, len(places) - 0.2]
    )
    highest = float(frame[["rate_high", "others_high"]].max().max())
    figure.update_xaxes(**percent_axis("Share of explanations with the phrase", 0.0, highest))
    return figure


@figure_kind("annotators", "All annotators, ranked")
def ranked(rows: pd.DataFrame, title: str, middle: float, *, share: bool) -> go.Figure:
    """Return annotators in descending order of a value, with a gap where some are left out.

    Args:
        rows: annotator_id, value, low, high, n, rank, skipped; see `overview.top_and_bottom`.
        title: of the axis. middle: the median of all. share: whether values are shares.
    """
    figure = blank(max(_LOW, 90 + 24 * (len(rows) + int((rows["skipped"] > 0).sum()))))
    places, gaps, place = [], [], 0
    for row in rows.itertuples():
        if row.skipped:
            gaps.append((place, f"… {row.skipped:,} more …"))
            place += 1
        places.append(place)
        place += 1
    color = OKABE_ITO[0]
    said = percent if share else lambda value: f"{value:,.0f}"
    figure.add_scatter(
        x=rows["value"],
        y=places,
        error_x=whiskers(rows["value"], rows["low"], rows["high"], color),
        mode="markers",
        marker={"color": color, "size": 9},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        cliponaxis=False,
        customdata=[
            (row.annotator_id, plotly(row.annotator_id, 40), said(row.value), said(row.low),
             said(row.high), row.n, row.rank)
            for row in rows.itertuples()
        ],
        hovertemplate="%{customdata[1]} (rank %{customdata[6]:,}): %{customdata[2]} "
        "[%{customdata[3]}–%{customdata[4]}], n = %{customdata[5]:,}"
        "<br>click to read this annotator<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=middle, line={"dash": "dash", "width": 1.2, "color": NEUTRAL})
    figure.update_yaxes(
        tickvals=[*places, *(at for at, _ in gaps)],
        ticktext=[
            *(plotly(name, 24) for name in rows["annotator_id"]),
            *(text for _, text in gaps),
        ],
        range=[place - 0.4, -0.6],
        showgrid=False,
    )
    if share:
        figure.update_xaxes(**percent_axis(title, 0.0, float(rows["high"].max())))
    else:
        figure.update_xaxes(title=title, rangemode="tozero")
    return figure


@figure_kind("agreement", "Labels of two annotators")
def confusion(counts: pd.DataFrame, first: str, second: str, *, dark: bool) -> go.Figure:
    """Return the confusion matrix of two annotators on common items: the first in rows."""
    figure = blank(max(280, 90 + 34 * len(counts)))
    figure.add_heatmap(
        z=counts.to_numpy(),
        colorscale=cell_colors(dark=dark),
        showscale=False,
        text=counts.map(lambda n: f"{n:,}" if n else "").to_numpy(),
        texttemplate="%{text}",
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    clickable_cells(
        figure,
        counts.shape,
        [
            (own, others, plotly(own), plotly(others), f"{counts.at[own, others]:,}")
            for own in counts.index
            for others in counts.columns
        ],
        "%{customdata[2]} / %{customdata[3]}: %{customdata[4]}<br>click to read the items",
    )
    labels = [plotly(label, 16) for label in counts.index]
    places = list(range(len(labels)))
    figure.update_xaxes(
        title=f"Label by {plotly(second)}", showgrid=False, tickvals=places, ticktext=labels
    )
    figure.update_yaxes(
        title=f"Label by {plotly(first)}",
        autorange="reversed",
        showgrid=False,
        tickvals=places,
        ticktext=labels,
    )
    return figure
