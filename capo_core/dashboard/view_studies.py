"""The page Studies: all of them, a new one, and one study from draft to results."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import (
    cache_studies,
    state,
    study_seen,
    view_studies_all,
    view_studies_new,
    view_studies_one,
)
from capo_core.dashboard.components import says, show_error
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.study_style import CSS
from capo_core.dashboard.words import count
from capo_core.errors import CapoError

PAGE = "studies"
KEYS = (
    "view", "study", "part", "planned", "slot", "place", "leak", "judge", "counting", "source",
    "mu", "behind", "try", "attentive", "skill", "left", "doubt", "careless", "luck", "strength",
    "likeness", "rule", "confident",
)  # fmt: skip
_VIEWS = {"all": "All studies", "new": "New study", "study": "One study"}


def show(frame: Frame) -> None:
    """The view that the address names, under one sentence about the studies of this dataset."""
    st.html(CSS)
    service = None
    try:
        service = cache_studies.service(frame.workspace)
        found = study_seen.every(frame.workspace, service)
    except CapoError as error:  # drafts can be worked on without the database
        show_error(error)
        found = study_seen.every(frame.workspace, None)
    says(_sentence(frame, found))
    view = state.view(PAGE, _VIEWS)
    if view == "new":
        view_studies_new.show(frame)
    elif view == "study":
        view_studies_one.show(frame, found)
    else:
        view_studies_all.show(frame, found)


def _sentence(frame: Frame, found: list[study_seen.Seen]) -> str:
    stages = study_seen.stages_of(found, frame.entry.name)
    if not stages:
        return f"Nobody has judged texts of {frame.entry.name} blindly yet."
    known, running = stages[study_seen.UNBLINDED], stages[study_seen.RUNNING]
    if known:
        more = f", {running} more at work" if running else ""
        return (
            f"{count(known, 'study', 'studies')} of {frame.entry.name} closed and unblinded{more}: "
            "open one to read what the judges found."
        )
    if running:
        return (
            f"{count(running, 'study', 'studies')} of {frame.entry.name} at work. What judges "
            "answer stays out of sight until it is closed."
        )
    return f"Studies of {frame.entry.name}: {study_seen.said(stages)}"
