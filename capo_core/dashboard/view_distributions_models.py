"""Models' estimates: what is there, what is being made, and how to ask for one."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import distributing_runs, view_jobs
from capo_core.dashboard.components import Field, control_row, heading, note, table
from capo_core.dashboard.distributing_looks import source_name
from capo_core.dashboard.distributing_runs import EMBEDDED, Asked
from capo_core.dashboard.frame import Frame, link, safely
from capo_core.dashboard.help_distributions import HELP
from capo_core.dashboard.view_distributions_choice import PAGE, Chosen
from capo_core.dashboard.words import count
from capo_core.distributions.estimate_config import PARALLEL, SERIAL, EstimateConfig
from capo_core.distributions.questions import ALL, LABELS, LETTERS, ROTATIONS
from capo_core.jobs import queue

KEYS = ()
_MODELS = {"embedded": "the embedded base", "base": "another base", "server": "a server’s model"}
_HOW = {SERIAL: "all together", PARALLEL: "one at a time, averaged"}
_OPTIONS = {LABELS: "the labels", LETTERS: "letters A, B, …"}
_NAMED = {
    "base": "a folder, or a name on the hub",
    "server": "as the server at CAPO_SERVER_URL calls it",
}
# As published for large models; the small base's scores lie so close that 20 makes them uniform.
_TEMPERATURE = {"embedded": 1.0, "base": 20.0}
_FEW = 4  # labels of which all orders can be shown


def show(frame: Frame, chosen: Chosen) -> None:
    """Finished estimates, those at work, and the form for a new one."""
    heading("What does a model say that people would say?")
    note(
        "The model sees an item, explanations of it if wanted, and the labels as options; the "
        "scores of the options become a distribution. A finished estimate is one of the sources "
        "above."
    )
    at_work = [
        run
        for run in distributing_runs.of_kind(frame.workspace, "estimate", chosen.reading)
        if not run.files.done
    ]
    live = [run for run in at_work if run.status().live]
    if live:
        queue.advance(frame.workspace)
        view_jobs.watch(live[0])
        if len(live) > 1:
            note(f"{count(len(live) - 1, 'more estimate')} waiting.")
    for run in at_work[:1]:
        if run not in live:
            view_jobs.how_it_ended(run)
    _finished(frame, chosen)
    _form(frame, chosen)


def _finished(frame: Frame, chosen: Chosen) -> None:
    rows = distributing_runs.estimates(chosen.reading, frame.workspace)
    if rows.empty:
        note("No estimate of these items is finished yet.")
        return
    table(
        rows.assign(
            source=rows["source"].map(source_name),
            explanations=rows["explanations"].replace("", "none"),
        ),
        {
            "source": Field("Estimate", width="large"),
            "explanations": Field("Explanations shown", width="medium"),
            "n": Field("Items", None, 0),
            "questions": Field("Questions", None, 0),
            "left_out": Field("Left out", "Items without an answer, or without explanations.", 0),
            "one_order": Field("One order", HELP["bias"]),
            "averaged": Field("Averaged", HELP["bias"]),
            "run": Field("Run"),
        },
        key=f"{PAGE}.estimates",
        file_name=f"{chosen.file_stem}-estimates",
    )


def _form(frame: Frame, chosen: Chosen) -> None:
    """What to ask for, the button, and the same as a command."""
    st.markdown("**A new estimate**")
    asked, named = _asked(chosen)
    reading = chosen.reading
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Begin the estimate",
            type="primary",
            key=f"{PAGE}.new.begin",
            disabled=not named,
            on_click=safely,
            args=(distributing_runs.begin_estimate, reading, asked, frame.workspace),
        )
        st.caption(
            f"{distributing_runs.questions(reading.asked, asked.config):,} questions, beside the "
            "page; all orders of the options are asked, so that a liking for a place is no matter."
            if named
            else "Say which model."
        )
    st.caption("The same on the command line, where there are more settings (--help):")
    st.code(distributing_runs.estimate_command(reading, asked), language="bash", wrap_lines=True)
    note(
        "Imitated annotators and their teams become sources by themselves, as soon as a run has "
        "answers to these items."
    )
    link(frame, "finetune", "See the runs")


def _asked(chosen: Chosen) -> tuple[Asked, bool]:
    """The estimate that the form describes, and whether it names a model."""
    judgments = chosen.reading.asked
    sets = list(dict.fromkeys(judgments.explanations["source"]))
    with control_row("estimate", [3, 3, 3, 2]) as columns:
        kind = columns[0].selectbox(
            "Model", list(_MODELS), format_func=_MODELS.__getitem__, key=f"{PAGE}.new.model"
        )
        said = columns[1].selectbox(
            "Explanations shown", ["", *sets], key=f"{PAGE}.new.said",
            format_func=lambda name: name or "none",
        )  # fmt: skip
        how = columns[2].selectbox(
            "How they are shown", list(_HOW), format_func=_HOW.__getitem__, key=f"{PAGE}.new.how",
            disabled=not said,
        )  # fmt: skip
        items = columns[3].number_input(
            "First items only", 0, len(judgments.items), 0, key=f"{PAGE}.new.items",
            help="0 takes all.",
        )  # fmt: skip
    name = ""
    temperature = EstimateConfig().temperature
    with control_row("estimate-more", [3, 3, 3, 2]) as columns:
        options = columns[0].selectbox(
            "Options", list(_OPTIONS), format_func=_OPTIONS.__getitem__, key=f"{PAGE}.new.options",
            disabled=kind == "server",
            help="The embedded base knows labels in the form it was trained on; large models were "
            "asked with letters in the published work.",
        )  # fmt: skip
        explicit = columns[1].toggle(
            "Show their labels", key=f"{PAGE}.new.explicit", disabled=not said
        )
        if kind != "server":
            temperature = columns[3].number_input(
                "Temperature", 0.1, 1000.0, _TEMPERATURE[kind],
                key=f"{PAGE}.new.temperature.{kind}", help=HELP["temperature"],
            )  # fmt: skip
        if kind != "embedded":
            name = columns[2].text_input(
                "Its name", key=f"{PAGE}.new.name", placeholder=_NAMED[kind]
            )
    config = EstimateConfig(
        explanations=said,
        how=how if said else SERIAL,
        explicit=explicit and bool(said),
        options=LETTERS if kind == "server" else options,
        orders=ALL if len(judgments.task.scale.labels) <= _FEW else ROTATIONS,
        transform="norm" if kind == "server" else "softmax",
        temperature=float(temperature),
        items=int(items),
    )
    base = {"embedded": EMBEDDED, "base": name.strip(), "server": ""}[kind]
    asked = Asked(config, base, name.strip() if kind == "server" else "")
    return asked, bool(asked.base or asked.server)
