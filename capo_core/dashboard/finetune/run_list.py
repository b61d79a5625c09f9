"""All runs: filtered, opened, compared with one another, taken out of the trash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.finetune import PAGE, charts, run_actions
from capo_core.dashboard.finetune.queue import (
    TICKS,
    in_percent,
    number_columns,
    open_run,
    run_table,
)
from capo_core.dashboard.finetune.run_actions import events_of
from capo_core.dashboard.ui import exports, url_state
from capo_core.dashboard.ui.components import (
    Field,
    control_row,
    data_grid,
    section_heading,
    show_figure,
    show_note,
    table,
)
from capo_core.dashboard.ui.glossary import TRAINING_HELP
from capo_core.dashboard.ui.text import escape, markdown
from capo_core.formatting import count
from capo_core.imitation.prompting.prompts import METHOD_TITLES
from capo_core.json_text import json_line
from capo_core.runs.experiments import store
from capo_core.runs.provenance import run_provenance
from capo_core.runs.request import KINDS
from capo_core.runs.results import GROUP_COLUMNS, by_experiment, results_of
from capo_core.runs.summary import STATES, RunSummary, differences

MOST_PICKED = 8
_ANY = "any"
_ALL = "1"  # of the choice of a dataset


def show(
    context: PageContext, found: Sequence[RunSummary], experiments: Sequence[store.Experiment]
) -> None:
    """Show all runs with filters, the comparison of ticked ones, and deleted ones."""
    if not found:
        show_note("No runs yet. Set one up under “New experiment”, or run the demo under “Queue”.")
        run_actions.thrown_away(context)
        return
    titles = {each.experiment_id: each.config.title for each in experiments}
    rows = _filtered(context, list(reversed(found)), titles)
    picked = _picked(found)
    if not rows:
        show_note("No runs match the filters.")
    elif url_state.get("group") == "1":
        _grouped(rows, found, titles)
    else:
        show_note(
            f"{count(len(rows), 'run')}. Tick one to open it, two or more to compare them; a click "
            "on a column's title sorts."
        )
        more = ["asked", "experiment", "notes", "run_id"]
        run_table(
            rows, key="all", more=more, results=results_of(found),
            picked=[seen.run_id for seen in picked], titles=titles,
        )  # fmt: skip
    _compare(context, picked)
    run_actions.thrown_away(context)


def _filtered(
    context: PageContext, found: list[RunSummary], titles: Mapping[str, str]
) -> list[RunSummary]:
    """The runs that pass the row of filters, which is in the address."""
    states = [name for name in STATES if any(seen.state == name for seen in found)]
    kinds = [name for name in KINDS if any(seen.kind == name for seen in found)]
    here = context.entry.name
    datasets = [name for name in dict.fromkeys(seen.dataset for seen in found) if name]
    others = [name for name in datasets if name != here]
    groups = list(dict.fromkeys(seen.experiment for seen in found if seen.experiment in titles))
    with control_row("finetune-runs", [2, 2, 2, 2, 3, 2]) as places:
        with places[0]:
            where = url_state.choice(
                st.selectbox, "Dataset", ["", *([_ALL, *others] if others else [])],
                page=PAGE, key="all",
                format_func=lambda name: {"": here, _ALL: "All"}.get(name, name),
            )  # fmt: skip
        with places[1]:
            wanted = url_state.choice(
                st.selectbox, "State", [_ANY, *states], page=PAGE, key="state",
                format_func=lambda name: STATES.get(name, name.capitalize()),
            )  # fmt: skip
        with places[2]:
            kind = url_state.choice(
                st.selectbox,
                "Kind",
                [_ANY, *kinds],
                page=PAGE,
                key="kind",
                format_func=lambda name: KINDS[name].label if name != _ANY else "Any",
            )
        with places[3]:
            group = url_state.choice(
                st.selectbox, "Experiment", ["", *groups], page=PAGE, key="experiment",
                format_func=lambda name: titles.get(name, "Any"),
            )  # fmt: skip
        with places[4]:
            text = url_state.text(
                "Search name, annotator or notes",
                page=PAGE,
                key="find",
                placeholder="part of the text",
            ).lower()
        with places[5]:
            url_state.toggle("By experiment", page=PAGE, key="group")
    return [
        seen
        for seen in found
        if wanted in (_ANY, seen.state)
        and kind in (_ANY, seen.kind)
        and group in ("", seen.experiment)
        and (where == _ALL or seen.dataset in (where or here, ""))
        and (not text or text in f"{seen.run_id} {seen.title} {seen.run.notes}".lower())
    ]


def _grouped(
    rows: Sequence[RunSummary], found: Sequence[RunSummary], titles: Mapping[str, str]
) -> None:
    """Show one row for each experiment and method; a click shows its runs."""
    groups = by_experiment(rows, results_of(found))
    if not groups:
        show_note("None of these runs belongs to a method.")
        return
    frame = pd.DataFrame(groups, columns=list(GROUP_COLUMNS))
    names = frame["experiment"].tolist()
    frame = frame.assign(
        experiment=[titles.get(name, name or "no experiment") for name in names],
        method=[METHOD_TITLES.get(name, name) for name in frame["method"]],
    ).astype(dict.fromkeys(("label_accuracy", "attribution", "human", "n", "validation_loss",
                            "minutes", "peak_gb"), float))  # fmt: skip
    runs = [
        f"{row.runs}" if row.runs == row.succeeded else f"{row.succeeded} of {row.runs}"
        for row in frame.itertuples()
    ]
    frame = in_percent(frame.assign(runs=runs).drop(columns="succeeded"))
    show_note(
        f"{count(len(frame), 'method')} in {count(len(set(names)), 'experiment')}: shares are "
        "means over all answers of seeds and annotators, minutes a sum. A click shows the runs."
    )

    def opened(row: int) -> None:
        if names[row]:
            url_state.put(PAGE, {"experiment": names[row], "group": None})

    data_grid(
        frame,
        key=f"{PAGE}.table.groups",
        alt="Table: methods of each experiment with their results",
        on_row=opened,
        column_config={
            "experiment": st.column_config.TextColumn("Experiment", pinned=True),
            "method": st.column_config.TextColumn("Method"),
            "runs": st.column_config.TextColumn("Runs", help="That succeeded.", width="small"),
            **number_columns(),
        },
    )


def _picked(found: Sequence[RunSummary]) -> list[RunSummary]:
    """Return the runs that the address names to be compared."""
    by_id = {seen.run_id: seen for seen in found}
    asked = url_state.require_each(
        "pick", url_state.get("pick").split("~"), by_id, place=url_state.WORKSPACE
    )
    return [by_id[name] for name in dict.fromkeys(asked) if name]


def _compare(context: PageContext, picked: Sequence[RunSummary]) -> None:
    """Show the ticked run's button, or the differing settings and the curves of several."""
    if not picked:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(picked) == 1:
            st.button(
                "Open run", key="finetune.pick.open", type="primary",
                on_click=open_run, args=(picked[0].run_id,),
            )  # fmt: skip
        st.button(
            "Untick all", key="finetune.pick.none", type="tertiary", on_click=_untick,
        )  # fmt: skip
        st.caption(markdown("; ".join(f"{seen.title} · {seen.run_id}" for seen in picked)))
    if len(picked) < 2:
        return
    if len(picked) > MOST_PICKED:
        show_note(f"The first {MOST_PICKED} of {len(picked)} runs are compared.")
        picked = picked[:MOST_PICKED]
    section_heading("Compare runs")
    exports.begin(run_provenance(context.workspace, [seen.run.files for seen in picked]))
    _settings(picked)
    _curves(picked)


def _untick() -> None:
    ticks = url_state.session_dict(TICKS)
    ticks["times"] = ticks.get("times", 0) + 1  # a table of another name begins without ticks
    url_state.put(PAGE, {"pick": None})


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
    there = charts.available_overlays(list(events.values()))
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
