"""All studies of the workspace: where each stands; a click opens one."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard import state
from capo_core.dashboard.components import note
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.study_seen import STAGES, Seen
from capo_core.dashboard.study_words import KINDS, source_name
from capo_core.dashboard.words import count

PAGE = "studies"
MOST_ROWS = 12


def show(frame: Frame, found: list[Seen]) -> None:
    if not found:
        _nothing_yet()
        return
    note(f"{count(len(found), 'study', 'studies')} in this workspace; a click opens one.")
    place = f"{PAGE}.table"

    def picked() -> None:
        chosen = state.now(place).selection.rows
        if chosen and chosen[0] < len(found):
            open_study(found[chosen[0]])

    st.dataframe(
        pd.DataFrame([_row(seen) for seen in found]),
        key=place,
        hide_index=True,
        width="stretch",
        height="auto" if len(found) <= MOST_ROWS else 460,
        column_config={
            "study": st.column_config.TextColumn("Study", width="medium"),
            "stage": st.column_config.TextColumn("State", width="small"),
            "answered": st.column_config.ProgressColumn(
                "Answered", format="percent", width="small"
            ),
            "standing": st.column_config.TextColumn("Where it stands", width="large"),
            "asked": st.column_config.TextColumn("What is asked"),
            "sources": st.column_config.TextColumn("Sources"),
            "judges": st.column_config.NumberColumn("Judges", format="%d", width="small"),
            "dataset": st.column_config.TextColumn("Dataset"),
        },
        on_select=picked,
        selection_mode="single-row",
    )
    st.button("Design a new study", key=f"{PAGE}.new", on_click=state.put,
              args=(PAGE, {"view": "new"}))  # fmt: skip


def open_study(seen: Seen) -> None:
    """Show one study; the dataset follows it, where it is known."""
    dataset = {state.DATASET: seen.dataset} if seen.dataset else {}
    state.put(PAGE, {"view": "study", "study": seen.name, "part": None, **dataset})


def _row(seen: Seen) -> dict:
    config, status = seen.config, seen.status
    return {
        "study": seen.name,
        "stage": STAGES[seen.stage],
        "answered": round(status.filled / status.places, 2) if status and status.places else None,
        "standing": seen.standing,
        "asked": " ".join(KINDS[kind] for kind in config.kinds) if config else "",
        "sources": ", ".join(map(source_name, config.sources)) if config else "",
        "judges": config.judges if config else None,
        "dataset": seen.dataset,
    }


def _nothing_yet() -> None:
    with st.container(border=True):
        st.markdown(
            "**There is no study yet.** A blind study shows texts to people who cannot see where "
            "they come from: who wrote this, which of two is theirs. Design one: texts are drawn "
            "and balanced, looked through for what would give their source away, and frozen; then "
            "each judge gets a link. Made-up judges can try the design before anybody is invited."
        )
        st.button("Design a study", type="primary", key=f"{PAGE}.first", on_click=state.put,
                  args=(PAGE, {"view": "new"}))  # fmt: skip
