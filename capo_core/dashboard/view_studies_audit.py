"""The audit log of a study: who did what, when; lines are added and never changed."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import cache_studies
from capo_core.dashboard.components import download_table, note
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.study_seen import Seen
from capo_core.dashboard.words import count

PAGE = "studies"
SHOWN = 400


def show(frame: Frame, seen: Seen) -> None:
    if seen.status is None:
        note("The log begins when the first judge is invited.")
        return
    rows = cache_studies.begun_service(frame.workspace).audit_log(seen.name)
    note(
        f"{count(len(rows), 'line')}, the newest first. Lines are only ever added; that there was "
        "an answer is noted, not what it was."
    )
    st.dataframe(
        rows.iloc[::-1].head(SHOWN),
        key=f"{PAGE}.audit",
        hide_index=True,
        width="stretch",
        height=460 if len(rows) > 12 else "auto",
        column_config={
            "at": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm:ss"),
            "actor": "Who",
            "event": "What",
            "details": st.column_config.TextColumn("Details", width="large"),
        },
    )
    if len(rows) > SHOWN:
        note(f"The file has all {len(rows):,} lines.")
    download_table(rows, key=f"{PAGE}.audit.csv", file_name=f"{seen.name}-audit",
                   label="Audit log (CSV)")  # fmt: skip
