"""Which report is shown, and how one is begun: presets, own settings, progress."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import cache, measuring, state, view_jobs
from capo_core.dashboard.components import Frame, note, speaking
from capo_core.dashboard.help import HELP
from capo_core.dashboard.theme import reduction_name, representation_name
from capo_core.dashboard.words import markdown
from capo_core.stability.config import StabilityConfig
from capo_core.text.reduce import REDUCTIONS
from capo_core.text.represent import REPRESENTATIONS

PAGE = "stability"


def choose(frame: Frame):
    """The kept report to show, with the job that runs above it; None where there is no report.

    A small dataset that nobody ever asked to be measured is measured at once, quickly: a newcomer
    sees a ladder without having to know what to ask for.
    """
    kept = cache.kept_reports(frame.workspace, frame.entry)
    jobs = measuring.jobs_of(frame.workspace, frame.entry)
    if not kept and not jobs and frame.entry.annotations <= measuring.SMALL:
        jobs = [measuring.begin(frame.workspace, frame.entry, measuring.PRESETS["quick"].config)]
    live = next((job for job in jobs if job.status().live), None)
    if not kept:
        _first_report(frame, live, jobs)
        return None
    titles = {one.folder.name: measuring.title(one.config) for one in kept}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if len(kept) > 1:
            name = state.choice(
                st.selectbox,
                "Report",
                list(titles),
                page=PAGE,
                key="report",
                format_func=titles.__getitem__,
                width=260,
            )
        else:
            name = kept[0].folder.name
        if live is None:
            with st.popover("Measure again, or more"):
                _offer(frame)
    if live is not None:
        view_jobs.watch(live)
    elif jobs:
        view_jobs.how_it_ended(jobs[0])
    return next(one for one in kept if one.folder.name == name)


def _first_report(frame: Frame, live, jobs: list) -> None:
    if live is not None:
        note(
            "The stability of this dataset is being measured. The first result appears here by "
            "itself."
        )
        view_jobs.watch(live)
        return
    if jobs:
        view_jobs.how_it_ended(jobs[0])
    with st.container(border=True):
        st.markdown("**Not measured yet.** Choose how thoroughly; it runs beside the page.")
        _offer(frame)


def _offer(frame: Frame) -> None:
    for preset in measuring.PRESETS.values():
        st.button(
            preset.title,
            key=f"begin.{preset.name}",
            type="primary" if preset.name == "full" else "secondary",
            on_click=_begin,
            args=(frame, preset.config),
        )
        note(preset.words)
    with st.expander("Own settings"), st.form("begin.own", border=False):
        representations = st.multiselect(
            "Seen as",
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
        seeds = left.number_input("Seeds", 1, 20, 2, help="Partitions that are averaged.")
        permutations = right.number_input(
            "Permutations", 0, 10_000, 200, step=100, help=HELP["null"]
        )
        raw = st.toggle(
            "Text as typed",
            help="Keeps case, outer spaces and the final period: habits of the keyboard that name "
            "an annotator without being their manner.",
        )
        if st.form_submit_button("Measure with these"):
            with speaking():
                config = StabilityConfig(
                    representations=tuple(representations),
                    reductions=tuple(reductions),
                    seeds=int(seeds),
                    permutations=int(permutations),
                    raw=raw,
                )
                _begin(frame, config)
                st.rerun()


def _begin(frame: Frame, config: StabilityConfig) -> None:
    job = measuring.begin(frame.workspace, frame.entry, config)
    st.toast(f"Begun: {markdown(measuring.title(config))}" if job else "")
