"""The chain of evidence for one dataset: each link, what there is of it, where it is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from capo_core.dashboard import cache, cache_studies, services, study_seen
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.words import count
from capo_core.data.catalog import Entry
from capo_core.dataset import Dataset
from capo_core.errors import CapoError
from capo_core.jobs import runs
from capo_core.jobs.record import Job
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


def steps(frame: Frame, report, live: Job | None) -> list[Step]:
    """All links in their order, for the chosen dataset."""
    entry = frame.entry
    states = run_states(frame.workspace, entry)
    studies = study_stages(frame.workspace, entry)
    return [
        Step(
            "1. Data",
            "Who labelled what, and why.",
            f"{services.summary(entry)}; {entry.task}. Fingerprint {entry.fingerprint[:10]}.",
            "data",
            "See or import data",
        ),
        Step(
            "2. Annotators",
            "What distinguishes one from another.",
            f"{count(entry.annotators, 'annotator')} with {_explanations(frame)} explanations "
            "each: their labels, phrases and habits, and every item side by side.",
            "annotators",
            "Meet the annotators",
        ),
        Step(
            "3. Stability",
            "How much of an annotator is in their words.",
            report.statements[0].text
            if report is not None and report.statements
            else _measured_yet(live),
            "stability",
            "Read the ladder" if report is not None else "Measure the stability",
        ),
        Step(
            "4. Distributions",
            "What many people would say, and what comes near to it.",
            spread(cache.dataset(frame.workspace, entry), states),
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
    for run in runs.every(workspace):
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
        service = cache_studies.service(workspace)
        found = study_seen.every(workspace, service)
    except CapoError:
        found = study_seen.every(workspace, None)
    return study_seen.stages_of(found, entry.name)


def judged(stages: Counter[str]) -> str:
    """What there is of blind studies, in a sentence."""
    if not stages:
        return "None yet. Designing one takes minutes; made-up judges can try it first."
    return study_seen.said(stages)


def _explanations(frame: Frame) -> str:
    per = services.per_annotator(cache.dataset(frame.workspace, frame.entry))
    fewest, most = int(per["explanations"].min()), int(per["explanations"].max())
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"


def _measured_yet(live: Job | None) -> str:
    if live is not None:
        return "Being measured now; the ladder appears below by itself."
    return "Not measured yet. A quick look takes about a minute for two thousand texts."
