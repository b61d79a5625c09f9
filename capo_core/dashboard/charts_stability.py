"""Pictures of stability: the ladder, its controls, the variance shares."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from capo_core.dashboard.charts import _whiskers, blank
from capo_core.dashboard.theme import FAINT, NEUTRAL, REDUCTIONS, control_name, reduction_name

_PARTS = (
    ("item", "Item", "#A9B0B6"),
    ("annotator", "Annotator", "#2F6FB0"),
    ("residual", "The rest", FAINT),
)


def ladder(rows: pd.DataFrame, chosen: tuple[str, int] | None = None) -> go.Figure:
    """Accuracy of attribution by explanations pooled, one line per reduction.

    Args:
        rows: ladder rows of one representation.
        chosen: the (reduction, k) whose explanations are open, ringed.
    """
    figure = blank(430, legend=True)
    pools = sorted(rows["k"].unique())
    _null_band(figure, rows)
    names = _in_order(rows["reduction"])
    for position, name in enumerate(names):
        line = rows[rows["reduction"] == name].sort_values("k")
        _, color, symbol, dash = REDUCTIONS.get(name, ("", NEUTRAL, "circle", "solid"))
        # Beside each other by a few percent of a step, or the intervals would hide each other.
        shift = 2 ** (0.07 * (position - (len(names) - 1) / 2))
        figure.add_scatter(
            x=line["k"] * shift,
            y=line["accuracy"],
            error_y=_whiskers(line["accuracy"], line["low"], line["high"], color),
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
    _chance(figure, rows, vertical=False)
    _pool_axis(figure, pools)
    low = max(0.0, min(rows["low"].min(), rows["chance"].min()) - 0.12)
    figure.update_yaxes(tickformat=".0%", range=[low, 1.03], title="right annotator named")
    return figure


def ladder_title(rows: pd.DataFrame, name: str) -> str:
    """What the ladder shows, from its numbers: the best reduction at one and at more."""
    best = rows.loc[rows.groupby("k")["accuracy"].idxmax()].set_index("k")["accuracy"]
    first, many = best.index[0], min(16, best.index[-1])
    many = max(k for k in best.index if k <= many)
    opening = "one explanation names" if first == 1 else f"{first} explanations name"
    title = f"{name}: {opening} the annotator in {best[first]:.0%} of cases"
    return title if many == first else f"{title}, {many} pooled in {best[many]:.0%}"


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


def _chance(figure: go.Figure, rows: pd.DataFrame, *, vertical: bool) -> None:
    chance = float(rows["chance"].iloc[0])
    add = figure.add_vline if vertical else figure.add_hline
    add(
        chance,
        line={"color": NEUTRAL, "width": 1.4, "dash": "dash"},
        annotation_text=f"chance {chance:.0%}",
        annotation_position="bottom right" if vertical else "bottom left",
        annotation_font={"color": NEUTRAL, "size": 12},
    )


def controls_at(rows: pd.DataFrame, representation: str, k: int) -> pd.DataFrame:
    """The control rows to hold against one representation at `k`, with a `name` for the screen.

    Controls that use no text (label, length) belong to every representation.
    """
    if rows.empty:
        return rows.assign(name=[])
    own = rows["representation"].isin([representation, "", *rows["control"].unique()])
    # "Whose is whose" has another chance level and stands in the table instead.
    usual = rows["chance"] == rows["chance"].min()
    rows = rows[own & usual & (rows["k"] == k)]
    several = rows["control"].duplicated(keep=False)
    names = [
        f"{control_name(row.control)} ({reduction_name(row.reduction).lower()})"
        if twice and row.reduction
        else control_name(row.control)
        for row, twice in zip(rows.itertuples(), several, strict=True)
    ]
    return rows.assign(name=names).sort_values("accuracy", ascending=False, kind="stable")


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
        error_x=_whiskers(frame["accuracy"], frame["low"], frame["high"], NEUTRAL),
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
    _chance(figure, ladder_rows, vertical=True)
    figure.update_yaxes(tickvals=list(range(len(frame))), ticktext=frame["name"])
    figure.update_xaxes(tickformat=".0%", range=[0, 1.03], title="right annotator named")
    return figure


def variance(rows: pd.DataFrame, names: Sequence[str]) -> go.Figure:
    """Shares of the variance: stacked bars, one per row of `rows`, called `names`.

    Unbiased components may be a little below 0; such a bar has no length, its number stays.
    """
    figure = blank(110 + 38 * len(rows), legend=True)
    for column, called, color in _PARTS:
        figure.add_bar(
            y=list(names),
            x=rows[column].clip(lower=0),
            orientation="h",
            name=called,
            marker={"color": color, "line": {"width": 0}},
            text=[f"{value:.2f}" for value in rows[column]],
            textposition="inside",
            insidetextanchor="middle",
            customdata=rows[[column, "n_items"]].to_numpy(),
            hovertemplate="%{y}: %{customdata[0]:.3f} of the variance, n = %{customdata[1]:,} "
            "items<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(tickformat=".0%", range=[0, 1.02], title="share of the variance")
    return figure


def calibration(rows: pd.DataFrame) -> go.Figure:
    """What was found by what was planted: accuracy along the strength, a line per k.

    Args:
        rows: columns strength, k, accuracy, low, high, chance.
    """
    figure = blank(380, legend=True)
    shades = ("#A9B0B6", "#6B7280", "#2F6FB0", "#2A9D8F", "#9467BD", "#C98A1B")
    for shade, (k, line) in zip(shades, rows.groupby("k"), strict=False):
        line = line.sort_values("strength")
        figure.add_scatter(
            x=line["strength"],
            y=line["accuracy"],
            error_y=_whiskers(line["accuracy"], line["low"], line["high"], shade),
            mode="lines+markers",
            name=f"{k} pooled" if k > 1 else "one explanation",
            line={"color": shade},
            hovertemplate="planted %{x}: %{y:.1%}<extra>%{fullData.name}</extra>",
        )
    _chance(figure, rows, vertical=False)
    figure.update_xaxes(title="strength of manner planted (0: nothing to be found)")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.03], title="right annotator named")
    return figure


def separation(rows: pd.DataFrame) -> go.Figure:
    """AUC without training by explanations pooled, one line per reduction; chance one half."""
    figure = blank(360, legend=True)
    pools = sorted(rows["k"].unique())
    for name in _in_order(rows["reduction"]):
        line = rows[rows["reduction"] == name].sort_values("k")
        _, color, symbol, dash = REDUCTIONS.get(name, ("", NEUTRAL, "circle", "solid"))
        figure.add_scatter(
            x=line["k"],
            y=line["auc"],
            error_y=_whiskers(line["auc"], line["low"], line["high"], color),
            mode="lines+markers",
            name=reduction_name(name),
            line={"color": color, "dash": dash, "width": 2.2},
            marker={"symbol": symbol, "size": 9, "color": color},
            customdata=line[["low", "high", "n_items"]].to_numpy(),
            hovertemplate="AUC %{y:.2f} [%{customdata[0]:.2f}, %{customdata[1]:.2f}], "
            "n = %{customdata[2]:,} items<extra>%{fullData.name}</extra>",
        )
    _chance(figure, pd.DataFrame({"chance": [0.5]}), vertical=False)
    _pool_axis(figure, pools)
    figure.update_yaxes(range=[0.4, 1.03], title="same told from different (AUC)")
    return figure


def _in_order(reductions: pd.Series) -> list[str]:
    """The reductions there are, the known ones first and in their fixed order."""
    found = set(reductions)
    return [name for name in REDUCTIONS if name in found] + sorted(found - set(REDUCTIONS))


def _pool_axis(figure: go.Figure, pools: Sequence[int]) -> None:
    figure.update_xaxes(
        type="log",
        tickvals=list(pools),
        ticktext=[str(k) for k in pools],
        title="explanations of one annotator pooled",
        showgrid=False,
    )
