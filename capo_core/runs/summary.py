"""Summaries of runs: title, status line, table row, and the differences of two.

All of it works for runs whose files are damaged, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from capo_core.errors import CapoError
from capo_core.formatting import duration, percent
from capo_core.imitation.prompting.prompts import METHOD_TITLES
from capo_core.runs import queue
from capo_core.runs import run as runs_run
from capo_core.runs.request import KINDS
from capo_core.runs.run import Run
from capo_core.runs.status import Status

STATES = {
    "running": "Running",
    "queued": "Queued",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "stopped": "Stopped",
    "lost": "Lost",
    "broken": "Broken",
    "deleted": "Deleted",
}
STAGE_NAMES = {"train_sft": "SFT", "train_capo": "CAPO"}
TRAININGS = tuple(STAGE_NAMES)
# Names of the kinds in a run's own configuration, for runs without a request.
_STAGES = {"sft": "train_sft", "capo": "train_capo"}


@dataclass(frozen=True)
class RunSummary:
    """A run at one moment.

    Attributes:
        kind: one of `request.KINDS`; "" where it is not known.
        targets: the annotators that are imitated.
        settings: of the request; empty where they cannot be read.
        can_repeat: whether there is a request to repeat.
    """

    run: Run
    status: Status
    kind: str = ""
    method: str = ""
    targets: tuple[str, ...] = ()
    dataset: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    experiment: str = ""
    queued: float = 0.0
    can_repeat: bool = False

    @property
    def run_id(self) -> str:
        return self.run.run_id

    @property
    def state(self) -> str:
        return self.status.state

    @property
    def title(self) -> str:
        """The run for a person: "CAPO for A", "Generation: SFT for A and B", "Evaluation"."""
        if not self.kind:
            return self.run_id
        if self.kind == "evaluate":
            return "Evaluation"
        what = KINDS[self.kind].label if self.kind in KINDS else ""
        if self.kind == "generate":
            what = f"Generation: {METHOD_TITLES.get(self.method, self.method)}"
        return f"{what or self.kind} for {shortened_list(self.targets)}" if self.targets else what


def summarise_run(run: Run) -> RunSummary:
    """Return the summary of a run; never raises."""
    status = run.status()
    try:
        request = run.request
        kind, settings = request.kind, request.settings
        return RunSummary(
            run, status, kind, request.method, request.targets,
            str(settings.get("dataset", "")), settings, request.experiment, request.queued,
            can_repeat=status.state != runs_run.BROKEN,
        )  # fmt: skip
    except (CapoError, AttributeError, TypeError):
        return _from_config(run, status)


def _from_config(run: Run, status: Status) -> RunSummary:
    """Return the summary of a run without a request, by the configuration in its folder."""
    try:
        config = run.files.config
        stage = str(config["stage"])
        settings = {"base": config["base"]["name"], "config": config["settings"]}
        dataset = str(config["dataset"]["name"])
        targets = (str(config["target"]),)
    except (CapoError, KeyError, TypeError, OSError):
        return RunSummary(run, status)
    return RunSummary(run, status, _STAGES.get(stage, stage), stage, targets, dataset, settings)


def shortened_list(names: Sequence[str], most: int = 4) -> str:
    """Return "A", "A and B", "A, B and 7 more"."""
    names = list(names)
    if len(names) > most:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def status_line(seen: RunSummary) -> str:
    """Return the run's current activity, or how it ended, in one line."""
    status = seen.status
    if status.state == "queued" and not status.pid and not status.slurm:
        return _waits_for(seen) or "waiting for its turn"
    message = status.message
    slow = runs_run.silence_s(status)
    if slow:
        return f"{message} (slow: no sign of life for {duration(slow)}, but its process exists)"
    left = status.left_s()
    return message if left is None else f"{message}, about {duration(left)} left"


def _waits_for(seen: RunSummary) -> str:
    """Return why it has not started, with the other run's title instead of its name."""
    folder = seen.run.folder.parent
    return queue.reason_for_waiting(
        seen.run, lambda kind, name: summarise_run(Run(folder / name)).title
    )


def table_row(seen: RunSummary) -> dict[str, Any]:
    """Return the run as a row of a table."""
    status = seen.status
    return {
        "run": seen.title,
        "state": STATES.get(seen.state, seen.state),
        "done": round(status.share, 2),  # whole percents
        "standing": status_line(seen),
        "worked": exact_duration(status.duration_s()) if status.duration_s() else "",
        "asked": pd.Timestamp(seen.queued, unit="s") if seen.queued else pd.NaT,
        "dataset": seen.dataset,
        "notes": " ".join(seen.run.notes.split()),
        "run_id": seen.run_id,
    }


def exact_duration(seconds: float) -> str:
    """Return a computing time exactly enough to compare: "41 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def progress_text(share: float, left_s: float | None) -> str:
    """Return "43 % done, about 4 min left"."""
    done = f"{percent(share)} done"
    return done if left_s is None else f"{done}, about {duration(left_s)} left"


def flattened(settings: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names: {"config.lora.rank": 16}."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{start}{name}.")
        else:
            found[f"{start}{name}"] = value
    return found


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the settings that differ: name, first and second value; None where there is none."""
    one, two = flattened(first), flattened(second)
    return [
        (name, one.get(name), two.get(name))
        for name in dict.fromkeys([*one, *two])
        if one.get(name) != two.get(name)
    ]
