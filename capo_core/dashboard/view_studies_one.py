"""One study: where it stands on its way, and the part of it that the address names."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from capo_core.dashboard import (
    state,
    view_studies_audit,
    view_studies_design,
    view_studies_export,
    view_studies_freeze,
    view_studies_judges,
    view_studies_leaks,
    view_studies_results,
    view_studies_try,
)
from capo_core.dashboard.components import note, show_error, speaking
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.study_seen import (
    BROKEN,
    CLOSED,
    DRAFT,
    FROZEN,
    RUNNING,
    STAGES,
    UNBLINDED,
    Seen,
)
from capo_core.dashboard.words import escape, markdown

PAGE = "studies"
_WAY = (DRAFT, FROZEN, RUNNING, CLOSED, UNBLINDED)
_TITLES = {
    "design": "Design",
    "leaks": "Leaks",
    "try": "Try it",
    "freeze": "Freeze",
    "judges": "Judges",
    "results": "Results",
    "export": "Take it along",
    "audit": "Audit log",
}
# What there is to see at each stage: nothing of results, not even made-up ones, while people judge.
_PARTS = {
    DRAFT: ("design", "leaks", "try", "freeze"),
    FROZEN: ("judges", "design", "try", "audit"),
    RUNNING: ("judges", "design", "audit"),
    CLOSED: ("judges", "design", "audit"),
    UNBLINDED: ("results", "export", "judges", "design", "audit"),
}
_SHOWN: dict[str, Callable[[Frame, Seen], None]] = {
    "design": view_studies_design.show,
    "leaks": view_studies_leaks.show,
    "try": view_studies_try.show,
    "freeze": view_studies_freeze.show,
    "judges": view_studies_judges.show,
    "results": view_studies_results.show,
    "export": view_studies_export.show,
    "audit": view_studies_audit.show,
}


def show(frame: Frame, found: list[Seen]) -> None:
    if not found:
        note("There is no study yet: “New study” designs one.")
        return
    by_name = {seen.name: seen for seen in found}
    asked = state.get("study")
    if asked and asked not in by_name:
        st.warning(f"There is no study named {markdown(asked)} here.")
    mine = [seen.name for seen in found if seen.dataset == frame.entry.name]
    name = state.choice(
        st.selectbox, "Study", list(by_name), page=PAGE, key="study",
        default=mine[-1] if mine else None, clears=("part", "judge", "slot", "place", "source"),
        format_func=lambda each: f"{each} · {STAGES[by_name[each].stage].lower()}",
    )  # fmt: skip
    seen = by_name[name]
    if seen.dataset and seen.dataset != frame.entry.name:
        note(f"Its texts are of the dataset {seen.dataset}.")
    if seen.stage == BROKEN:
        _broken(frame, seen)
        return
    _way(seen)
    parts = _PARTS[seen.stage]
    part = state.choice(
        st.segmented_control, "Part", list(parts), page=PAGE, key="part",
        format_func=_TITLES.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    with speaking():
        _SHOWN[part](frame, seen)


def _way(seen: Seen) -> None:
    """Draft → frozen → running → closed → unblinded, with where the study stands."""
    here = _WAY.index(seen.stage)
    steps = "".join(
        f'<li class="{"capo-here" if k == here else "capo-past" if k < here else ""}"'
        f"{' aria-current=step' if k == here else ''}>{escape(STAGES[stage])}</li>"
        for k, stage in enumerate(_WAY)
    )
    st.html(f'<ol class="capo-way">{steps}</ol><p class="capo-note">{escape(_told(seen))}</p>')


def _told(seen: Seen) -> str:
    said = seen.standing[:1].upper() + seen.standing[1:] + "."
    if seen.status is not None:
        said += f" Hash {seen.status.frozen_hash[:16]}."
    return said


def _broken(frame: Frame, seen: Seen) -> None:
    show_error(seen.problem)
    if seen.status is not None:
        st.info(
            "What judges answered lies in the database and is whole: put the study's folder back "
            "from a copy, and it can be read on."
        )
        view_studies_audit.show(frame, seen)
    else:
        note(
            f"Put its files back from a copy, or take the folder {frame.workspace.studies}"
            f"/{seen.name} away. The other studies are not touched by it."
        )
