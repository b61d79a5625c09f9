"""The page Fine-tune: what is at work, a new experiment, one run watched, and all runs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.compare import cache as compare_cache
from capo_core.dashboard.finetune import PAGE, form, live, preflight, run_list
from capo_core.dashboard.finetune import queue as finetune_queue
from capo_core.dashboard.finetune import run as finetune_run
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import show_errors, show_headline
from capo_core.errors import CapoError
from capo_core.formatting import count, percent, percent_interval
from capo_core.runs import comparisons, queue
from capo_core.runs import run as runs_run
from capo_core.runs.experiments import store
from capo_core.runs.summary import RunSummary, shortened_list, summarise_run
from capo_core.stats.intervals import wilson

_VIEWS = {"now": "Queue", "new": "New experiment", "run": "One run", "runs": "All runs"}


def show(context: PageContext) -> None:
    """Show the view in the address, below one sentence on this dataset."""
    st.html(live.CSS)
    with show_errors():
        queue.advance(context.workspace)
    found = [summarise_run(run) for run in runs_run.all_runs(context.workspace)]
    experiments, broken = store.all_experiments(context.workspace)
    show_headline(*_sentences(context, found))
    view = url_state.view(PAGE, _VIEWS)
    if view != "new":
        preflight.activate()  # the form is opened from here by a click
    if view == "new":
        form.show(context)
    elif view == "run":
        finetune_run.show(context, found)
    elif view == "runs":
        run_list.show(context, found, experiments)
    else:
        finetune_queue.show(context, found, experiments, broken)


def _sentences(context: PageContext, found: list[RunSummary]) -> list[str]:
    """Return sentences on the imitation results of this dataset and on running jobs."""
    mine = [seen for seen in found if seen.dataset == context.entry.name]
    told = _evaluated(context) or _trained(mine) or _nothing(context, mine)
    at_work = sum(seen.state == "running" for seen in found)
    waiting = sum(seen.state == "queued" for seen in found)
    if not at_work and not waiting:
        return [told]
    return [told, f"{count(at_work, 'run')} running, {waiting:,} queued."]


def _evaluated(context: PageContext) -> str:
    """Return the finding of the newest evaluation of this dataset; "" where there is none."""
    path = comparisons.newest_report(context.workspace, context.entry)
    return "" if path is None else compare_cache.brief(path)


def _trained(mine: list[RunSummary]) -> str:
    """Return a sentence on the held-out result of the last finished CAPO run."""
    for seen in sorted(mine, key=lambda each: each.status.ended, reverse=True):
        if seen.kind != "train_capo" or seen.state != "succeeded":
            continue
        try:
            result = seen.run.files.result
            share = float(result["figures"]["reward_accuracy"])
            items = int(result["validation_items"])
        except (CapoError, KeyError, TypeError, ValueError):
            continue
        return trained_sentence(seen.targets, share, items)
    return ""


def trained_sentence(targets: Sequence[str], share: float, items: int) -> str:
    """Return how a CAPO training ranks the pairs of its validation items, with an interval that
    takes the pairs of an item as one (Wilson)."""
    ends = percent_interval(*wilson(share * items, items))
    return (
        f"CAPO for {shortened_list(targets)} ranks the annotator's own response above another "
        f"annotator's in {percent(share)} {ends} of pairs on {count(items, 'validation item')} "
        "(chance 50\u00a0%). Run the evaluation for attribution accuracy."
    )


def _nothing(context: PageContext, mine: list[RunSummary]) -> str:
    if any(seen.state == "succeeded" for seen in mine):
        return f"Runs on {context.entry.name} have finished, but none has been evaluated yet."
    return f"No run on {context.entry.name} has finished yet."
