"""The choice of a stability report, and the start of another: presets, custom settings."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, guarded, no_explanations
from capo_core.dashboard.stability import PAGE
from capo_core.dashboard.stability import cache as stability_cache
from capo_core.dashboard.stability import jobs as stability_jobs
from capo_core.dashboard.ui import job_progress, url_state
from capo_core.dashboard.ui.components import show_errors, show_note
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.theme import reduction_name, representation_name
from capo_core.formatting import duration
from capo_core.runs.run import Run
from capo_core.stability.config import StabilityConfig
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS


@dataclass(frozen=True)
class ReportChoice:
    """The saved reports, the one to show, and the running computation.

    Attributes:
        kept: saved reports, the most complete first.
        shown: the one to show; None without any.
        live: the computation that is queued or running, if there is one.
    """

    kept: tuple
    shown: object | None
    live: Run | None


def current(context: PageContext) -> ReportChoice:
    """Return the report to show; show progress and, without any report, the presets."""
    kept = tuple(stability_cache.saved_reports(context.workspace, context.entry))
    jobs = stability_jobs.jobs_of(context.workspace, context.entry)
    live = next((job for job in jobs if job.status().live), None)
    if live is not None:
        if not kept:
            show_note("The stability analysis is running; the report appears here when it is done.")
        job_progress.watch(live)
    elif jobs and (not kept or _fresh(jobs[0])):
        job_progress.show_outcome(jobs[0])
    if not kept:
        dataset = cache.dataset(context.workspace, context.entry)
        if live is None and not no_explanations(context, dataset):
            with st.container(border=True):
                st.markdown("**No report yet.** Choose a preset; it runs in the background.")
                offer(context)
                _custom(context)
        return ReportChoice(kept, None, live)
    asked = url_state.get("report")
    if live is None:  # one that is being computed is named before it is there
        names = [one.folder.name for one in kept]
        url_state.require("report", names, place=f"the saved reports of {context.entry.name}")
    shown = next((one for one in kept if one.folder.name == asked), kept[0])
    return ReportChoice(kept, shown, live)


def _fresh(job: Run) -> bool:
    """Return whether the job ended in the last ten minutes; older failures are not shown."""
    return time.time() - job.status().ended < 600


def begin(context: PageContext, config: StabilityConfig) -> None:
    """Submit a report, and select it on its own page for when it is done."""
    stability_jobs.begin(context.workspace, context.entry, config)
    if context.page == PAGE:
        url_state.put(PAGE, {"report": config.key})


def menu(context: PageContext, choice: ReportChoice) -> None:
    """Show a popover with the saved reports and the presets for another run."""
    titles = {one.folder.name: stability_jobs.title(one.config) for one in choice.kept}
    with st.popover(f"Report: {titles[choice.shown.folder.name]}", width="stretch"):
        if len(titles) > 1:
            url_state.choice(
                st.radio,
                "Report",
                list(titles),
                page=PAGE,
                key="report",
                default=choice.shown.folder.name,
                format_func=titles.__getitem__,
            )
        if choice.live is not None:
            show_note("Another report is running; see the top of the page.")
            return
        st.markdown("**Re-run analysis**")
        offer(context)
        _custom(context)


def offer(context: PageContext) -> None:
    """Show a button for each preset, with what it contains and the time it is expected to take."""
    for preset in stability_jobs.PRESETS.values():
        st.button(
            preset.title,
            key=f"begin.{preset.name}",
            type="primary" if preset.name == "full" else "secondary",
            on_click=guarded,
            args=(begin, context, preset.config),
        )
        expected = duration(preset.expected_s(context.entry.annotations))
        show_note(f"{preset.description} About {expected} on two idle cores.")


def _custom(context: PageContext) -> None:
    with st.expander("Custom"), st.form("begin.custom", border=False):
        representations = st.multiselect(
            "Representations",
            list(REPRESENTATIONS),
            default=["words"],
            format_func=representation_name,
            help=HELP["representation"],
        )
        reductions = st.multiselect(
            "Reductions",
            list(REDUCTIONS),
            default=["none", "mask_input"],
            format_func=reduction_name,
            help=HELP["reduction"],
        )
        left, right = st.columns(2)
        seeds = left.number_input(
            "Seeds", 1, 20, 2, help="Number of random partitions that are averaged."
        )
        permutations = right.number_input(
            "Permutations", 0, 10_000, 200, step=100, help=HELP["null"]
        )
        raw = st.toggle(
            "Use text as typed",
            help="Keeps case, outer spaces and the final period. Such typing habits can identify "
            "an annotator without being style.",
        )
        if st.form_submit_button("Run analysis"):
            with show_errors():
                config = StabilityConfig(
                    representations=tuple(representations),
                    reductions=tuple(reductions),
                    seeds=int(seeds),
                    permutations=int(permutations),
                    raw=raw,
                )
                begin(context, config)
                st.rerun()
