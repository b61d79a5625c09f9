"""Parts of charts: the empty figure, intervals, the chance line, axes in percent and of k.

Neutral colours, font and background come from Streamlit's theme, light or dark; only colours that
carry meaning are set here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.ui.theme import FAINT, NEUTRAL
from capo_core.formatting import percent, percent_interval
from capo_core.text.reductions import REDUCTIONS


def blank(height: int, *, left: int = 10, legend: bool = False) -> go.Figure:
    """Return an empty figure with the layout of all charts."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": left, "r": 16, "t": 44 if legend else 16, "b": 44},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.0, "xanchor": "left", "yanchor": "bottom"},
        hoverlabel={"align": "left"},
        font={"size": 13},
        separators=".,",
        dragmode=False,
    )
    figure.update_xaxes(zeroline=False, automargin=True, fixedrange=True)
    figure.update_yaxes(zeroline=False, automargin=True, fixedrange=True)
    return figure


def whiskers(value: pd.Series, low: pd.Series, high: pd.Series, color: str | None = None) -> dict:
    """Return Plotly's error bars for the interval from `low` to `high` around `value`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (high - value).clip(lower=0),
        "arrayminus": (value - low).clip(lower=0),
        "thickness": 1.2,
        "width": 0,
        **({"color": color} if color else {}),
    }


def chance_line(
    figure: go.Figure,
    rows: pd.DataFrame,
    *,
    vertical: bool,
    below: float | None = None,
    name: str = "chance",
    write: Callable[[float], str] = percent,
) -> None:
    """Draw the chance level of `rows` as a dashed line with its value.

    Args:
        below: y of a band around a horizontal line, under which the text stands.
        name: what the level is called.
        write: returns the value as the axis has it.
    """
    chance = float(rows["chance"].iloc[0])
    line = {"color": NEUTRAL, "width": 1.4, "dash": "dash"}
    text = {
        "text": f"{name} {write(chance)}",
        "showarrow": False,
        "font": {"color": NEUTRAL, "size": 12},
    }
    if vertical:
        figure.add_vline(chance, line=line)
        figure.add_annotation(
            x=chance, y=1, yref="paper", xanchor="left", yanchor="bottom", xshift=3, **text
        )
    else:
        figure.add_hline(chance, line=line)
        y = chance if below is None else min(chance, below)
        # At the foot of the chart it would cover the ticks below.
        side = "bottom" if chance < 0.02 else "top"
        figure.add_annotation(x=0, xref="paper", y=y, xanchor="left", yanchor=side, **text)


def clickable_cells(
    figure: go.Figure, shape: tuple[int, int], customdata: Sequence[tuple], hovertemplate: str
) -> None:
    """Let the cells of a heat map be clicked: Streamlit selects points only, so unseen marks.

    Args:
        shape: rows and columns. customdata: of each cell, row by row.
    """
    cells = [(row, column) for row in range(shape[0]) for column in range(shape[1])]
    figure.add_scatter(
        x=[column for _, column in cells],
        y=[row for row, _ in cells],
        mode="markers",
        marker={"symbol": "square", "size": 34, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        showlegend=False,
        customdata=list(customdata),
        hovertemplate=f"{hovertemplate}<extra></extra>",
    )


def percent_axis(title: str, low: float = 0.0, high: float = 1.0) -> dict:
    """Return settings of an axis of shares from `low` to `high`, with ticks such as "20 %"."""
    high = max(high, low + 0.01)
    step = next((step for step in (0.01, 0.02, 0.05, 0.1) if (high - low) / step <= 7), 0.2)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = [round(step * k, 2) for k in range(first, last + 1)]
    return {
        "title": title,
        "range": [low, high + 0.03 * (high - low)],
        "tickvals": ticks,
        "ticktext": [percent(tick) for tick in ticks],
    }


def share_texts(
    value: pd.Series, low: pd.Series | None = None, high: pd.Series | None = None, digits: int = 0
) -> list[str]:
    """Return shares as a hover text writes them: "62 % [58–66]", or "62 %" without an interval."""
    if low is None or high is None:
        return [percent(each, digits) for each in value]
    return [
        f"{percent(each, digits)} {percent_interval(*ends)}".strip()
        for each, *ends in zip(value, low, high, strict=True)
    ]


def in_order(reductions: pd.Series) -> list[str]:
    """Return the distinct reductions, the known ones first and in the registry's order."""
    found = set(reductions)
    return [name for name in REDUCTIONS if name in found] + sorted(found - set(REDUCTIONS))


def pool_axis(figure: go.Figure, pools: Sequence[int]) -> None:
    """Make x the logarithmic axis of k, the number of explanations pooled."""
    figure.update_xaxes(
        type="log",
        tickvals=list(pools),
        ticktext=[str(k) for k in pools],
        title="Explanations pooled (k)",
        showgrid=False,
    )


def join_points(figure: go.Figure, place: float, low: float, high: float) -> None:
    """Draw the line between the points of a row of a dumbbell chart, from `low` to `high`."""
    figure.add_scatter(
        x=[low, high],
        y=[place, place],
        mode="lines",
        line={"color": FAINT, "width": 3},
        hoverinfo="skip",
        showlegend=False,
    )
