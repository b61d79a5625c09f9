"""What trainings made their base forget: which were measured, and asking for it. No screen."""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.dashboard.comparing import Comparison
from capo_core.data.catalog import Entry
from capo_core.errors import CapoError
from capo_core.evaluation.retention import RetentionConfig
from capo_core.imitation.prompts import TRAINED
from capo_core.imitation.run_folder import RunFolder
from capo_core.jobs import runs, submission
from capo_core.jobs.runs import Run
from capo_core.workspace import Workspace


@dataclass(frozen=True)
class Training:
    """A training whose adapter answered: its run, its method, and for whom it answered."""

    run_id: str
    method: str
    target: str

    @property
    def key(self) -> str:
        return f"{self.run_id}/{self.target}"


def trainings(workspace: Workspace, comparison: Comparison, target: str = "") -> list[Training]:
    """The trainings behind a comparison, CAPO before SFT, each once.

    Args:
        target: for this annotator only; "" for all.
    """
    found = {}
    for name in comparison.runs:
        try:
            asked = RunFolder(workspace.runs / name).config
            method = str(asked["settings"]["method"])
            adapters = {who: str(one["run"]) for who, one in asked.get("adapters", {}).items()}
        except (CapoError, KeyError, TypeError, AttributeError):
            continue  # a broken run has no adapters that could be named
        for who, run_id in adapters.items():
            if method in TRAINED and target in ("", who):
                training = Training(run_id, method, who)
                found[training.key] = training
    return sorted(found.values(), key=lambda one: -TRAINED.index(one.method))


def measurement(workspace: Workspace, training: Training) -> Run | None:
    """The run that measures what a training made its base forget: a finished one, else the last
    that was asked for; None where there is none."""
    found = []
    for run in runs.every(workspace):
        try:
            request = run.request
        except CapoError:
            continue
        asked = (request.settings.get("run"), request.settings.get("target"))
        if request.kind == "retention" and asked == (training.run_id, training.target):
            found.append((run.files.done, request.queued, run))
    return max(found, key=lambda one: one[:2])[2] if found else None


def measure(workspace: Workspace, entry: Entry, training: Training) -> Run:
    """Ask for it, with the settings of an experiment that asks for it."""
    return submission.submit(
        workspace,
        "retention",
        {
            "dataset": entry.name,
            "fingerprint": entry.fingerprint,
            "target": training.target,
            "run": training.run_id,
            "config": RetentionConfig().to_dict(),
        },
    )
