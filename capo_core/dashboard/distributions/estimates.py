"""Model-predicted distributions: finished and running estimates, and the form of a new one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded, page_link
from capo_core.dashboard.distributions.data import Reading
from capo_core.dashboard.distributions.selection import PAGE, Chosen
from capo_core.dashboard.distributions.summary import data_options
from capo_core.dashboard.ui import job_progress
from capo_core.dashboard.ui.components import Field, control_row, section_heading, show_note, table
from capo_core.dashboard.ui.glossary import DISTRIBUTIONS_HELP
from capo_core.distributions import store
from capo_core.distributions.estimate import (
    ALL,
    LABELS,
    LETTERS,
    PARALLEL,
    ROTATIONS,
    SERIAL,
    EstimateConfig,
    orders_of,
)
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.wording import source_name
from capo_core.errors import CapoError
from capo_core.formatting import count, number, with_interval
from capo_core.run_folder import find_run
from capo_core.runs import queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs.run import Run
from capo_core.workspace import Workspace

EMBEDDED = "embedded"


@dataclass(frozen=True)
class Asked:
    """The settings of a new estimate, as in the form.

    Attributes:
        base, server: one of them "".
    """

    config: EstimateConfig
    base: str = EMBEDDED
    server: str = ""

    @property
    def by(self) -> str:
        """Servers are sampled: every one can answer, not every one gives log-probabilities."""
        return "sampling" if self.server else "logits"


def estimate_settings(reading: Reading, asked: Asked, workspace: Workspace) -> dict[str, Any]:
    """Return the settings of the run as the command line makes them, so that equal requests share a
    run."""
    return {
        "dataset": reading.asked.name,
        "judgments": store.save(reading.asked, workspace),
        **({"server": asked.server} if asked.server else {"base": asked.base}),
        "by": asked.by,
        **({"samples": 20} if asked.by == "sampling" else {}),
        "config": asked.config.to_dict(),
    }


def begin_estimate(reading: Reading, asked: Asked, workspace: Workspace) -> Run:
    """Put the estimate into the queue; `CapoError` where it cannot be run."""
    settings = estimate_settings(reading, asked, workspace)
    return submit.submit(workspace, "estimate", settings)


def estimate_command(reading: Reading, asked: Asked) -> str:
    """Return the command of the same estimate."""
    config, plain = asked.config, EstimateConfig()
    words = ["python", "-m", "capo_core", "distributions", "estimate"]
    words += data_options(reading.dataset, reading.files)
    words += ["--server", asked.server] if asked.server else ["--base", asked.base]
    for name, option in (
        ("explanations", "--explanations"),
        ("count", "--count"),
        ("how", "--how"),
        ("options", "--options"),
        ("orders", "--orders"),
        ("items", "--items"),
    ):
        if getattr(config, name) != getattr(plain, name):
            words += [option, str(getattr(config, name))]
    if config.explicit:
        words.append("--explicit")
    if config.transform == "softmax" and config.temperature != plain.temperature:
        words += ["--temperature", f"{config.temperature:g}"]
    return shlex.join([*words, "--queue"])


def questions(judgments: Judgments, config: EstimateConfig) -> int:
    """Return the approximate number of prompts: items × orders × views of the explanations."""
    ids = judgments.items["item_id"]
    ids = ids.iloc[: config.items] if config.items else ids
    orders = len(orders_of(judgments.task.scale.labels, config.orders))
    if not config.explanations:
        return len(ids) * orders
    said = judgments.explanations
    said = said[(said["source"] == config.explanations) & said["item_id"].isin(set(ids))]
    each = said.groupby("item_id").size()
    if config.count:
        each = each.clip(upper=config.count)
    return int(each.sum() if config.how == "parallel" else len(each)) * orders


def estimates(reading: Reading, workspace: Workspace) -> pd.DataFrame:
    """Return one row per finished estimate: run, source, explanations, n, questions, left_out,
    one_order, averaged; unreadable ones are left out.

    The last two are position bias with its interval, as text; "" where one order was asked.
    """
    rows = []
    for run, source in reading.estimates:
        try:
            raw = json.loads((find_run(workspace, run).path / store.ESTIMATE).read_text("utf-8"))
            bias = raw["position_bias"] or {}
            rows.append(
                (
                    run, source, str(raw["settings"]["explanations"]), int(raw["n"]),
                    int(raw["questions"]),
                    sum(raw["left_out"].values()) + int(raw["without_explanations"]),
                    _bias(bias, "one_order"), _bias(bias, "averaged"),
                )
            )  # fmt: skip
        except (CapoError, OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return pd.DataFrame(rows, columns=["run", "source", "explanations", "n", "questions",
                                       "left_out", "one_order", "averaged"])  # fmt: skip


def _bias(bias: Mapping[str, Any], name: str) -> str:
    value, ends = bias.get(name), bias.get("intervals", {}).get(name)
    if value is None:
        return ""
    return with_interval(float(value), *map(float, ends[0])) if ends else number(float(value))


def of_kind(workspace: Workspace, kind: str, reading: Reading) -> list[Run]:
    """Return the runs of a kind on the items of `reading`, or, before they begin, on data of this
    name; newest request first."""
    found = []
    for run in runs_run.all_runs(workspace):
        try:
            if run.request.kind != kind:
                continue
            settings = run.request.settings
            if run.files.path.joinpath("config.json").exists():
                mine = run.files.config["dataset"]["fingerprint"] == reading.asked.fingerprint
            else:
                mine = settings.get("dataset") == reading.asked.name
        except (CapoError, KeyError, TypeError):
            continue
        if mine:
            found.append(run)
    return found[::-1]


_MODELS = {
    "embedded": "embedded base model",
    "base": "another base model",
    "server": "server model",
}
_HOW = {SERIAL: "all together", PARALLEL: "one at a time, averaged"}
_OPTIONS = {LABELS: "the labels", LETTERS: "letters A, B, …"}
_NAMED = {
    "base": "smollm2, a folder, or a name on the hub",
    "server": "model name on the server at CAPO_SERVER_URL",
}
# As published for large models; the small base's scores lie so close that 20 makes them uniform.
_TEMPERATURE = {"embedded": 1.0, "base": 20.0}
_FEW = 4  # labels of which all orders can be shown


def show(context: PageContext, chosen: Chosen) -> None:
    """Show finished and running estimates, and the form of a new one."""
    section_heading("Model-predicted distributions")
    show_note(
        "The model is given an item, optionally explanations of it, and the labels "
        "as options; the option scores are normalised to a distribution. A finished "
        "estimate is one of the sources above."
    )
    at_work = [
        run for run in of_kind(context.workspace, "estimate", chosen.reading) if not run.files.done
    ]
    live = [run for run in at_work if run.status().live]
    if live:
        queue.advance(context.workspace)
        job_progress.watch(live[0])
        if len(live) > 1:
            show_note(f"{count(len(live) - 1, 'more estimate')} waiting.")
    for run in at_work[:1]:
        if run not in live:
            job_progress.show_outcome(run)
    _finished(context, chosen)
    _form(context, chosen)


def _finished(context: PageContext, chosen: Chosen) -> None:
    rows = estimates(chosen.reading, context.workspace)
    if rows.empty:
        show_note("No finished estimate for these items yet.")
        return
    table(
        rows.assign(
            source=rows["source"].map(source_name),
            explanations=rows["explanations"].replace("", "none"),
        ),
        {
            "source": Field("Estimate", width="large"),
            "explanations": Field("Explanations in the prompt", width="medium"),
            "n": Field("Items", None, 0),
            "questions": Field("Prompts", None, 0),
            "left_out": Field("Excluded", "Items without an answer or without explanations.", 0),
            "one_order": Field("Single order", DISTRIBUTIONS_HELP["bias"]),
            "averaged": Field("Averaged over orders", DISTRIBUTIONS_HELP["bias"]),
            "run": Field("Run"),
        },
        key=f"{PAGE}.estimates",
        file_name=f"{chosen.file_stem}-estimates",
    )


def _form(context: PageContext, chosen: Chosen) -> None:
    """Show the settings of a new estimate, its button, and the same as a command."""
    st.markdown("**New estimate**")
    asked, named = _asked(chosen)
    reading = chosen.reading
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Start",
            type="primary",
            key=f"{PAGE}.new.begin",
            disabled=not named,
            on_click=guarded,
            args=(begin_estimate, reading, asked, context.workspace),
        )
        st.caption(
            f"{questions(reading.asked, asked.config):,} prompts, in the background; "
            "all orders of the options are used, to average out position bias."
            if named
            else "Enter a model name."
        )
    st.caption("On the command line, with more settings (--help):")
    st.code(estimate_command(reading, asked), language="bash", wrap_lines=True)
    show_note(
        "Imitated annotators and their ensembles become sources as soon as a run has "
        "answers to these items."
    )
    page_link(context, "finetune", "Show runs")


def _asked(chosen: Chosen) -> tuple[Asked, bool]:
    """Return the estimate in the form, and whether it names a model."""
    judgments = chosen.reading.asked
    sets = list(dict.fromkeys(judgments.explanations["source"]))
    with control_row("estimate", [3, 3, 3, 2]) as columns:
        kind = columns[0].selectbox(
            "Model", list(_MODELS), format_func=_MODELS.__getitem__, key=f"{PAGE}.new.model"
        )
        said = columns[1].selectbox(
            "Explanations in the prompt", ["", *sets], key=f"{PAGE}.new.said",
            format_func=lambda name: name or "none",
        )  # fmt: skip
        how = columns[2].selectbox(
            "Presentation", list(_HOW), format_func=_HOW.__getitem__, key=f"{PAGE}.new.how",
            disabled=not said,
        )  # fmt: skip
        items = columns[3].number_input(
            "Max items", 0, len(judgments.items), 0, key=f"{PAGE}.new.items",
            help="0 = all.",
        )  # fmt: skip
    name = ""
    temperature = EstimateConfig().temperature
    with control_row("estimate-more", [3, 3, 3, 2]) as columns:
        options = columns[0].selectbox(
            "Options", list(_OPTIONS), format_func=_OPTIONS.__getitem__, key=f"{PAGE}.new.options",
            disabled=kind == "server",
            help="The embedded base model needs the label words it was trained on; published "
                 "work prompts large models with letters.",
        )  # fmt: skip
        explicit = columns[1].toggle(
            "Include labels of explanations", key=f"{PAGE}.new.explicit", disabled=not said
        )
        if kind != "server":
            temperature = columns[3].number_input(
                "Temperature", 0.1, 1000.0, _TEMPERATURE[kind],
                key=f"{PAGE}.new.temperature.{kind}", help=DISTRIBUTIONS_HELP["temperature"],
            )  # fmt: skip
        if kind != "embedded":
            name = columns[2].text_input(
                "Model name", key=f"{PAGE}.new.name", placeholder=_NAMED[kind]
            )
    config = EstimateConfig(
        explanations=said,
        how=how if said else SERIAL,
        explicit=explicit and bool(said),
        options=LETTERS if kind == "server" else options,
        orders=ALL if len(judgments.task.scale.labels) <= _FEW else ROTATIONS,
        transform="norm" if kind == "server" else "softmax",
        temperature=float(temperature),
        items=int(items),
    )
    base = {"embedded": EMBEDDED, "base": name.strip(), "server": ""}[kind]
    asked = Asked(config, base, name.strip() if kind == "server" else "")
    return asked, bool(asked.base or asked.server)
