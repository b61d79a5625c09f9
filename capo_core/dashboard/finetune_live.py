"""The one fragment of the page Fine-tune: it looks at the files while something lives.

Where something ends, begins or is acted upon, the whole page runs again; in between only the
fragment does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from capo_core.dashboard.frame import safely
from capo_core.dashboard.run_words import Seen
from capo_core.jobs import queue
from capo_core.jobs.runs import every
from capo_core.workspace import Workspace

EVERY_S = 2.0
_ACTED = "finetune.acted"


def while_living(workspace: Workspace, found: Sequence[Seen], draw: Callable[[], None]) -> None:
    """`draw()`, again and again while a run waits or works.

    To be called once, at the top level of a page.
    """
    st.session_state.pop(_ACTED, None)
    if not any(seen.status.live for seen in found):
        draw()
        return
    st.fragment(_look, run_every=EVERY_S)(workspace, _marks(workspace), draw)


def act(do: Callable[..., Any], *args: Any) -> None:
    """A button's callback inside the fragment: what is done changes the page, which runs again."""
    safely(do, *args)
    st.session_state[_ACTED] = True


def _look(workspace: Workspace, before: tuple, draw: Callable[[], None]) -> None:
    queue.advance(workspace)
    if st.session_state.pop(_ACTED, False) or _marks(workspace) != before:
        st.rerun()
    draw()


def _marks(workspace: Workspace) -> tuple:
    """What the static part of the page depends on."""
    return tuple((run.run_id, run.status().state, run.stop_asked) for run in every(workspace))
