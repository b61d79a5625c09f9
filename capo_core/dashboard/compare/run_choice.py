"""The choice of single runs on the page Compare: a table whose ticked rows are compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from capo_core.dashboard.compare import PAGE
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import data_grid, show_note
from capo_core.dashboard.ui.theme import method_name
from capo_core.formatting import count
from capo_core.runs.comparisons import CUSTOM, Generation, RunComparison
from capo_core.workspace import content_hash

MOST_ROWS = 10  # before the table scrolls
_LEFT = ("item", "as", "method", "target", "who", "training")  # what other runs may not have


def show(finished: Sequence[Generation], comparison: RunComparison) -> None:
    """Show the button that opens the table, with the runs of `comparison` ticked."""
    with st.popover("Choose runs", width="stretch"):
        # A part of its own: a tick draws the table's button again, and not the page.
        st.fragment(_table)(tuple(finished), comparison)


def _table(finished: Sequence[Generation], comparison: RunComparison) -> None:
    names = [one.run_id for one in finished]
    # Ticks are known by their places: other rows, or another comparison, make another table.
    place = f"{PAGE}.runs.{content_hash([names, list(comparison.runs)])[:12]}"
    ticks = [n for n, name in enumerate(names) if name in comparison.runs]
    show_note("Tick the runs to compare. They have to be on the same split.")
    rows = data_grid(
        _frame(finished),
        key=place,
        alt="Table: finished runs to choose from",
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": ticks}},
        height="auto" if len(finished) <= MOST_ROWS else 390,
        width=640,
        column_config={
            "method": st.column_config.TextColumn("Method", pinned=True),
            "annotator": st.column_config.TextColumn("Annotator", width="small"),
            "model": st.column_config.TextColumn("Model"),
            "seed": st.column_config.NumberColumn("Seed", width=48),
            "ended": st.column_config.DatetimeColumn("Ended", format="D MMM, HH:mm", width=104),
            "split": st.column_config.TextColumn("Split", width=84),
        },
    )
    chosen = [finished[n] for n in rows if n < len(finished)]
    obstacle = ""
    if not chosen:
        obstacle = "Tick at least one run."
    elif len({one.split for one in chosen}) > 1:
        obstacle = "These runs are on different splits: untick those of one split."
    pressed = st.button(
        f"Compare {count(len(chosen), 'run')}" if chosen else "Compare",
        key="compare.runs.choose",
        type="primary",
        disabled=bool(obstacle),
    )
    if obstacle:
        show_note(obstacle)
    if pressed:
        asked = ",".join(one.run_id for one in chosen)
        url_state.put(PAGE, {**dict.fromkeys(_LEFT), "of": CUSTOM, "runs": asked})
        st.rerun()


def _frame(finished: Sequence[Generation]) -> pd.DataFrame:
    """Return one row for each run; the split only where runs differ in it."""
    rows = pd.DataFrame({
        "method": [method_name(one.method) for one in finished],
        "annotator": [", ".join(one.targets) for one in finished],
        "model": [one.model for one in finished],
        "seed": [one.seed for one in finished],
        "ended": [datetime.fromtimestamp(one.ended) if one.ended else None for one in finished],
        "split": [one.split for one in finished],
    })  # fmt: skip
    return rows if rows["split"].nunique() > 1 else rows.drop(columns="split")
