"""Presets of the stability analysis and the runs that compute it, without Streamlit."""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.data.catalog import Entry
from capo_core.formatting import count
from capo_core.runs import submit
from capo_core.runs.run import Run
from capo_core.stability.config import QUICK, StabilityConfig
from capo_core.workspace import Workspace


@dataclass(frozen=True)
class Preset:
    """Ready settings of a report.

    Attributes:
        description: what it contains, in one sentence.
        start_s: seconds of two idle cores that it takes beside the explanations.
        per_1000_s: and for 1,000 explanations more.
    """

    name: str
    title: str
    description: str
    config: StabilityConfig
    start_s: float
    per_1000_s: float

    def expected_s(self, explanations: int) -> float:
        """Return the seconds that the report is expected to take on two idle cores."""
        most = self.config.max_explanations or explanations
        return self.start_s + self.per_1000_s * min(explanations, most) / 1000


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "quick",
            "Quick look",
            "Two representations, whole text and input words masked; 1 seed, 200 permutations.",
            QUICK,
            start_s=8.0,
            per_1000_s=20.0,
        ),
        Preset(
            "full",
            "Full report",
            "Three representations, all reductions, 5 seeds, 1,000 permutations.",
            StabilityConfig(),
            start_s=10.0,
            per_1000_s=85.0,
        ),
    )
}


def settings(entry: Entry, config: StabilityConfig) -> dict:
    """Return the settings of a run of kind "stability"."""
    return {"dataset": entry.name, "fingerprint": entry.fingerprint, "config": config.to_dict()}


def begin(workspace: Workspace, entry: Entry, config: StabilityConfig) -> Run:
    """Start the analysis of `entry`, or return the run that is in progress."""
    return submit.begin(workspace, "stability", settings(entry, config))


def jobs_of(workspace: Workspace, entry: Entry) -> list[Run]:
    """Return all stability runs of this dataset's content, the latest first."""
    return [
        job
        for job in submit.every_begun(workspace, "stability")
        if job.config["settings"]["fingerprint"] == entry.fingerprint
    ]


def live_job(workspace: Workspace, entry: Entry) -> Run | None:
    """Return the queued or running analysis of `entry`."""
    return next((job for job in jobs_of(workspace, entry) if job.status().live), None)


def title(config: StabilityConfig) -> str:
    """Return the title of a report: its preset, or its settings."""
    for preset in PRESETS.values():
        if preset.config == config:
            return preset.title
    parts = [
        f"{count(len(config.representations), 'representation')} × "
        f"{count(len(config.reductions), 'reduction')}",
        count(config.seeds, "seed"),
        count(config.permutations, "permutation"),
    ]
    return ", ".join([*parts, "text as typed"] if config.raw else parts)
