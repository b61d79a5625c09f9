"""Pictures of the ladder and of its controls, with the titles their numbers give."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.charts_base import blank, chance_line, in_order, pool_axis, whiskers
from capo_core.dashboard.theme import FAINT, NEUTRAL, REDUCTIONS, control_name, reduction_name
from capo_core.dashboard.words import PERCENT, percent

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
        _, color, symbol, dash = REDUCTIONS.get(name, ("", NEUTRAL, "circle", "solid"))
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
            REDUCTIONS.get(row.reduction, ("", NEUTRAL, "circle", ""))[1:3],
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
