"""The overview of a dataset: one card a step, with its results so far and a link to its page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import streamlit as st

from capo_core.dashboard.app import cache, datasets
from capo_core.dashboard.app.page import PageContext, page_link
from capo_core.dashboard.compare import cache as compare_cache
from capo_core.dashboard.stability import cache as stability_cache
from capo_core.dashboard.stability import charts, jobs
from capo_core.dashboard.studies import cache as studies_cache
from capo_core.dashboard.studies import data
from capo_core.dashboard.ui import job_progress
from capo_core.dashboard.ui.components import (
    section_heading,
    show_figure,
    show_headline,
    show_note,
    side_by_side,
)
from capo_core.data.catalog import Entry
from capo_core.dataset import Dataset
from capo_core.errors import CapoError
from capo_core.formatting import count
from capo_core.runs import comparisons
from capo_core.runs import run as runs_run
from capo_core.runs.run import Run
from capo_core.templates import render
from capo_core.text.representations import REPRESENTATIONS
from capo_core.workspace import Workspace

_OF_DISTRIBUTIONS = ("estimate", "softlabel")  # kinds of runs that imitate nobody
PURPOSE = (
    "CAPO Lab measures whether annotators can be identified from their explanations, trains models "
    "that imitate one annotator (cross-annotator preference optimization, CAPO), and tests the "
    "imitations in blind studies."
)


@dataclass(frozen=True)
class Step:
    """One card of the overview.

    Attributes:
        title: the name of the page in the navigation, numbered.
        purpose: what the step is for, in a few words.
        results: what exists so far, from the numbers.
        page, action: the page that the card links to, and the words of the link.
    """

    title: str
    purpose: str
    results: str
    page: str
    action: str


def evidence_steps(context: PageContext, report, live: Run | None) -> list[Step]:
    """Return the cards of the chosen dataset, in the order of the navigation."""
    entry = context.entry
    states = run_states(context.workspace, entry)
    studies = study_stages(context.workspace, entry)
    return [
        Step(
            "1. Data",
            "Labels and explanations, item by item.",
            f"{datasets.summary(entry)}; {entry.task}. Fingerprint {entry.fingerprint[:10]}.",
            "data",
            "View or import data",
        ),
        Step(
            "2. Annotators",
            "What distinguishes one annotator from another.",
            f"{count(entry.annotators, 'annotator')} with {_explanations(context)} explanations "
            "each.",
            "annotators",
            "View the annotators",
        ),
        Step(
            "3. Stability",
            "How identifiable annotators are from their explanations.",
            (report is not None and report.headline) or _stability_results(live),
            "stability",
            _stability_action(report, live),
        ),
        Step(
            "4. Distributions",
            "How close annotators and models are to the answers of many people.",
            distribution_results(cache.dataset(context.workspace, entry), states),
            "distributions",
            "Compare distributions",
        ),
        Step(
            "5. Fine-tune",
            "Models that imitate one annotator: prompting, SFT and CAPO.",
            imitation_results(states),
            "finetune",
            "View the runs" if imitation_runs(states) else "Start an experiment",
        ),
        Step(
            "6. Compare",
            "All methods and the annotators themselves, on the same items.",
            comparison_results(states, _newest_finding(context, states)),
            "compare",
            "Compare methods",
        ),
        Step(
            "7. Studies",
            "Blind human evaluation: judges do not see the source of a text.",
            study_results(studies),
            "studies",
            "Open the studies" if studies else "Design a blind study",
        ),
    ]


def run_states(workspace: Workspace, entry: Entry) -> Counter[tuple[str, str]]:
    """Return the number of runs on a dataset of this name, by (kind, state).

    Runs that cannot be read are skipped here; the list of runs shows them.
    """
    found: Counter[tuple[str, str]] = Counter()
    for run in runs_run.all_runs(workspace):
        try:
            request = run.request
        except CapoError:
            continue
        if request.settings.get("dataset") == entry.name:
            found[request.kind, run.status().state] += 1
    return found


def distribution_results(dataset: Dataset, states: Counter[tuple[str, str]]) -> str:
    """Return one sentence on the label distributions: the crowd's, and models' estimates."""
    estimates = states["estimate", "succeeded"]
    models = f"{count(estimates, 'model estimate')}" if estimates else "no model estimate yet"
    if dataset.crowd is None or not len(dataset.crowd):
        return f"No crowd labels; the annotators together are the reference; {models}."
    items = dataset.crowd["item_id"].nunique()
    return f"Crowd labels for {count(items, 'item')}; {models}."


def imitation_runs(states: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Return the counts of the runs that belong to imitation."""
    return Counter({key: n for key, n in states.items() if key[0] not in _OF_DISTRIBUTIONS})


def imitation_results(states: Counter[tuple[str, str]]) -> str:
    """Return one sentence on the runs of imitation, by their state."""
    states = imitation_runs(states)
    if not states:
        return "No runs yet. The built-in small model runs the full pipeline on CPU in minutes."
    by_state: Counter[str] = Counter()
    for (_, state), number in states.items():
        by_state[state] += number
    parts = [f"{number} {state}" for state, number in by_state.most_common()]
    return f"{count(sum(states.values()), 'run')}: {', '.join(parts)}."


def _newest_finding(context: PageContext, states: Counter[tuple[str, str]]) -> str:
    if not states["evaluate", "succeeded"]:
        return ""
    path = comparisons.newest_report(context.workspace, context.entry)
    return "" if path is None else compare_cache.brief(path)


def comparison_results(states: Counter[tuple[str, str]], finding: str = "") -> str:
    """Return the model outputs and evaluations in one sentence, then the newest `finding`."""
    outputs, scores = states["generate", "succeeded"], states["evaluate", "succeeded"]
    if not outputs:
        return "No model outputs yet."
    evaluations = count(scores, "evaluation") if scores else "no evaluation yet"
    return f"Model outputs of {count(outputs, 'run')}, {evaluations}. {finding}".rstrip()


def study_stages(workspace: Workspace, entry: Entry) -> Counter[str]:
    """Return the number of studies of a dataset of this name, by stage.

    Where the database cannot be reached, the stage is that of the study's folder; the page Studies
    shows the error.
    """
    try:
        service = studies_cache.service(workspace)
        found = data.every(workspace, service)
    except CapoError:
        found = data.every(workspace, None)
    return data.stages_of(found, entry.name)


def study_results(stages: Counter[str]) -> str:
    """Return one sentence on the blind studies, by their stage."""
    if not stages:
        return "No study yet. Try one first with simulated judges."
    return data.said(stages)


def _explanations(context: PageContext) -> str:
    per = datasets.per_annotator(cache.dataset(context.workspace, context.entry))
    fewest, most = int(per["explanations"].min()), int(per["explanations"].max())
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"


def _stability_results(live: Run | None) -> str:
    if live is not None:
        return "The analysis is running; the ladder appears below when it is done."
    return "No analysis yet. A quick look takes about a minute for 2,000 explanations."


def _stability_action(report, live: Run | None) -> str:
    if report is not None:
        return "Open the ladder"
    return "View the progress" if live is not None else "Run the analysis"


CARDS_PER_ROW = 4


def show(context: PageContext) -> None:
    """Show the cards of the chosen dataset, then its ladder where there is a report."""
    entry = context.entry
    report = stability_cache.best_report(context.workspace, entry)
    live = jobs.live_job(context.workspace, entry)
    if report is None and live is None and entry.shipped:
        started = jobs.begin_unasked(context.workspace, entry)
        live = started if started is not None and started.status().live else None
    show_headline(_headline(context, report is not None))
    show_note(PURPOSE)
    steps = evidence_steps(context, report, live)
    for begin in range(0, len(steps), CARDS_PER_ROW):
        with side_by_side(f"steps-{begin}", [1] * CARDS_PER_ROW, gap="small") as columns:
            for column, step in zip(columns, steps[begin : begin + CARDS_PER_ROW], strict=False):
                with column:
                    _card(context, step)
    if live is not None:
        job_progress.watch(live)
    if report is not None:
        _ladder(context, report)


def _card(context: PageContext, step: Step) -> None:
    with st.container(border=True, height="stretch"):
        st.html(render("dashboard/overview/step.html.j2", step=step))
        page_link(context, step.page, step.action)


def _headline(context: PageContext, has_report: bool) -> str:
    """Return the dataset in one sentence: its size, its disagreement, and what is next."""
    entry = context.entry
    labels = cache.dataset(context.workspace, entry).annotations.groupby("item_id")["label"]
    text = f"{entry.name}: {count(entry.annotators, 'annotator')}, {count(entry.items, 'item')}"
    if entry.annotators > 1:
        text += f", different labels on {int((labels.nunique() > 1).sum()):,} of them"
    return f"{text}." if has_report else f"{text}; no stability report yet."


def _ladder(context: PageContext, report) -> None:
    rows = report.ladder.to_frame()
    if rows.empty:
        return
    there = set(rows["representation"])
    first = next((name for name in REPRESENTATIONS if name in there), min(there))
    rows = rows[rows["representation"] == first]
    section_heading(charts.ladder_title(rows))
    show_figure(
        charts.ladder(rows),
        key="overview.ladder",
        file_name=f"{context.entry.name}-ladder",
        alt="Attribution accuracy by number of explanations pooled",
        title=charts.ladder_title(rows),
    )
    show_note(
        "The Stability page has the controls, the other representations, and the explanations "
        "behind every point."
    )
