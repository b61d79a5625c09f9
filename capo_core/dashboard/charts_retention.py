"""Pictures of what a training gained and what it made its base forget, along its strength."""

from __future__ import annotations

import plotly.graph_objects as go

from capo_core.dashboard.charts_base import blank, chance_line, whiskers
from capo_core.dashboard.theme import NEUTRAL, Look
from capo_core.evaluation.retention import GENERAL, IMITATION, LABELS, OTHERS, OWN, Retention

_GAINED = {IMITATION: "given to the target", LABELS: "label of most annotators"}
_KEPT = {
    OWN: "the target's responses",
    OTHERS: "others' responses",
    GENERAL: "general text",
}
_LOOKS = {
    LABELS: Look(NEUTRAL, "circle-open", "dot"),
    OTHERS: Look("#C98A1B", "square", "dash"),
    GENERAL: Look("#2A9D8F", "diamond", "dot"),
}


def gained(found: Retention, human: Look) -> go.Figure:
    """Shares along the way: explanations given to the target, labels that most people gave.

    Args:
        human: the look of the target's own texts, whose share is the ceiling.
    """
    figure = _way(found)
    for measure, called in _GAINED.items():
        rows = found.curve(measure)
        look = _LOOKS.get(measure, human)
        _line(figure, rows, called, look, rows["value"], rows["low"], rows["high"], "%{y:.1%}")
    ceiling, chance = (found.line(IMITATION, name) for name in ("ceiling", "chance"))
    if ceiling is not None:
        figure.add_hline(
            ceiling["value"],
            line={"color": human.color, "width": 1.2},
            annotation_text="the target's own texts",
            annotation_position="top left",
            annotation_font={"color": NEUTRAL, "size": 12},
        )
    if chance is not None:
        rows = found.curve(IMITATION).assign(chance=chance["value"])
        chance_line(figure, rows, vertical=False)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.08], title="share of answers")
    return figure


def kept(found: Retention, human: Look) -> go.Figure:
    """Perplexity against the base's own, a line for each kind of text; 1 is as the base."""
    figure = _way(found)
    for measure, called in _KEPT.items():
        rows = found.curve(measure)
        if rows.empty:
            continue
        look = _LOOKS.get(measure, human)
        _line(figure, rows, called, look, rows["change"], rows["change_low"],
              rows["change_high"], "%{y:.2f} times the base's")  # fmt: skip
    figure.add_hline(1.0, line={"color": NEUTRAL, "width": 1.4, "dash": "dash"})
    figure.update_yaxes(type="log", title="perplexity, the base's = 1", tickformat=".2~f")
    return figure


def _way(found: Retention) -> go.Figure:
    """The empty figure with the way from the base over SFT to CAPO, and the best point."""
    figure = blank(380, legend=True)
    strengths = found.config.strengths
    ends = {0.0: "base", 1.0: "SFT", 2.0: "CAPO"}
    places = [*strengths, *(1 + s for s in strengths[1:])]
    places = [at for at in places if at <= found.points["at"].max()]
    figure.update_xaxes(
        tickvals=places,
        ticktext=[ends.get(at, f"{at % 1:g}") for at in places],
        title="strength of the adapter",
        showgrid=False,
    )
    if found.best is not None:
        figure.add_vline(
            found.best.at,
            line={"color": NEUTRAL, "width": 1.4, "dash": "dot"},
            annotation_text="best",
            annotation_position="bottom right",
            annotation_font={"color": NEUTRAL, "size": 12},
        )
    return figure


def _line(figure, rows, called, look, value, low, high, shown) -> None:
    figure.add_scatter(
        x=rows["at"],
        y=value,
        error_y=whiskers(value, low, high, look.color),
        mode="lines+markers",
        name=called,
        line={"color": look.color, "dash": look.dash, "width": 2.2},
        marker={"symbol": look.symbol, "size": 9, "color": look.color},
        customdata=list(zip(low, high, rows["n"], strict=True)),
        hovertemplate=f"{shown} [%{{customdata[0]:.2f}}, %{{customdata[1]:.2f}}], "
        "n = %{customdata[2]:,}<extra>%{fullData.name}</extra>",
    )
