"""Freezing a draft: what it means, what is left of leaks, and the hash."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import cache_studies, state
from capo_core.dashboard.components import note, says
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.study_seen import Seen
from capo_core.dashboard.study_words import LEAKS
from capo_core.dashboard.view_studies_wait import waiting
from capo_core.dashboard.words import count
from capo_core.errors import StudyError
from capo_core.study import draft_files, freeze
from capo_core.study import leaks as looking
from capo_core.workspace import Workspace

PAGE = "studies"


def show(frame: Frame, seen: Seen) -> None:
    found = cache_studies.leaks(frame.workspace, seen.name)
    says("Freezing puts design, texts, orders, seed and planned analysis under one hash.")
    note(
        "From then on nothing of it can change but its end: closing, then unblinding. Results stay "
        "out of sight until it is closed. Print the hash where you announce the study: it proves "
        "that nothing was chosen afterwards."
    )
    note(f"Planned analysis: {seen.config.planned_analysis}")
    if found is None:
        waiting("Looking through all texts …")
        return
    accepted = not found
    if found:
        told = ", ".join(
            f"{LEAKS.get(kind, kind).lower()} in {count(number, 'text')}"
            for kind, number in looking.summary(found).items()
        )
        st.warning(f"Something would give sources away: {told}. The part Leaks shows the texts.")
        accepted = st.checkbox(
            "I have looked at them; freeze it as it is and say so in the report",
            key=f"{PAGE}.accept.{seen.name}",
        )
    st.button(
        "Freeze",
        type="primary",
        key=f"{PAGE}.freeze",
        disabled=not accepted,
        on_click=safely,
        args=(_freeze, frame.workspace, seen.name,
              cache_studies.parts(frame.workspace, seen.name), bool(found)),
    )  # fmt: skip


def _freeze(workspace: Workspace, name: str, parts: dict[str, str], accepted: bool) -> None:
    """Freeze what this tab has shown; another tab may have drawn it anew meanwhile."""
    if freeze.parts_of(draft_files.load(workspace, name)) != parts:
        raise StudyError(
            f"the draft {name!r} was changed since this page was opened",
            todo="look through it as it is now, then freeze it",
        )
    freeze.freeze(workspace, name, accept_leaks=accepted)
    state.put(PAGE, {"part": None})
