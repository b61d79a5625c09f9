"""Equivalence margins of an evaluation: were they fixed before there were results?"""

from __future__ import annotations

import math
from collections.abc import Iterable

from capo_core.evaluation.table import TableConfig
from capo_core.run_folder import RunFolder
from capo_core.runs.experiments.store import Experiment, all_experiments
from capo_core.workspace import Workspace

_MARGINS = ("margin", "alpha_margin")
_ROUNDED = 1.0  # seconds: what clocks and rounding may differ by, and nobody has seen results in


def margins_fixed(workspace: Workspace, runs: Iterable[str], config: TableConfig) -> bool:
    """Return whether the margins of `config` are those that were fixed before `runs` had results.

    These are the margins of the earliest experiment that any of the generations belongs to, and
    that was started no later than each of its generations among `runs` began to answer: a run may
    be older than an experiment which contains it. Without such an experiment, and where the file of
    any experiment cannot be read, they are the default ones.
    """
    wanted = set(runs)
    experiments, unread = all_experiments(workspace)
    found = [] if unread else [one for one in experiments if _before(workspace, one, wanted)]
    planned = min(found, key=lambda one: one.made).config.evaluate if found else {}
    default = TableConfig()
    return all(
        getattr(config, name) == planned.get(name, getattr(default, name)) for name in _MARGINS
    )


def _before(workspace: Workspace, experiment: Experiment, wanted: set[str]) -> bool:
    """Return whether an experiment holds one of the runs and was started before all it holds."""
    held = wanted & {member.run_id for member in experiment.members}
    first = [_first_answers(RunFolder(workspace.runs / name)) for name in held]
    return bool(held) and experiment.made <= min(first) + _ROUNDED


def _first_answers(folder: RunFolder) -> float:
    """Return when a generation first began to answer, in seconds since the epoch: by its events,
    else by its result; infinity where it has neither."""
    begun = [event["t"] for event in folder.events("begin")]
    if begun:
        return float(min(begun))
    result = folder.path / "result.json"
    return result.stat().st_mtime if result.is_file() else math.inf
