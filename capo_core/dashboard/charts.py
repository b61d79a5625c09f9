"""Pictures of annotators, and what all pictures share.

Neutral colours, the font and the ground come from Streamlit's theme, light or dark; only what
carries meaning is coloured here.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.theme import FAINT, NEUTRAL, Look
from capo_core.dashboard.words import escape, short


def blank(height: int, *, left: int = 10, legend: bool = False) -> go.Figure:
    """An empty figure in the house style."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": left, "r": 16, "t": 44 if legend else 16, "b": 44},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.0, "xanchor": "left", "yanchor": "bottom"},
        hoverlabel={"align": "left"},
        font={"size": 13},
        dragmode=False,
    )
    figure.update_xaxes(zeroline=False, automargin=True, fixedrange=True)
    figure.update_yaxes(zeroline=False, automargin=True, fixedrange=True)
    return figure


def label_use(frame: pd.DataFrame, who: Sequence[str], looks: dict[str, Look]) -> go.Figure:
    """How often each label is given, one marker per annotator in `who`, with intervals.

    Args:
        frame: columns annotator_id, label, share, low, high, n; labels in order of display. The
            annotator "" stands for all the others together.
    """
    figure = blank(300, legend=True)
    labels = list(dict.fromkeys(frame["label"]))
    offsets = _dodge(len(who), 0.09)
    for annotator, offset in zip(who, offsets, strict=True):
        rows = frame[frame["annotator_id"] == annotator]
        look = looks.get(annotator)
        figure.add_scatter(
            x=[labels.index(label) + offset for label in rows["label"]],
            y=rows["share"],
            error_y=_whiskers(rows["share"], rows["low"], rows["high"]),
            mode="markers",
            name=escape(short(annotator, 24)) if annotator else "all others",
            marker={
                "color": look.color if look else NEUTRAL,
                "symbol": look.symbol if look else "line-ew-open",
                "size": 11,
            },
            customdata=rows[["label", "low", "high", "n"]].to_numpy(),
            hovertemplate="%{customdata[0]}: %{y:.0%} [%{customdata[1]:.0%}, "
            "%{customdata[2]:.0%}] of %{customdata[3]:,}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(
        tickvals=list(range(len(labels))),
        ticktext=[escape(short(label, 18)) for label in labels],
        range=[-0.6, len(labels) - 0.4],
        showgrid=False,
    )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", title="share of their labels")
    return figure


def phrase_rates(frame: pd.DataFrame, look: Look, name: str) -> go.Figure:
    """Phrases that set one annotator apart: their rate (coloured) against the others' (grey).

    Args:
        frame: columns phrase, rate, rate_others, z, n; the most telling first.
    """
    frame = frame.iloc[::-1]
    figure = blank(70 + 26 * len(frame), legend=True)
    labels = [escape(short(phrase, 34)) for phrase in frame["phrase"]]
    places = list(range(len(frame)))
    for place, own, others in zip(places, frame["rate"], frame["rate_others"], strict=True):
        figure.add_scatter(
            x=[others, own],
            y=[place, place],
            mode="lines",
            line={"color": FAINT, "width": 3},
            hoverinfo="skip",
            showlegend=False,
        )
    custom = frame[["phrase", "z", "n"]].assign(phrase=labels).to_numpy()
    hover = "“%{customdata[0]}”: in %{x:.1%} of explanations; z = %{customdata[1]:.1f}"
    for column, color, symbol, called in (
        ("rate_others", NEUTRAL, "circle-open", "the others"),
        ("rate", look.color, look.symbol, escape(short(name, 24))),
    ):
        figure.add_scatter(
            x=frame[column],
            y=places,
            mode="markers",
            name=called,
            marker={"color": color, "symbol": symbol, "size": 10},
            customdata=custom,
            hovertemplate=hover + f"<extra>{called}</extra>",
        )
    figure.update_yaxes(tickvals=places, ticktext=labels, showgrid=False)
    figure.update_xaxes(
        tickformat=".0%", rangemode="tozero", title="share of explanations with the phrase"
    )
    return figure


def confusion(counts: pd.DataFrame, first: str, second: str) -> go.Figure:
    """Items by the label of one annotator (rows) and of another (columns)."""
    figure = blank(max(280, 90 + 34 * len(counts)))
    figure.add_heatmap(
        z=counts.to_numpy(),
        x=[escape(short(label, 16)) for label in counts.columns],
        y=[escape(short(label, 16)) for label in counts.index],
        colorscale=[[0, "rgba(47, 111, 176, 0.03)"], [1, "rgba(47, 111, 176, 0.85)"]],
        showscale=False,
        texttemplate="%{z}",
        xgap=2,
        ygap=2,
        hovertemplate=f"{escape(short(first, 24))}: %{{y}}<br>{escape(short(second, 24))}: %{{x}}"
        "<br>%{z} items<extra></extra>",
    )
    figure.update_xaxes(
        title=f"label by {escape(short(second, 24))}", showgrid=False, type="category"
    )
    figure.update_yaxes(
        title=f"label by {escape(short(first, 24))}",
        autorange="reversed",
        showgrid=False,
        type="category",
    )
    return figure


def _dodge(n: int, step: float) -> list[float]:
    """Places around 0 for n markers that would else hide each other."""
    step = min(step, 0.8 / max(n, 1))
    return [(i - (n - 1) / 2) * step for i in range(n)]


def _whiskers(value: pd.Series, low: pd.Series, high: pd.Series, color: str | None = None) -> dict:
    """Plotly's form of an interval around `value`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (high - value).clip(lower=0),
        "arrayminus": (value - low).clip(lower=0),
        "thickness": 1.2,
        "width": 0,
        **({"color": color} if color else {}),
    }
