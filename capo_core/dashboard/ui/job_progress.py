"""Watching a long computation: a small fragment that looks at its files while it lives."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.ui.text import markdown
from capo_core.formatting import duration
from capo_core.runs.run import Run
from capo_core.runs.status import Status

EVERY_S = 1.5
# A worker that has not spoken for so long is said to be slow; only a dead process is lost.
SLOW_S = 20.0


def watch(job: Run) -> None:
    """Progress, what is left and a stop button, until `job` ends; then the page runs again.

    To be called at the top level of a page, and only for a job that lives.
    """
    st.fragment(_live, run_every=EVERY_S)(job)


def _live(job: Run) -> None:
    status = job.status()
    if not status.live:
        st.rerun()
    with st.container(border=True):
        st.progress(status.share, text=markdown(_line(status)))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Stop",
                key=f"{job.run_id}.stop",
                on_click=job.ask_to_stop,
                disabled=job.stop_asked,
            )
            st.caption(
                "Stopping at the next step …"
                if job.stop_asked
                else "It goes on when this page is closed, and comes back when you return."
            )


def _line(status: Status) -> str:
    """ "Attribution by words, about 2 min left" """
    message = status.message[:1].upper() + status.message[1:]
    if status.state == "queued":
        return message
    if status.silent_s() > SLOW_S:
        return f"{message} (the last sign of life is {duration(status.silent_s())} old)"
    left = status.left_s()
    if left is None:
        return message
    about = "" if left < 5 else "about "
    return f"{message}, {about}{duration(left)} left"


def show_outcome(job: Run) -> None:
    """A line for a job that did not succeed, with the log folded away; nothing for others."""
    status = job.status()
    if status.state == "failed":
        st.error(f"**The computation failed.** {markdown(status.message)}")
    elif status.state == "lost":
        st.warning(
            f"**The computation is lost:** {markdown(status.message)}. Nothing that was finished "
            "before is harmed; begin it again below."
        )
    elif status.state == "stopped":
        st.info("The computation was stopped. Begin it again below when you like.")
    else:
        return
    if job.log:
        with st.expander("Log of the computation"):
            st.code(job.log[-20_000:], language=None, wrap_lines=True)
