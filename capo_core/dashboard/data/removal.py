"""The removal of a dataset: what it takes along for good, and who uses the data."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.data import PAGE
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import show_note
from capo_core.dashboard.ui.exports import download
from capo_core.dashboard.ui.text import markdown
from capo_core.data.catalog import Catalog
from capo_core.errors import CapoError
from capo_core.export_formats import csv_text
from capo_core.formatting import count
from capo_core.runs.run import Run, all_runs
from capo_core.runs.summary import summarise_run
from capo_core.study.design import draft as design_draft
from capo_core.workspace import Workspace


def remove_button(context: PageContext) -> None:
    """Show the button that removes the page's dataset, with what is lost and who uses it."""
    name = context.entry.name
    with st.popover("Remove …"):
        key = _key_of(context.workspace, name)
        st.markdown(
            f"Remove **{markdown(name)}** from the workspace? **This is permanent:** its items, "
            "annotations and import log are deleted, not moved to a trash"
            + (", and so is the key of its pseudonyms" if key is not None else "")
            + ". The source file is not deleted."
        )
        st.markdown(uses_sentence(*uses_of(context.workspace, name)))
        if key is not None:
            show_note("Without the key nobody can tell who A1, A2, … are. Save it first.")
            download(
                PAGE, "Key of the pseudonyms (CSV)", f"{name}-pseudonyms.csv", "text/csv",
                lambda source: csv_text(key, source), key="pseudonyms",
            )  # fmt: skip
        st.button(
            "Remove permanently",
            type="primary",
            key="data.remove",
            on_click=guarded,
            args=(_remove, context),
        )


def uses_of(workspace: Workspace, name: str) -> tuple[int, int]:
    """Return how many runs and how many studies in the workspace are of the dataset `name`."""
    runs = sum(_dataset_of(run) == name for run in all_runs(workspace))
    studies = 0
    for study in design_draft.names(workspace):
        try:
            studies += design_draft.config_of(workspace, study).dataset == name
        except CapoError:  # it cannot be read, with the dataset or without
            continue
    return runs, studies


def _dataset_of(run: Run) -> str:
    """Return the dataset of a run by its request alone, which is quick to read."""
    try:
        return str(run.request.settings.get("dataset", ""))
    except CapoError:  # begun by an earlier build, without a request
        return summarise_run(run).dataset


def uses_sentence(runs: int, studies: int) -> str:
    """Return in words what becomes of the runs and studies of a dataset that is removed."""
    users = [count(number, word) for number, word in ((runs, "run"), (studies, "study")) if number]
    if not users:
        return "No run and no study uses it."
    use, stay = ("uses", "It stays") if runs + studies == 1 else ("use", "They stay")
    return (
        f"{' and '.join(users)} {use} it. {stay} "
        "in the workspace, but what needs the data (resuming, comparing, inviting judges) no "
        "longer works."
    )


def _key_of(workspace: Workspace, name: str) -> pd.DataFrame | None:
    """Return the annotators' names and pseudonyms; None where there are none, or they cannot be
    read."""
    try:
        path = Catalog(workspace).key_file(name)
        return None if path is None else pd.read_csv(path, dtype=str, keep_default_na=False)
    except (CapoError, OSError, ValueError):
        return None


def _remove(context: PageContext) -> None:
    Catalog(context.workspace).remove(context.entry.name)
    url_state.put(PAGE, {url_state.DATASET: None, "view": "all"})
