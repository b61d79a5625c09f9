"""Imitated annotators as a team: does it predict the crowd better than its parts?"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from capo_core.distributions.judgments import SAID, Judgments
from capo_core.distributions.source import Source, from_counts, mean_of
from capo_core.errors import DataError


def of_outputs(judgments: Judgments, outputs: pd.DataFrame) -> list[Source]:
    """One source an imitated annotator and method, and for each method its team.

    An annotator's distribution on an item is how often its samples give each label; the team's is
    the mean over annotators, on the items all of them answered. Answers that could not be read
    count for nothing, and an item without any readable answer is left out.

    Args:
        outputs: the table `schema.OUTPUTS` of one or several runs.

    Raises:
        DataError: no output belongs to an item of `judgments`, or could be read.
    """
    labels, items = judgments.task.scale.labels, list(judgments.items["item_id"])
    readable = outputs[outputs["item_id"].isin(items) & outputs["label"].isin(labels)]
    if readable.empty:
        raise DataError(
            f"none of {len(outputs)} outputs is a readable answer to an item of {judgments.name}",
            todo="take outputs to items of the same dataset",
        )
    found: list[Source] = []
    for method, answers in readable.groupby("method", sort=False):
        parts = [
            _one(f"{method} {who}", rows, labels, items)
            for who, rows in answers.groupby("target_annotator_id", sort=True)
        ]
        if len(parts) > 1:
            who = ", ".join(part.name.removeprefix(f"{method} ") for part in parts)
            about = f"mean of {len(parts)} imitated annotators ({who})"
            found.append(mean_of(f"{method} team", parts, about))
        found += parts
    return found


def said_by_outputs(judgments: Judgments, outputs: pd.DataFrame) -> pd.DataFrame:
    """The explanations that imitated annotators wrote, as a table `SAID`, a source a method."""
    there = outputs[
        outputs["item_id"].isin(set(judgments.items["item_id"]))
        & outputs["label"].isin(judgments.task.scale.labels)
        & (outputs["explanation"].str.strip() != "")
    ]
    there = there.assign(
        source=[f"{method} team" for method in there["method"]],
        position=there.groupby(["item_id", "method"], sort=False).cumcount(),
    )
    return there[SAID.names].reset_index(drop=True)


def _one(name: str, rows: pd.DataFrame, labels: Sequence[str], items: Sequence[str]) -> Source:
    counts = pd.crosstab(rows["item_id"], rows["label"]).reindex(columns=list(labels), fill_value=0)
    here = [item for item in items if item in counts.index]
    table = counts.loc[here].to_numpy()
    return from_counts(name, labels, here, table, f"samples of {name}, {int(table.sum())} in all")
