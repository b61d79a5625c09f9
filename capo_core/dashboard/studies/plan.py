"""Power analysis of a design: intervals, power and minutes, also by number of judges."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.studies import PAGE, cache
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.compute import JudgesNeeded, Preview
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
from capo_core.study.design.planner import LOW_POWER, MORE, USUAL_POWER, Power, StudyPlan
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.workspace import Workspace

# Colours that no annotator and no method has.
_LINES = (
    ("width", "width of the interval", "#2F6FB0", "circle", "solid"),
    ("against_chance", "power vs chance", "#2A9D8F", "square", "solid"),
    ("between", "power between two methods", "#C98A1B", "diamond", "dash"),
)


@figure_kind("study-plan", "Power by number of judges")
def over_judges(rows: pd.DataFrame, judges: int, enough: int | None = None) -> go.Figure:
    """Lines over the number of judges; the design's own is marked, and the one that is enough.

    Args:
        rows: `compute.CURVE` of one kind.
        enough: the least number with the usual power; None where there is none.
    """
    figure = blank(300, legend=True)
    for name, called, color, symbol, dash in _LINES:
        own = rows[rows[name].notna()]
        # Of a comparison, the power between two methods is that against chance: one line for both.
        if own.empty or (name == "between" and own[name].equals(own["against_chance"])):
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
    marks = {judges: "this design"}
    if enough is not None:
        share = f"{percent(USUAL_POWER)} power"
        marks[enough] = f"this design: {share}" if enough == judges else f"{enough}: {share}"
        figure.add_hline(USUAL_POWER, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    last = float(max(rows["judges"].max(), *marks))
    for at, words in marks.items():
        figure.add_vline(at, line={"color": NEUTRAL, "width": 1.4, "dash": "dot"})
        # Above the lines: to the left of the first mark, to the right of the second one, unless it
        # stands at the right end, far from the first.
        leftward = at == min(marks) if len(marks) > 1 else at > last / 2
        if at != min(marks) and at > 0.7 * last and at - min(marks) > 0.45 * last:
            leftward = True
        figure.add_annotation(
            x=at, y=1, yref="paper", text=words, showarrow=False, yanchor="bottom",
            xanchor="right" if leftward else "left", font={"color": NEUTRAL, "size": 12},
        )  # fmt: skip
    figure.update_xaxes(title="judges", rangemode="tozero", showgrid=False)
    figure.update_yaxes(**percent_axis("width of the interval, power") | {"range": [0, 1.08]})
    # The legend stands above these words, whatever the height that is left for the plot.
    figure.update_layout(margin={"t": 80}, legend={"yref": "container", "y": 1, "yanchor": "top"})
    return figure


def power_badge(power: float, *, brief: bool = False, of: str = "") -> None:
    """Show a power as a light: amber below one half, green from the usual 80 % on.

    Args:
        of: the kind of trial, where there are several.
    """
    said = f"Power {percent(power)}" if not of else f"{of}: power {percent(power)}"
    if power < LOW_POWER:
        more = "" if brief else f": too low ({percent(USUAL_POWER)} is usual)"
        st.badge(f"{said}{more}", icon=":material/warning:", color="orange")
    elif power < USUAL_POWER:
        more = "" if brief else f" ({percent(USUAL_POWER)} is usual)"
        st.badge(f"{said}{more}", icon=":material/info:", color="yellow")
    else:
        st.badge(said, icon=":material/check:", color="green")


def power_light(plans: Sequence[StudyPlan]) -> None:
    """Show the lowest power of each kind of trial of a design."""
    for each in plans:
        of = TRIAL_KINDS[each.numbers.kind].name.capitalize() if len(plans) > 1 else ""
        power_badge(each.lowest_power, of=of)


def plan(workspace: Workspace, found: Preview, plans: Sequence[StudyPlan]) -> None:
    """Show the planner's sentences, numbers and curve for one kind of trial.

    Args:
        plans: of the design, a kind each.
    """
    section_heading("Power analysis", HELP["plan"])
    kinds = [each.numbers.kind for each in plans]
    kind = kinds[0]
    if len(kinds) > 1:
        kind = url_state.choice(
            st.segmented_control, "Kind", kinds, page=PAGE, key="planned",
            format_func=kind_title, label_visibility="collapsed",
        )  # fmt: skip
    one = next(each for each in plans if each.numbers.kind == kind)
    if not one.too_few:  # else the warning below says it
        show_headline(_headline(one))
    needed = cache.judges_needed(workspace, found, tuple(plans))
    if needed is not None:
        enough = next(each for each in needed.enough if each.plan.numbers.kind == kind)
        show_headline(enough.sentence)
    for sentence in one.warnings:  # what raises the power stands above, where it is known
        told = sentence if needed is None else sentence.removesuffix(f" {MORE}")
        st.warning(markdown(told))
    data_grid(
        _figures(one),
        key=f"{PAGE}.plan",
        alt="Table: what the design is expected to show",
        column_config={"what": "", "value": "Simulated [95 %]"},
    )
    if needed is None:
        waiting("Looking for the number of judges that is enough …")
    else:
        _curve(needed, kind, found.config.judges, enough.judges)
    with st.expander("Details and assumptions"):
        for sentence in one.sentences:
            show_note(sentence)


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
    if one.coverage is None:
        rows.append(("95 % interval and power", "none"))
        rows.append(("Minutes per judge", number(one.minutes, 0)))
        return pd.DataFrame(rows, columns=["what", "value"])
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


def _curve(needed: JudgesNeeded, kind: str, judges: int, enough: int | None) -> None:
    rows = needed.curve[needed.curve["kind"] == kind]
    if len(rows) < 2:
        return
    show_figure(
        over_judges(rows, judges, enough),
        key=f"{PAGE}.curve",
        file_name="study-plan",
        alt="Width of the interval and power by number of judges",
        n=(("judge", judges),),
    )
