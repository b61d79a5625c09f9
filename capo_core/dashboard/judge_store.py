"""The judges' way to the database, opened once for all of them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from sqlalchemy import Engine

from capo_core.study.store import address, open_judge_store
from capo_core.workspace import Workspace


def engine() -> Engine:
    """The confined engine: it holds no answers and no judge's name, so all sessions may share it.

    Raises:
        DataError, BackendUnavailable, ConfigError: see `store.open_store`.
    """
    workspace = Workspace.default()
    return _engine(workspace.root, address(workspace).render_as_string())


@st.cache_resource(max_entries=2, show_spinner=False)
def _engine(root: Path, where: str) -> Engine:
    return open_judge_store(Workspace(root))
