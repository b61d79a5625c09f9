"""Stability reports and the jobs that make them, without Streamlit."""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.data.catalog import Entry
from capo_core.runs import submit
from capo_core.runs.run import Run
from capo_core.stability.config import QUICK, StabilityConfig
from capo_core.workspace import Workspace

# A dataset up to this size is measured without being asked, quickly, when its page first opens.
SMALL = 4_000


@dataclass(frozen=True)
class Preset:
    """A ready choice of settings: what it is called, what it costs and gives."""

    name: str
    title: str
    words: str
    config: StabilityConfig


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "quick",
            "Quick look",
            "Meaning and wording, whole text and input words masked; 1 seed, 200 permutations. "
            "About a minute for two thousand explanations.",
            QUICK,
        ),
        Preset(
            "full",
            "Full report",
            "Three representations, all five reductions, 5 seeds, 1,000 permutations. A few "
            "minutes for a few thousand explanations.",
            StabilityConfig(),
        ),
    )
}


def settings(entry: Entry, config: StabilityConfig) -> dict:
    """What a job of kind "stability" is asked for."""
    return {"dataset": entry.name, "fingerprint": entry.fingerprint, "config": config.to_dict()}


def job_of(workspace: Workspace, entry: Entry, config: StabilityConfig) -> Run | None:
    return submit.find_begun(workspace, "stability", settings(entry, config))


def begin(workspace: Workspace, entry: Entry, config: StabilityConfig) -> Run:
    return submit.begin(workspace, "stability", settings(entry, config))


def jobs_of(workspace: Workspace, entry: Entry) -> list[Run]:
    """All stability jobs of this very dataset, the last asked for first."""
    return [
        job
        for job in submit.every_begun(workspace, "stability")
        if job.config["settings"]["fingerprint"] == entry.fingerprint
    ]


def begin_unasked(workspace: Workspace, entry: Entry) -> Run | None:
    """Measure a small dataset quickly if nobody ever asked; the job, or None.

    A newcomer sees a ladder without having to know what to ask for. Once there was a job, however
    it ended, the next one is the user's to begin.
    """
    if entry.annotations > SMALL or jobs_of(workspace, entry):
        return None
    return begin(workspace, entry, PRESETS["quick"].config)


def live_job(workspace: Workspace, entry: Entry) -> Run | None:
    return next((job for job in jobs_of(workspace, entry) if job.status().live), None)


def size(config: StabilityConfig) -> int:
    """How much a configuration covers: what is shown where several reports are there."""
    rungs = len(config.representations) * len(config.reductions) * len(config.pool)
    return rungs * config.seeds * max(1, config.permutations)


def title(config: StabilityConfig) -> str:
    """What a report is called: its preset, or its settings."""
    for preset in PRESETS.values():
        if preset.config == config:
            return preset.title
    parts = [
        f"{len(config.representations)} × {len(config.reductions)} rungs",
        f"{config.seeds} seeds",
        f"{config.permutations:,} permutations",
    ]
    return ", ".join([*parts, "text as typed"] if config.raw else parts)
