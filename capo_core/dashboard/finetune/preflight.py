"""The pre-flight check on the form: it begins by itself, shows a table, and mends what it finds.

It begins only after something was done on this page in this session, and once the settings have
rested for a moment: a page that is merely opened computes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import show_note
from capo_core.dashboard.ui.job_progress import show_outcome
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.ticker import redrawn
from capo_core.runs import submit
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.experiments.plan import PlannedRun
from capo_core.runs.preflight.experiment import (
    OPEN,
    Check,
    ExperimentPreflight,
    announce,
    experiment_preflight,
)
from capo_core.runs.run import Run
from capo_core.templates import render
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.dashboard.finetune.draft_widgets import ExperimentForm

SETTLED_S = 2.0  # for which the settings must rest before a check begins
_STATE = "finetune.preflight"  # active, begun, and what `_state` returns


def activate() -> None:
    """Let checks begin by themselves from now on: something was done on the page."""
    url_state.session_dict(_STATE)["active"] = True


def show(
    context: PageContext,
    config: ExperimentConfig,
    planned: Sequence[PlannedRun],
    form: ExperimentForm,
) -> ExperimentPreflight:
    """Show the table of the check, its obstacles with their buttons, and begin what is missing."""
    workspace = context.workspace
    found = experiment_preflight(workspace, config, planned)
    jobs = [_job(workspace, check) for check in found.checks]
    live = next((job for job in jobs if job is not None and job.status().live), None)
    _end_others(workspace, found.checks)
    if any(each is not None for each in found.found) or live is not None:
        st.html(_table(found))
    _obstacles(found, form)
    if found.sentence:
        show_note(" ".join([found.sentence, *found.warnings]))
    missing = [check for check, each in zip(found.checks, found.found, strict=True) if each is None]
    ended = [
        job
        for check, job in zip(found.checks, jobs, strict=True)
        if check in missing and job is not None and job.status().state in ("failed", "lost")
    ]
    for job in ended:
        show_outcome(job)
    state = _state(found)
    # One that was begun and left no result is not begun again by itself.
    fresh = [check for check in missing if check.planned.run_id not in state["tried"]]
    if live is None and fresh and not ended and config.executor == "local":
        if state["going"]:
            live = _begin(workspace, found.checks, fresh)
        elif url_state.session_dict(_STATE).get("active"):
            redrawn("preflight", _follow, workspace, found, {"fresh": fresh}, least_s=1.0)
            return found
    if live is not None:
        redrawn("preflight", _follow, workspace, found, {"job": live})
        return found
    st.button(
        "Run pre-flight check" if missing else "Repeat pre-flight check",
        key="finetune.look",
        type="secondary" if missing else "tertiary",
        on_click=guarded,
        args=(_start, workspace, found, missing or list(found.checks)),
        help="Runs one step of each kind of run in a separate process and reports memory, "
        "time, disk space and truncation; asks a server for its models. About half a minute for a "
        "small base model.",
    )
    return found


def _state(found: ExperimentPreflight) -> dict:
    """Return the session's state of the check of these settings.

    since: when they were first shown; going: whether the next run is to be checked at once;
    tried: runs whose check was begun.
    """
    state = url_state.session_dict(_STATE)
    asked = [check.planned.run_id for check in found.checks]
    if state.get("asked") != asked:
        state.update(asked=asked, since=time.monotonic(), going=False, tried=[])
    return state


def _job(workspace: Workspace, check: Check) -> Run | None:
    return submit.find_begun(workspace, "preflight", check.asked)


def _end_others(workspace: Workspace, checks: Sequence[Check]) -> None:
    """Stop the check that this session began for settings that are no longer those of the form."""
    state = url_state.session_dict(_STATE)
    begun = state.get("begun")
    if begun is None or any(begun == check.asked for check in checks):
        return
    job = submit.find_begun(workspace, "preflight", begun)
    if job is not None and job.status().live:
        job.ask_to_stop(now=True)
    state["begun"] = None


def _begin(workspace: Workspace, checks: Sequence[Check], missing: Sequence[Check]) -> Run | None:
    """Begin the first of the missing checks, and return its run."""
    announce(workspace, checks)
    # One after the other: side by side they would measure each other.
    state = url_state.session_dict(_STATE)
    state["begun"] = missing[0].asked
    state["tried"] = [*state.get("tried", ()), missing[0].planned.run_id]
    return submit.begin(workspace, "preflight", missing[0].asked)


def _start(workspace: Workspace, found: ExperimentPreflight, wanted: Sequence[Check]) -> None:
    """Begin the check of `wanted`, forgetting what was measured of them (click callback)."""
    activate()
    state = _state(found)
    for check in wanted:
        check.forget(workspace)
    _begin(workspace, found.checks, wanted)
    state["going"] = True


def _follow(workspace: Workspace, found: ExperimentPreflight, work: dict[str, Any]) -> None:
    """Begin once the settings have rested, so that a form being filled in measures nothing; then
    follow the check to its end.

    Args:
        work: "job", the check that runs, or "fresh", those to begin with; changed in place, since
            a page drawn anew would lose an error that it shows.
    """
    state = _state(found)
    if work.get("job") is None:
        if time.monotonic() - state["since"] < SETTLED_S:
            show_note("The pre-flight check begins in a moment …")
            return
        work["job"] = _begin(workspace, found.checks, work["fresh"])
        state["going"] = True
        if work["job"] is None:
            return
    job = work["job"]
    status = job.status()
    if not status.live:
        if status.state == "succeeded":
            state["going"] = True
        st.rerun()
    asked = job.config["settings"]
    place = next((n for n, check in enumerate(found.checks) if check.asked == asked), 0)
    st.progress(
        (place + 0.5) / len(found.checks),
        text=markdown(f"Checking {found.checks[place].title}: {status.message}"),
    )


def _table(found: ExperimentPreflight) -> str:
    header, lines = found.table()
    return render("dashboard/finetune/preflight.html.j2", header=header, lines=lines, open=OPEN)


def _obstacles(found: ExperimentPreflight, form: ExperimentForm) -> None:
    for place, (check, obstacle) in enumerate(found.obstacles):
        todo = f"\n\nWhat to do: {markdown(obstacle.todo)}." if obstacle.todo else ""
        head = "Cannot run: " if obstacle.blocks else ""
        what = obstacle.what if obstacle.blocks else obstacle.what[0].upper() + obstacle.what[1:]
        say = st.error if obstacle.blocks else st.warning
        say(f"**{markdown(check.title)}.** {head}{markdown(what)}.{todo}")
        if not obstacle.remedies:
            continue
        with st.container(horizontal=True, gap="small"):
            for number, remedy in enumerate(obstacle.remedies):
                st.button(
                    markdown(remedy.label),
                    key=f"finetune.mend.{place}.{number}",
                    on_click=guarded,
                    args=(partial(_mend, form), remedy.changes),
                    help=", ".join(f"{name} = {value}" for name, value in remedy.changes.items()),
                )


def _mend(form: ExperimentForm, changes) -> None:
    for path, value in changes.items():
        form.put(path, value)
