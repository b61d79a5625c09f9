"""Pictures of the measures beside the ladder."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.charts_base import blank, chance_line, in_order, pool_axis, whiskers
from capo_core.dashboard.theme import NEUTRAL, REDUCTIONS, reduction_name

_PARTS = (
    ("item", "Item", "#8F979E", "#15181B"),
    ("annotator", "Annotator", "#2F6FB0", "#FFFFFF"),
    ("residual", "The rest", "#D4D7DA", "#15181B"),
)


def variance(rows: pd.DataFrame, names: Sequence[str]) -> go.Figure:
    """Shares of the variance: stacked bars, one per row of `rows`, called `names`.

    Unbiased components may be a little below 0; such a bar has no length, its number stays.
    """
    figure = blank(110 + 38 * len(rows), legend=True)
    for column, called, color, ink in _PARTS:
        figure.add_bar(
            y=list(names),
            x=rows[column].clip(lower=0),
            orientation="h",
            name=called,
            marker={"color": color, "line": {"width": 0}},
            # A number that has no room in its bar stands in the table.
            text=[f"{value:.2f}" if value >= 0.06 else "" for value in rows[column]],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": ink},
            customdata=rows[[column, "n_items"]].to_numpy(),
            hovertemplate="%{y}: %{customdata[0]:.3f} of the variance, n = %{customdata[1]:,} "
            "items<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.35, legend_traceorder="normal")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(tickformat=".0%", range=[0, 1.02], title="share of the variance")
    return figure


def separation(rows: pd.DataFrame) -> go.Figure:
    """AUC without training by explanations pooled, one line per reduction; chance one half."""
    figure = blank(360, legend=True)
    pools = sorted(rows["k"].unique())
    for name in in_order(rows["reduction"]):
        line = rows[rows["reduction"] == name].sort_values("k")
        _, color, symbol, dash = REDUCTIONS.get(name, ("", NEUTRAL, "circle", "solid"))
        figure.add_scatter(
            x=line["k"],
            y=line["auc"],
            error_y=whiskers(line["auc"], line["low"], line["high"], color),
            mode="lines+markers",
            name=reduction_name(name),
            line={"color": color, "dash": dash, "width": 2.2},
            marker={"symbol": symbol, "size": 9, "color": color},
            customdata=line[["low", "high", "n_items"]].to_numpy(),
            hovertemplate="AUC %{y:.2f} [%{customdata[0]:.2f}, %{customdata[1]:.2f}], "
            "n = %{customdata[2]:,} items<extra>%{fullData.name}</extra>",
        )
    chance_line(figure, pd.DataFrame({"chance": [0.5]}), vertical=False)
    pool_axis(figure, pools)
    figure.update_yaxes(range=[0.4, 1.03], title="same told from different (AUC)")
    return figure


def reliability(rows: pd.DataFrame) -> go.Figure:
    """Likeness of profiles from two halves, by explanations in a half; rows of one view."""
    figure = blank(360, legend=True)
    rows = rows.sort_values("n")
    for column, name, color, symbol in (
        ("self", "the same annotator", "#2F6FB0", "square"),
        ("others", "two different annotators", "#C98A1B", "diamond"),
        ("shuffled", "annotators shuffled", NEUTRAL, "circle-open"),
    ):
        interval = None
        if column == "self":
            interval = whiskers(rows["self"], rows["low"], rows["high"], color)
        figure.add_scatter(
            x=rows["n"],
            y=rows[column],
            error_y=interval,
            mode="lines+markers",
            name=name,
            line={"color": color, "width": 2.2},
            marker={"symbol": symbol, "size": 9, "color": color},
            hovertemplate="%{x} explanations: %{y:.2f}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="explanations of an annotator in each half", rangemode="tozero")
    figure.update_yaxes(title="correlation of profiles")
    return figure


def reliability_title(rows: pd.DataFrame) -> str:
    """What the largest halves show."""
    last = rows.sort_values("n").iloc[-1]
    return (
        f"With {int(last['n']):,} explanations in each half, an annotator's two profiles correlate "
        f"at {last['self']:.2f}, those of two annotators at {last['others']:.2f}"
    )


def planted(rows: pd.DataFrame) -> go.Figure:
    """Accuracy along the planted strength, one line per k; whiskers from lowest to highest.

    Args:
        rows: a calibration's summary of one representation and reduction.
    """
    figure = blank(380, legend=True)
    shades = ("#8F979E", "#2F6FB0", "#C98A1B", "#2A9D8F", "#9467BD", "#6B7280")
    symbols = ("circle", "square", "diamond", "triangle-up", "star", "cross")
    for shade, symbol, (k, line) in zip(shades, symbols, rows.groupby("k"), strict=False):
        line = line.sort_values("manner")
        figure.add_scatter(
            x=line["manner"],
            y=line["accuracy"],
            error_y=whiskers(line["accuracy"], line["lowest"], line["highest"], shade),
            mode="lines+markers",
            name=f"{k} pooled" if k > 1 else "one explanation",
            line={"color": shade, "width": 2.2},
            marker={"symbol": symbol, "size": 9},
            customdata=line["n"],
            hovertemplate="planted %{x}: %{y:.1%}, mean of %{customdata} data sets"
            "<extra>%{fullData.name}</extra>",
        )
    chance_line(figure, rows, vertical=False)
    figure.update_xaxes(title="strength of manner planted (0: nothing to find, 1: as in people)")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.03], title="right annotator named")
    return figure


def null_p_values(points: pd.DataFrame) -> go.Figure:
    """Share of null data sets with a p-value up to x, per k; on the diagonal where all is well.

    Args:
        points: a calibration's points at strength 0 of one representation and reduction.
    """
    figure = blank(380, legend=True)
    shades = ("#8F979E", "#2F6FB0", "#C98A1B", "#2A9D8F", "#9467BD", "#6B7280")
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="as it should be",
        line={"color": NEUTRAL, "dash": "dash", "width": 1.4},
        hoverinfo="skip",
    )
    for shade, (k, part) in zip(shades, points.groupby("k"), strict=False):
        values = part["p_value"].astype(float).sort_values()
        figure.add_scatter(
            x=[0, *values, 1],
            y=[0, *[(i + 1) / len(values) for i in range(len(values))], 1],
            mode="lines",
            line={"shape": "hv", "color": shade, "width": 2.2},
            name=f"{k} pooled" if k > 1 else "one explanation",
            hovertemplate="p ≤ %{x:.3f} in %{y:.0%} of the null data sets"
            "<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="p-value", range=[0, 1])
    figure.update_yaxes(tickformat=".0%", range=[0, 1.03], title="data sets with at most this p")
    return figure
