"""Power analysis of a design: intervals, power and minutes, also by number of judges."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.studies import PAGE, cache
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.compute import Planned, Preview
from capo_core.dashboard.studies.labels import HELP, kind_title
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.charts import blank, percent_axis, share_texts
from capo_core.dashboard.ui.components import (
    data_grid,
    section_heading,
    show_figure,
    show_headline,
    show_note,
)
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import NEUTRAL
from capo_core.formatting import number, percent, percent_interval, points
from capo_core.study.design.planner import LOW_POWER, Power, StudyPlan

# Colours that no annotator and no method has.
_LINES = (
    ("width", "width of the interval", "#2F6FB0", "circle", "solid"),
    ("against_chance", "power vs chance", "#2A9D8F", "square", "solid"),
    ("between", "power between two methods", "#C98A1B", "diamond", "dash"),
)


@figure_kind("study-plan", "Power by number of judges")
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
            customdata=share_texts(own[name]),
            hovertemplate=f"%{{x}} judges: %{{customdata}}<extra>{called}</extra>",
        )
    figure.add_vline(
        judges,
        line={"color": NEUTRAL, "width": 1.4, "dash": "dot"},
        annotation_text="this design",
        annotation_position="top right",
        annotation_font={"color": NEUTRAL, "size": 12},
    )
    figure.update_xaxes(title="judges", rangemode="tozero", showgrid=False)
    figure.update_yaxes(**percent_axis("") | {"range": [0, 1.08]})
    figure.update_layout(margin={"t": 64})
    return figure


USUAL_POWER = 0.8


def power_badge(power: float, *, brief: bool = False) -> None:
    """Show a power as a light: amber below one half, green from the usual 80 % on."""
    said = f"Power {percent(power)}"
    if power < LOW_POWER:
        more = "" if brief else f": too low ({percent(USUAL_POWER)} is usual)"
        st.badge(f"{said}{more}", icon=":material/warning:", color="orange")
    elif power < USUAL_POWER:
        more = "" if brief else f" ({percent(USUAL_POWER)} is usual)"
        st.badge(f"{said}{more}", icon=":material/info:", color="yellow")
    else:
        st.badge(said, icon=":material/check:", color="green")


def power_light(plans: Sequence[StudyPlan]) -> None:
    """Show the lowest power of a design's kinds of trials beside the button that creates it."""
    power_badge(min(each.lowest_power for each in plans))


def plan(found: Preview, annotators: int, assumed: dict[str, float]) -> Planned | None:
    """Show the planner's sentences, numbers and curve for one kind of trial; return all of it, or
    None while it is computed.

    Raises:
        ConfigError: an assumption is out of range.
    """
    section_heading("Power analysis", HELP["plan"])
    told = cache.plans(found, annotators, assumed)
    if told is None:
        waiting("Simulating studies of this design …")
        return None
    kinds = [each.numbers.kind for each in told.plans]
    kind = kinds[0]
    if len(kinds) > 1:
        kind = url_state.choice(
            st.segmented_control, "Kind", kinds, page=PAGE, key="planned",
            format_func=kind_title, label_visibility="collapsed",
        )  # fmt: skip
    one = next(each for each in told.plans if each.numbers.kind == kind)
    show_headline(_headline(one))
    for sentence in one.warnings:
        st.warning(markdown(sentence))
    data_grid(
        _figures(one),
        key=f"{PAGE}.plan",
        alt="Table: what the design is expected to show",
        column_config={"what": "", "value": "Simulated [95 %]"},
    )
    _curve(told, kind, found.config.judges)
    with st.expander("Details and assumptions"):
        for sentence in one.sentences:
            show_note(sentence)
    return told


def _headline(one: StudyPlan) -> str:
    said = f"95 % intervals would reach about ±{points(one.width / 2)}"
    if one.against_chance is not None:
        n = one.numbers
        said += (
            f"; a true share of {percent(n.expected)} would differ significantly from "
            f"chance ({percent(n.chance)}) in {percent(one.against_chance.share)} of such studies"
        )
    return f"{said}."


def _figures(one: StudyPlan) -> pd.DataFrame:
    n = one.numbers
    rows = [("Judgments per source or pair", f"{one.judgments:,}")]
    rows.append(("Width of the 95 % interval", points(one.width)))
    if one.against_chance is not None:
        rows.append(_power(f"Power vs chance ({percent(n.chance)})", one.against_chance))
    if n.kind != "comparison":
        words = f"Power {percent(n.expected)} vs {percent(n.other)}"
        rows.append(_power(words, one.between))
    rows.append(_power("CI coverage", one.coverage))
    rows.append(("Minutes per judge", number(one.minutes, 0)))
    return pd.DataFrame(rows, columns=["what", "value"])


def _power(words: str, power: Power) -> tuple[str, str]:
    return words, f"{percent(power.share)} {percent_interval(power.low, power.high)}"


def _curve(told: Planned, kind: str, judges: int) -> None:
    rows = told.curve[told.curve["kind"] == kind]
    if len(rows) < 2:
        return
    show_figure(
        over_judges(rows, judges),
        key=f"{PAGE}.curve",
        file_name="study-plan",
        alt="Width of the interval and power by number of judges",
    )
