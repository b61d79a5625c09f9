"""Runs about stability: the report of a dataset, and the calibration on simulated data."""

from __future__ import annotations

from capo_core.errors import DataError
from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import Settings
from capo_core.workspace import Workspace


def measure_stability(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Compute the stability report of a dataset and save it in the workspace's store.

    Raises:
        DataError: the dataset has changed since the run was requested.
    """
    from capo_core.data.catalog import Catalog
    from capo_core.stability import store
    from capo_core.stability.config import StabilityConfig
    from capo_core.stability.report import compute_report

    progress("reading the dataset", 0.0)
    dataset = Catalog(workspace).load(settings["dataset"])
    if dataset.fingerprint != settings["fingerprint"]:
        raise DataError(
            f"the dataset '{dataset.name}' has changed since this computation was requested",
            todo="start the computation again",
        )
    config = StabilityConfig.from_dict(settings["config"])
    report, evidence = compute_report(
        dataset, config, cache=workspace.cache, progress=part_of(progress, 0.02, 0.98)
    )
    store.save(report, evidence, workspace)
    return f"stability of {dataset.name} computed"


def measure_calibration(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Measure simulated data whose ground truth is known, and save the result."""
    from capo_core.stability import store
    from capo_core.stability.calibration import CalibrationConfig, calibrate

    config = CalibrationConfig.from_dict(settings["config"])
    found = calibrate(config, cache=workspace.cache, progress=progress)
    store.save_calibration(found, workspace)
    return "calibration computed"
