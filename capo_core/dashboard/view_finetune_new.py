"""The form of a new experiment: whom, how, on what; what it will be; the button that begins it."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import (
    cache,
    draft,
    finetune_form,
    form_measures,
    state,
    view_finetune_command,
    view_finetune_look,
)
from capo_core.dashboard.components import heading, note, show_error, side_by_side
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.words import count
from capo_core.errors import CapoError
from capo_core.experiment import plan, store
from capo_core.experiment.config import ExperimentConfig
from capo_core.imitation.base_files import find_base
from capo_core.jobs.preflight_kept import kept
from capo_core.workspace import Workspace, write_json

PAGE = "finetune"


def show(frame: Frame) -> None:
    if frame.entry.problem:
        st.error(frame.entry.problem)
        return
    annotators = cache.dataset(frame.workspace, frame.entry).annotators
    now = draft.load(frame.workspace, frame.entry.name)
    if now is None:
        now = draft.begin(frame.entry, annotators[:1])
    form = finetune_form.Form(frame.workspace, now)
    view_finetune_command.load(frame)
    with side_by_side("experiment", [3, 2]) as (left, right):
        with left:
            finetune_form.whom_and_how(form, annotators)
            finetune_form.base(form)
            finetune_form.main_settings(form)
            finetune_form.folded_settings(form)
            form_measures.show(form)
        with right, st.container(key="finetune-will"):
            heading("What it will be")
            try:
                config = _right(now, annotators)
            except CapoError as error:
                show_error(error)
                config = None
            if config is not None:
                _begin(frame, config)
    if config is not None:
        view_finetune_command.show(config)


def _right(now: draft.Draft, annotators: tuple[str, ...]) -> ExperimentConfig:
    """The configuration, looked at as far as that takes no time.

    Raises:
        CapoError: something cannot be used; it says what, and where on the form.
    """
    known = [name for name in now.get("targets", ()) if name in annotators]
    config = draft.config_of({**now, "targets": known})
    on_disk = config.base == "embedded" or "/" not in config.base or config.base[0] in "./~"
    if config.base and on_disk:
        find_base(config.base)
    store.check_text(config)
    return config


def _begin(frame: Frame, config: ExperimentConfig) -> None:
    settled = config.with_changes(fingerprint=frame.entry.fingerprint)
    planned = plan.plan(settled)
    kinds = [each.request.kind for each in planned]
    trainings = kinds.count("train_sft") + kinds.count("train_capo")
    note(
        f"{count(len(planned), 'run')}: {count(trainings, 'training')}, "
        f"{count(kinds.count('generate'), 'set')} of answers"
        + (", profiles" if "profile" in kinds else "")
        + (", retention" if "retention" in kinds else "")
        + (", a judge" if "judge" in kinds else "")
        + ", and the evaluation of all. They wait for one another, and go on when this page is "
        "closed."
    )
    refused = view_finetune_look.show(frame, planned)
    known = (frame.workspace.experiments / settled.experiment_id / store.FILE).exists()
    if known:
        note("This very experiment was begun before: Start takes up what is left of it.")
    st.button(
        "Start",
        type="primary",
        key="finetune.start",
        disabled=refused and config.executor == "local",
        on_click=safely,
        args=(_start, frame.workspace, settled, planned),
    )


def _start(workspace: Workspace, config: ExperimentConfig, planned: list[plan.Planned]) -> None:
    store.start(workspace, config)
    for each in planned:
        # What was expected stays beside what will be measured.
        folder = workspace.runs / each.run_id
        found = kept(workspace, each.request.kind, each.request.settings)
        if found is not None and not (folder / "preflight.json").exists():
            write_json(folder / "preflight.json", found.to_dict())
    state.put(PAGE, {"view": None})
