"""Pictures of annotators: their labels, their phrases, two of them against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.ui.charts import blank, whiskers
from capo_core.dashboard.ui.text import plotly
from capo_core.dashboard.ui.theme import FAINT, NEUTRAL, Look


def label_use(use: Sequence, name: str, look: Look) -> go.Figure:
    """How often one annotator gives each label, with interval, beside all the others together.

    Args:
        use: `LabelUse` of every label, in order of display.
    """
    figure = blank(330, legend=True)
    known = [one for one in use if not math.isnan(one.share_others)]
    if known:
        figure.add_scatter(
            x=[use.index(one) for one in known],
            y=[one.share_others for one in known],
            mode="markers",
            name="all others",
            marker={
                "color": NEUTRAL,
                "symbol": "line-ew",
                "size": 26,
                "line": {"width": 3, "color": NEUTRAL},
            },
            customdata=[one.label for one in known],
            hovertemplate="%{customdata}: %{y:.0%}<extra>all others</extra>",
        )
    _shares(figure, use, name, look, 0.0)
    _label_axis(figure, use)
    return figure


def label_use_of_two(
    first_use: Sequence, second_use: Sequence, first: str, second: str, looks: dict[str, Look]
) -> go.Figure:
    """How often two annotators give each label, with intervals."""
    figure = blank(330, legend=True)
    _shares(figure, first_use, first, looks[first], -0.12)
    _shares(figure, second_use, second, looks[second], 0.12)
    _label_axis(figure, first_use)
    return figure


def _shares(figure: go.Figure, use: Sequence, name: str, look: Look, shift: float) -> None:
    rows = pd.DataFrame(
        [(one.share, one.low, one.high) for one in use], columns=["y", "low", "high"]
    )
    figure.add_scatter(
        x=[place + shift for place in range(len(use))],
        y=rows["y"],
        error_y=whiskers(rows["y"], rows["low"], rows["high"], look.color),
        mode="markers",
        name=plotly(name, 24),
        marker={"color": look.color, "symbol": look.symbol, "size": 11},
        customdata=[(plotly(one.label, 40), one.low, one.high, one.count) for one in use],
        hovertemplate="%{customdata[0]}: %{y:.0%} [%{customdata[1]:.0%}, %{customdata[2]:.0%}], "
        "n = %{customdata[3]:,}<extra>%{fullData.name}</extra>",
    )


def _label_axis(figure: go.Figure, use: Sequence) -> None:
    step = -(-len(use) // 25)  # a long scale keeps every second or third label
    figure.update_xaxes(
        tickvals=list(range(0, len(use), step)),
        ticktext=[plotly(one.label, 18) for one in use[::step]],
        range=[-0.6, len(use) - 0.4],
        showgrid=False,
    )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", title="share of their labels")


def phrase_rates(
    frame: pd.DataFrame, look: Look, name: str, others: str = "the others"
) -> go.Figure:
    """Phrases that set one annotator apart: their rate (coloured) against the others' (grey).

    Args:
        frame: columns phrase, rate, rate_others, z, count; the most telling first.
    """
    frame = frame.iloc[::-1]
    figure = blank(70 + 26 * len(frame), legend=True)
    labels = [plotly(phrase, 34) for phrase in frame["phrase"]]
    places = list(range(len(frame)))
    for place, own, other in zip(places, frame["rate"], frame["rate_others"], strict=True):
        figure.add_scatter(
            x=[other, own],
            y=[place, place],
            mode="lines",
            line={"color": FAINT, "width": 3},
            hoverinfo="skip",
            showlegend=False,
        )
    custom = frame[["phrase", "z"]].assign(shown=labels).to_numpy()
    hover = "“%{customdata[2]}”: in %{x:.1%} of explanations; z = %{customdata[1]:.1f}"
    for column, color, symbol, called in (
        ("rate_others", NEUTRAL, "circle-open", plotly(others, 24)),
        ("rate", look.color, look.symbol, plotly(name, 24)),
    ):
        figure.add_scatter(
            x=frame[column],
            y=places,
            mode="markers",
            name=called,
            marker={"color": color, "symbol": symbol, "size": 10},
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            customdata=custom,
            hovertemplate=hover + f"<extra>{called}</extra>",
        )
    figure.update_yaxes(tickvals=places, ticktext=labels, showgrid=False)
    figure.update_xaxes(
        tickformat=".0%", rangemode="tozero", title="share of explanations with the phrase"
    )
    return figure


def confusion(counts: pd.DataFrame, first: str, second: str, *, dark: bool) -> go.Figure:
    """Pairs of labels by one annotator (rows) and by another (columns) on common items."""
    figure = blank(max(280, 90 + 34 * len(counts)))
    figure.add_heatmap(
        z=counts.to_numpy(),
        # From the page's own ground to blue, so that an empty cell is quiet on either theme.
        colorscale=[[0, "#1E252B" if dark else "#F3F6F9"], [1, "#4A94C4" if dark else "#2F6FB0"]],
        showscale=False,
        text=counts.map(lambda n: str(n) if n else "").to_numpy(),
        texttemplate="%{text}",
        xgap=2,
        ygap=2,
        customdata=[[(plotly(a), plotly(b)) for b in counts.columns] for a in counts.index],
        hovertemplate="first: %{customdata[0]}<br>second: %{customdata[1]}"
        "<br>%{z} pairs of labels<extra></extra>",
    )
    labels = [plotly(label, 16) for label in counts.index]
    places = list(range(len(labels)))
    figure.update_xaxes(
        title=f"label by {plotly(second)}", showgrid=False, tickvals=places, ticktext=labels
    )
    figure.update_yaxes(
        title=f"label by {plotly(first)}",
        autorange="reversed",
        showgrid=False,
        tickvals=places,
        ticktext=labels,
    )
    return figure
