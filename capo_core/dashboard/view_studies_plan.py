"""What a design would show before anyone judges: intervals, power, minutes, other numbers."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard import cache_studies, charts_studies_plan, state
from capo_core.dashboard.components import heading, note, picture, says
from capo_core.dashboard.study_planning import Planned, Preview
from capo_core.dashboard.study_words import HELP, KINDS
from capo_core.dashboard.view_studies_wait import waiting
from capo_core.dashboard.words import percent
from capo_core.study.planner import Plan, Power

PAGE = "studies"


def plan(found: Preview, annotators: int, assumed: dict[str, float]) -> None:
    """The planner's words, figures and curve for one kind of trial.

    Raises:
        ConfigError: an assumption is out of range.
    """
    heading("What it would show", HELP["plan"])
    told = cache_studies.plans(found, annotators, assumed)
    if told is None:
        waiting("Simulating studies of this design …")
        return
    kinds = [each.numbers.kind for each in told.plans]
    kind = kinds[0]
    if len(kinds) > 1:
        kind = state.choice(
            st.segmented_control, "Kind", kinds, page=PAGE, key="planned",
            format_func=KINDS.__getitem__, label_visibility="collapsed",
        )  # fmt: skip
    one = next(each for each in told.plans if each.numbers.kind == kind)
    says(_headline(one))
    st.dataframe(
        _figures(one),
        hide_index=True,
        width="stretch",
        key=f"{PAGE}.plan",
        column_config={"what": "", "value": "Simulated [95 %]"},
    )
    _curve(told, kind, found.config.judges)
    with st.expander("In full, with what is assumed"):
        for sentence in one.sentences:
            note(sentence)


def _headline(one: Plan) -> str:
    said = f"95 % intervals would reach about ±{50 * one.width:.0f} percentage points"
    if one.against_chance is not None:
        n = one.numbers
        said += (
            f"; a true share of {percent(n.expected)} would be told from chance "
            f"({percent(n.chance)}) in {percent(one.against_chance.share)} of such studies"
        )
    return f"{said}."


def _figures(one: Plan) -> pd.DataFrame:
    n = one.numbers
    rows = [("Judgments of a source or pair", f"{one.judgments:,}")]
    rows.append(("Width of its 95 % interval", f"{100 * one.width:.0f} points"))
    if one.against_chance is not None:
        rows.append(_power(f"Told from chance ({percent(n.chance)})", one.against_chance))
    if n.kind != "comparison":
        words = f"{percent(n.expected)} and {percent(n.other)} told apart"
        rows.append(_power(words, one.between))
    rows.append(_power("Interval holds the truth", one.coverage))
    rows.append(("Minutes of a judge", f"{one.minutes:.0f}"))
    return pd.DataFrame(rows, columns=["what", "value"])


def _power(words: str, power: Power) -> tuple[str, str]:
    return words, f"{percent(power.share)} [{100 * power.low:.0f}, {100 * power.high:.0f}]"


def _curve(told: Planned, kind: str, judges: int) -> None:
    rows = told.curve[told.curve["kind"] == kind]
    if len(rows) < 2:
        return
    picture(
        charts_studies_plan.over_judges(rows, judges),
        key=f"{PAGE}.curve",
        file_name="study-plan",
        alt="Width of the interval and power, over the number of judges",
    )
