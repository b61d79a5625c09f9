"""The picture of the planner: what other numbers of judges would give."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.charts_base import blank
from capo_core.dashboard.theme import NEUTRAL

# Colours that no annotator and no method has.
_LINES = (
    ("width", "width of the interval", "#2F6FB0", "circle", "solid"),
    ("against_chance", "told from chance", "#2A9D8F", "square", "solid"),
    ("between", "two methods told apart", "#C98A1B", "diamond", "dash"),
)


def over_judges(rows: pd.DataFrame, judges: int) -> go.Figure:
    """Lines over the number of judges; the design's own is marked.

    Args:
        rows: `study_planning.CURVE` of one kind.
    """
    figure = blank(300, legend=True)
    for name, called, color, symbol, dash in _LINES:
        own = rows[rows[name].notna()]
        if own.empty:
            continue
        figure.add_scatter(
            x=own["judges"],
            y=own[name],
            mode="lines+markers",
            name=called,
            line={"color": color, "dash": dash, "width": 2.2},
            marker={"symbol": symbol, "size": 8, "color": color},
            hovertemplate=f"%{{x}} judges: %{{y:.0%}}<extra>{called}</extra>",
        )
    figure.add_vline(
        judges,
        line={"color": NEUTRAL, "width": 1.4, "dash": "dot"},
        annotation_text="this design",
        annotation_position="top right",
        annotation_font={"color": NEUTRAL, "size": 12},
    )
    figure.update_xaxes(title="judges", rangemode="tozero", showgrid=False)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.08])
    figure.update_layout(margin={"t": 64})
    return figure
