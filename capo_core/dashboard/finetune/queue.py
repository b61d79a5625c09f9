"""Running and queued runs, and the experiments that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded, link_to
from capo_core.dashboard.compare import cache as compare_cache
from capo_core.dashboard.finetune import PAGE
from capo_core.dashboard.finetune import live as finetune_live
from capo_core.dashboard.finetune.live import head_html
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import data_grid, section_heading, show_note
from capo_core.dashboard.ui.text import escape, markdown
from capo_core.data.catalog import Catalog
from capo_core.formatting import count
from capo_core.imitation.prompting.prompts import METHOD_TITLES
from capo_core.runs.experiments import config as experiments_config
from capo_core.runs.experiments import store
from capo_core.runs.experiments.store import ExperimentProgress, progress_of
from capo_core.runs.kinds import evaluation
from capo_core.runs.results import RunResults
from capo_core.runs.status import LIVE
from capo_core.runs.summary import (
    STATES,
    RunSummary,
    progress_text,
    shortened_list,
    status_line,
    summarise_run,
    table_row,
)
from capo_core.workspace import Workspace, content_hash

MOST = 6  # experiments shown with all they have; older ones are found by their runs
_WILL_GO_WITHOUT = "The evaluation continues without {} and reports it."
_WENT_WITHOUT = (
    "The evaluation was done without {}. “Resume remaining runs” tries again and updates it."
)
MOST_ROWS = 10  # of a table of runs; longer ones scroll
_WHOLE_DEMO = "All four annotators: about 10 min on two idle cores."
_QUICK_DEMO = "One annotator, all five methods and the evaluation: about 3 min on two idle cores."


def show(
    context: PageContext,
    found: Sequence[RunSummary],
    experiments: Sequence[store.Experiment],
    broken: dict[str, str],
) -> None:
    """Show what runs and waits, experiment by experiment, and the demo; broken files first."""
    for name, problem in broken.items():
        st.error(f"**{markdown(name)} cannot be read.** {markdown(problem)}")
    if not found and not experiments:
        _nothing_yet(context)
        return
    listed = [each for each in experiments if not each.dismissed]
    shown = _of_dataset(context, listed)
    finetune_live.while_living(
        context.workspace, found, lambda: _draw(context, shown[:MOST]), key="queue"
    )
    if len(shown) > MOST:
        show_note(f"{count(len(shown) - MOST, 'older experiment')} not shown; see “All runs”.")
    gone = [each for each in experiments if each.dismissed]
    if gone:
        with st.expander(f"Dismissed ({len(gone)})"):
            for each in gone[:50]:
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.button(
                        "List again", key=f"finetune.back.{each.experiment_id}",
                        on_click=guarded, args=(_list_again, each),
                    )  # fmt: skip
                    st.caption(markdown(f"{each.config.title}, {each.config.dataset}"))
    with st.expander("Run the demo again"):
        _demo(context)


def _list_again(experiment: store.Experiment) -> None:
    store.dismiss(experiment, back=True)


def _of_dataset(
    context: PageContext, experiments: Sequence[store.Experiment]
) -> list[store.Experiment]:
    """Return the experiments on the page's dataset, and those of others where they are asked for
    or at work."""
    name = "" if context.entry is None else context.entry.name
    others = [each for each in experiments if name and each.config.dataset != name]
    if not others:
        return list(experiments)
    if url_state.toggle(
        f"Show {count(len(others), 'experiment')} on other datasets", page=PAGE, key="all"
    ):
        return list(experiments)
    return [
        each for each in experiments if each not in others or progress_of(each).state == "running"
    ]


def _draw(context: PageContext, experiments: Sequence[store.Experiment]) -> None:
    from capo_core.runs.run import all_runs

    of_experiments = {member.run_id for each in experiments for member in each.members}
    loose = [
        summarise_run(run)
        for run in all_runs(context.workspace)
        if run.run_id not in of_experiments
    ]
    loose = [seen for seen in loose if seen.status.live]
    for experiment in experiments:
        _experiment(context, experiment)
    if loose:
        section_heading("Other runs in the queue")
        run_table(loose, key="loose")
    if not experiments and not loose:
        show_note("No runs are running or queued. Finished runs are under “All runs”.")


def _experiment(context: PageContext, experiment: store.Experiment) -> None:
    now = progress_of(experiment)
    name, config = experiment.experiment_id, experiment.config
    members = [None if run is None else summarise_run(run) for run in experiment.runs()]
    live = now.state == "running"
    with st.container(border=True):
        about = (
            f"{shortened_list([METHOD_TITLES[each] for each in config.methods], 5)} for "
            f"{shortened_list(config.targets)} of {config.dataset}, base model {config.base}"
        )
        st.html(head_html(config.title, now.state, about))
        if live:
            st.progress(now.share, text=markdown(progress_text(now.share, now.left_s)))
        st.html(f'<p class="capo-note">{escape(_words(now, members))}</p>')
        _result(experiment)
        with st.container(horizontal=True, vertical_alignment="center"):
            _buttons(context, experiment, now, members)
        with st.expander(count(len(members), "run"), expanded=live):
            gone = sum(each is None for each in members)
            run_table([each for each in members if each is not None], key=name)
            if gone:
                show_note(f"{count(gone, 'run was', 'runs were')} deleted.")


def _result(experiment: store.Experiment) -> None:
    """Show what the evaluation found, as the page Compare says it."""
    run = experiment.evaluation
    path = None if run is None or not run.files.done else run.folder / evaluation.REPORT
    if path is not None and path.is_file() and (said := compare_cache.brief(path)):
        show_note(said)


def _words(now: ExperimentProgress, members: Sequence[RunSummary | None]) -> str:
    order = ("succeeded", "running", "queued", "failed", "stopped", "lost", "broken", "deleted")
    counts = ", ".join(
        f"{now.counts[each]} {STATES[each].lower()}" for each in order if now.counts.get(each)
    )
    said = [f"{counts}."]
    working = next((each for each in members if each and each.state == "running"), None)
    if working is not None:
        said.append(f"Now: {working.title}: {status_line(working)}.")
    elif now.state not in ("succeeded", "running"):
        said.append(f"{now.message.rstrip('.')}.")
    failed = next((each for each in members if each and _failed_itself(each)), None)
    if failed is not None:
        if working is not None:
            said.append(f"{failed.title} failed: {failed.status.text.rstrip('.')}.")
        if failed.method and _others_go_on(members):
            words = _WENT_WITHOUT if now.scored else _WILL_GO_WITHOUT
            said.append(words.format(METHOD_TITLES.get(failed.method, failed.method)))
    words = " ".join(said)
    for each in filter(None, members):
        words = words.replace(each.run_id, each.title)
    return words


def _others_go_on(members: Sequence[RunSummary | None]) -> bool:
    """Return whether an evaluation of the methods that did not fail exists or is planned."""
    last = members[-1]
    return last is not None and last.kind == "evaluate" and last.state in (*LIVE, "succeeded")


def _failed_itself(seen: RunSummary) -> bool:
    return seen.state == "failed" and not seen.status.blocked_by


def _buttons(
    context: PageContext,
    experiment: store.Experiment,
    now: ExperimentProgress,
    members: Sequence[RunSummary | None],
) -> None:
    name = experiment.experiment_id
    working = next((each for each in members if each and each.state == "running"), None)
    if working is not None:
        st.button(
            "Open live run",
            key=f"watch.{name}",
            on_click=finetune_live.act,
            args=(open_run, working.run_id),
        )
    if now.state == "running":
        st.button(
            "Stop and save", key=f"stop.{name}", on_click=finetune_live.act,
            args=(store.stop, experiment),
        )  # fmt: skip
    elif now.state != "succeeded":
        st.button(
            "Resume remaining runs", key=f"start.{name}", type="primary",
            on_click=finetune_live.act,
            args=(store.start, context.workspace, experiment.config),
        )  # fmt: skip
    else:
        last = experiment.members[-1].run_id  # what Compare calls the experiment's comparison
        query = {url_state.DATASET: experiment.config.dataset, "of": last}
        link_to("compare", "Compare the methods", query)
    if now.state != "running":
        st.button(
            "Dismiss", key=f"dismiss.{name}", on_click=finetune_live.act,
            args=(store.dismiss, experiment),
            help="Leaves it out of this list; its runs stay under “All runs”.",
        )  # fmt: skip
    st.button(
        "Use as template", key=f"draft.{name}", on_click=finetune_live.act,
        args=(_as_draft, context.workspace, experiment),
        help="Opens the settings in the form, to start a changed experiment.",
    )  # fmt: skip


TICKS = "finetune.ticks"  # of tables: their first ticks, and how often all were taken away
_PERCENT = "%.0f %%"  # of shares as `in_percent` returns them
# Results of runs: title, help, format.
_NUMBERS = {
    "label_accuracy": ("Label acc.", "Share of answers with the target's own label.", _PERCENT),
    "attribution": ("Attributed", "Share of single texts attributed to the target, in the first "
                    "view of the newest evaluation.", _PERCENT),
    "human": ("Target's own", "The same of the target's own texts: the level to come near to.",
              _PERCENT),
    "n": ("n", "Answers scored.", "localized"),
    "validation_loss": ("Val. loss", "Nats per token (SFT), or the loss of pairs (CAPO).", "%.3f"),
    "minutes": ("Minutes", "Computing time, over all attempts.", "%.1f"),
    "peak_gb": ("Peak GB", "Most memory that the run held.", "%.1f"),
}  # fmt: skip
# Pixels: with the time of submission, all results stand side by side in a window of 1440.
_WIDTHS = {"label_accuracy": 74, "attribution": 76, "human": 88, "n": 48, "validation_loss": 66,
           "minutes": 64, "peak_gb": 66}  # fmt: skip
# The first ones, with the state, are seen in a window of 820 without scrolling.
_FIRST = ("label_accuracy", "attribution", "human", "validation_loss", "minutes", "peak_gb")
_SECOND = ("base", "n")
_OFTEN_EMPTY = ("base", "label_accuracy", "attribution", "human", "n", "validation_loss")


def number_columns() -> dict:
    """Return the columns of results for a table of runs."""
    return {
        "base": st.column_config.TextColumn("Base model", width=84),
        **{
            name: st.column_config.NumberColumn(
                title, help=text, format=form, width=_WIDTHS.get(name, 78)
            )
            for name, (title, text, form) in _NUMBERS.items()
        },
    }


def in_percent(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of results with their shares as percentages."""
    names = [name for name, (_, _, form) in _NUMBERS.items() if form == _PERCENT]
    return rows.assign(**{name: 100 * rows[name].astype(float) for name in names})


def run_table(
    found: Sequence[RunSummary],
    *,
    key: str,
    more: Sequence[str] = (),
    results: Mapping[str, RunResults] | None = None,
    picked: Sequence[str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> None:
    """Runs as a table, sorted by a click on a column's title; a click on a row opens the run.

    Args:
        more: columns of `summary.table_row` besides the usual ones.
        results: of the runs by their names, for columns of their own.
        picked: runs with a tick; a click then ticks a run instead of opening it.
        titles: of experiments, by their names.
    """
    if not found:
        return
    titles = titles or {}
    rows = pd.DataFrame([table_row(seen) for seen in found])
    if results is not None:
        came = pd.DataFrame([asdict(results[seen.run_id]) for seen in found])
        came = in_percent(came.astype(dict.fromkeys(_NUMBERS, float)))
        rows = pd.concat([rows, came], axis=1)
    place = f"{PAGE}.table.{key}"
    config = {
        "run": st.column_config.TextColumn("Run", width=216, pinned=picked is not None),
        "state": st.column_config.TextColumn("State", width="small"),
        "done": st.column_config.ProgressColumn("Progress", format="percent", width="small"),
        "standing": st.column_config.TextColumn(
            "Status", width="large" if results is None else "medium"
        ),
        "worked": st.column_config.TextColumn("Compute time", width="small"),
        "asked": st.column_config.DatetimeColumn("Submitted", format="D MMM, HH:mm", width=116),
        "dataset": st.column_config.TextColumn("Dataset"),
        "experiment": st.column_config.TextColumn("Experiment"),
        "notes": st.column_config.TextColumn("Notes"),
        "run_id": st.column_config.TextColumn("Name"),
        **number_columns(),
    }
    shown = ["run", "state", "done", "standing", "worked", *more]
    if results is not None:
        # What is empty for all of them would only take room.
        there = [*_FIRST, "state", *_SECOND]
        told = [
            name for name in there
            if name not in _OFTEN_EMPTY or rows[name].replace("", None).notna().any()
        ]  # fmt: skip
        first = [name for name in more if name == "asked"]
        rest = [name for name in more if name not in first]
        shown = ["run", *told, *first, "standing", *rest]
    if picked is not None:
        rows = rows.assign(experiment=[titles.get(seen.experiment, "") for seen in found])
        _pickable(place, rows, shown, config, found, picked)
        return

    _frame(
        place, rows, shown, config,
        on_row=lambda row: finetune_live.act(open_run, found[row].run_id),
    )  # fmt: skip


def _frame(place: str, rows: pd.DataFrame, shown: list[str], config: dict, **selecting) -> None:
    """Draw the table of runs; `selecting` says what a selection does."""
    data_grid(
        rows,
        key=place,
        alt="Table: runs with their state and results",
        column_order=shown,
        column_config=config,
        height="auto" if len(rows) <= MOST_ROWS else 440,
        **selecting,
    )


def _pickable(
    place: str, rows: pd.DataFrame, shown: list[str], config: dict,
    found: Sequence[RunSummary], picked: Sequence[str],
) -> None:  # fmt: skip
    """Draw the table with a box at each row, those in `picked` ticked; the address follows."""
    names = [seen.run_id for seen in found]
    # Boxes are known by their places: other rows make another table.
    ticks = url_state.session_dict(TICKS)
    place = f"{place}.{content_hash(names)[:12]}.{ticks.get('times', 0)}"
    default = ticks.setdefault(place, [n for n, name in enumerate(names) if name in picked])
    hidden = [name for name in picked if name not in names]

    def changed() -> None:
        chosen = [names[n] for n in url_state.now(place).selection.rows if n < len(names)]
        url_state.put(PAGE, {"pick": "~".join([*hidden, *chosen])})

    _frame(
        place, rows, shown, config, on_select=changed, selection_mode="multi-row",
        selection_default={"selection": {"rows": default}},
    )  # fmt: skip


def open_run(run_id: str) -> None:
    """Show one run (click callback)."""
    url_state.put(PAGE, {"view": "run", "run": run_id})


def _as_draft(workspace: Workspace, experiment: store.Experiment) -> None:
    from capo_core.dashboard.finetune import draft

    draft.replace(workspace, draft.plain(experiment.config))
    url_state.put(PAGE, {"view": "new", url_state.DATASET: experiment.config.dataset})


def _nothing_yet(context: PageContext) -> None:
    with st.container(border=True):
        st.markdown(
            "**No runs yet.** The demo runs the full pipeline on the demo data with the "
            "embedded base model: prompting, SFT, CAPO and the evaluation of all "
            "methods. It needs no network and no GPU."
        )
        _demo(context)
        st.button(
            "New experiment",
            key="finetune.own",
            on_click=url_state.put,
            args=(PAGE, {"view": "new"}),
        )


def _demo(context: PageContext) -> None:
    for quick, label, words in (
        (True, "Quick demo", _QUICK_DEMO),
        (False, "Full demo", _WHOLE_DEMO),
    ):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                label,
                key=f"finetune.demo.{quick}",
                type="primary" if quick else "secondary",
                on_click=guarded,
                args=(_begin_demo, context.workspace, quick),
            )
            st.caption(words)


def _begin_demo(workspace: Workspace, quick: bool) -> None:
    annotators = Catalog(workspace).load(experiments_config.DEMO_DATASET).annotators
    store.start(workspace, experiments_config.demo_config(annotators, quick=quick))
    url_state.put(PAGE, {"view": None})
