"""Pictures of what judges found: right answers, confusion, wins, ratings, attentiveness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.studies.labels import answer_name
from capo_core.dashboard.ui.charts import blank, chance_line, percent_axis, share_texts, whiskers
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.text import plotly
from capo_core.dashboard.ui.theme import NEUTRAL, Look, cell_colors, human_look, method_looks
from capo_core.formatting import percent
from capo_core.study.source_names import pair_name, source_name
from capo_core.study.tables import HUMAN, OTHER_HUMAN

_FAR = 0.7  # from here on, a word to the right of a line would not fit a narrow print
_GREY = Look(NEUTRAL, "circle-open", "solid")


def looks(sources: Sequence[str], *, dark: bool) -> dict[str, Look]:
    """A look per source, the same as on the page of methods."""
    methods = [name for name in sources if name not in (HUMAN, OTHER_HUMAN)]
    found = method_looks(methods)
    return found | {HUMAN: human_look(dark=dark), OTHER_HUMAN: _GREY}


@figure_kind("study-attribution", "Attribution by judges")
def accuracy(rows: pd.DataFrame, looked: Mapping[str, Look], ceiling: float) -> go.Figure:
    """Attribution accuracy per source with its interval, chance, and the annotators' own texts.

    Args:
        rows: `accuracy.ACCURACY` of one way of counting.
        ceiling: accuracy of the people's own texts; NaN where they are no source.
    """
    drawn = _by_source(rows)
    figure = _forest(drawn[0], drawn[2])
    _points(figure, rows, "value", drawn, looked)
    chance_line(figure, rows, vertical=True)
    if not math.isnan(ceiling):
        figure.add_vline(ceiling, line={"color": looked[HUMAN].color, "width": 1.2})
        leftward = ceiling > _FAR
        # Above the word of chance, which is as near in a narrow print wherever the line stands.
        figure.add_annotation(
            x=ceiling, y=1, yref="paper", text=f"ceiling {percent(ceiling)}", showarrow=False,
            xanchor="right" if leftward else "left", yanchor="bottom",
            xshift=-3 if leftward else 3, yshift=13, font={"color": NEUTRAL, "size": 12},
        )  # fmt: skip
        figure.update_layout(margin={"t": 34})
    figure.update_xaxes(**percent_axis("attribution accuracy"))
    return figure


@figure_kind("study-preferences", "Preferences of judges")
def wins(rows: pd.DataFrame, looked: Mapping[str, Look]) -> go.Figure:
    """Share of wins of the first source of each pair, ties as half."""
    names = [pair_name(a, b) for a, b in zip(rows["source_a"], rows["source_b"], strict=True)]
    keys = [f"{a}~{b}" for a, b in zip(rows["source_a"], rows["source_b"], strict=True)]
    figure = _forest(keys, names)
    _points(figure, rows, "share_a", (keys, rows["source_a"], names), looked)
    chance_line(figure, rows.assign(chance=0.5), vertical=True)
    figure.update_xaxes(**percent_axis("share preferring the first"))
    return figure


LEAST_STRENGTH = 0.5  # log-odds that the axis of strengths shows to either side, at least


@figure_kind("study-strengths", "Bradley–Terry strengths")
def strengths(rows: pd.DataFrame, looked: Mapping[str, Look]) -> go.Figure:
    """Bradley-Terry strengths with their intervals."""
    # The fit's last digits are no strengths: equal sources stand at 0, on an axis with a width.
    rows = rows.assign(value=rows["strength"].round(6) + 0.0)
    drawn = _by_source(rows)
    figure = _forest(drawn[0], drawn[2])
    _points(figure, rows, "value", drawn, looked, "+.2f")
    figure.add_vline(0, line={"color": NEUTRAL, "width": 1.4, "dash": "dash"})
    figure.update_xaxes(title="strength, log-odds")
    if rows[["value", "low", "high"]].abs().max().max() < LEAST_STRENGTH:
        figure.update_xaxes(range=[-LEAST_STRENGTH, LEAST_STRENGTH])
    return figure


@figure_kind("study-reasoning", "Ratings of reasoning")
def ratings(rows: pd.DataFrame, looked: Mapping[str, Look]) -> go.Figure:
    """Mean ratings of reasoning, 1 to 5."""
    drawn = _by_source(rows)
    figure = _forest(drawn[0], drawn[2])
    _points(figure, rows, "mean", drawn, looked, ".2f")
    figure.update_xaxes(range=[0.9, 5.1], title="1 not at all … 5 entirely")
    return figure


@figure_kind("study-attentiveness", "Attentiveness of judges")
def attentiveness(rows: pd.DataFrame) -> go.Figure:
    """Attentiveness of each judge with its interval; judges without enough data are grey.

    Args:
        rows: `JudgeQuality.judges`.
    """
    figure = _forest(rows["judge_id"], [str(name) for name in rows["judge_id"]])
    told = rows["attentiveness"].notna() & (rows["verdict"] == "")
    for known, look in ((True, Look("#2F6FB0", "circle", "solid")), (False, _GREY)):
        own = rows[told == known]
        if own.empty:
            continue
        middle = own["attentiveness"].fillna(0.5)
        figure.add_scatter(
            x=middle,
            y=own["judge_id"].astype(str),
            error_x=whiskers(middle, own["low"], own["high"], look.color),
            mode="markers",
            name="estimated" if known else "too few data",
            marker={"symbol": look.symbol, "size": 11, "color": look.color,
                    "opacity": 1 if known else 0.6},
            customdata=own[["low", "high", "n_votes"]].to_numpy(),
            hovertemplate=("%{x:.2f} " if known else "anything in ")
            + "[%{customdata[0]:.2f}, %{customdata[1]:.2f}], %{customdata[2]} votes"
            "<extra>%{y}</extra>",
        )  # fmt: skip
    figure.update_layout(showlegend=not told.all())
    figure.update_xaxes(range=[-0.02, 1.02], title="attentiveness")
    return figure


@figure_kind("study-weighted", "Raw and weighted results")
def raw_and_weighted(rows: pd.DataFrame) -> go.Figure:
    """Every result twice: raw, and weighted by judge quality."""
    figure = blank(110 + 52 * len(rows), legend=True)
    places = list(range(len(rows)))[::-1]
    for name, shift, look in (
        ("raw", 0.14, Look(NEUTRAL, "circle", "solid")),
        ("weighted", -0.14, Look("#2F6FB0", "diamond", "solid")),
    ):
        figure.add_scatter(
            x=rows[name],
            y=[place + shift for place in places],
            error_x=whiskers(rows[name], rows[f"{name}_low"], rows[f"{name}_high"], look.color),
            mode="markers",
            name="single votes" if name == "raw" else "weighted by judge quality",
            marker={"symbol": look.symbol, "size": 11, "color": look.color},
            customdata=share_texts(rows[name], rows[f"{name}_low"], rows[f"{name}_high"]),
            hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(
        tickvals=places, ticktext=[plotly(what, 72) for what in rows["what"]], showgrid=False,
        range=[-0.6, len(rows) - 0.4],
    )  # fmt: skip
    figure.update_xaxes(**percent_axis(""))
    return figure


@figure_kind("study-confusion", "Whom judges name")
def confusion(rows: pd.DataFrame, *, dark: bool) -> go.Figure:
    """Confusion matrix of one source: annotators of the texts (rows) by annotators named (columns).

    Args:
        rows: `accuracy.CONFUSION` of one source.
    """
    shares = rows.pivot(index="truth", columns="answer", values="share")
    counts = rows.pivot(index="truth", columns="answer", values="count")
    order = list(dict.fromkeys(rows["answer"]))
    truths = list(dict.fromkeys(rows["truth"]))
    judged = [truth for truth in truths if counts.loc[truth].sum()]
    truths = judged or truths  # annotators of whom there are no texts have no row
    shares, counts = shares.loc[truths, order], counts.loc[truths, order]
    figure = blank(max(240, 100 + 44 * len(shares)))
    figure.add_heatmap(
        z=shares.to_numpy(),
        zmin=0,
        zmax=1,
        colorscale=cell_colors(dark=dark),
        showscale=False,
        text=counts.to_numpy(),
        texttemplate="%{text}",
        xgap=2,
        ygap=2,
        customdata=[share_texts(row) for row in shares.to_numpy()],
        hovertemplate="%{text} judgments, %{customdata} of the row<extra></extra>",
    )
    figure.update_xaxes(
        title="named", showgrid=False, tickvals=list(range(len(order))),
        ticktext=[plotly(answer_name(str(name)), 16) for name in order],
    )  # fmt: skip
    figure.update_yaxes(
        title="texts of", autorange="reversed", showgrid=False, tickvals=list(range(len(truths))),
        ticktext=[f"{plotly(str(t), 16)} ({int(counts.loc[t].sum()):,})" for t in truths],
    )  # fmt: skip
    return figure


def _forest(keys: Sequence[str], names: Sequence[str]) -> go.Figure:
    """An empty figure with a line for each key, the first on top."""
    keys = [str(key) for key in keys]
    figure = blank(110 + 38 * len(keys))
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=keys[::-1], showgrid=False,
        tickvals=keys, ticktext=[plotly(name, 60) for name in names],
    )  # fmt: skip
    return figure


def _by_source(rows: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Keys, sources and names of rows that are one source each."""
    sources = list(rows["source"])
    return sources, sources, [source_name(name) for name in sources]


def _points(figure, rows, column: str, drawn, looked: Mapping[str, Look], form: str = "") -> None:
    """One point a row, in the look of its source, with interval and n.

    Args:
        form: of numbers; shares have none.
        drawn: the rows' keys on the axis, their sources, and what they are called.
    """
    for key, source, name, row in zip(*drawn, rows.itertuples(index=False), strict=True):
        look = looked.get(source, _GREY)
        one = pd.DataFrame([row._asdict()])
        figure.add_scatter(
            x=one[column],
            y=[str(key)],
            error_x=whiskers(one[column], one["low"], one["high"], look.color),
            mode="markers",
            marker={"symbol": look.symbol, "size": 13, "color": look.color},
            customdata=one[["low", "high", "n"]]
            .assign(text=share_texts(one[column], one["low"], one["high"]))
            .to_numpy(),
            hovertemplate=(
                f"%{{x:{form}}} [%{{customdata[0]:{form}}}, %{{customdata[1]:{form}}}]"
                if form
                else "%{customdata[3]}"
            )
            + f", n = %{{customdata[2]:,}}<extra>{plotly(name, 60)}</extra>",
        )
