"""The steps from data to a blind study: what exists of each for a dataset, and which comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from capo_core.dashboard.app import cache, datasets
from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.compare import cache as compare_cache
from capo_core.dashboard.studies import cache as studies_cache
from capo_core.dashboard.studies import data
from capo_core.data.catalog import Entry
from capo_core.dataset import Dataset
from capo_core.errors import CapoError
from capo_core.formatting import count
from capo_core.runs import comparisons
from capo_core.runs import run as runs_run
from capo_core.runs.run import Run
from capo_core.workspace import Workspace

_OF_DISTRIBUTIONS = ("estimate", "softlabel")  # kinds of runs that imitate nobody
DONE, NEXT, LATER, IMPOSSIBLE = "done", "next", "later", "impossible"


@dataclass(frozen=True)
class Step:
    """One step of the path, or a page beside it.

    Attributes:
        title: what is done, in one or two words.
        purpose: what the step is for.
        results: what exists so far, from the numbers.
        page, action: the page that it links to, and the words of the link; "" for no link.
        done: whether it has a result.
        state: `DONE`, `NEXT`, `LATER`, or `IMPOSSIBLE` with these data.
        view: the view of the page that it links to; "" for its first one.
    """

    title: str
    purpose: str
    results: str
    page: str
    action: str
    done: bool = False
    state: str = LATER
    view: str = ""


def path_steps(context: PageContext, report, live: Run | None) -> list[Step]:
    """Return the five steps of the path, with what exists of the chosen dataset.

    Args:
        report: its stability report, or None.
        live: the analysis that is queued or running, or None.
    """
    entry = context.entry
    states = run_states(context.workspace, entry)
    studies, simulated = study_stages(context.workspace, entry)
    own = (
        "Built-in simulated data. Import your own to study people."
        if entry.shipped
        else f"{datasets.summary(entry)}."
    )
    return with_states(
        [
            Step(
                "Import",
                "Items, labels and explanations of two annotators or more.",
                own,
                "data",
                "Import a dataset" if entry.shipped else "View the data",
                done=not entry.shipped,
                view="import" if entry.shipped else "dataset",
            ),
            Step(
                "Stability",
                "How identifiable annotators are from their explanations.",
                _stability_results(report, live),
                "stability",
                "Open the report" if report is not None else "Run the analysis",
                done=report is not None,
            ),
            Step(
                "Imitate",
                "Models answer as one annotator would: prompting, SFT and CAPO.",
                imitation_results(states),
                "finetune",
                "View the runs" if imitation_runs(states) else "Start an experiment",
                done=bool(states["generate", "succeeded"]),
            ),
            Step(
                "Compare",
                "All methods and the annotators themselves, on the same items.",
                comparison_results(states, _newest_finding(context, states)),
                "compare",
                "Compare methods",
                done=bool(states["evaluate", "succeeded"]),
            ),
            Step(
                "Judge",
                "People judge the texts without knowing who or what wrote them.",
                study_results(studies, simulated),
                "studies",
                "Open the studies" if studies else "Design a blind study",
                done=bool(studies["closed"] or studies["unblinded"]),
            ),
        ],
        obstacles(cache.dataset(context.workspace, entry)),
    )


def obstacles(dataset: Dataset) -> dict[str, str]:
    """Return page → why it can have no result with these data, in words."""
    if not dataset.explained:
        reason = "Needs explanations; this dataset has labels only."
        return dict.fromkeys(("stability", "finetune", "compare", "studies"), reason)
    if len(dataset.annotators) < 2:
        return {"stability": "Needs two annotators; this dataset has one."}
    return {}


def with_states(steps: list[Step], missing: Mapping[str, str] | None = None) -> list[Step]:
    """Return the steps with their states: of those that are not done, the first after the last
    one that is done is next, else the first.

    Args:
        missing: page → why it can have no result (see `obstacles`): its step is impossible,
            unless it is done.
    """
    missing = missing or {}
    steps = [
        replace(step, state=IMPOSSIBLE, results=missing[step.page], action="")
        if step.page in missing and not step.done
        else step
        for step in steps
    ]
    last = max((place for place, step in enumerate(steps) if step.done), default=-1)
    waiting = [
        place for place, step in enumerate(steps) if not step.done and step.state != IMPOSSIBLE
    ]
    first = next((place for place in waiting if place > last), waiting[0] if waiting else None)
    return [
        replace(step, state=DONE if step.done else NEXT if place == first else LATER)
        if step.state != IMPOSSIBLE
        else step
        for place, step in enumerate(steps)
    ]


def other_steps(context: PageContext) -> list[Step]:
    """Return the pages beside the path: annotators one by one, and label distributions."""
    entry = context.entry
    states = run_states(context.workspace, entry)
    return [
        Step(
            "Annotators",
            "What distinguishes one annotator from another.",
            annotator_results(cache.dataset(context.workspace, entry)),
            "annotators",
            "View the annotators",
        ),
        Step(
            "Distributions",
            "How close annotators and models are to the answers of many people.",
            distribution_results(cache.dataset(context.workspace, entry), states),
            "distributions",
            "Compare distributions",
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


def annotator_results(dataset: Dataset) -> str:
    """Return the annotators with what there is of each, in one sentence."""
    number = len(dataset.annotators)
    text = count(number, "annotator")
    if dataset.explained:
        per = datasets.per_annotator(dataset)["explanations"]
        fewest, most = int(per.min()), int(per.max())
        if fewest == most:
            return f"{text} with {count(most, 'explanation')}{' each' if number > 1 else ''}."
        return f"{text} with {fewest:,} to {count(most, 'explanation')} each."
    if number < 2:
        return f"{text}; label use." if number else "No annotators: the labels are a crowd's."
    return f"{text}; label use, and the agreement of two."


def distribution_results(dataset: Dataset, states: Counter[tuple[str, str]]) -> str:
    """Return one sentence on the label distributions: the crowd's, and models' estimates."""
    estimates = states["estimate", "succeeded"]
    models = f"{count(estimates, 'model estimate')}" if estimates else "no model estimate yet"
    if dataset.crowd is None or not len(dataset.crowd):
        if len(dataset.annotators) < 2:
            return f"No crowd labels and no second annotator to compare with; {models}."
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


def study_stages(workspace: Workspace, entry: Entry) -> tuple[Counter[str], int]:
    """Return the number of studies of a dataset of this name, by stage, and how many of them
    simulated judges answered.

    Where the database cannot be reached, the stage is that of the study's folder; the page Studies
    shows the error.
    """
    try:
        service = studies_cache.service(workspace)
        found = data.every(workspace, service)
    except CapoError:
        found = data.every(workspace, None)
    return data.stages_of(found, entry.name), data.simulated_of(found, entry.name)


def study_results(stages: Counter[str], simulated: int = 0) -> str:
    """Return one sentence on the blind studies, by their stage; those of simulated judges too."""
    if not stages:
        return "No study yet. Try one first with simulated judges."
    return data.said(stages, simulated)


def _stability_results(report, live: Run | None) -> str:
    if report is not None and report.headline:
        return report.headline
    if live is not None:
        return "The analysis is running; the ladder appears when it is done."
    return "No report yet."
