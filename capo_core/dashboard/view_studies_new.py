"""A new study: the form, and beside it what the design would be, and would show."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import cache, cache_studies, state, study_draft, view_studies_form
from capo_core.dashboard.components import heading, note, show_error, side_by_side
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.run_words import see
from capo_core.dashboard.study_planning import Preview
from capo_core.dashboard.study_words import PURPOSES
from capo_core.dashboard.view_studies_form import PAGE, Form
from capo_core.dashboard.view_studies_plan import plan
from capo_core.dashboard.view_studies_wait import waiting
from capo_core.dashboard.words import count, duration, markdown
from capo_core.errors import CapoError
from capo_core.jobs import runs
from capo_core.study import draft_files
from capo_core.workspace import Workspace


def show(frame: Frame) -> None:
    if frame.entry.problem:
        st.error(markdown(frame.entry.problem))
        return
    workspace, entry = frame.workspace, frame.entry
    values = study_draft.load(workspace, entry.name)
    if values is None:
        taken = draft_files.names(workspace)
        values = study_draft.begin(entry, study_draft.free_name(entry.name, taken))
    form = Form(workspace, values)
    annotators = cache.dataset(workspace, entry).annotators
    finished = study_draft.usable([see(run) for run in runs.every(workspace)], entry.name)
    with side_by_side("study", [3, 2]) as (left, right):
        with left:
            view_studies_form.what_and_whose(frame, form, finished, annotators)
            view_studies_form.numbers(form)
        with right, st.container(key="studies-will"):
            heading("What it will be")
            try:
                config = study_draft.config_of(
                    values, study_draft.sources_of(values.get("runs") or (), finished)
                )
                found = cache_studies.preview(workspace, entry, config)
                if found is None:
                    waiting("Drawing texts and sequences …")
                else:
                    _will_be(frame, found)
                    plan(found, len(annotators), study_draft.assumed_of(values))
            except CapoError as error:
                show_error(error)
            view_studies_form.assumed(form)


def _will_be(frame: Frame, found: Preview) -> None:
    """The draft in numbers, and the button that keeps it."""
    balance = found.balance
    usual, slowest = (duration(60 * minutes) for minutes in found.minutes)
    note(
        f"{count(balance.trials, 'main trial')} with {count(balance.texts, 'text')} for "
        f"{count(balance.judges, 'judge')}. A judge has "
        + ", ".join(
            f"{spread.most} {PURPOSES[purpose].lower()}"
            for purpose, spread in balance.per_judge.items()
            if spread.most
        )
        + f": about {usual}"
        + (f", the slowest {slowest}." if slowest != usual else ".")
    )
    for each in found.draft.notes:
        note(each)
    name = found.config.name
    there = name in draft_files.names(frame.workspace)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Replace the draft of this name" if there else "Make this draft",
            type="primary",
            key=f"{PAGE}.draw",
            on_click=safely,
            args=(_keep, frame.workspace, found, there),
        )
        st.caption("It can be looked through and thrown away; nothing is frozen yet.")


def _keep(workspace: Workspace, found: Preview, replace: bool) -> None:
    name = draft_files.create(workspace, found.draft, replace=replace)
    values = study_draft.load(workspace, found.config.dataset)
    if values is not None:
        taken = draft_files.names(workspace)
        study_draft.put(workspace, values, "name", study_draft.free_name(values["dataset"], taken))
    state.put(PAGE, {"view": "study", "study": name, "part": None})
