"""All runs: filtered, opened, compared with one another, taken out of the trash."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.finetune import PAGE, charts, run_actions
from capo_core.dashboard.finetune.queue import run_table
from capo_core.dashboard.finetune.run_actions import events_of
from capo_core.dashboard.ui import exports, url_state
from capo_core.dashboard.ui.components import (
    Field,
    control_row,
    section_heading,
    show_figure,
    show_note,
    table,
)
from capo_core.dashboard.ui.glossary import TRAINING_HELP
from capo_core.dashboard.ui.text import escape
from capo_core.formatting import count
from capo_core.json_text import json_line
from capo_core.runs.provenance import run_provenance
from capo_core.runs.request import KINDS
from capo_core.runs.results import results_of
from capo_core.runs.summary import STATES, RunSummary, differences

MOST_PICKED = 8
_ANY = "any"


def show(context: PageContext, found: Sequence[RunSummary]) -> None:
    if not found:
        show_note("No runs yet. Set one up under “New experiment”, or run the demo under “Queue”.")
        run_actions.thrown_away(context)
        return
    rows = _filtered(context, list(reversed(found)))
    if rows:
        show_note(f"{count(len(rows), 'run')}; click a row to open it.")
        run_table(
            context, rows, key="all", more=["asked", "notes", "run_id"], results=results_of(found),
        )  # fmt: skip
    else:
        show_note("No runs match the filters.")
    _compare(context, rows, found)
    run_actions.thrown_away(context)


def _filtered(context: PageContext, found: list[RunSummary]) -> list[RunSummary]:
    """The runs that pass the row of filters, which is in the address."""
    states = [name for name in STATES if any(seen.state == name for seen in found)]
    kinds = [name for name in KINDS if any(seen.kind == name for seen in found)]
    with control_row("finetune-runs", [2, 2, 3, 2]) as places:
        with places[0]:
            wanted = url_state.choice(
                st.selectbox, "State", [_ANY, *states], page=PAGE, key="state",
                format_func=lambda name: STATES.get(name, name.capitalize()),
            )  # fmt: skip
        with places[1]:
            kind = url_state.choice(
                st.selectbox,
                "Kind",
                [_ANY, *kinds],
                page=PAGE,
                key="kind",
                format_func=lambda name: KINDS[name].label if name != _ANY else "Any",
            )
        with places[2]:
            text = url_state.text(
                "Search name, annotator or notes",
                page=PAGE,
                key="find",
                placeholder="part of the text",
            ).lower()
        with places[3]:
            everything = url_state.toggle("All datasets", page=PAGE, key="all")
    return [
        seen
        for seen in found
        if wanted in (_ANY, seen.state)
        and kind in (_ANY, seen.kind)
        and (everything or seen.dataset in (context.entry.name, ""))
        and text in f"{seen.run_id} {seen.title} {seen.run.notes}".lower()
    ]


def _compare(context: PageContext, rows: Sequence[RunSummary], found: Sequence[RunSummary]) -> None:
    """Show the differing settings of the selected runs, and their curves in one chart."""
    by_id = {seen.run_id: seen for seen in found}
    asked = url_state.require_each(
        "pick", url_state.get("pick").split("~"), by_id, place=url_state.WORKSPACE
    )
    named = {name: by_id[name] for name in asked if name}
    options = list(dict.fromkeys([*named, *(seen.run_id for seen in rows)]))
    place = f"{PAGE}.pick.widget"
    st.session_state[place] = list(named)

    def changed() -> None:
        url_state.put(PAGE, {"pick": "~".join(url_state.now(place))})

    section_heading("Compare runs")
    st.multiselect(
        "Runs to compare",
        options,
        key=place,
        on_change=changed,
        max_selections=MOST_PICKED,
        format_func=lambda name: f"{by_id[name].title} · {name}",
        placeholder="choose two or more runs",
    )
    picked = list(named.values())
    if len(picked) < 2:
        return
    exports.begin(run_provenance(context.workspace, [seen.run.files for seen in picked]))
    _settings(picked)
    _curves(picked)


def _settings(picked: Sequence[RunSummary]) -> None:
    first, second = picked[:2]
    different = differences(first.settings, second.settings)
    if len(picked) > 2:
        show_note("Settings of the first two runs are compared; curves are shown for all.")
    if not different:
        show_note("The settings are identical.")
        return
    rows = [
        {"name": name, "first": _plain(one), "second": _plain(two)} for name, one, two in different
    ]
    section_heading(f"{count(len(rows), 'setting')} differ" + ("s" if len(rows) == 1 else ""))
    table(
        pd.DataFrame(rows),
        {
            "name": Field("Setting"),
            "first": Field(first.title, first.run_id),
            "second": Field(second.title, second.run_id),
        },
        key="finetune.differences",
        file_name=f"{first.run_id}-against-{second.run_id}",
    )


def _plain(value) -> str:
    return "" if value is None else value if isinstance(value, str) else json_line(value)


def _curves(picked: Sequence[RunSummary]) -> None:
    events = {f"{n}. {seen.title}": events_of(seen.run) for n, seen in enumerate(picked, 1)}
    there = charts.overlays_there(list(events.values()))
    if not there:
        show_note("None of these runs has curves: only training runs do.")
        return
    with control_row("finetune-overlay", [3, 2]) as (left, right):
        with left:
            name = url_state.choice(
                st.segmented_control, "Curve", there, page=PAGE, key="figure",
                format_func=lambda each: charts.CURVES[each].title,
            )  # fmt: skip
        with right:
            on = url_state.choice(
                st.segmented_control, "Data", ["validation", "training"], page=PAGE, key="on",
                format_func=str.capitalize,
            )  # fmt: skip
    section_heading(f"{charts.CURVES[name].title} in {on}", TRAINING_HELP[name])
    show_figure(
        charts.overlay(events, name, validation=on == "validation"),
        key="finetune.overlay",
        file_name=f"{name}-of-{len(picked)}-runs",
        alt=f"{charts.CURVES[name].title} of the selected runs",
    )
    names = "; ".join(f"{n}. {seen.run_id}" for n, seen in enumerate(picked, 1))
    st.html(f'<p class="capo-note">{escape(names)}</p>')
