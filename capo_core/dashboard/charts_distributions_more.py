"""Distances of all sources, cumulated answers to one item, likeness of explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.charts_base import blank, whiskers
from capo_core.dashboard.theme import NEUTRAL, Look
from capo_core.dashboard.words import plotly
from capo_core.task import LabelScale

STAY = {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}


def cumulated(
    scale: LabelScale,
    said: Sequence[tuple[str, Look, np.ndarray, np.ndarray, np.ndarray]],
    against: str,
    height: int = 330,
) -> go.Figure:
    """The share of answers at each point of an ordinal scale or below it.

    Args:
        said: for each source its name, look, cumulated shares [labels], and their intervals' ends
            (for a single item the shares themselves).
        against: the one drawn strongest.
    """
    figure = blank(height, legend=True)
    numbers = [scale.number(label) for label in scale.labels]
    for name, look, value, low, high in said:
        told = [
            f"{a:.0%}" if b - a < 1e-9 else f"{v:.0%} [{a:.0%}, {b:.0%}]"
            for v, a, b in zip(value, low, high, strict=True)
        ]
        figure.add_scatter(
            x=[numbers[0] - 0.5, *numbers],
            y=[0.0, *value],
            mode="lines",
            name=plotly(name, 28),
            line={
                "shape": "hv",
                "color": look.color,
                "dash": look.dash,
                "width": 3.4 if name == against else 2,
            },
            customdata=["0%", *told],
            hovertemplate="%{x} or lower: %{customdata}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(
        title="answer", tickvals=numbers, range=[numbers[0] - 0.5, numbers[-1] + 0.3]
    )
    figure.update_yaxes(tickformat=".0%", range=[-0.02, 1.04], title="this or a lower answer")
    return figure


def likeness(rows: pd.DataFrame, looks: Mapping[str, Look], measure: str) -> go.Figure:
    """Likeness by length of n-grams, a line a set of explanations, with intervals.

    Args:
        rows: `variation.COLUMNS` of one measure.
    """
    figure = blank(300, legend=True)
    names = list(dict.fromkeys(rows["source"]))
    for position, name in enumerate(names):
        one = rows[(rows["source"] == name) & (rows["n"] > 0)]
        look = looks[name]
        figure.add_scatter(
            x=one["ngram"] + 0.05 * (position - (len(names) - 1) / 2),
            y=one["value"],
            error_y=whiskers(one["value"], one["low"], one["high"], look.color),
            mode="lines+markers",
            name=plotly(name, 34),
            line={"color": look.color, "dash": look.dash, "width": 2},
            marker={"color": look.color, "symbol": look.symbol, "size": 9},
            customdata=one[["ngram", "low", "high", "n"]].to_numpy(),
            hovertemplate=f"{measure}, n = %{{customdata[0]}}: %{{y:.3f}} [%{{customdata[1]:.3f}}, "
            "%{customdata[2]:.3f}], %{customdata[3]:,} items<extra>%{fullData.name}</extra>",
        )
    lengths = sorted(rows["ngram"].unique())
    figure.update_xaxes(
        title="length of the n-gram",
        tickvals=lengths,
        range=[min(lengths) - 0.4, max(lengths) + 0.4],
        showgrid=False,
    )
    figure.update_yaxes(rangemode="tozero", title="likeness")
    return figure


def replaced(rows: pd.DataFrame, title: str, color: str) -> go.Figure:
    """A value by the share of people's explanations replaced, with intervals.

    Args:
        rows: share, value, low, high, n; for lines of several, `line`.
    """
    figure = blank(300, legend=rows["line"].nunique() > 1)
    dashes = ("solid", "dash", "dot", "dashdot")
    for place, (name, one) in enumerate(rows.groupby("line", sort=False)):
        figure.add_scatter(
            x=one["share"],
            y=one["value"],
            error_y=whiskers(one["value"], one["low"], one["high"], color),
            mode="lines+markers",
            name=plotly(str(name), 30),
            line={"color": color, "width": 2, "dash": dashes[place % len(dashes)]},
            marker={"color": color, "size": 8},
            customdata=one[["low", "high", "n"]].to_numpy(),
            hovertemplate="%{x:.0%} replaced: %{y:.3f} [%{customdata[0]:.3f}, "
            "%{customdata[1]:.3f}], %{customdata[2]:,} items<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(tickformat=".0%", range=[-0.05, 1.05], title="explanations replaced")
    figure.update_yaxes(title=title)
    return figure


def distances(
    rows: pd.DataFrame, names: Mapping[str, str], looks: Mapping[str, Look], title: str
) -> go.Figure:
    """One measure of all sources, a row each with its interval; the first on top.

    Args:
        rows: `Comparison.table` of one measure, in the order to show.
    """
    rows = rows[rows["value"].notna()].iloc[::-1]
    figure = blank(max(200, 76 + 30 * len(rows)))
    for place, row in enumerate(rows.itertuples()):
        one = pd.DataFrame([row._asdict()])
        look = looks[row.source]
        figure.add_scatter(
            x=one["value"],
            y=[place],
            error_x=whiskers(one["value"], one["low"], one["high"], look.color),
            mode="markers",
            marker={"color": look.color, "symbol": look.symbol, "size": 11},
            customdata=one[["source", "low", "high", "n"]].to_numpy(),
            hovertemplate="%{x:.3f} [%{customdata[1]:.3f}, %{customdata[2]:.3f}], "
            "n = %{customdata[3]:,}<extra></extra>",
            showlegend=False,
            **STAY,
        )
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[plotly(names[source], 30) for source in rows["source"]],
        range=[-0.6, len(rows) - 0.4],
        showgrid=False,
    )
    figure.update_xaxes(title=title, rangemode="tozero", gridcolor=None, linecolor=NEUTRAL)
    return figure
