"""The fragment of the page Fine-tune that follows running jobs by their files, and the page's
styles.

Where a run ends, begins or is acted upon, the whole page reruns; in between only the fragment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from capo_core.dashboard.app.page import guarded
from capo_core.dashboard.ui.theme import NEUTRAL, OKABE_ITO
from capo_core.dashboard.ui.ticker import redrawn
from capo_core.runs import queue
from capo_core.runs.run import all_runs
from capo_core.runs.summary import STATES, RunSummary
from capo_core.templates import render, style
from capo_core.workspace import Workspace

_ACTED = "finetune.acted"


def while_living(
    workspace: Workspace, found: Sequence[RunSummary], draw: Callable[[], None], *, key: str
) -> None:
    """Call `draw()` repeatedly while a run is queued or running.

    To be called at the top level of a page, with a key for each place.
    """
    st.session_state.pop(_ACTED, None)
    if not any(seen.status.live for seen in found):
        draw()
        return
    redrawn(f"finetune.{key}", _look, workspace, _marks(workspace), draw)


def act(do: Callable[..., Any], *args: Any) -> None:
    """Run a button's callback inside the fragment, and rerun the whole page."""
    guarded(do, *args)
    st.session_state[_ACTED] = True


def _look(workspace: Workspace, before: tuple, draw: Callable[[], None]) -> None:
    queue.advance(workspace)
    if st.session_state.pop(_ACTED, False) or _marks(workspace) != before:
        st.rerun()
    draw()


def _marks(workspace: Workspace) -> tuple:
    """Return the state that the static part of the page depends on."""
    return tuple((run.run_id, run.status().state, run.stop_asked) for run in all_runs(workspace))


_COLORS = {
    "running": OKABE_ITO[0],
    "succeeded": OKABE_ITO[2],
    "failed": OKABE_ITO[1],
    "broken": OKABE_ITO[1],
    "lost": OKABE_ITO[4],
}

CSS = style("dashboard/finetune/page.css")


def head_html(title: str, state: str, words: str = "") -> str:
    """Return the name of a run or an experiment with its state and a remark, as HTML."""
    return render(
        "dashboard/finetune/head.html.j2",
        title=title,
        words=words,
        state=STATES.get(state, state),
        color=_COLORS.get(state, NEUTRAL),
    )
