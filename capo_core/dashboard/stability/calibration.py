"""The calibration view: the same measures on data whose truth is known, planted and null."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.stability import charts
from capo_core.dashboard.ui import job_progress
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_figure,
    show_headline,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import reduction_name, representation_name
from capo_core.formatting import count
from capo_core.runs import submit
from capo_core.stability.calibration import Calibration, CalibrationConfig
from capo_core.task import PARAPHRASE

# What is simulated: strengths with a truth to find, and many data sets without one.
_PLANTED = {"strengths": (0.0, 0.5, 1.0, 2.0), "datasets": 3}
_NULL = {
    "strengths": (0.0,),
    "datasets": 100,
    "items": 100,
    "representations": ("words",),
    "reductions": ("none",),
    "pool": (1, 4),
}


def show(context: PageContext, report, representation: str) -> None:
    """Planted and null data of the dataset's kind of task, each computed on demand."""
    task = "paraphrase" if context.entry.task == PARAPHRASE.name else "nli"
    section_heading(
        "Does the method find what is there, and nothing where nothing is?", HELP["planted"]
    )
    show_note(
        "Simulated annotators are given a manner of known strength, and the same measures are run "
        f"on what they write (task: {'paraphrase' if task == 'paraphrase' else 'inference'}). "
        "These figures belong to the method, not to your dataset."
    )
    with side_by_side("calibration", [1, 1]) as (left, right):
        with left:
            found = _result(context, "Planted", CalibrationConfig(task=task, **_PLANTED))
            if found is not None:
                _planted(found, representation)
        with right:
            found = _result(context, "Null", CalibrationConfig(task=task, **_NULL))
            if found is not None:
                _null(found)


def _result(context: PageContext, name: str, config: CalibrationConfig) -> Calibration | None:
    """The calibration if it is there; else what runs, or the button to begin it."""
    total = len(config.strengths) * config.datasets
    st.markdown(f"**{name} data**: {count(total, 'data set')} of {config.items} items each.")
    found = cache.calibration(context.workspace, config)
    if found is not None:
        return found
    settings = {"config": config.to_dict()}
    job = submit.find_begun(context.workspace, "calibration", settings)
    if job is not None and job.status().live:
        job_progress.watch(job)
        return None
    if job is not None:
        job_progress.show_outcome(job)
    st.button(
        f"Measure {count(total, 'simulated data set')}",
        key=f"calibration.{name}",
        on_click=guarded,
        args=(submit.begin, context.workspace, "calibration", settings),
    )
    show_note("Takes a few minutes, beside the page.")
    return None


def _planted(found: Calibration, representation: str) -> None:
    summary = found.summary
    there = list(dict.fromkeys(summary["representation"]))
    shown = representation if representation in there else there[0]
    rows = summary[(summary["representation"] == shown) & (summary["reduction"] == "none")]
    one = rows[rows["k"] == rows["k"].min()].sort_values("manner")
    rising = one["accuracy"].is_monotonic_increasing
    show_headline(
        f"{representation_name(shown)}: what is found "
        f"{'rises' if rising else 'does not rise everywhere'} with what was planted, from "
        f"{one['accuracy'].iloc[0]:.2f} at strength {one['manner'].iloc[0]:g} to "
        f"{one['accuracy'].iloc[-1]:.2f} at {one['manner'].iloc[-1]:g}."
    )
    show_figure(
        charts.planted(rows),
        key="calibration.planted",
        file_name="calibration-planted",
        alt="Accuracy by planted strength of manner",
    )
    recovery = found.recovery
    if len(recovery):
        table(
            recovery,
            {
                "manner": Field("Strength", None, 1),
                "planted": Field("Phrases planted", None, 0),
                "detectable": Field("Detectable", "Expected z of 4 or more.", 0),
                "found": Field("Found of these", "With z above 1.96; more is better.", 0),
                "share": Field("Share", "Found of the detectable ones; 1 is best.", 2),
            },
            key="calibration.recovery",
            file_name="calibration-phrases",
        )
    _summary(found, "planted")


def _null(found: Calibration) -> None:
    summary = found.summary
    summary = summary[summary["manner"] == 0]
    n, covered = int(summary["n"].sum()), int(summary["covered"].sum())
    low = int(summary["significant"].sum())
    show_headline(
        f"Where nothing was planted, {covered} of {n} intervals hold the chance line (95 % "
        f"should), and {low} of {n} p-values are at most 0.05 (5 % should be)."
    )
    first = summary.iloc[0]
    points = found.points
    points = points[
        (points["manner"] == 0)
        & (points["representation"] == first["representation"])
        & (points["reduction"] == first["reduction"])
    ]
    show_figure(
        charts.null_p_values(points),
        key="calibration.null",
        file_name="calibration-null",
        alt="Distribution of p-values on null data",
    )
    _summary(found, "null")


def _summary(found: Calibration, name: str) -> None:
    rows = found.summary
    rows = rows.assign(
        representation=rows["representation"].map(representation_name),
        reduction=rows["reduction"].map(reduction_name),
    )
    with st.expander(markdown("All numbers")):
        table(
            rows,
            {
                "manner": Field("Strength", None, 1),
                "representation": Field("Seen as"),
                "reduction": Field("Reduction"),
                "k": Field("Pooled", HELP["k"], 0),
                "accuracy": Field("Accuracy", HELP["accuracy"], 2),
                "lowest": Field("lowest", "Of the data sets.", 2),
                "highest": Field("highest", "Of the data sets.", 2),
                "covered": Field("Hold chance", "Intervals that hold the chance line.", 0),
                "significant": Field("p ≤ 0.05", "Data sets with such a p-value.", 0),
                "n": Field("Data sets", None, 0),
                "ks_p": Field("KS p", "Are the p-values uniform? Small means no.", 2),
            },
            key=f"calibration.{name}.summary",
            file_name=f"calibration-{name}",
        )
