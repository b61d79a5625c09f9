"""What all pictures share: the empty figure, intervals, chance, the axis of pooling.

Neutral colours, the font and the ground come from Streamlit's theme, light or dark; only what
carries meaning is coloured here.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.ui.theme import NEUTRAL
from capo_core.formatting import percent
from capo_core.text.reductions import REDUCTIONS


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
        separators=".,",
        dragmode=False,
    )
    figure.update_xaxes(zeroline=False, automargin=True, fixedrange=True)
    figure.update_yaxes(zeroline=False, automargin=True, fixedrange=True)
    return figure


def whiskers(value: pd.Series, low: pd.Series, high: pd.Series, color: str | None = None) -> dict:
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


def chance_line(figure: go.Figure, rows: pd.DataFrame, *, vertical: bool) -> None:
    chance = float(rows["chance"].iloc[0])
    add = figure.add_vline if vertical else figure.add_hline
    add(
        chance,
        line={"color": NEUTRAL, "width": 1.4, "dash": "dash"},
        annotation_text=f"chance {percent(chance)}",
        annotation_position="top right" if vertical else "bottom left",
        annotation_font={"color": NEUTRAL, "size": 12},
    )


def in_order(reductions: pd.Series) -> list[str]:
    """The reductions there are, the known ones first and in their fixed order."""
    found = set(reductions)
    return [name for name in REDUCTIONS if name in found] + sorted(found - set(REDUCTIONS))


def pool_axis(figure: go.Figure, pools: Sequence[int]) -> None:
    figure.update_xaxes(
        type="log",
        tickvals=list(pools),
        ticktext=[str(k) for k in pools],
        title="explanations of one annotator pooled",
        showgrid=False,
    )
