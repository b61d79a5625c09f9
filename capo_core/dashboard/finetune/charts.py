"""Pictures of trainings: losses, contrasts and probes over steps; several runs over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.ui.charts import blank, percent_axis, share_texts, whiskers
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.text import plotly
from capo_core.dashboard.ui.theme import DASHES, FAINT, NEUTRAL, OKABE_ITO
from capo_core.formatting import percent
from capo_core.runs.events import RunEvents, has_figure, thinned

TRAIN, VALIDATION = OKABE_ITO[5], OKABE_ITO[1]
CHOSEN, REJECTED = OKABE_ITO[2], OKABE_ITO[3]
HEIGHT = 270


@dataclass(frozen=True)
class Curve:
    """A chart of training events: its title, axis and format."""

    figure: str
    title: str
    axis: str
    form: str = ".3f"


CURVES = {
    curve.figure: curve
    for curve in (
        Curve("loss", "Loss", "loss"),
        Curve("margin", "Margin", "margin, nats × β"),
        Curve("reward_accuracy", "Reward accuracy", "pairs ranked correctly", ".0%"),
        Curve("change", "Change of log-probability", "change since start of CAPO, nats", ".1f"),
        Curve("tokens_per_s", "Speed", "tokens per second", ",.0f"),
        Curve("learning_rate", "Learning rate", "learning rate", ".2g"),
        Curve("grad_norm", "Gradient norm", "gradient norm", ".3f"),
    )
}


@figure_kind("training-curve", "Curve of a training")
def curve(events: RunEvents, name: str) -> go.Figure:
    """Chart of one curve over the steps of one run, for training and validation."""
    about = CURVES[name]
    figure = _ground(about)
    _marks(figure, events)
    if name == "change":
        _changes(figure, events)
        return figure
    rows = thinned(events.steps)
    if has_figure(rows, name):
        several = len(events.validations) and has_figure(events.validations, name)
        _line(figure, rows, name, "training" if several else "", TRAIN, about.form)
    if has_figure(events.validations, name):
        _validated(figure, events.validations, name, "validation", VALIDATION, about.form)
    return figure


@figure_kind("training-overlay", "Curves of several runs")
def overlay(runs: Mapping[str, RunEvents], name: str, *, validation: bool) -> go.Figure:
    """Chart of one curve over the steps of several runs, by their names."""
    about = CURVES[name]
    figure = _ground(about, height=380)
    for place, (title, events) in enumerate(runs.items()):
        rows = events.validations if validation else thinned(events.steps)
        if not has_figure(rows, name):
            continue
        color = OKABE_ITO[place % len(OKABE_ITO)]
        dash = DASHES[place // len(OKABE_ITO) % len(DASHES)]
        _line(figure, rows, name, title, color, about.form, dash=dash, marked=validation)
    return figure


@figure_kind("probe", "Probe of a training")
def probe(probes: pd.DataFrame) -> go.Figure:
    """Mean probability of the target over steps, with interval, beside people's own texts.

    Probes of former runs have only the share of texts attributed to the target.
    """
    finer = has_figure(probes, "probability")
    name = "probability" if finer else "target_share"
    lower, upper = ("probability_low", "probability_high") if finer else ("low", "high")
    figure = blank(HEIGHT + 40)
    figure.update_xaxes(title="step", rangemode="tozero")
    figure.update_yaxes(
        **percent_axis("probability of the target" if finer else "attributed to the target")
    )
    low, high = probes.get(lower, probes[name]), probes.get(upper, probes[name])
    figure.add_scatter(
        x=probes["step"],
        y=probes[name],
        error_y=whiskers(probes[name], low, high, TRAIN),
        mode="lines+markers",
        line={"color": TRAIN, "width": 2},
        marker={"size": 9},
        cliponaxis=False,
        customdata=pd.DataFrame(
            {"share": share_texts(probes[name], low, high), "n": probes.get("n")},
            index=probes.index,
        ).to_numpy(),
        hovertemplate="step %{x}: %{customdata[0]}, n = %{customdata[1]}<extra></extra>",
    )
    # For a share, people's own texts were not scored.
    for column, title, side in (
        ("human", "the target's own texts", "top right"),
        ("others", "other annotators' texts", "bottom left"),
        ("chance", "chance", "bottom right"),
    ):
        if has_figure(probes, column) and (column == "chance" or finer):
            level = float(probes[column].dropna().iloc[-1])
            human = column == "human"
            figure.add_hline(
                level,
                line={"color": CHOSEN if human else NEUTRAL, "width": 1.4,
                      "dash": "solid" if human else "dash"},
                annotation_text=f"{title} {percent(level)}",
                annotation_position=side,
                annotation_font={"color": CHOSEN if human else NEUTRAL, "size": 12},
            )  # fmt: skip
    return figure


def available_overlays(runs: Sequence[RunEvents]) -> list[str]:
    """Return the curves that at least one of the runs has."""
    return [
        name
        for name in CURVES
        if any(has_figure(each.steps, name) or has_figure(each.validations, name) for each in runs)
    ]


def _ground(about: Curve, height: int = HEIGHT) -> go.Figure:
    figure = blank(height, legend=True)
    figure.update_xaxes(title="step", rangemode="tozero")
    figure.update_yaxes(title=about.axis)
    if about.form == ".0%":
        figure.update_yaxes(**percent_axis(about.axis))
    return figure


def _marks(figure: go.Figure, events: RunEvents) -> None:
    """Mark the steps where the run resumed, and the validation whose adapter is saved."""
    for step in events.resumed:
        figure.add_vline(
            step,
            line={"color": NEUTRAL, "width": 1, "dash": "dot"},
            annotation_text="resumed",
            annotation_position="top right",
            annotation_font={"color": NEUTRAL, "size": 11},
        )
    # Checkpoints as short ticks on the ground line: many, and of little weight.
    ticks = events.checkpoints[-200:]
    if ticks:
        figure.add_scatter(
            x=ticks,
            y=[0] * len(ticks),
            yaxis="y2",
            mode="markers",
            name="saved",
            marker={"symbol": "line-ns", "size": 9, "line": {"width": 1.5, "color": NEUTRAL}},
            hovertemplate="saved after step %{x}<extra></extra>",
        )
        figure.update_layout(
            yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
        )


def _line(
    figure: go.Figure,
    rows: pd.DataFrame,
    name: str,
    title: str,
    color: str,
    form: str,
    *,
    dash: str = "solid",
    marked: bool = False,
) -> None:
    figure.add_scatter(
        x=rows["step"],
        y=rows[name],
        mode="lines+markers" if marked or len(rows) == 1 else "lines",
        name=plotly(title, 40),
        showlegend=bool(title),
        line={"color": color, "width": 1.6, "dash": dash},
        marker={"color": color, "size": 7},
        cliponaxis=False,
        customdata=_texts(rows[name], form),
        hovertemplate=f"step %{{x}}: %{{customdata}}<extra>{plotly(title, 40)}</extra>",
    )


def _validated(
    figure: go.Figure, rows: pd.DataFrame, name: str, title: str, color: str, form: str
) -> None:
    """Draw validations as points: filled for the one whose adapter is saved, else open."""
    best = rows.index[rows["best"] == 1].max() if has_figure(rows, "best") else None
    figure.add_scatter(
        x=rows["step"],
        y=rows[name],
        mode="lines+markers",
        name=title,
        cliponaxis=False,
        line={"color": color, "width": 2},
        marker={
            "color": color,
            "size": 10,
            "symbol": ["circle" if place == best else "circle-open" for place in rows.index],
        },
        customdata=[
            f"{text}, kept" if place == best else text
            for place, text in zip(rows.index, _texts(rows[name], form), strict=True)
        ],
        hovertemplate=f"step %{{x}}: %{{customdata}}<extra>{title}</extra>",
    )


def _texts(values: pd.Series, form: str) -> list[str]:
    """The values as the hover text writes them, shares as everywhere."""
    if form.endswith("%"):
        return share_texts(values)
    return [format(value, form) for value in values]


def _changes(figure: go.Figure, events: RunEvents) -> None:
    steps = thinned(events.steps)
    figure.add_hline(0, line={"color": FAINT, "width": 1.5})
    for name, title, color in (
        ("chosen_change", "the annotator's responses", CHOSEN),
        ("rejected_change", "other annotators' responses", REJECTED),
    ):
        form = CURVES["change"].form
        if has_figure(steps, name):
            _line(figure, steps, name, title, color, form)
        if has_figure(events.validations, name):
            figure.add_scatter(
                x=events.validations["step"],
                y=events.validations[name],
                mode="markers",
                name=f"{title}, validation",
                showlegend=False,
                cliponaxis=False,
                marker={"color": color, "size": 9, "symbol": "circle-open"},
                hovertemplate=f"step %{{x}}: %{{y:{form}}}<extra>{title}, validation</extra>",
            )
