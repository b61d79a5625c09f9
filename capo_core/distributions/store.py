"""Storage of judgments in the workspace, so that runs can reference them, and results of runs.

<workspace>/distributions/<id>.json    items, sources and explanations; the id is their hash
<workspace>/runs/<run>/estimate.json   result of an estimate (`DistributionEstimate.to_dict`)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.distributions.judgments import (
    EXPLANATIONS,
    Judgments,
    LabelDistribution,
    no_explanations,
)
from capo_core.distributions.sources import (
    output_distributions,
    output_explanations,
    unused_outputs,
)
from capo_core.errors import DataError, RunError
from capo_core.formatting import count
from capo_core.imitation.generation.outputs import TABLE, read_table
from capo_core.run_folder import RunFolder, find_run, list_runs
from capo_core.stats.intervals import json_value
from capo_core.task import Task
from capo_core.workspace import Workspace, content_hash, safe_name, write_json

ESTIMATE = "estimate.json"


def save(judgments: Judgments, workspace: Workspace) -> str:
    """Write the judgments into the workspace; return their id. The same content has the same id."""
    raw = to_dict(judgments)
    name = content_hash(raw)[:16]
    path = _path(workspace, name)
    if not path.exists():
        write_json(path, raw)
    return name


def load(name: str, workspace: Workspace) -> Judgments:
    """Return the judgments with an id; raises `DataError` if there are none, or the file was
    changed.
    """
    path = _path(workspace, name)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(
            f"the judgments {name!r} cannot be read", where=str(path), todo="submit the run again"
        ) from None
    if content_hash(raw)[:16] != name:
        raise DataError("the file was changed after it was written", where=str(path))
    return from_dict(raw)


def to_dict(judgments: Judgments) -> dict[str, Any]:
    """Return judgments as JSON-able values."""
    return {
        "name": judgments.name,
        "task": judgments.task.to_dict(),
        "items": judgments.items[["item_id", "text_a", "text_b"]].to_numpy().tolist(),
        "sources": [
            {"name": one.name, "items": list(one.item_ids), "shares": one.shares.tolist(),
             "people": [json_value(float(n)) for n in one.people], "about": one.about}
            for one in judgments.sources
        ],
        "explanations": [
            [row.item_id, row.source, int(row.position), row.label, row.explanation]
            for row in judgments.explanations.itertuples()
        ],
        "notes": list(judgments.notes),
    }  # fmt: skip


def from_dict(raw: dict[str, Any]) -> Judgments:
    """Return the judgments from `to_dict`."""
    task = Task.from_dict(raw["task"])
    sources = [
        LabelDistribution(
            one["name"], task.scale.labels, tuple(one["items"]),
            np.array(one["shares"], dtype=float).reshape(len(one["items"]), -1),
            np.array([np.nan if n is None else n for n in one["people"]]), one["about"],
        )
        for one in raw["sources"]
    ]  # fmt: skip
    said = pd.DataFrame(raw["explanations"], columns=EXPLANATIONS.names)
    return Judgments(
        raw["name"], task,
        pd.DataFrame(raw["items"], columns=["item_id", "text_a", "text_b"]),
        tuple(sources), said if len(said) else no_explanations(), tuple(raw["notes"]),
    )  # fmt: skip


def with_runs(judgments: Judgments, names: Sequence[str], workspace: Workspace) -> Judgments:
    """Return the judgments with the distributions of finished runs: estimates, and the outputs of
    generations as imitated annotators and teams (with their explanations).

    Samples of several generations by one method count together. Items of the runs that are not
    among those of the judgments, and answers that could not be read, are counted in the notes.

    Raises:
        RunError: there is no such run, it is not finished, or it is no run of these kinds.
        DataError: it has no item in common, or other labels.
    """
    tables: list[pd.DataFrame] = []
    notes: list[str] = []
    for name in dict.fromkeys(names):
        run = find_run(workspace, name)
        if (run.path / ESTIMATE).exists():
            made = load_estimate(run, judgments)
            if any(one.name == made.name for one in judgments.sources):
                made = replace(made, name=f"{made.name} ({name})")
            judgments = judgments.with_sources([made])
            raw = _estimate(run)
            notes += [f"{made.name}: {note}" for note in raw["notes"]]
            strange = len(set(raw["shares"]) - set(judgments.items["item_id"]))
            if strange:
                items = count(strange, "item")
                notes.append(f"{items} of {name} not in {judgments.name}; left out")
        elif (run.path / TABLE).exists():
            tables.append(read_table(run.path))
        else:
            raise RunError(
                "the run is not finished, or wrote no distributions",
                where=name,
                expected="an estimate or a generation",
            )
    if tables:
        outputs = pd.concat(tables, ignore_index=True)
        judgments = judgments.with_sources(output_distributions(judgments, outputs))
        judgments = judgments.with_explanations(output_explanations(judgments, outputs))
        notes += unused_outputs(judgments, outputs)
    return replace(judgments, notes=(*judgments.notes, *notes))


def load_estimate(run: RunFolder, judgments: Judgments) -> LabelDistribution:
    """Return an estimate's distributions on the items of `judgments`; other items are left out.

    Raises:
        RunError: it cannot be read. DataError: it has none of the items.
    """
    raw = _estimate(run)
    kept = [item for item in judgments.items["item_id"] if item in raw["shares"]]
    if not kept:
        raise DataError(
            f"the estimate has no item in common with {judgments.name}", where=run.run_id
        )
    shares = np.array([raw["shares"][item] for item in kept])
    return LabelDistribution(str(raw["name"]), tuple(raw["labels"]), tuple(kept), shares,
                  about=str(raw["about"]))  # fmt: skip


def _estimate(run: RunFolder) -> dict[str, Any]:
    """Return the parts of estimate.json that are used elsewhere."""
    try:
        raw = json.loads((run.path / ESTIMATE).read_text(encoding="utf-8"))
        needed = {name: raw[name] for name in ("name", "about", "labels", "shares")}
        return {**needed, "notes": list(raw.get("notes", ()))}  # older estimates have none
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError("the estimate cannot be read", where=run.run_id) from None


def finished_estimates(judgments: Judgments, workspace: Workspace) -> list[str]:
    """Return names of the finished estimates on these items, in alphabetical order."""
    return [
        run.run_id
        for run in list_runs(workspace)
        if (run.path / ESTIMATE).exists()
        and run.config.get("dataset", {}).get("fingerprint") == judgments.fingerprint
    ]


def _path(workspace: Workspace, name: str) -> Path:
    return workspace.root / "distributions" / f"{safe_name(name)}.json"
