"""One run, watched: where it stands, what can be done about it, its curves and its texts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from capo_core.dashboard import (
    finetune_live,
    state,
    view_finetune_acts,
    view_finetune_curves,
    view_finetune_texts,
)
from capo_core.dashboard.components import note, show_error
from capo_core.dashboard.finetune_files import events_of
from capo_core.dashboard.finetune_style import figures_html, head_html
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.run_words import (
    TRAININGS,
    Seen,
    see,
    share_words,
    span,
    standing,
)
from capo_core.dashboard.training import Events, has
from capo_core.dashboard.words import duration, markdown, number, percent
from capo_core.errors import CapoError
from capo_core.jobs import runs
from capo_core.jobs.memory import in_words
from capo_core.jobs.record import Status

PAGE = "finetune"


def show(frame: Frame, found: Sequence[Seen]) -> None:
    """The run that the address names; else the one at work, else the last one asked for."""
    asked = state.get("run")
    if asked and all(seen.run_id != asked for seen in found):
        _gone(frame, asked)
    if not found:
        note("There is no run yet. “New experiment” begins some; “Queue” has a demonstration.")
        return
    seen = _choose(list(reversed(found)))
    with st.container(horizontal=True, vertical_alignment="center"):
        view_finetune_acts.show(frame, seen)
    finetune_live.while_living(
        frame.workspace,
        [seen],
        lambda: _draw(frame, see(runs.Run(seen.run.folder))),
    )
    view_finetune_texts.below(seen)


def _choose(found: list[Seen]) -> Seen:
    by_id = {seen.run_id: seen for seen in found}
    working = next((seen.run_id for seen in found if seen.state == "running"), None)

    def named(run_id: str) -> str:
        # Not the state: the browser sends the label back, which must be the same a moment later.
        return f"{by_id[run_id].title} · {run_id}"

    chosen = state.choice(
        st.selectbox, "Run", list(by_id), page=PAGE, key="run", default=working, format_func=named
    )
    return by_id[chosen]


def _draw(frame: Frame, seen: Seen) -> None:
    """All that changes while the run works."""
    if not runs.is_run(seen.run.folder):
        note("The run is not there any more.")
        return
    status = seen.status
    st.html(head_html(seen.title, seen.state, standing(seen) if status.live else ""))
    if status.live:
        st.progress(status.share, text=markdown(_progress(seen)))
    _how_it_is(seen)
    events = events_of(seen.run)
    if events.unread:
        st.warning(f"{events.unread} lines of the run's events cannot be read and are left out.")
    figures = _figures(seen, events)
    if figures:
        st.html(figures_html(figures))
    if seen.kind in TRAININGS:
        view_finetune_curves.show(seen, events)
        view_finetune_texts.samples(frame, seen, events)
    elif seen.kind == "generate":
        view_finetune_texts.answers(frame, seen)
    elif seen.kind == "profile":
        view_finetune_texts.profiles(seen)
    elif seen.kind == "evaluate":
        view_finetune_texts.evaluation(seen)


def _progress(seen: Seen) -> str:
    if seen.run.stop_asked and seen.state == "running":
        return "Stopping: it saves after its present step …"
    return share_words(seen.status.share, seen.status.left_s())


def _how_it_is(seen: Seen) -> None:
    """A word where something is not as it should be."""
    status = seen.status
    slow = runs.slow_s(status)
    if slow:
        st.info(
            f"**Slow, not lost.** Silent for {duration(slow)}, but its process is there: the "
            "machine is busy, or a step takes long. Nothing needs to be done."
        )
    elif seen.state == "lost":
        st.warning(
            f"**The run is lost:** {markdown(status.message)}. What it saved is there; Resume "
            "goes on from it."
        )
    elif seen.state == "failed":
        st.error(f"**The run failed.** {markdown(status.message)}")
    elif seen.state == "broken":
        st.error(
            f"**The run's files are broken:** {markdown(status.message)}. Mend the file in "
            f"{markdown(str(seen.run.folder))}, or delete the run and ask for it anew."
        )
    elif seen.state == "stopped":
        st.info(f"**Stopped:** {markdown(status.message)}.")


def _figures(seen: Seen, events: Events) -> list[tuple[str, str]]:
    """The numbers of the moment, each with what it is counted on."""
    status = seen.status
    found: list[tuple[str, str]] = []
    result = _result(seen)
    if len(events.steps):
        last = events.steps.iloc[-1]
        planned = result.get("planned_steps")
        done = f"{int(last['step']):,}"
        found.append(("Steps", f"{done} of {planned:,}" if isinstance(planned, int) else done))
        if has(events.steps, "loss"):
            found.append(("Training loss", number(last["loss"], 3)))
        if status.state == "running" and has(events.steps, "tokens_per_s"):
            recent = events.steps["tokens_per_s"].tail(20).mean()
            found.append(("Tokens a second", f"{recent:,.0f}"))
    items = result.get("validation_items")
    on = f" (n = {items:,} items)" if isinstance(items, int) and items else ""
    if has(events.validations, "loss"):
        best = events.validations.loc[events.validations["loss"].idxmin()]
        found.append((f"Best validation loss{on}", number(best["loss"], 3)))
        if pd.notna(best.get("reward_accuracy")):
            found.append((f"Reward accuracy there{on}", percent(best["reward_accuracy"])))
    if status.duration_s():
        found.append(("Worked", span(status.duration_s())))
    return [*found, *_memory(seen, status)]


def _memory(seen: Seen, status: Status) -> list[tuple[str, str]]:
    found = []
    if status.peak_bytes:
        found.append(("Memory at most", in_words(status.peak_bytes)))
    if status.gpu_peak_bytes:
        found.append(("GPU memory at most", in_words(status.gpu_peak_bytes)))
    return found


def _result(seen: Seen) -> dict:
    if not seen.run.files.done:
        return {}
    try:
        result = seen.run.files.result
    except CapoError:
        return {}
    return result if isinstance(result, dict) else {}


def _gone(frame: Frame, asked: str) -> None:
    """The address names a run that is not there: perhaps it lies in the trash."""
    from capo_core.dashboard.finetune_files import trashed

    thrown = [name for name, run_id, _ in trashed(frame.workspace) if run_id == asked]
    try:
        runs.find(frame.workspace, asked)
    except CapoError as error:
        if not thrown:
            show_error(error)
            return
    st.warning(f"The run {markdown(asked)} was deleted; it lies in the trash.")
    st.button(
        "Restore it",
        key="finetune.restore",
        on_click=safely,
        args=(view_finetune_acts.restore, frame.workspace, thrown[-1]),
    )
