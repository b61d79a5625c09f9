"""A finished measurement of what a training made its base forget, made by hand."""

from __future__ import annotations

import pandas as pd

from capo_core.data.catalog import Entry
from capo_core.evaluation.retention import (
    GENERAL,
    IMITATION,
    LABELS,
    LINES,
    OTHERS,
    OWN,
    POINTS,
    BestPoint,
    Retention,
    RetentionConfig,
    save,
)
from capo_core.run_folder import RunFolder
from capo_core.runs.request import RunRequest
from capo_core.runs.submit import run_name
from capo_core.workspace import Workspace


def retention(workspace: Workspace, entry: Entry, training: str, target: str) -> RunFolder:
    """A finished measurement of what `training` made its base forget, over SFT to CAPO."""
    settings = {"dataset": entry.name, "run": training, "target": target, "config": {}}
    request = RunRequest("retention", settings, queued=1.0)
    folder = RunFolder(workspace.runs / run_name(request))
    folder.path.mkdir(parents=True, exist_ok=True)
    request.write(folder.path)
    folder.claim({"stage": "retention", "target": target, "runs": {"capo": training}})
    given, lost = (0.3, 0.5, 0.7, 0.8, 0.9), (1.0, 1.1, 1.2, 1.4, 2.0)
    points = []
    for step, at in enumerate((0.0, 0.5, 1.0, 1.5, 2.0)):
        stage = "capo" if at > 1 else "sft"
        where = (stage, at - 1 if stage == "capo" else at, at)
        share = given[step]
        for measure in (IMITATION, LABELS):
            points.append((*where, measure, share, share - 0.1, share + 0.1, 20, share - given[0],
                           share - given[0] - 0.1, share - given[0] + 0.1))  # fmt: skip
        for measure in (OWN, OTHERS, GENERAL):
            change = 1 / lost[step] if measure == OWN else lost[step]
            points.append((*where, measure, 9 * change, 8 * change, 10 * change, 20, change,
                           change * 0.9, change * 1.1))  # fmt: skip
    lines = [(IMITATION, "ceiling", 0.95, 0.9, 1.0, 20, ""), (IMITATION, "chance", 1 / 3, None,
              None, 0, "")]  # fmt: skip
    save(
        Retention(
            entry.name, entry.fingerprint, False, target, "by-hand", {"capo": training}, 20,
            "letters of a sailor", GENERAL, RetentionConfig(strengths=(0, 0.5, 1)),
            pd.DataFrame(points, columns=list(POINTS)), pd.DataFrame(lines, columns=list(LINES)),
            BestPoint("sft", 1.0, 1.0, 0.7, 0.6, 0.83, 0.8),
            "Much is learnt, and something forgotten.",
        ),
        folder.path,
    )  # fmt: skip
    folder.finish({})
    return folder
