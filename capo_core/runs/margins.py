"""Equivalence margins of an evaluation: were they fixed before there were results?"""

from __future__ import annotations

from collections.abc import Iterable

from capo_core.evaluation.table import TableConfig
from capo_core.runs.experiments.store import all_experiments
from capo_core.workspace import Workspace

_MARGINS = ("margin", "alpha_margin")


def margins_fixed(workspace: Workspace, runs: Iterable[str], config: TableConfig) -> bool:
    """Return whether the margins of `config` are those that were fixed before `runs` had results.

    These are the margins of the earliest experiment that any of the generations belongs to, and the
    default ones of generations without an experiment. Files of experiments that cannot be read are
    left out.
    """
    wanted = set(runs)
    found = [
        one
        for one in all_experiments(workspace)[0]
        if wanted & {member.run_id for member in one.members}
    ]
    planned = min(found, key=lambda one: one.made).config.evaluate if found else {}
    default = TableConfig()
    return all(
        getattr(config, name) == planned.get(name, getattr(default, name)) for name in _MARGINS
    )
