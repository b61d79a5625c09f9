"""Charts of a stability report: the ladder, its controls, and the other measures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.ui.charts import (
    blank,
    chance_line,
    in_order,
    percent_axis,
    pool_axis,
    whiskers,
)
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.theme import (
    FAINT,
    NEUTRAL,
    control_name,
    reduction_look,
    reduction_name,
    representation_name,
)
from capo_core.formatting import number, p_value, percent, percent_interval
from capo_core.stability import claims, summary

_PARTS = (
    ("item", "Item", "#8F979E", "#15181B"),
    ("annotator", "Annotator", "#2F6FB0", "#FFFFFF"),
    ("residual", "Unexplained (interaction and noise)", "#D4D7DA", "#15181B"),
)


@figure_kind("variance", "Variance components")
def variance(rows: pd.DataFrame, names: Sequence[str]) -> go.Figure:
    """Return shares of the variance: stacked bars, one per row of `rows`, called `names`.

    The annotator's share, which is what is asked for and often too narrow for a number, stands
    beside the bar with its interval. Unbiased components may be a little below 0; such a bar has no
    length, its number stays.
    """
    figure = blank(110 + 38 * len(rows), legend=True)
    for column, called, color, ink in _PARTS:
        given = [_interval(row, column) for row in rows.itertuples()]
        figure.add_bar(
            y=list(names),
            x=rows[column].clip(lower=0),
            orientation="h",
            name=called,
            marker={"color": color, "line": {"width": 0}},
            # The numbers of other narrow bars are in the tooltip and in the table.
            text=[_inside(value, ends) for value, ends in zip(rows[column], given, strict=True)],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": ink},
            customdata=[
                (value, f"{percent(value, 1)} {ends}".strip(), n)
                for value, ends, n in zip(rows[column], given, rows["n_items"], strict=True)
            ],
            hovertemplate="%{y}: %{customdata[1]} of the variance, n = %{customdata[2]:,} "
            "items<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.35, legend_traceorder="normal")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(**percent_axis("Share of variance"))
    for name, row in zip(names, rows.itertuples(), strict=True):
        _beside(figure, name, f"{percent(row.annotator, 1)} {_interval(row, 'annotator')}".strip())
    _beside(figure, 1.0, "<b>Annotator</b>", yref="paper", yanchor="bottom")
    figure.update_layout(margin_r=150)
    return figure


def _beside(figure: go.Figure, y: float | str, text: str, **place: str) -> None:
    """Write of the annotator's share beside the bars, in the theme's ink: the colour of their bars
    is too dark on the dark theme."""
    figure.add_annotation(
        x=1.0, y=y, text=text, showarrow=False, xanchor="left", xshift=8, **place,
    )  # fmt: skip


def _inside(value: float, ends: str) -> str:
    """Return a share and its interval to stand in its bar; less, or "", where that is too narrow.

    >>> _inside(0.477, "[45.1–50.2]").replace("\xa0", " ")
    '47.7 % [45.1–50.2]'
    """
    said = percent(value, 1) if value >= 0.06 else ""
    return f"{said} {ends}".strip() if value >= 0.25 else said


def _interval(row, column: str) -> str:
    """Return "[0.9–1.5]", in percent, with the digits that the share has; "" where it is
    undefined, or not there (in former reports)."""
    low, high = (getattr(row, f"{column}_{end}", math.nan) for end in ("low", "high"))
    if pd.isna(low) or pd.isna(high):
        return ""
    return percent_interval(low, high, 1)


@figure_kind("separation", "Unsupervised separability")
def separation(rows: pd.DataFrame) -> go.Figure:
    """Return the AUC without training by explanations pooled, one line per reduction."""
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
    chance_line(figure, pd.DataFrame({"chance": [0.5]}), vertical=False, write=number)
    pool_axis(figure, pools)
    figure.update_yaxes(range=[0.4, 1.03], title="AUC, same vs different annotators")
    return figure


@figure_kind("reliability", "Split-half reliability")
def reliability(rows: pd.DataFrame) -> go.Figure:
    """Return the correlation of profiles from two halves, by explanations in a half."""
    figure = blank(360, legend=True)
    rows = rows.sort_values("n")
    for column, name, color, symbol in (
        ("self", "same annotator", "#2F6FB0", "square"),
        ("others", "different annotators", "#C98A1B", "diamond"),
        ("shuffled", "annotators permuted", NEUTRAL, "circle-open"),
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
    figure.update_xaxes(title="Explanations per annotator and half", rangemode="tozero")
    figure.update_yaxes(title="Correlation of profiles")
    return figure


def reliability_title(rows: pd.DataFrame) -> str:
    """Return the title of the reliability chart, from the largest halves."""
    last = rows.sort_values("n").iloc[-1]
    return (
        f"with {int(last['n']):,} explanations in each half, an annotator's two profiles correlate "
        f"at {number(last['self'])}, those of two annotators at {number(last['others'])}"
    )


@figure_kind("calibration-planted", "Calibration: planted style")
def planted(rows: pd.DataFrame) -> go.Figure:
    """Return accuracy by planted strength, one line per k; whiskers from lowest to highest.

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
            name=f"k = {k}",
            line={"color": shade, "width": 2.2},
            marker={"symbol": symbol, "size": 9},
            cliponaxis=False,
            customdata=[
                (percent(accuracy), n)
                for accuracy, n in zip(line["accuracy"], line["n"], strict=True)
            ],
            hovertemplate="strength %{x}: %{customdata[0]}, mean of %{customdata[1]} datasets"
            "<extra>%{fullData.name}</extra>",
        )
    chance_line(figure, rows, vertical=False)
    figure.update_xaxes(title="Simulated style strength (0: none, 1: as in human annotators)")
    figure.update_yaxes(**percent_axis("Attribution accuracy"))
    return figure


@figure_kind("calibration-null", "Calibration: p-values on null data")
def null_p_values(points: pd.DataFrame) -> go.Figure:
    """Return the cumulative distribution of the p-values on null data, per k; ideally diagonal.

    Args:
        points: a calibration's points at strength 0 of one representation and reduction.
    """
    figure = blank(380, legend=True)
    shades = ("#8F979E", "#2F6FB0", "#C98A1B", "#2A9D8F", "#9467BD", "#6B7280")
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="uniform p-values",
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
            name=f"k = {k}",
            customdata=[
                percent(i / max(1, len(values))) for i in (*range(len(values) + 1), len(values))
            ],
            hovertemplate="p ≤ %{x:.3f} in %{customdata} of the null datasets"
            "<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="p-value", range=[0, 1])
    figure.update_yaxes(**percent_axis("Datasets with at most this p-value"))
    return figure


@figure_kind("ladder", "Stability ladder")
def ladder(rows: pd.DataFrame, chosen: tuple[str, int] | None = None) -> go.Figure:
    """Return attribution accuracy by explanations pooled, one line per reduction.

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
            cliponaxis=False,
            customdata=[
                (
                    point.reduction,
                    point.k,
                    percent(point.accuracy),
                    percent_interval(point.low, point.high),
                    point.n_items,
                    _p_text(point.p_value),
                )
                for point in line.itertuples()
            ],
            hovertemplate="k = %{customdata[1]}: %{customdata[2]} %{customdata[3]}"
            "<br>n = %{customdata[4]:,} items%{customdata[5]}"
            "<br>click to read the explanations<extra>%{fullData.name}</extra>",
        )
    chance_line(figure, rows, vertical=False, below=_null_floor(rows))
    pool_axis(figure, pools)
    low = max(0.0, min(rows["low"].min(), rows["chance"].min()) - 0.12)
    figure.update_yaxes(**percent_axis("Attribution accuracy", low, _top(rows)))
    return figure


_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5)  # between ticks, few of them: beside names there is no room
_LOW = 0.4  # accuracies below are those of many annotators: an axis up to 1 would leave them flat


def _top(*frames: pd.DataFrame) -> float:
    """Return where the axis of accuracies ends: 1, or what they need where all of them are low."""
    columns = [
        frame[name] for frame in frames for name in ("high", "chance", "null_high") if name in frame
    ]
    highest = float(pd.concat(columns).max()) if columns else math.nan
    return 1.0 if not highest < _LOW else math.ceil(60 * highest) / 50


def ladder_title(rows: pd.DataFrame, reduction: str | None = None) -> str:
    """Return the ladder's title: the accuracies of one reduction that a headline would name.

    A range over reductions would read as an interval.

    Args:
        rows: ladder rows of one representation. reduction: by default the headline's.
    """
    representation = rows["representation"].iloc[0]
    found = claims.identification(rows, representation, reduction)
    name = reduction_name(found.values["reduction"])
    return summary.ladder_title(
        found, representation_name(representation), name[:1].lower() + name[1:]
    )


def _p_text(p: float | None) -> str:
    """Return ", p = 0.012", or nothing where no null was computed."""
    if p is None or math.isnan(p):
        return ""
    text = p_value(p)
    return f", p {text}" if text.startswith("≤") else f", p = {text}"


def _null_floor(rows: pd.DataFrame) -> float | None:
    """Return the lower edge of the null band at the smallest k; None without a null."""
    first = rows[rows["k"] == rows["k"].min()][["null_mean", "null_high"]].astype(float).max()
    floor = 2 * first["null_mean"] - first["null_high"]
    return None if math.isnan(floor) else float(floor)


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
        name="Permutation null (95 %)",
        hoverinfo="skip",
    )


def controls_at(rows: pd.DataFrame, representation: str, k: int) -> pd.DataFrame:
    """Return the control rows of one representation at `k`, with a `name` for the screen.

    Of the nulls, which every reduction has, the highest represents all. The matching of two texts
    with equal labels (same_label) has another chance level and is shown in the table only.
    """
    here = (rows["representation"] == representation) | rows["control"].isin(claims.TEXTLESS)
    rows = rows[here & (rows["k"] == k) & (rows["control"] != "same_label")]
    rows = rows.sort_values("accuracy", ascending=False, kind="stable")
    rows = rows.drop_duplicates("control")
    return rows.assign(name=[control_name(control) for control in rows["control"]])


def controls_title(ladder_rows: pd.DataFrame, control_rows: pd.DataFrame, k: int) -> str:
    """Return the title of the controls: whether the best reduction at `k` exceeds all of them."""
    found = claims.above_controls(ladder_rows, control_rows, k)
    if found is None:
        return f"No controls for k = {k}"
    values = found.values
    return summary.controls_title(
        found, reduction_name(values["reduction"]), control_name(values["control"])
    )


@figure_kind("controls", "Reductions and controls")
def controls(ladder_rows: pd.DataFrame, control_rows: pd.DataFrame) -> go.Figure:
    """Return the accuracies at one k: reductions (filled) and the controls to exceed (open).

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
        cliponaxis=False,
        customdata=[
            (row.name, percent(row.accuracy), percent_interval(row.low, row.high))
            for row in frame.itertuples(index=False)
        ],
        hovertemplate="%{customdata[0]}: %{customdata[1]} %{customdata[2]}<extra></extra>",
    )
    chance_line(figure, ladder_rows, vertical=True)
    figure.update_yaxes(tickvals=list(range(len(frame))), ticktext=frame["name"])
    top = _top(ladder_rows, control_rows)
    step = next(each for each in _STEPS if top / each < 4)
    ticks = [place * step for place in range(math.floor(top / step + 1e-9) + 1)]
    figure.update_xaxes(
        **percent_axis("Attribution accuracy", 0.0, top)
        | {"tickvals": ticks, "ticktext": [percent(tick) for tick in ticks], "tickangle": 0}
    )
    return figure
