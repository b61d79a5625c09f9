"""Runs behind the page Distributions: estimates and classifiers. No Streamlit here."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dashboard.distributing import Reading
from capo_core.dashboard.distributing_methods import data_options
from capo_core.distributions import kept
from capo_core.distributions.estimate_config import EstimateConfig
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.questions import orders_of
from capo_core.distributions.softlabel_config import SoftLabelConfig
from capo_core.distributions.softlabel_data import scores, soft_set
from capo_core.errors import CapoError, RunError
from capo_core.imitation.run_folder import find_run
from capo_core.jobs import runs, submission
from capo_core.jobs.runs import Run
from capo_core.workspace import Workspace

EMBEDDED = "embedded"
DEVELOPMENT, TEST = "development", "test"


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
    left_out, one_order, averaged; those that cannot be read are left out."""
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
                    _number(bias.get("one_order")), _number(bias.get("averaged")),
                )
            )  # fmt: skip
        except (CapoError, OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return pd.DataFrame(rows, columns=["run", "source", "explanations", "n", "questions",
                                       "left_out", "one_order", "averaged"])  # fmt: skip


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)


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


def subset(judgments: Judgments, item_ids: Sequence[str], name: str) -> Judgments:
    """The judgments on some items, under a name of their own."""
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
    """Classifiers on the training items, chosen on the validation items, scored on the test items.

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
                todo="take other sets, by the command below",
            )
        sets[name] = kept.keep(subset(judgments, ids, f"{judgments.name}-{split}"), workspace)
    config = SoftLabelConfig(sources=tuple(sources), against=against)
    settings = {
        "dataset": judgments.name,
        "judgments": kept.keep(judgments, workspace),
        "sets": sets,
        "config": config.to_dict(),
    }
    return submission.submit(workspace, "softlabel", settings)


def training_command(reading: Reading, sources: Sequence[str], against: str) -> str:
    """The way to train with sets of one's own, on the command line."""
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
            name: soft_set(kept.load(one, workspace), against)
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
