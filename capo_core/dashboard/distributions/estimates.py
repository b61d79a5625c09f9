"""Model-predicted distributions: finished and running estimates, and the form of a new one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from capo_core.distributions.estimate import PARALLEL, SERIAL, EstimateConfig
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.option_prompts import (
    ALL,
    LABELS,
    LETTERS,
    ONE,
    ROTATIONS,
    WORDS,
    orders_of,
)
from capo_core.distributions.sources import ANNOTATOR
from capo_core.distributions.wording import source_name
from capo_core.errors import CapoError
from capo_core.formatting import count, number, with_interval
from capo_core.imitation.embedded_base.suitability import check_suitable, unsuitable
from capo_core.imitation.generation.trained_adapters import EVERYONE
from capo_core.imitation.models.registry import SMOLLM2
from capo_core.imitation.prompting.prompts import TRAINING_STAGES
from capo_core.run_folder import find_run, list_runs
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
        adapter: run of a finished training; "" for the bare model.
        annotator: whose training labels are the prior ("all" for everybody's), or whom a shared
            adapter imitates.
        allow_embedded: the embedded base model is asked on texts it does not know.
    """

    config: EstimateConfig
    base: str = EMBEDDED
    server: str = ""
    adapter: str = ""
    annotator: str = ""
    allow_embedded: bool = False

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
        **({"adapter": asked.adapter} if asked.adapter else {}),
        **({"annotator": asked.annotator} if asked.annotator else {}),
        **({"allow_embedded": True} if asked.allow_embedded else {}),
        "config": asked.config.to_dict(),
    }


def begin_estimate(reading: Reading, asked: Asked, workspace: Workspace) -> Run:
    """Put the estimate into the queue; `CapoError` where it cannot be run."""
    check_suitable(reading.asked, asked.base, allow_embedded=asked.allow_embedded)
    settings = estimate_settings(reading, asked, workspace)
    return submit.submit(workspace, "estimate", settings)


def estimate_command(reading: Reading, asked: Asked) -> str:
    """Return the command of the same estimate."""
    config, plain = asked.config, EstimateConfig()
    words = ["python", "-m", "capo_core", "distributions", "estimate"]
    words += data_options(reading.dataset, reading.files)
    if asked.adapter:
        words += ["--adapter", asked.adapter]
    else:
        words += ["--server", asked.server] if asked.server else ["--base", asked.base]
    if asked.annotator:
        words += ["--annotator", asked.annotator]
    if asked.allow_embedded:
        words.append("--allow-embedded")
    for name, option in (
        ("explanations", "--explanations"),
        ("count", "--count"),
        ("how", "--how"),
        ("options", "--options"),
        ("orders", "--orders"),
        ("items", "--items"),
        ("label_prior", "--label-prior"),
    ):
        # What is left out follows from the model on the command line.
        decided = name == "options" and not asked.server
        if decided or getattr(config, name) != getattr(plain, name):
            words += [option, str(getattr(config, name))]
    if config.explicit:
        words.append("--explicit")
    usual = 1.0 if config.options == WORDS else plain.temperature
    if config.transform == "softmax" and config.temperature != usual:
        words += ["--temperature", f"{config.temperature:g}"]
    return shlex.join([*words, "--queue"])


def questions(judgments: Judgments, config: EstimateConfig, *, trained: bool = False) -> int:
    """Return the approximate number of prompts: items × orders × views of the explanations.

    Args:
        trained: the model has an adapter, which knows the labels in one order.
    """
    ids = judgments.items["item_id"]
    ids = ids.iloc[: config.items] if config.items else ids
    scale = judgments.task.scale
    one = config.options == WORDS and (trained or scale.ordinal)
    orders = len(orders_of(scale.labels, ONE if one else config.orders))
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


def trainings(reading: Reading, workspace: Workspace) -> dict[str, str]:
    """Return the finished trainings on the dataset, newest name last: run → annotator and stage."""
    found = {}
    for run in list_runs(workspace):
        try:
            config = run.config
            mine = config["dataset"]["name"] == reading.dataset
            trained = config["stage"] in TRAINING_STAGES and run.done and run.adapter.is_dir()
            if mine and trained:
                found[run.run_id] = f"{config['stage'].upper()} of {config['target']}"
        except (CapoError, KeyError, TypeError):
            continue
    return found


_MODELS = {
    "embedded": "embedded base model",
    "base": "another base model",
    "adapter": "trained adapter",
    "server": "server model",
}
_HOW = {SERIAL: "all together", PARALLEL: "one at a time, averaged"}
_OPTIONS = {
    WORDS: "whole label words",
    LABELS: "first tokens of labels",
    LETTERS: "letters A, B, …",
}
# The first is the default: the embedded base model was measured with first tokens; adapters were
# trained to write the words.
_OFFERED = {
    "embedded": (LABELS, WORDS, LETTERS),
    "base": (WORDS, LETTERS, LABELS),
    "adapter": (WORDS,),
    "server": (LETTERS,),
}
_NAMED = {
    "base": "smollm2, a folder, or a name on the hub",
    "server": "model name on the server at CAPO_SERVER_URL",
}
# As published for large models; the small base's scores lie so close that 20 makes them uniform.
_TEMPERATURE = {LETTERS: 20.0, LABELS: 20.0, WORDS: 1.0}
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
    asked, named = _estimate_form(context, chosen)
    reading = chosen.reading
    why = unsuitable(reading.asked) if asked.base == EMBEDDED else ""
    if why:
        st.warning(f"{why} Choose another base model, such as SmolLM2 (smollm2).")
        allowed = st.toggle(
            "Use the embedded base model all the same",
            key=f"{PAGE}.new.allow_embedded",
            help="On data of this kind its distributions say nothing.",
        )
        asked, named = replace(asked, allow_embedded=allowed), named and allowed
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
            _work_text(reading.asked, asked) if named else "" if why else "Enter a model name."
        )
    st.caption("On the command line, with more settings (--help):")
    st.code(estimate_command(reading, asked), language="bash", wrap_lines=True)
    show_note(
        "Imitated annotators and their ensembles become sources as soon as a run has "
        "answers to these items."
    )
    page_link(context, "finetune", "Show runs")


def _work_text(judgments: Judgments, asked: Asked) -> str:
    """Return what will be done: the number of prompts, and the orders of the options."""
    trained = bool(asked.adapter)
    prompts = count(questions(judgments, asked.config, trained=trained), "prompt")
    if trained:
        orders = "the options stand in the one order that the adapter was trained on; items that "
        orders += "it was trained on are left out."
    elif asked.config.options == WORDS and judgments.task.scale.ordinal:
        orders = "the prompt names the ends of the scale, so that there is one order of options."
    else:
        orders = "all orders of the options are used, to average out position bias."
    return f"{'up to ' if trained else ''}{prompts}, in the background; {orders}"


def _estimate_form(context: PageContext, chosen: Chosen) -> tuple[Asked, bool]:
    """Return the estimate in the form, and whether it names a model."""
    judgments = chosen.reading.asked
    runs = trainings(chosen.reading, context.workspace)
    models = [kind for kind in _MODELS if kind != "adapter" or runs]
    sets = list(dict.fromkeys(judgments.explanations["source"]))
    with control_row("estimate", [3, 3, 3, 2]) as columns:
        kind = columns[0].selectbox(
            "Model",
            models,
            models.index("base" if unsuitable(judgments) else "embedded"),
            format_func=_MODELS.__getitem__,
            key=f"{PAGE}.new.model",
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
    name = adapter = ""
    temperature, offered = EstimateConfig().temperature, _OFFERED[kind]
    with control_row("estimate-more", [3, 3, 3, 2]) as columns:
        options = columns[0].selectbox(
            "Options", offered, format_func=_OPTIONS.__getitem__,
            key=f"{PAGE}.new.options.{kind}", disabled=len(offered) == 1,
            help="Whole label words are scored with the prompt of a generation, as its labels are "
                 "chosen. Published work prompts large models with letters.",
        )  # fmt: skip
        explicit = columns[1].toggle(
            "Include labels of explanations", key=f"{PAGE}.new.explicit", disabled=not said
        )
        if kind != "server":
            usual = 1.0 if kind == "embedded" else _TEMPERATURE[options]
            temperature = columns[3].number_input(
                "Temperature", 0.1, 1000.0, usual,
                key=f"{PAGE}.new.temperature.{kind}.{options}",
                help=DISTRIBUTIONS_HELP["temperature"],
            )  # fmt: skip
        if kind == "adapter":
            adapter = columns[2].selectbox(
                "Training", list(runs), key=f"{PAGE}.new.adapter",
                format_func=lambda run: f"{runs.get(run, '')} ({run})",
            )  # fmt: skip
        elif kind != "embedded":
            name = columns[2].text_input(
                "Model name",
                SMOLLM2 if kind == "base" else "",
                key=f"{PAGE}.new.name.{kind}",
                placeholder=_NAMED[kind],
            )
    prior = ""
    if options == WORDS and not said:
        own = find_run(context.workspace, adapter).config["target"] if adapter else EVERYONE
        prior = _prior(chosen, own)
    config = EstimateConfig(
        explanations=said,
        how=how if said else SERIAL,
        explicit=explicit and bool(said),
        options=options,
        orders=ALL if len(judgments.task.scale.labels) <= _FEW else ROTATIONS,
        transform="norm" if kind == "server" else "softmax",
        temperature=float(temperature),
        items=int(items),
        label_prior="annotator" if prior else "none",
    )
    if adapter:
        return _of_adapter(adapter, config, prior, context.workspace), True
    base = {"embedded": EMBEDDED, "base": name.strip(), "server": ""}[kind]
    asked = Asked(config, base, name.strip() if kind == "server" else "", annotator=prior)
    return asked, bool(asked.base or asked.server)


def _prior(chosen: Chosen, own: str) -> str:
    """Return whose training labels correct the scores, "all" for everybody's; "" for none.

    Args:
        own: the adapter's annotator, the only one then; "all" for any.
    """
    names = [
        one.name.removeprefix(ANNOTATOR)
        for one in chosen.reading.asked.sources
        if one.name.startswith(ANNOTATOR)
    ]
    if not names or not chosen.reading.dataset:
        return ""
    return st.selectbox(
        "Correct by training labels",
        ["", EVERYONE, *names] if own == EVERYONE else ["", own],
        key=f"{PAGE}.new.prior.{own}",
        format_func=lambda name: {"": "no", EVERYONE: "of all annotators"}.get(name, f"of {name}"),
        help="A model prefers some labels whatever the item is. The correction makes its mean over "
        "training items the distribution of these training labels.",
    )


def _of_adapter(adapter: str, config: EstimateConfig, prior: str, workspace: Workspace) -> Asked:
    """Return an estimate by an adapter; its own annotator's labels are the prior."""
    run = find_run(workspace, adapter).config
    target = run["target"]
    if target == EVERYONE:
        target = "" if prior == EVERYONE else prior
    return Asked(config, run["base"]["name"], adapter=adapter, annotator=target)
