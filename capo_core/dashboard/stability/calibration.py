"""The calibration section: the same measures on simulated data with known truth, or with none."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.stability import cache as stability_cache
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
from capo_core.dashboard.ui.theme import reduction_name, representation_name
from capo_core.formatting import Statement, count, listed, percent
from capo_core.runs import submit
from capo_core.stability.calibration import Calibration, CalibrationConfig
from capo_core.task import NLI, PARAPHRASE

# Simulated datasets: several planted strengths, and many datasets without any difference.
_PLANTED = {"strengths": (0.0, 0.5, 1.0, 2.0), "datasets": 3}
_NULL = {
    "strengths": (0.0,),
    "datasets": 100,
    "items": 100,
    "representations": ("words",),
    "reductions": ("none",),
    "pool": (1, 4),
}


def show(context: PageContext, report, representation: str, of_view: Sequence[Statement]) -> None:
    """Show the calibration on planted and on null data of the dataset's task, run on demand."""
    task = "paraphrase" if context.entry.task == PARAPHRASE.name else "nli"
    section_heading("Calibration on simulated data", HELP["planted"])
    show_note(
        "Simulated annotators get a style of known strength, and the same measures are applied to "
        f"their texts (task: {(PARAPHRASE if task == 'paraphrase' else NLI).name}). These results "
        "describe the method, not your dataset."
    )
    with side_by_side("calibration", [1, 1]) as (left, right):
        with left:
            found = _result(context, "Planted style", CalibrationConfig(task=task, **_PLANTED))
            if found is not None:
                _planted(found, representation)
        with right:
            found = _result(context, "No style (null)", CalibrationConfig(task=task, **_NULL))
            if found is not None:
                _null(found)


def _result(context: PageContext, name: str, config: CalibrationConfig) -> Calibration | None:
    """Return the saved calibration; without one, show its progress or the button to start it."""
    total = len(config.strengths) * config.datasets
    each = ""
    if len(config.strengths) > 1:
        strengths = listed([f"{strength:g}" for strength in config.strengths])
        each = f", {config.datasets} at each strength ({strengths})"
    st.markdown(f"**{name}**: {count(total, 'dataset')} of {config.items} items{each}.")
    found = stability_cache.calibration(context.workspace, config)
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
        f"Run on {count(total, 'simulated dataset')}",
        key=f"calibration.{name}",
        on_click=guarded,
        args=(submit.begin, context.workspace, "calibration", settings),
    )
    show_note("Takes a few minutes; runs in the background.")
    return None


def _planted(found: Calibration, representation: str) -> None:
    summary = found.summary
    there = list(dict.fromkeys(summary["representation"]))
    shown = representation if representation in there else there[0]
    rows = summary[(summary["representation"] == shown) & (summary["reduction"] == "none")]
    single = rows[rows["k"] == rows["k"].min()].sort_values("manner")
    rising = single["accuracy"].is_monotonic_increasing
    show_headline(
        f"{representation_name(shown)}: attribution accuracy "
        f"{'increases' if rising else 'does not increase monotonically'} with the planted "
        f"strength, from {percent(single['accuracy'].iloc[0])} at "
        f"{single['manner'].iloc[0]:g} to {percent(single['accuracy'].iloc[-1])} at "
        f"{single['manner'].iloc[-1]:g}."
    )
    show_figure(
        charts.planted(rows),
        key="calibration.planted",
        file_name="calibration-planted",
        alt="Attribution accuracy by planted style strength",
    )
    recovery = found.recovery
    if len(recovery):
        table(
            recovery,
            {
                "manner": Field("Strength", None, 1),
                "planted": Field("Planted phrases", None, 0),
                "detectable": Field(
                    "Detectable", "Planted phrases with an expected z of at least 4.", 0
                ),
                "found": Field("Detected", "Detectable phrases with z above 1.96.", 0),
                "share": Field(
                    "Recall", "Detected share of the detectable phrases.", 0, percent=True
                ),
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
        f"Without planted style, {covered:,} of {count(n, 'interval')} cover chance (nominal "
        f"95 %), and {low:,} of {count(n, 'p-value')} are at most 0.05 (nominal 5 %)."
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
    with st.expander("All numbers"):
        table(
            rows,
            {
                "manner": Field("Strength", None, 1),
                "representation": Field("Representation"),
                "reduction": Field("Reduction"),
                "k": Field("k", HELP["k"], 0),
                "accuracy": Field("Accuracy", HELP["accuracy"], 1, percent=True),
                "lowest": Field("Lowest", "Lowest accuracy of the datasets.", 1, percent=True),
                "highest": Field("Highest", "Highest accuracy of the datasets.", 1, percent=True),
                "covered": Field("Cover chance", "Intervals that contain the chance level.", 0),
                "significant": Field("p ≤ 0.05", "Datasets with such a p-value.", 0),
                "n": Field("Datasets", None, 0),
                "ks_p": Field(
                    "KS p", "Kolmogorov–Smirnov test for uniform p-values; small: not uniform.", 2
                ),
            },
            key=f"calibration.{name}.summary",
            file_name=f"calibration-{name}",
        )
