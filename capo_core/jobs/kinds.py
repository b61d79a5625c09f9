"""What kinds of jobs there are, and what each one does.

A kind is a function of its settings (JSON), the workspace and a `Progress`; it returns, in one
sentence, what came of it. It leaves its results in the workspace, where the next page finds them.
Imports of the computations are inside the functions: a page that only looks at a status needs
none of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from capo_core.errors import DataError
from capo_core.progress import Progress, part_of
from capo_core.workspace import Workspace

Kind = Callable[[Mapping[str, Any], Workspace, Progress], str]


def stability(settings: Mapping[str, Any], workspace: Workspace, progress: Progress) -> str:
    """Compute and keep the stability report.

    Settings: `dataset` (its name), `fingerprint` (what it must still be) and `config`.
    """
    from capo_core.data.catalog import Catalog
    from capo_core.stability import store
    from capo_core.stability.config import StabilityConfig
    from capo_core.stability.report import compute_report

    progress("reading the dataset", 0.0)
    dataset = Catalog(workspace).load(settings["dataset"])
    if dataset.fingerprint != settings["fingerprint"]:
        raise DataError(
            f"'{dataset.name}' is not the dataset any more that the computation was asked for",
            todo="begin the computation again",
        )
    config = StabilityConfig.from_dict(settings["config"])
    report, evidence = compute_report(
        dataset, config, cache=workspace.cache, progress=part_of(progress, 0.02, 0.98)
    )
    store.save(report, evidence, workspace)
    return f"the stability of {dataset.name} is measured"


def calibration(settings: Mapping[str, Any], workspace: Workspace, progress: Progress) -> str:
    """Measure simulated data of known truth and keep what came of it. Settings: `config`."""
    from capo_core.stability import store
    from capo_core.stability.calibration import CalibrationConfig
    from capo_core.stability.planted_truth import calibrate

    config = CalibrationConfig.from_dict(settings["config"])
    found = calibrate(config, cache=workspace.cache, progress=progress)
    store.save_calibration(found, workspace)
    return "the calibration is measured"


def preflight(settings: Mapping[str, Any], workspace: Workspace, progress: Progress) -> str:
    """Look at a run before it begins (see `preflight`). Settings: `kind`, `settings` of the run."""
    from capo_core.jobs.preflight import look
    from capo_core.jobs.preflight_kept import keep

    progress("one dry step on the model", 0.1)
    found = look(workspace, settings["kind"], settings["settings"])
    keep(found, workspace, settings["settings"])
    return "it can work" if found.possible else "it cannot work as it is"


def rehearsal(settings: Mapping[str, Any], workspace: Workspace, progress: Progress) -> str:
    """Does nothing, in `steps` steps of `step_s` seconds, and fails at the end where `fail` says.

    For tests, and for trying how a job behaves on a machine.
    """
    for step in range(settings["steps"]):
        progress(f"step {step + 1} of {settings['steps']}", step / settings["steps"])
        time.sleep(settings["step_s"])
    if settings.get("fail"):
        raise DataError(settings["fail"])
    return "rehearsed"


KINDS: dict[str, Kind] = {
    "stability": stability,
    "calibration": calibration,
    "preflight": preflight,
    "rehearsal": rehearsal,
}
