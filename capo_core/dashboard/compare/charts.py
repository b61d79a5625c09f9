"""Pictures of methods beside the people they imitate: imitation, labels, habits, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.ui.charts import (
    blank,
    chance_line,
    clickable_cells,
    join_points,
    percent_axis,
    share_texts,
    whiskers,
)
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.text import plotly
from capo_core.dashboard.ui.theme import NEUTRAL, Look, cell_colors, method_name
from capo_core.evaluation.measures.registry import FAMILIES
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.formatting import percent, short

_STAY = {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}
OWN = "the target's own texts"
FLOOR = "another annotator's texts"


@figure_kind("imitation", "Attribution by pooled texts")
def imitation(
    rows: pd.DataFrame, looks: Mapping[str, Look], human: Look, method: str = ""
) -> go.Figure:
    """Share of groups of k texts attributed to the target, one line per method; floor, ceiling,
    chance.

    Args:
        rows: scores (`report.SCORES`) of one attribution measure and target, people among them.
        method: the method whose answers are open, drawn stronger.
    """
    figure = blank(400, legend=True)
    rows = rows[rows["value"].notna()]
    pools = sorted(rows["k"].unique())
    ceiling, floor = rows[rows["source"] == HUMAN], rows[rows["source"] == OTHER]
    _line(figure, ceiling, 1.0, OWN, human, width=2.4, dash="solid", symbol=human.symbol)
    names = list(dict.fromkeys(rows.loc[~rows["source"].isin([HUMAN, OTHER]), "source"]))
    for position, name in enumerate(names):
        shift = 2 ** (0.05 * (position - (len(names) - 1) / 2))
        _line(
            figure,
            rows[rows["source"] == name],
            shift,
            plotly(method_name(name)),
            looks[name],
            width=4 if name == method else 2.2,
            dash=looks[name].dash,
            symbol=looks[name].symbol,
        )
    grey = Look(NEUTRAL, "circle-open", "solid")
    _line(figure, floor, 1.0, FLOOR, grey, width=1.8, dash="solid", symbol="circle-open")
    chance_line(figure, rows, vertical=False)
    figure.update_xaxes(
        type="log",
        tickvals=list(pools),
        ticktext=[str(k) for k in pools],
        title="explanations pooled per attribution",
        showgrid=False,
    )
    low = min(0.0, rows["low"].min()) if len(rows) else 0.0
    figure.update_yaxes(**percent_axis("attributed to the target", low))
    return figure


def _line(figure, rows, shift, called, look, *, width, dash, symbol) -> None:
    rows = rows.sort_values("k")
    figure.add_scatter(
        x=rows["k"] * shift,
        y=rows["value"],
        error_y=whiskers(rows["value"], rows["low"], rows["high"], look.color),
        mode="lines+markers",
        name=called,
        line={"color": look.color, "dash": dash, "width": width},
        marker={"symbol": symbol, "size": 10, "color": look.color},
        customdata=rows[["source", "k", "n"]]
        .assign(text=share_texts(rows["value"], rows["low"], rows["high"]))
        .to_numpy(),
        hovertemplate="k = %{customdata[1]}: %{customdata[3]}, n = %{customdata[2]:,}"
        "<br>click to read the answers"
        "<extra>%{fullData.name}</extra>",
        **_STAY,
    )


@figure_kind("labels-and-attribution", "Labels and attribution")
def labels_and_manner(
    manner: pd.DataFrame, labels: pd.DataFrame, looks: Mapping[str, Look], human: Look
) -> go.Figure:
    """Scatter of label accuracy (x) and attribution accuracy (y); the target's own texts in the
    corner.

    Args:
        manner, labels: scores of one measure and target each, one row a source.
    """
    figure = blank(400, legend=True)
    both = manner.merge(labels, on="source", suffixes=("", "_x"))
    both = both[both["value"].notna() & both["value_x"].notna()]
    grey = Look(NEUTRAL, "circle-open", "solid")
    for row in both.itertuples():
        look = {HUMAN: human, OTHER: grey}.get(row.source) or looks[row.source]
        called = {HUMAN: OWN, OTHER: FLOOR}.get(row.source) or plotly(method_name(row.source))
        one = pd.DataFrame([row._asdict()])
        figure.add_scatter(
            x=one["value_x"],
            y=one["value"],
            error_x=whiskers(one["value_x"], one["low_x"], one["high_x"], look.color),
            error_y=whiskers(one["value"], one["low"], one["high"], look.color),
            mode="markers",
            name=called,
            marker={"symbol": look.symbol, "size": 13, "color": look.color},
            customdata=one[["source", "k"]]
            .assign(label=share_texts(one["value_x"]), named=share_texts(one["value"]))
            .to_numpy(),
            hovertemplate="label %{customdata[2]}, attributed to the target %{customdata[3]}<br>"
            "click to read the answers<extra>%{fullData.name}</extra>",
            **_STAY,
        )
    if len(both):
        chance_line(figure, both, vertical=False)
        if both["chance_x"].notna().all():
            chance_line(
                figure, both.assign(chance=both["chance_x"]), vertical=True,
                name=FAMILIES["labels"].chance_name,
            )  # fmt: skip
    figure.update_xaxes(**percent_axis("label accuracy"))
    figure.update_yaxes(**percent_axis("attribution accuracy"))
    return figure


@figure_kind("style-features", "Style features by method")
def habits(
    texts: Sequence[str],
    scaled: Mapping[str, np.ndarray],
    means: Mapping[str, np.ndarray],
    errors: Mapping[str, np.ndarray],
    looks: Mapping[str, Look],
    human: Look,
    *,
    names: Mapping[str, str],
) -> go.Figure:
    """Dumbbell chart of style features: the target's own value and each method's on one line.

    Args:
        texts: what each feature is; the first is drawn on top.
        scaled: source → standard deviations from the mean of all people.
        means, errors: source → the same in each feature's own unit, and half its interval.
        names: source → what it is called.
    """
    figure = blank(90 + 34 * len(texts), legend=True)
    places = list(range(len(texts)))[::-1]
    everything = np.stack(list(scaled.values()))
    for place, low, high in zip(
        places, everything.min(axis=0), everything.max(axis=0), strict=True
    ):
        join_points(figure, place, low, high)
    for source, values in scaled.items():
        look = human if source == HUMAN else looks[source]
        figure.add_scatter(
            x=values,
            y=places,
            mode="markers",
            name=plotly(names[source], 40),
            marker={
                "symbol": look.symbol,
                "color": look.color,
                "size": 14 if source == HUMAN else 10,
            },
            customdata=list(
                zip(
                    means[source], errors[source], (plotly(text, 90) for text in texts), strict=True
                )
            ),
            hovertemplate="%{customdata[2]}: %{customdata[0]:.1f} ± %{customdata[1]:.1f}, "
            "%{x:+.2f} standard deviations<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(0, line={"color": NEUTRAL, "width": 1.2, "dash": "dash"})
    figure.update_yaxes(
        tickvals=places, ticktext=[plotly(short(text, 46), 46) for text in texts], showgrid=False
    )
    figure.update_xaxes(title="standard deviations from the mean of all annotators")
    return figure


@figure_kind("attribution-confusion", "Attribution confusion matrix")
def given(shares: pd.DataFrame, *, counts: Mapping[str, int], dark: bool) -> go.Figure:
    """Confusion matrix of the attribution of each method's texts: rows are targets, columns
    annotators.

    Args:
        shares: [target, attributed], rows sum to 1.
        counts: target → texts.
    """
    figure = blank(max(240, 100 + 44 * len(shares)))
    values = shares.to_numpy()
    figure.add_heatmap(
        z=values,
        zmin=0,
        zmax=1,
        colorscale=cell_colors(dark=dark),
        showscale=False,
        text=[[f"{100 * value:.0f}" if value >= 0.005 else "" for value in row] for row in values],
        texttemplate="%{text}",
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    clickable_cells(
        figure,
        values.shape,
        [
            (target, given, plotly(target), plotly(given), percent(values[y, x]))
            for y, target in enumerate(shares.index)
            for x, given in enumerate(shares.columns)
        ],
        "imitating %{customdata[2]}, attributed to %{customdata[3]}: %{customdata[4]}"
        "<br>click to read the answers",
    )
    figure.update_xaxes(
        title="attributed to",
        showgrid=False,
        tickvals=list(range(len(shares.columns))),
        ticktext=[plotly(str(name), 16) for name in shares.columns],
    )
    figure.update_yaxes(
        title="imitated annotator",
        autorange="reversed",
        showgrid=False,
        tickvals=list(range(len(shares.index))),
        ticktext=[f"{plotly(str(name), 16)} ({counts[name]:,})" for name in shares.index],
    )
    return figure
