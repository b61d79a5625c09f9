"""What a training gained and what it made its base forget, along the adapter's strength."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import (
    cache_methods,
    charts_retention,
    comparing_retention,
    state,
    view_jobs,
)
from capo_core.dashboard.comparing_retention import Training
from capo_core.dashboard.components import (
    Field,
    heading,
    is_dark,
    note,
    picture,
    side_by_side,
    table,
)
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.theme import human_look, method_name
from capo_core.dashboard.view_methods_choice import PAGE, Chosen
from capo_core.evaluation.retention import IMITATION, MEANING, Retention
from capo_core.jobs import queue

KEYS = ("training",)
_HELP = (
    "An adapter can be added to its base at any strength from 0 to 1, and between the SFT and the "
    "CAPO adapter exactly. Learning shows as imitation that grows; forgetting as general text, or "
    "what others wrote, that the model finds less and less likely."
)


def show(frame: Frame, chosen: Chosen) -> None:
    """The curve of one training; the way to it where nobody has measured it."""
    heading("What was learnt, and what was forgotten", _HELP)
    found = comparing_retention.trainings(frame.workspace, chosen.comparison, chosen.target)
    if not found:
        note("None of these methods trains an adapter, so that nothing could be forgotten.")
        return
    by_key = {training.key: training for training in found}
    training = by_key[
        state.choice(
            st.selectbox, "Training", list(by_key), page=PAGE, key="training", width=320,
            format_func=lambda key: f"{method_name(by_key[key].method)} for {by_key[key].target}",
        )
    ]  # fmt: skip
    run = comparing_retention.measurement(frame.workspace, training)
    if run is not None and run.files.done:
        _curve(cache_methods.retention(run.folder), training)
    elif run is not None and run.status().live:
        queue.advance(frame.workspace)
        view_jobs.watch(run)
    else:
        if run is not None:
            view_jobs.how_it_ended(run)
        _ask(frame, training)


def _ask(frame: Frame, training: Training) -> None:
    with st.container(border=True):
        st.markdown(
            "**Nobody has measured this training yet.** The base, the adapter at several "
            "strengths, and what lies between, each answer held-out items: some minutes with the "
            "embedded base, beside the page."
        )
        st.button(
            "Measure it",
            key="compare.retention",
            type="primary",
            on_click=safely,
            args=(comparing_retention.measure, frame.workspace, frame.entry, training),
        )


def _curve(found: Retention, training: Training) -> None:
    note(found.sentence)
    human = human_look(dark=is_dark())
    name = f"{found.dataset}-{training.method}-{training.target}"
    with side_by_side("retention", [1, 1]) as (left, right):
        with left:
            picture(
                charts_retention.gained(found, human),
                key=f"{PAGE}.gained",
                file_name=f"{name}-gained",
                alt="Imitation and label accuracy along the strength of the adapter",
            )
        with right:
            picture(
                charts_retention.kept(found, human),
                key=f"{PAGE}.kept",
                file_name=f"{name}-kept",
                alt="Perplexity of the target's, others' and general text against the base's",
            )
    general = f" General text: {found.general}." if found.general else ""
    note(
        f"{found.n_items:,} {found.config.split} items, the same at every strength.{general} "
        f"{MEANING[IMITATION]}"
    )
    with st.expander("All figures"):
        table(
            found.points,
            {
                "stage": Field("Stage"),
                "strength": Field("Strength", None, 2),
                "measure": Field("Measure", width="medium"),
                "value": Field("Value", None, 3),
                "low": Field("from", "Lower end of the 95 % interval.", 3),
                "high": Field("to", "Upper end of the 95 % interval.", 3),
                "n": Field("n", None, 0),
                "change": Field(
                    "Against the base", "Perplexities: how many times; else a difference.", 3
                ),
                "change_low": Field("from ", "Lower end of the 95 % interval.", 3),
                "change_high": Field("to ", "Upper end of the 95 % interval.", 3),
            },
            key=f"{PAGE}.retention.figures",
            file_name=f"{name}-retention",
        )
