"""Progress of a background computation: a fragment that polls its status while it runs."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.ticker import redrawn
from capo_core.formatting import capitalised, duration
from capo_core.runs.run import Run
from capo_core.runs.status import Status

# Without a heartbeat for so long, a run is called slow; only a dead process is lost.
SLOW_S = 20.0


def watch(job: Run) -> None:
    """Show progress, remaining time and a stop button until `job` ends; then rerun the page.

    Call it at the top level of a page, and only for a job that is queued or running.
    """
    redrawn(f"job.{job.run_id}", _live, job)


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
                "Stopping after the current step …"
                if job.stop_asked
                else "Runs in the background; you can close this page."
            )


def _line(status: Status) -> str:
    """ "Attribution by words, about 2 min left" """
    message = capitalised(status.message)
    if status.state == "queued":
        return message
    if status.silent_s() > SLOW_S:
        return f"{message} (no update for {duration(status.silent_s())})"
    left = status.left_s()
    if left is None:
        return message
    about = "" if left < 5 else "about "
    return f"{message}, {about}{duration(left)} left"


def show_outcome(job: Run) -> None:
    """Show why a job did not succeed, with its log in an expander; nothing if it did."""
    status = job.status()
    if status.state == "failed":
        st.error(f"**The computation failed.** {markdown(status.text)}")
    elif status.state == "lost":
        st.warning(
            f"**The computation was interrupted:** {markdown(status.message)}. Finished "
            "results are intact; start it again below."
        )
    elif status.state == "stopped":
        st.info("The computation was stopped. You can start it again below.")
    else:
        return
    if job.log:
        with st.expander("Log"):
            st.code(job.log[-20_000:], language=None, wrap_lines=True)
