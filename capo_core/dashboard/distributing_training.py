"""Classifiers on label distributions: how one asks for them, and each seed's scores.

No Streamlit here.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from capo_core.dashboard.distributing import Reading
from capo_core.dashboard.distributing_methods import data_options
from capo_core.distributions import kept
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.softlabel_config import SoftLabelConfig
from capo_core.distributions.softlabel_data import scores, soft_set
from capo_core.errors import CapoError, RunError
from capo_core.jobs import submission
from capo_core.jobs.runs import Run
from capo_core.workspace import Workspace

DEVELOPMENT, TEST = "development", "test"


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
