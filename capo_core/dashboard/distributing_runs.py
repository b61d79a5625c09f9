"""Runs behind the page Distributions, and how one asks for an estimate. No Streamlit here."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from capo_core.dashboard.distributing import Reading
from capo_core.dashboard.distributing_methods import data_options
from capo_core.dashboard.words import number, with_interval
from capo_core.distributions import kept
from capo_core.distributions.estimate_config import EstimateConfig
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.questions import orders_of
from capo_core.errors import CapoError
from capo_core.imitation.run_folder import find_run
from capo_core.jobs import runs, submission
from capo_core.jobs.runs import Run
from capo_core.workspace import Workspace

EMBEDDED = "embedded"


@dataclass(frozen=True)
class Asked:
    """An estimate as somebody asks for it.

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
    """The settings of the run, as the command line makes them: the same is asked once."""
    return {
        "dataset": reading.asked.name,
        "judgments": kept.keep(reading.asked, workspace),
        **({"server": asked.server} if asked.server else {"base": asked.base}),
        "by": asked.by,
        **({"samples": 20} if asked.by == "sampling" else {}),
        "config": asked.config.to_dict(),
    }


def begin_estimate(reading: Reading, asked: Asked, workspace: Workspace) -> Run:
    """Put the estimate into the queue; `CapoError` where it cannot be asked for."""
    settings = estimate_settings(reading, asked, workspace)
    return submission.submit(workspace, "estimate", settings)


def estimate_command(reading: Reading, asked: Asked) -> str:
    """The same on the command line."""
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
    """About how many questions an estimate asks: items × orders × views of the explanations."""
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
    """What is to be known of each finished estimate: run, source, explanations, n, questions,
    left_out, one_order, averaged; those that cannot be read are left out.

    The last two are position bias with its interval, as text; "" where one order was asked.
    """
    rows = []
    for run, source in reading.estimates:
        try:
            raw = json.loads((find_run(workspace, run).path / kept.ESTIMATE).read_text("utf-8"))
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
    """Runs of a kind on the items of `reading`, or on data of this name while they have not
    begun; the last asked for first."""
    found = []
    for run in runs.every(workspace):
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
