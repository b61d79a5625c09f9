"""The chain of evidence for one dataset: each link, what there is of it, where it is done.

The overview: the chain of evidence, what of it exists, and what to do next.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import streamlit as st

from capo_core.dashboard.app import cache, datasets
from capo_core.dashboard.app.page import PageContext, page_link
from capo_core.dashboard.stability import charts, jobs
from capo_core.dashboard.studies import cache as studies_cache
from capo_core.dashboard.studies import data
from capo_core.dashboard.ui import job_progress
from capo_core.dashboard.ui.components import show_figure, show_headline, show_note, side_by_side
from capo_core.dashboard.ui.text import escape
from capo_core.dashboard.ui.theme import representation_name
from capo_core.data.catalog import Entry
from capo_core.dataset import Dataset
from capo_core.errors import CapoError
from capo_core.formatting import count
from capo_core.runs import run as runs_run
from capo_core.runs.run import Run
from capo_core.text.representations import REPRESENTATIONS
from capo_core.workspace import Workspace

_OF_DISTRIBUTIONS = ("estimate", "softlabel")  # kinds of runs that imitate nobody


@dataclass(frozen=True)
class Step:
    """One link of the chain: what it is, what there is of it, and where it is done."""

    title: str
    what: str
    state: str
    page: str
    action: str


def evidence_steps(context: PageContext, report, live: Run | None) -> list[Step]:
    """All links in their order, for the chosen dataset."""
    entry = context.entry
    states = run_states(context.workspace, entry)
    studies = study_stages(context.workspace, entry)
    return [
        Step(
            "1. Data",
            "Who labelled what, and why.",
            f"{datasets.summary(entry)}; {entry.task}. Fingerprint {entry.fingerprint[:10]}.",
            "data",
            "See or import data",
        ),
        Step(
            "2. Annotators",
            "What distinguishes one from another.",
            f"{count(entry.annotators, 'annotator')} with {_explanations(context)} explanations "
            "each: their labels, phrases and habits, and every item side by side.",
            "annotators",
            "Meet the annotators",
        ),
        Step(
            "3. Stability",
            "How much of an annotator is in their words.",
            (report is not None and report.headline) or _measured_yet(live),
            "stability",
            "Read the ladder" if report is not None else "Measure the stability",
        ),
        Step(
            "4. Distributions",
            "What many people would say, and what comes near to it.",
            spread(cache.dataset(context.workspace, entry), states),
            "distributions",
            "Compare the distributions",
        ),
        Step(
            "5. Imitation",
            "Models that label and explain as one annotator would.",
            imitated(states),
            "finetune",
            "See the runs" if imitating(states) else "Launch an experiment",
        ),
        Step(
            "6. Comparison",
            "Prompting, SFT, CAPO and the human, side by side.",
            compared(states),
            "compare",
            "Compare the methods",
        ),
        Step(
            "7. Blind study",
            "People who cannot see the source judge whose text it is.",
            judged(studies),
            "studies",
            "Open the studies" if studies else "Design a blind study",
        ),
    ]


def run_states(workspace: Workspace, entry: Entry) -> Counter[tuple[str, str]]:
    """How many runs on a dataset of this name are there, by (kind, state).

    Broken runs are left to the page that lists runs.
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


def spread(dataset: Dataset, states: Counter[tuple[str, str]]) -> str:
    """What there is of label distributions, in a sentence."""
    made = states["estimate", "succeeded"]
    models = f"{count(made, 'estimate')} by models" if made else "no model’s estimate yet"
    if dataset.crowd is None or not len(dataset.crowd):
        return f"No crowd here: measured by the annotators together; {models}."
    items = dataset.crowd["item_id"].nunique()
    return f"{count(items, 'item')} with a crowd’s answers; {models}."


def imitating(states: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """The runs among them that have to do with imitation."""
    return Counter({key: n for key, n in states.items() if key[0] not in _OF_DISTRIBUTIONS})


def imitated(states: Counter[tuple[str, str]]) -> str:
    """What there is of imitation, in a sentence."""
    states = imitating(states)
    if not states:
        return (
            "Nothing yet. The embedded model makes the whole loop real within minutes on two "
            "processor cores."
        )
    by_state: Counter[str] = Counter()
    for (_, state), number in states.items():
        by_state[state] += number
    parts = [f"{number} {state}" for state, number in by_state.most_common()]
    return f"{count(sum(states.values()), 'run')}: {', '.join(parts)}."


def compared(states: Counter[tuple[str, str]]) -> str:
    """What there is to compare, in a sentence."""
    answers, scores = states["generate", "succeeded"], states["evaluate", "succeeded"]
    if not answers:
        return "Nothing to compare yet: it begins with the first answers of a run."
    scored = count(scores, "evaluation") if scores else "no evaluation yet"
    return f"{count(answers, 'run')} with answers, {scored}."


def study_stages(workspace: Workspace, entry: Entry) -> Counter[str]:
    """How many studies of a dataset of this name are in each stage (see `study_seen`).

    Where their database cannot be reached, they count as what their folders say; the page that
    lists studies says why.
    """
    try:
        service = studies_cache.service(workspace)
        found = data.every(workspace, service)
    except CapoError:
        found = data.every(workspace, None)
    return data.stages_of(found, entry.name)


def judged(stages: Counter[str]) -> str:
    """What there is of blind studies, in a sentence."""
    if not stages:
        return "None yet. Designing one takes minutes; made-up judges can try it first."
    return data.said(stages)


def _explanations(context: PageContext) -> str:
    per = datasets.per_annotator(cache.dataset(context.workspace, context.entry))
    fewest, most = int(per["explanations"].min()), int(per["explanations"].max())
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"


def _measured_yet(live: Run | None) -> str:
    if live is not None:
        return "Being measured now; the ladder appears below by itself."
    return "Not measured yet. A quick look takes about a minute for two thousand texts."


# Links of the chain beside each other.
IN_A_ROW = 4


def show(context: PageContext) -> None:
    """The chain for the chosen dataset, then its ladder where there is one."""
    entry = context.entry
    report = cache.best_report(context.workspace, entry)
    live = jobs.live_job(context.workspace, entry)
    if report is None and live is None and entry.shipped:
        live = jobs.begin_unasked(context.workspace, entry)
    show_headline(_standing(entry, report is not None))
    steps = evidence_steps(context, report, live)
    for begin in range(0, len(steps), IN_A_ROW):
        with side_by_side(f"chain-{begin}", [1] * IN_A_ROW, gap="small") as columns:
            for column, step in zip(columns, steps[begin : begin + IN_A_ROW], strict=False):
                with column:
                    _card(context, step)
    if live is not None:
        job_progress.watch(live)
    if report is not None:
        _ladder(context, report)


def _card(context: PageContext, step: Step) -> None:
    with st.container(border=True, height="stretch"):
        st.html(
            f'<div class="capo-chain"><h3>{escape(step.title)}</h3>'
            f'<p class="capo-what">{escape(step.what)}</p><p>{escape(step.state)}</p></div>'
        )
        page_link(context, step.page, step.action)


def _standing(entry: Entry, measured: bool) -> str:
    here = "comes with the tool" if entry.shipped else "is imported"
    if measured:
        return (
            f"{entry.name} {here}, and its stability is measured: read the ladder, then the "
            "annotators behind it."
        )
    return (
        f"{entry.name} {here}; how much of its annotators can be told from their "
        "explanations is not measured yet."
    )


def _ladder(context: PageContext, report) -> None:
    rows = report.ladder.to_frame()
    if rows.empty:
        return
    there = set(rows["representation"])
    first = next((name for name in REPRESENTATIONS if name in there), min(there))
    rows = rows[rows["representation"] == first]
    st.subheader(charts.ladder_title(rows, representation_name(first)), anchor=False)
    show_figure(
        charts.ladder(rows),
        key="overview.ladder",
        file_name=f"{context.entry.name}-ladder",
        alt="Share of groups given to the right annotator, by explanations pooled",
    )
    show_note(
        "The Stability page has the controls, the other representations, and the texts behind "
        "every point."
    )
