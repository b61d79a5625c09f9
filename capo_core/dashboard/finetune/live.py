"""The fragment of the page Fine-tune that follows running jobs by their files, and the page's
styles.

Where a run ends, begins or is acted upon, the whole page reruns; in between only the fragment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from capo_core.dashboard.app.page import guarded
from capo_core.dashboard.ui.text import escape
from capo_core.dashboard.ui.theme import NEUTRAL, OKABE_ITO
from capo_core.runs import queue
from capo_core.runs.run import all_runs
from capo_core.runs.summary import STATES, RunSummary
from capo_core.workspace import Workspace

EVERY_S = 2.0
_ACTED = "finetune.acted"


def while_living(
    workspace: Workspace, found: Sequence[RunSummary], draw: Callable[[], None]
) -> None:
    """Call `draw()` repeatedly while a run is queued or running.

    To be called once, at the top level of a page.
    """
    st.session_state.pop(_ACTED, None)
    if not any(seen.status.live for seen in found):
        draw()
        return
    st.fragment(_look, run_every=EVERY_S)(workspace, _marks(workspace), draw)


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

CSS = """<style>
.capo-run-head { margin: 0 0 0.2rem 0; font-size: 1.05rem; line-height: 1.5; }
.capo-run-head b { font-weight: 600; }
.capo-state { white-space: nowrap; margin-right: 0.7rem; }
.capo-state::before {
  content: ""; display: inline-block; width: 0.62em; height: 0.62em; border-radius: 50%;
  margin-right: 0.4em; background: var(--who);
}
.capo-step { opacity: 0.72; font-size: 0.88rem; }
.st-key-finetune-will { position: sticky; top: 4rem; }
@media (max-width: 1150px) {
  [class*="st-key-capo-row-finetune"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock
    > .stColumn:first-child { flex-basis: 30%; }
}
</style>"""


def state_html(state: str) -> str:
    """Return the name of a state beside its colour, as HTML."""
    color = _COLORS.get(state, NEUTRAL)
    return (
        f'<span class="capo-state" style="--who:{color}">{escape(STATES.get(state, state))}</span>'
    )


def head_html(title: str, state: str, words: str = "") -> str:
    """Return the name of a run or an experiment with its state and a remark, as HTML."""
    about = f'<span class="capo-label">{escape(words)}</span>' if words else ""
    return f'<p class="capo-run-head"><b>{escape(title)}</b>&ensp;{state_html(state)}{about}</p>'


def figures_html(figures: list[tuple[str, str]]) -> str:
    """Numbers with their names above them."""
    cells = "".join(
        f"<div><span>{escape(name)}</span><b>{escape(value)}</b></div>" for name, value in figures
    )
    return f'<div class="capo-figures">{cells}</div>'
