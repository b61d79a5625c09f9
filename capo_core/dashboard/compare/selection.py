"""The choice of a comparison and of an annotator, the evaluation of runs that have none, and the
links from a score or chart to the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.datasets import DEFAULT_DATASET
from capo_core.dashboard.app.page import PageContext, guarded, link_to, page_link
from capo_core.dashboard.compare import PAGE, run_choice
from capo_core.dashboard.compare import cache as compare_cache
from capo_core.dashboard.ui import components, job_progress, url_state
from capo_core.dashboard.ui.components import control_row, show_error, show_headline, show_note
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.ticker import redrawn
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.formatting import count, duration
from capo_core.runs import comparisons, queue
from capo_core.runs.comparisons import CUSTOM, Generation, RunComparison
from capo_core.runs.experiments.store import Experiment, progress_of

if TYPE_CHECKING:
    from capo_core.evaluation.report import EvaluationReport


_HERE = "this comparison"  # where an annotator was looked for
ALL = ""  # of the choice of a target


@dataclass(frozen=True)
class CompareSelection:
    """The selection on the page: comparison, dataset and target.

    Attributes:
        target: an annotator, or `ALL`.
        report: the saved scores; None if these runs were not scored.
        generations: all finished ones of the dataset.
    """

    comparison: RunComparison
    dataset: Dataset
    target: str
    report: EvaluationReport | None
    generations: tuple[Generation, ...] = ()


def provenance(chosen: CompareSelection) -> dict[str, Any]:
    """Return what the comparison adds to the provenance of its exports."""
    own = [one for one in chosen.generations if one.run_id in chosen.comparison.runs]
    items = {} if chosen.report is None else {"item": chosen.report.n_items}
    return {
        "models": tuple(sorted({one.model for one in own})),
        "seeds": tuple(sorted({one.seed for one in own})),
        "n": (*items.items(), ("run", len(own))),
        "details": (("split", own[0].split),) if own else (),
    }


def current(context: PageContext) -> CompareSelection | None:
    """Return the comparison to show, below its controls; None, with an explanation shown, without
    one."""
    finished = comparisons.finished_generations(context.workspace, context.entry)
    known = comparisons.all_comparisons(context.workspace, context.entry, finished)
    working = comparisons.active_experiments(context.workspace, context.entry)
    if working:
        queue.advance(context.workspace)
        watch(working[0])
    asked = url_state.get("runs").split(",")
    generated = f"the finished generations of {context.entry.name}"
    url_state.require_each("runs", asked, {one.run_id for one in finished}, place=generated)
    if not finished:
        if not working:
            url_state.require("of", {CUSTOM}, place=f"the comparisons of {context.entry.name}")
            _nothing_yet(context)
        return None
    mine = comparisons.custom_comparison(context.workspace, context.entry, finished, asked)
    if not known and mine is None:
        mine = comparisons.custom_comparison(
            context.workspace, context.entry, finished, [one.run_id for one in finished]
        )
    by_key = {one.key: one for one in (*known, *((mine,) if mine else ()))}
    dataset = cache.dataset(context.workspace, context.entry)
    with control_row("methods", [3, 2, 2]) as places:
        with places[0]:
            default = CUSTOM if url_state.get("runs") and mine else next(iter(by_key))
            key = url_state.choice(
                st.selectbox,
                "Comparison",
                list(by_key),
                page=PAGE,
                key="of",
                default=default,
                clears=("item", "as", "method", "target", "who", "training"),
                known={*by_key, CUSTOM},
                where=f"the comparisons of {context.entry.name}",
                format_func=lambda key: by_key[key].title,
                help="Experiments and evaluations of this dataset, newest first.",
            )
        comparison = by_key[key]
        with places[1]:
            target = _target(finished, comparison, dataset)
        with places[2]:
            run_choice.show(finished, comparison)
    report = _report(context, comparison)
    return CompareSelection(comparison, dataset, target, report, tuple(finished))


def _target(finished: list[Generation], comparison: RunComparison, dataset: Dataset) -> str:
    chosen = [one for one in finished if one.run_id in comparison.runs]
    there = {name for one in chosen for name in one.targets}
    names = [name for name in dataset.annotators if name in there]
    if len(names) == 1:
        url_state.require("target", names, place=_HERE)
        st.selectbox("Annotator", names, disabled=True, key=f"{PAGE}.only")
        return names[0]
    return url_state.choice(
        st.selectbox,
        "Annotator",
        [ALL, *names],
        page=PAGE,
        key="target",
        clears=("item", "as", "given"),
        where=_HERE,
        format_func=lambda name: name or f"all {len(names)}",
        help="The imitated annotator. All: every score is the mean over annotators.",
    )


def _report(context: PageContext, comparison: RunComparison) -> EvaluationReport | None:
    """Return the stored scores; None, with the button to compute them shown, without any."""
    if comparison.report_path is not None:
        try:
            return compare_cache.report(comparison.report_path)
        except DataError as error:
            _unreadable(context, comparison, error)
            return None
    run = comparison.evaluation
    if run is not None and run.status().live:
        queue.advance(context.workspace)
        if comparison.experiment is None:  # an experiment has its own bar already
            job_progress.watch(run)
        show_note("Scores appear here when ready; answers can already be read below.")
        return None
    if run is not None:
        job_progress.show_outcome(run)
    with st.container(border=True):
        st.markdown(
            f"**These {count(len(comparison.runs), 'run')} have not been evaluated yet.** It takes "
            "about a minute, in the background; answers can already be read below."
        )
        st.button(
            "Run evaluation",
            key="compare.score",
            type="primary",
            on_click=guarded,
            args=(comparisons.score, context.workspace, context.entry, comparison),
        )
    return None


def _unreadable(context: PageContext, comparison: RunComparison, error: DataError) -> None:
    show_error(error)
    st.button(
        "Re-run evaluation",
        key="compare.score",
        type="primary",
        on_click=guarded,
        args=(comparisons.rescore, context.workspace, context.entry, comparison),
    )


def watch(experiment: Experiment) -> None:
    """Show the progress of an experiment until it ends; then the page reruns."""
    redrawn("compare.experiment", _live, experiment, _finished(experiment))


def _finished(experiment: Experiment) -> int:
    """Return the number of finished runs of the comparison; a change is a reason to rerun."""
    return sum(run is not None and run.files.done for run in experiment.runs())


def _live(experiment: Experiment, before: int) -> None:
    queue.advance(experiment.workspace)
    progress = progress_of(experiment)
    if progress.state != "running" or _finished(experiment) != before:
        st.rerun()
    left = "" if progress.left_s is None else f", about {duration(progress.left_s)} left"
    done = progress.counts.get("succeeded", 0)
    with st.container(border=True):
        st.progress(
            min(1.0, progress.share),
            text=markdown(
                f"{experiment.config.title}: {done} of {len(experiment.members)} runs done{left}"
            ),
        )
        st.caption(
            "Runs in the background; you can close this page. Finished answers can be read below."
        )


def _nothing_yet(context: PageContext) -> None:
    """Show how to get answers on this dataset."""
    show_headline(
        "No method has been run on this dataset yet, so there is nothing to compare. "
        "An experiment lets each method answer held-out items as one annotator and "
        "scores the answers."
    )
    with st.container(border=True):
        if context.entry.name == DEFAULT_DATASET:
            st.markdown(
                "**Try the demo.** All five methods for one annotator, with the embedded "
                "base model: about 3 min on two idle cores, in the background."
            )
            st.button(
                "Run quick demo",
                key="compare.demo",
                type="primary",
                on_click=guarded,
                args=(_demo, context),
            )
        else:
            st.markdown("**Try the demo data first**, or set up an experiment on this dataset.")
            link_to(PAGE, f"Open {DEFAULT_DATASET}", {url_state.DATASET: DEFAULT_DATASET})
        page_link(context, "finetune", "Set up an experiment on this dataset")


def _demo(context: PageContext) -> None:
    dataset = cache.dataset(context.workspace, context.entry)
    comparisons.start_demo(context.workspace, dataset.annotators)


_SETTINGS = ("item", "as", "outcome", "given", "label", "order")


def open_answers(method: str, **query: str | None) -> None:
    """Show the answers of a method ("" for all), and bring them into sight.

    Args:
        query: settings of the answers (_SETTINGS); those not named have their defaults.
    """
    components.request_scroll(PAGE)
    url_state.put(PAGE, {**dict.fromkeys(_SETTINGS), **query, "method": method, "part": "answers"})
