"""Models' estimates: what is there, what is being made, and how to ask for one."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import distributing_runs, view_jobs
from capo_core.dashboard.components import Field, heading, note, table
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
_OPTIONS = {LABELS: "the labels themselves", LETTERS: "letters A, B, …"}
_NAMED = {
    "base": "a folder, or a name on the hub",
    "server": "as the server at CAPO_SERVER_URL calls it",
}
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
    judgments = chosen.reading.asked
    sets = list(dict.fromkeys(judgments.explanations["source"]))
    st.markdown("**A new estimate**")
    columns = st.columns([2, 2, 2, 2], vertical_alignment="bottom")
    with columns[0]:
        kind = st.selectbox(
            "Model", list(_MODELS), format_func=_MODELS.__getitem__, key=f"{PAGE}.new.model"
        )
    with columns[1]:
        said = st.selectbox(
            "Explanations shown", ["", *sets], key=f"{PAGE}.new.said",
            format_func=lambda name: name or "none",
        )  # fmt: skip
    with columns[2]:
        how = st.selectbox(
            "Shown", list(_HOW), format_func=_HOW.__getitem__, key=f"{PAGE}.new.how",
            disabled=not said,
        )  # fmt: skip
    with columns[3]:
        items = st.number_input(
            "First items only", 0, len(judgments.items), 0, key=f"{PAGE}.new.items",
            help="0 takes all.",
        )  # fmt: skip
    columns = st.columns([2, 2, 4], vertical_alignment="bottom")
    with columns[0]:
        options = st.selectbox(
            "Options", list(_OPTIONS), format_func=_OPTIONS.__getitem__, key=f"{PAGE}.new.options",
            disabled=kind == "server",
            help="The embedded base knows labels in the form it was trained on; large models were "
            "asked with letters in the published work.",
        )  # fmt: skip
    with columns[1]:
        explicit = st.toggle(
            "Labels of explanations shown", key=f"{PAGE}.new.explicit", disabled=not said
        )
    name = ""
    if kind != "embedded":
        with columns[2]:
            name = st.text_input(
                "Its name", key=f"{PAGE}.new.name", placeholder=_NAMED[kind]
            ).strip()
    config = EstimateConfig(
        explanations=said, how=how if said else SERIAL, explicit=explicit and bool(said),
        options=LETTERS if kind == "server" else options,
        orders=ALL if len(judgments.task.scale.labels) <= _FEW else ROTATIONS,
        transform="norm" if kind == "server" else "softmax", items=int(items),
    )  # fmt: skip
    asked = Asked(
        config,
        base=EMBEDDED if kind == "embedded" else name if kind == "base" else "",
        server=name if kind == "server" else "",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Begin the estimate", type="primary", key=f"{PAGE}.new.begin",
            disabled=kind != "embedded" and not name,
            on_click=safely,
            args=(distributing_runs.begin_estimate, chosen.reading, asked, frame.workspace),
        )  # fmt: skip
        st.caption(
            f"{distributing_runs.questions(judgments, config):,} questions, beside the page; every "
            "order of the options is asked, so that a liking for a place does not count."
        )
    st.caption("The same on the command line, where there are more settings (--help):")
    st.code(distributing_runs.estimate_command(chosen.reading, asked), language="bash",
            wrap_lines=True)  # fmt: skip
    note(
        "Imitated annotators and their teams become sources by themselves, as soon as a run has "
        "answers to these items."
    )
    link(frame, "finetune", "See the runs")
