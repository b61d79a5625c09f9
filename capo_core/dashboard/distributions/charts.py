"""Charts of Distributions: items in a triangle or by mean and spread, bars, distances, cumulated
shares and similarity of explanations.

The triangle of three labels is drawn on plain axes, so that its points can be clicked as in every
other chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.distributions.item_data import CORNERS, HEIGHT, heaps
from capo_core.dashboard.ui.charts import blank, percent_axis, share_texts, whiskers
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.text import plotly
from capo_core.dashboard.ui.theme import FAINT, NEUTRAL, Look
from capo_core.distributions.compare import measure_title
from capo_core.distributions.wording import source_name
from capo_core.formatting import count, percent, percent_interval
from capo_core.task import LabelScale

TALL = 440


def triangle(scale: LabelScale) -> go.Figure:
    """The empty triangle with its three labels and lines at quarters."""
    figure = _flat(TALL)
    lines = []
    for k in (0.25, 0.5, 0.75):
        for one, other, third in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            a = (1 - k) * CORNERS[one] + k * CORNERS[other]
            b = (1 - k) * CORNERS[one] + k * CORNERS[third]
            lines.append(_line(a, b, FAINT, 0.8))
    for one, other in ((0, 1), (1, 2), (2, 0)):
        lines.append(_line(CORNERS[one], CORNERS[other], NEUTRAL, 1.2))
    figure.update_layout(shapes=lines)  # one by one, each would be checked with all before it
    for corner, label, side in zip(CORNERS, scale.labels, ("left", "middle", "right"), strict=True):
        above = side == "middle"
        figure.add_annotation(
            x=corner[0],
            y=corner[1] + (0.035 if above else -0.035),
            text=plotly(label, 22),
            showarrow=False,
            font={"size": 13},
            xanchor="center",
            yanchor="bottom" if above else "top",
        )
    figure.update_layout(margin={"l": 4, "r": 4, "t": 40, "b": 4})
    figure.update_xaxes(visible=False, range=[-0.1, 1.1])
    figure.update_yaxes(
        visible=False, range=[-0.07, HEIGHT + 0.07], scaleanchor="x", constrain="domain"
    )
    return figure


def plane(scale: LabelScale) -> go.Figure:
    """The empty plane of mean and spread of an ordinal scale."""
    figure = _flat(TALL)
    numbers = [scale.number(label) for label in scale.labels]
    figure.update_xaxes(title="mean answer", range=[numbers[0] - 0.4, numbers[-1] + 0.4])
    figure.update_yaxes(title="spread (standard deviation)")
    return figure


def _flat(height: int) -> go.Figure:
    figure = blank(height, legend=True)
    figure.update_layout(hovermode="closest", legend={"itemsizing": "constant"})
    return figure


def _line(a: np.ndarray, b: np.ndarray, color: str, width: float) -> dict:
    return {
        "type": "line", "x0": a[0], "y0": a[1], "x1": b[0], "y1": b[1],
        "line": {"color": color, "width": width}, "layer": "below",
    }  # fmt: skip


def arrows(figure: go.Figure, start: np.ndarray, end: np.ndarray, color: str) -> None:
    """An arrow from each start to its end, [items, 2] both; those of no length left out."""
    moved = np.abs(start - end).max(axis=1) > 1e-3 if len(start) else np.zeros(0, dtype=bool)
    start, end = start[moved], end[moved]
    gap = np.full(len(start), np.nan)
    figure.add_scatter(
        x=np.column_stack([start[:, 0], end[:, 0], gap]).ravel(),
        y=np.column_stack([start[:, 1], end[:, 1], gap]).ravel(),
        mode="lines+markers",
        line={"color": color, "width": 1},
        marker={
            "symbol": "arrow",
            "angleref": "previous",
            "size": [0, 8, 0] * len(start),
            "color": color,
            "line": {"width": 0},
        },
        opacity=0.5,
        hoverinfo="skip",
        showlegend=False,
    )


def points(
    figure: go.Figure,
    at: np.ndarray,
    item_ids: Sequence[str],
    order: np.ndarray,
    *,
    name: str,
    look: Look,
    told: str = "",
) -> None:
    """Points of the items by one source; items at one place are one point, sized by their number.

    Args:
        at: [items, 2]. order: [items]: a click on a heap opens the item with the most of it.
    """
    rows = heaps(at, item_ids, order)
    figure.add_scatter(
        x=rows["x"],
        y=rows["y"],
        mode="markers",
        name=name,
        marker={
            "color": look.color,
            "symbol": look.symbol,
            "size": np.minimum(6 + 1.6 * np.sqrt(rows["n"] - 1), 20),
            "opacity": 0.72,
            "line": {"width": 0},
        },
        customdata=[
            (item, count(n, "item") + " here" if n > 1 else plotly(item, 40))
            for item, n in zip(rows["item_id"], rows["n"], strict=True)
        ],
        hovertemplate=f"%{{customdata[1]}}<br>{told}click to open<extra>{name}</extra>",
        showlegend=bool(name),
        selected={"marker": {"opacity": 0.72}},
        unselected={"marker": {"opacity": 0.72}},
    )


def chosen(figure: go.Figure, start: np.ndarray | None, end: np.ndarray, color: str) -> None:
    """Mark the open item by a ring, with its arrow where both sources have it."""
    if start is not None and np.abs(start - end).max() > 1e-3:
        figure.add_annotation(
            x=end[0], y=end[1], ax=start[0], ay=start[1], xref="x", yref="y", axref="x", ayref="y",
            text="", showarrow=True, arrowhead=2, arrowsize=1, arrowwidth=2.6, arrowcolor=color,
        )  # fmt: skip
    rings = [end] if start is None else [start, end]
    figure.add_scatter(
        x=[at[0] for at in rings],
        y=[at[1] for at in rings],
        mode="markers",
        marker={
            "symbol": "circle-open",
            "size": 17,
            "color": color,
            "line": {"width": 2.4, "color": color},
        },
        hoverinfo="skip",
        name="open item",
        showlegend=True,
    )


@figure_kind("shares", "All items together, by label")
def bars(
    scale: LabelScale, shares: Sequence[tuple[str, Look, np.ndarray, np.ndarray, np.ndarray]]
) -> go.Figure:
    """Bars of the mean share of each label by source over all items, with intervals.

    Args:
        shares: for each source its name, look, mean shares [labels], and their intervals' ends.
    """
    step = max(1, -(-len(scale.labels) // 25))
    figure = blank(TALL, legend=True)
    width = 0.8 / max(1, len(shares))
    for place, (name, look, mean, low, high) in enumerate(shares):
        x = np.arange(len(mean)) + (place - (len(shares) - 1) / 2) * width
        figure.add_bar(
            x=x,
            y=mean,
            width=width * 0.92,
            name=plotly(name, 28),
            marker={"color": look.color},
            error_y={"type": "data", "symmetric": False, "array": high - mean,
                     "arrayminus": mean - low, "thickness": 1.1, "width": 0,
                     "color": NEUTRAL},
            customdata=list(zip(
                [plotly(label, 40) for label in scale.labels], share_texts(mean, low, high),
                strict=True,
            )),
            hovertemplate="%{customdata[0]}: %{customdata[1]}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(
        tickvals=list(range(0, len(scale.labels), step)),
        ticktext=[plotly(label, 16) for label in scale.labels[::step]],
        range=[-0.6, len(scale.labels) - 0.4],
        showgrid=False,
    )
    most = max((float(np.nanmax(high)) for *_, high in shares), default=1.0)
    figure.update_yaxes(**percent_axis("mean probability of the label", 0.0, most))
    return figure


@figure_kind("disagreement", "Map of disagreement")
def map_of_disagreement(
    frame: pd.DataFrame, measure: str, look: Look, open_item: str, ink: str, most: float
) -> go.Figure:
    """Scatter of the entropy of the reference (x) and the distance of the source (y), one point per
    item.

    Args:
        frame: item_id, entropy_against, and the measure; one row an item.
        most: the greatest entropy there can be.
    """
    figure = blank(TALL)
    figure.update_layout(hovermode="closest")
    rows = frame[["item_id", "entropy_against", measure]].dropna()
    at = rows[["entropy_against", measure]].to_numpy(dtype=float).reshape(-1, 2)
    points(
        figure, at, rows["item_id"].tolist(), rows[measure].to_numpy(), name="", look=look,
        told=f"entropy %{{x:.2f}}, {measure_title(measure)} %{{y:.2f}}<br>",
    )  # fmt: skip
    mine = rows[rows["item_id"] == open_item]
    if len(mine):
        figure.add_scatter(
            x=mine["entropy_against"],
            y=mine[measure],
            mode="markers",
            marker={"symbol": "circle-open", "size": 17, "color": ink,
                    "line": {"width": 2.4, "color": ink}},
            hoverinfo="skip",
            showlegend=False,
        )  # fmt: skip
    figure.update_xaxes(title="entropy (0 = full agreement)", range=[-0.03, most * 1.04])
    highest = float(rows[measure].max()) if len(rows) and rows[measure].max() > 0 else 1.0
    figure.update_yaxes(
        title=f"{measure_title(measure)} of the source", range=[-0.03 * highest, 1.06 * highest]
    )
    return figure


@figure_kind("cumulated", "All items together, on an ordinal scale")
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
            percent(a) if b - a < 1e-9 else f"{percent(v)} {percent_interval(a, b)}"
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
    figure.update_yaxes(**percent_axis("cumulative share") | {"range": [-0.02, 1.04]})
    return figure


@figure_kind("explanation-similarity", "Similarity of explanations")
def likeness(rows: pd.DataFrame, looks: Mapping[str, Look], measure: str) -> go.Figure:
    """Lines of similarity by n-gram length, one per set of explanations, with intervals.

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
            name=plotly(source_name(name), 60),
            line={"color": look.color, "dash": look.dash, "width": 2},
            marker={"color": look.color, "symbol": look.symbol, "size": 9},
            customdata=one[["ngram", "low", "high", "n"]].to_numpy(),
            hovertemplate=f"{measure}, n = %{{customdata[0]}}: %{{y:.3f}} [%{{customdata[1]:.3f}}, "
            "%{customdata[2]:.3f}], %{customdata[3]:,} items<extra>%{fullData.name}</extra>",
        )
    lengths = sorted(rows["ngram"].unique())
    figure.update_xaxes(
        title="n-gram length",
        tickvals=lengths,
        range=[min(lengths) - 0.4, max(lengths) + 0.4],
        showgrid=False,
    )
    figure.update_yaxes(rangemode="tozero", title="similarity")
    return figure


@figure_kind("replaced", "Human explanations replaced by a model's")
def replaced(rows: pd.DataFrame, title: str, color: str) -> go.Figure:
    """Line of a value by the share of human explanations replaced, with intervals.

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
            customdata=one[["low", "high", "n"]].assign(share=share_texts(one["share"])).to_numpy(),
            hovertemplate="%{customdata[3]} replaced: %{y:.3f} [%{customdata[0]:.3f}, "
            "%{customdata[1]:.3f}], %{customdata[2]:,} items<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(**percent_axis("share of explanations replaced") | {"range": [-0.05, 1.05]})
    figure.update_yaxes(title=title)
    return figure
