"""Pictures of the measures beside the ladder.

Pictures of the ladder and of its controls, with the titles their numbers give.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.ui.charts import blank, chance_line, in_order, pool_axis, whiskers
from capo_core.dashboard.ui.theme import (
    FAINT,
    NEUTRAL,
    control_name,
    reduction_look,
    reduction_name,
)
from capo_core.formatting import PERCENT, percent

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
        look = reduction_look(name)
        color, symbol, dash = look.color, look.symbol, look.dash
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


# Controls without a word of the explanation: they stand beside every representation.
_TEXTLESS = ("label", "length", "formatting", "input")


def ladder(rows: pd.DataFrame, chosen: tuple[str, int] | None = None) -> go.Figure:
    """Accuracy of attribution by explanations pooled, one line per reduction.

    Args:
        rows: ladder rows of one representation.
        chosen: the (reduction, k) whose explanations are open, ringed.
    """
    figure = blank(430, legend=True)
    pools = sorted(rows["k"].unique())
    _null_band(figure, rows)
    names = in_order(rows["reduction"])
    for position, name in enumerate(names):
        line = rows[rows["reduction"] == name].sort_values("k")
        look = reduction_look(name)
        color, symbol, dash = look.color, look.symbol, look.dash
        # Beside each other by a few percent of a step, or the intervals would hide each other.
        shift = 2 ** (0.07 * (position - (len(names) - 1) / 2))
        figure.add_scatter(
            x=line["k"] * shift,
            y=line["accuracy"],
            error_y=whiskers(line["accuracy"], line["low"], line["high"], color),
            mode="lines+markers",
            name=reduction_name(name),
            line={"color": color, "dash": dash, "width": 2.2},
            marker={
                "symbol": symbol,
                "size": [13 if chosen == (name, k) else 9 for k in line["k"]],
                "color": color,
                "line": {
                    "color": color,
                    "width": [4 if chosen == (name, k) else 0 for k in line["k"]],
                },
            },
            # A selection must not fade the rest: the choice is ringed instead.
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            customdata=line[["reduction", "k", "low", "high", "n_items", "p_value"]].to_numpy(),
            hovertemplate="%{customdata[1]} pooled: %{y:.1%} [%{customdata[2]:.1%}, "
            "%{customdata[3]:.1%}]<br>n = %{customdata[4]:,} items, p = %{customdata[5]:.3g}"
            "<br>click to read the explanations<extra>%{fullData.name}</extra>",
        )
    chance_line(figure, rows, vertical=False)
    pool_axis(figure, pools)
    low = max(0.0, min(rows["low"].min(), rows["chance"].min()) - 0.12)
    figure.update_yaxes(tickformat=".0%", range=[low, 1.03], title="right annotator named")
    return figure


def ladder_title(rows: pd.DataFrame, name: str) -> str:
    """What the ladder shows, from its numbers: how far one goes, and how far more go together."""
    by_k = rows.groupby("k")["accuracy"].agg(["min", "max"])
    first = by_k.index[0]
    many = max(k for k in by_k.index if k <= max(16, first))
    opening = "one explanation names" if first == 1 else f"{first} explanations name"
    title = f"{name}: {opening} the annotator in {_span(*by_k.loc[first])} of cases"
    return title if many == first else f"{title}, {many} pooled in {_span(*by_k.loc[many])}"


def _span(low: float, high: float) -> str:
    """ "52 to 66 %", or one number where both ends round to it."""
    low_text, high_text = percent(low), percent(high)
    if low_text == high_text:
        return high_text
    return f"{low_text.removesuffix(PERCENT)} to {high_text}"


def _null_band(figure: go.Figure, rows: pd.DataFrame) -> None:
    null = rows.groupby("k")[["null_mean", "null_high"]].max().dropna()
    if null.empty:
        return
    pools = list(null.index)
    upper = null["null_high"]
    lower = 2 * null["null_mean"] - upper
    figure.add_scatter(
        x=pools + pools[::-1],
        y=[*upper, *lower[::-1]],
        fill="toself",
        fillcolor=FAINT,
        line={"width": 0},
        mode="lines",
        name="Annotators shuffled (95 %)",
        hoverinfo="skip",
    )


def controls_at(rows: pd.DataFrame, representation: str, k: int) -> pd.DataFrame:
    """The control rows to hold against one representation at `k`, with a `name` for the screen.

    Of the nulls, which every reduction has, the highest stands for all. "Whose is whose" has
    another chance level and is left to the table.
    """
    here = (rows["representation"] == representation) | rows["control"].isin(_TEXTLESS)
    rows = rows[here & (rows["k"] == k) & (rows["control"] != "same_label")]
    rows = rows.sort_values("accuracy", ascending=False, kind="stable")
    rows = rows.drop_duplicates("control")
    return rows.assign(name=[control_name(control) for control in rows["control"]])


def controls_title(ladder_rows: pd.DataFrame, control_rows: pd.DataFrame, k: int) -> str:
    """Whether the reductions at `k` lie above what the simplest knowledge reaches."""
    at = "a single explanation" if k == 1 else f"{k} pooled"
    if control_rows.empty:
        return f"No controls were computed for {at}"
    best, strongest = ladder_rows["accuracy"].max(), control_rows["accuracy"].max()
    relation = "above" if best > strongest else "not above"
    return f"With {at}, the best reduction is {relation} every control"


def controls(ladder_rows: pd.DataFrame, control_rows: pd.DataFrame) -> go.Figure:
    """At one k: every reduction (filled) above the controls that it must beat (open).

    Args:
        ladder_rows: ladder rows of one representation and one k.
        control_rows: control rows of the same k, each with a `name` for the screen.
    """
    rows = [
        (
            reduction_name(row.reduction),
            row.accuracy,
            row.low,
            row.high,
            (reduction_look(row.reduction).color, reduction_look(row.reduction).symbol),
        )
        for row in ladder_rows.itertuples()
    ] + [
        (row.name, row.accuracy, row.low, row.high, (NEUTRAL, "circle-open"))
        for row in control_rows.rename_axis("row").itertuples(index=False)
    ]
    rows.reverse()
    figure = blank(80 + 29 * len(rows))
    frame = pd.DataFrame(rows, columns=["name", "accuracy", "low", "high", "look"])
    figure.add_scatter(
        x=frame["accuracy"],
        y=list(range(len(frame))),
        error_x=whiskers(frame["accuracy"], frame["low"], frame["high"], NEUTRAL),
        mode="markers",
        marker={
            "size": 10,
            "color": [look[0] for look in frame["look"]],
            "symbol": [look[1] for look in frame["look"]],
        },
        customdata=frame[["name", "low", "high"]].to_numpy(),
        hovertemplate="%{customdata[0]}: %{x:.1%} [%{customdata[1]:.1%}, %{customdata[2]:.1%}]"
        "<extra></extra>",
    )
    chance_line(figure, ladder_rows, vertical=True)
    figure.update_yaxes(tickvals=list(range(len(frame))), ticktext=frame["name"])
    figure.update_xaxes(tickformat=".0%", range=[0, 1.03], title="right annotator named")
    return figure
