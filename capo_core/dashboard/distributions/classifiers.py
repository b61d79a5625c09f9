"""Soft-label training: classifiers trained on label distributions, requested as runs, with scores
per source and seed.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.distributions import estimates
from capo_core.dashboard.distributions.data import Reading
from capo_core.dashboard.distributions.selection import PAGE, Chosen
from capo_core.dashboard.distributions.summary import data_options
from capo_core.dashboard.ui import job_progress, url_state
from capo_core.dashboard.ui.components import (
    Field,
    data_grid,
    is_dark,
    section_heading,
    show_error,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.glossary import DISTRIBUTIONS_HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import row_ink
from capo_core.distributions import store
from capo_core.distributions.judgments import UNIFORM, Judgments
from capo_core.distributions.soft_label_data import MEASURES, SoftLabelConfig, scores, soft_set
from capo_core.distributions.training_findings import training_finding, training_statement
from capo_core.distributions.wording import called, in_words, measured, source_name
from capo_core.errors import CapoError, RunError
from capo_core.formatting import capitalised, count, duration, number
from capo_core.runs import queue, submit
from capo_core.runs.run import Run
from capo_core.workspace import Workspace

DEVELOPMENT, TEST = "development", "test"


def subset(judgments: Judgments, item_ids: Sequence[str], name: str) -> Judgments:
    """Return the judgments on some items, under their own name."""
    wanted = set(item_ids)
    items = judgments.items[judgments.items["item_id"].isin(wanted)].reset_index(drop=True)
    sources = []
    for source in judgments.sources:
        rows = [row for row, item in enumerate(source.item_ids) if item in wanted]
        sources.append(
            replace(
                source,
                item_ids=tuple(source.item_ids[row] for row in rows),
                shares=source.shares[rows],
                people=source.people[rows],
            )
        )
    said = judgments.explanations
    said = said[said["item_id"].isin(wanted)].reset_index(drop=True)
    return replace(judgments, name=name, items=items, sources=tuple(sources), explanations=said)


def begin_training(
    reading: Reading,
    splits: Mapping[str, str],
    sources: Sequence[str],
    against: str,
    workspace: Workspace,
) -> Run:
    """Start training: on the training items, selected on the validation, scored on the test items.

    Args:
        splits: item → train, validation or test.

    Raises:
        RunError: the dataset has no validation or no test items.
    """
    judgments = reading.judgments
    sets = {}
    for name, split in ((DEVELOPMENT, "validation"), (TEST, "test")):
        ids = [item for item in judgments.items["item_id"] if splits.get(item) == split]
        if not ids:
            raise RunError(
                f"{judgments.name} has no {split} items",
                todo="use other data, with the command below",
            )
        sets[name] = store.save(subset(judgments, ids, f"{judgments.name}-{split}"), workspace)
    config = SoftLabelConfig(sources=tuple(sources), against=against)
    settings = {
        "dataset": judgments.name,
        "judgments": store.save(judgments, workspace),
        "sets": sets,
        "config": config.to_dict(),
    }
    return submit.submit(workspace, "softlabel", settings)


def last_duration(done: Sequence[Run]) -> str:
    """Return how long the newest finished training took, as a sentence; "" where there is none.

    What it takes is announced by nothing else: how long its start takes differs between machines.

    Args:
        done: finished trainings on these items, the newest first.
    """
    for run in done:
        if seconds := run.status().duration_s():
            sources = count(len(run.request.settings["config"]["sources"]), "source")
            return f"The last one, on {sources}, took {duration(seconds)}."
    return ""


def training_command(reading: Reading, sources: Sequence[str], against: str) -> str:
    """Return the command that trains on other data."""
    words = ["python", "-m", "capo_core", "distributions", "train"]
    words += data_options(reading.dataset, reading.files)
    for name in sources:
        words += ["--source", name]
    for run, source in reading.estimates:
        if source in sources:
            words += ["--run", run]
    if against != "crowd":
        words += ["--against", against]
    words += ["--development", "chaosnli_dev.json", "--test", "chaosnli_test.json", "--queue"]
    return shlex.join(words)


def by_seed(run: Run, workspace: Workspace) -> pd.DataFrame:
    """Scores of each single classifier: set, source, seed, measure, value, n; without rows where
    the run's sets or answers are not here any more."""
    columns = ["set", "source", "seed", "measure", "value", "n"]
    rows = []
    try:
        against = run.files.result["settings"]["against"]
        sets = {
            name: soft_set(store.load(one, workspace), against)
            for name, one in run.request.settings["sets"].items()
        }
        for path in sorted((run.folder / "cells").glob("*.json")):
            cell = json.loads(path.read_text(encoding="utf-8"))
            for name, one in sets.items():
                found = scores(one.shares, np.array(cell["said"][name], dtype=float))
                rows += [
                    (name, cell["source"], int(cell["seed"]), measure, value, len(one))
                    for measure, value in found.items()
                ]
    except (CapoError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return pd.DataFrame(columns=columns)
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values(["set", "source", "seed"], kind="stable", ignore_index=True)


def show(context: PageContext, chosen: Chosen) -> None:
    """Show finished and running trainings, and the form of a new one."""
    section_heading("Soft-label training")
    found = estimates.of_kind(context.workspace, "softlabel", chosen.reading)
    names = [run.run_id for run in found]
    url_state.require("run", names, place="the trainings on these items")
    live = [run for run in found if not run.files.done and run.status().live]
    if live:
        queue.advance(context.workspace)
        job_progress.watch(live[0])
    elif found and not found[0].files.done:
        job_progress.show_outcome(found[0])
    done = [run for run in found if run.files.done]
    if done:
        _result(context, done)
    else:
        show_note(
            "No classifier has been trained on these items yet. An encoder is trained on "
            "the distributions of each source, with three seeds, and scored against "
            f"{'the crowd' if chosen.against == 'crowd' else 'the reference'} on held-out items: "
            "weighted F1, KL and cross-entropy."
        )
    _new(context, chosen, last_duration(done))


def _result(context: PageContext, done: list[Run]) -> None:
    by_id = {run.run_id: run for run in done}
    name = next(iter(by_id))
    if len(by_id) > 1:
        name = url_state.choice(
            st.selectbox, "Training", list(by_id), page=PAGE, key="run", clears=("set",), width=420,
            known=[*by_id, url_state.get("run")],
        )  # fmt: skip
    run = by_id[name]
    try:
        result = run.files.result
        rows = pd.DataFrame(result["scores"])
        apart = pd.DataFrame(result["differences"])
        least = dict(result["least_cross_entropy"])
        against = str(result["settings"]["against"])
    except CapoError as error:
        show_error(error)
        return
    except (KeyError, TypeError, ValueError):
        show_note("The result of this training cannot be read; start it again.")
        return
    sets = list(dict.fromkeys(rows["set"]))
    place = url_state.choice(
        st.segmented_control, "Evaluate on", sets, page=PAGE, key="set", format_func=markdown,
        default="test" if "test" in sets else sets[0],
    )  # fmt: skip
    rows = rows[rows["set"] == place]
    apart = apart[apart["set"] == place] if len(apart) else apart
    finding = training_finding(rows.to_dict("records"), apart.to_dict("records"), against)
    show_headline(in_words(training_statement(finding)))
    _grid(rows)
    show_note(
        f"Against {source_name(against)}, on {count(int(rows['n'].iloc[0]), 'item')}; intervals "
        f"{result.get('interval', '')}. Cross-entropy is at best the measure’s own entropy, "
        f"{number(least.get(place), 3)}."
    )
    seeds = by_seed(run, context.workspace)
    seeds = seeds[seeds["set"] == place]
    with st.expander("Scores per source and seed, and differences between sources"):
        if len(seeds):
            wide = seeds.pivot_table(
                index=["source", "seed", "n"], columns="measure", values="value", sort=False
            ).reset_index()
            table(
                wide,
                {
                    "source": Field("Trained on", width="medium"),
                    "seed": Field("Seed", None, 0),
                    **{name: Field(name, DISTRIBUTIONS_HELP[name], 3) for name in MEASURES},
                    "n": Field("Items", None, 0),
                },
                key=f"{PAGE}.trained.seeds",
                file_name=f"{run.run_id}-{place}-seeds",
            )
        if len(apart):
            table(
                apart[apart["set"] == place],
                {
                    "source": Field("First", width="medium"),
                    "against": Field("Second", width="medium"),
                    "measure": Field("Measure"),
                    "value": Field("Difference", "First minus second score.", 3),
                    "low": Field("from", "Lower end of the 95 % interval.", 3),
                    "high": Field("to", "Upper end of the 95 % interval.", 3),
                    "n": Field("Items", None, 0),
                },
                key=f"{PAGE}.trained.apart",
                file_name=f"{run.run_id}-{place}-differences",
            )


def _grid(rows: pd.DataFrame) -> None:
    shown = []
    for source, own in rows.groupby("source", sort=False):
        cells = {
            row.measure: measured(row.value, row.low, row.high, int(row.n)).text
            for row in own.itertuples()
        }
        shown.append({"source": source_name(str(source)), **cells,
                      "seeds": int(own["seeds"].iloc[0])})  # fmt: skip
    config = {"source": st.column_config.TextColumn("Trained on", width=260)}
    for name in MEASURES:
        arrow = "↑" if name == "weighted F1" else "↓"
        config[name] = st.column_config.TextColumn(
            f"{capitalised(name)} {arrow}",
            help=DISTRIBUTIONS_HELP[name],
            alignment="right",
            width=170,
        )
    config["seeds"] = st.column_config.NumberColumn("Seeds", width=70, help="0 for a floor.")
    quiet = [one["seeds"] == 0 for one in shown]
    ink = row_ink(dark=is_dark())
    data_grid(
        pd.DataFrame(shown).style.apply(
            lambda column: [ink if floor else "" for floor in quiet], axis=0
        ),
        column_config=config,
        key=f"{PAGE}.trained",
        alt="Table: measures of the classifiers by what they were trained on",
    )


def _new(context: PageContext, chosen: Chosen, lasted: str) -> None:
    """A training on the dataset's own split, by a button; any other, by the command.

    Args:
        lasted: what `last_duration` returns.
    """
    sources = [name for name in (chosen.against, *chosen.shown) if name != UNIFORM][:4]
    st.markdown("**New training**")
    if chosen.dataset is not None:
        items = chosen.dataset.items
        splits = dict(zip(items["item_id"], items["split"], strict=True))
        there = {"validation", "test", "train"} <= set(splits.values())
        st.button(
            f"Train on {count(len(sources), 'source')}",
            key=f"{PAGE}.train",
            type="primary",
            disabled=not there,
            on_click=guarded,
            args=(begin_training, chosen.reading, splits, sources,
                  chosen.against, context.workspace),
        )  # fmt: skip
        show_note(
            "On the training items of the dataset; the validation items choose the epoch, the test "
            f"items score. Sources: {', '.join(map(called, sources))} (the first ones shown "
            "above), three seeds each, with the encoder that comes with the tool. It runs in the "
            f"background; you can close this page. {lasted}"
            if there
            else "The dataset has no split into training, validation and test items."
        )
    st.caption("On the command line, with other data and more settings (--help):")
    st.code(
        training_command(chosen.reading, sources, chosen.against),
        language="bash",
        wrap_lines=True,
    )
