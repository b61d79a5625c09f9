"""Saved reports in the workspace: one folder for each dataset content and configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from capo_core.errors import ConfigError, DataError
from capo_core.stability.calibration import Calibration, CalibrationConfig
from capo_core.stability.config import StabilityConfig
from capo_core.stability.evidence import Evidence
from capo_core.stability.report import StabilityReport
from capo_core.workspace import Workspace, write_json

_FORMAT = 1  # raised when a report of an older version cannot be read any more


@dataclass(frozen=True)
class SavedReport:
    """A report in the workspace.

    Attributes:
        made: time of computation (local).
    """

    folder: Path
    dataset: str
    config: StabilityConfig
    made: datetime


def report_folder(fingerprint: str, config: StabilityConfig, workspace: Workspace) -> Path:
    """Return the folder of the report of this content and configuration."""
    return workspace.reports / fingerprint[:16] / config.key


def save(report: StabilityReport, evidence: Evidence, workspace: Workspace) -> Path:
    """Save a report and its evidence; the report is written last, so that it is complete."""
    folder = report_folder(report.fingerprint, report.config, workspace)
    evidence.save(folder / "evidence.npz")
    made = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / "report.json", {"format": _FORMAT, "made": made, **report.to_dict()})
    return folder


def load(fingerprint: str, config: StabilityConfig, workspace: Workspace) -> StabilityReport | None:
    """Return the saved report, or None where there is none (or one of an older format)."""
    raw = _read(report_folder(fingerprint, config, workspace) / "report.json")
    return None if raw is None else StabilityReport.from_dict(raw)


def load_evidence(
    fingerprint: str, config: StabilityConfig, workspace: Workspace
) -> Evidence | None:
    """Return the evidence behind a saved report, or None where there is none."""
    path = report_folder(fingerprint, config, workspace) / "evidence.npz"
    return Evidence.load(path) if path.exists() else None


def saved_reports(fingerprint: str, workspace: Workspace) -> list[SavedReport]:
    """Return all saved reports of this content, the newest first, without damaged and outdated
    ones."""
    found = []
    for path in (workspace.reports / fingerprint[:16]).glob("*/report.json"):
        try:
            raw = _read(path)
        except DataError:
            continue
        if raw is None or not _is_ours(path, raw):
            continue
        made = datetime.fromisoformat(raw["made"]).astimezone()
        config = StabilityConfig.from_dict(raw["config"])
        found.append(SavedReport(path.parent, raw["dataset"], config, made))
    return sorted(found, key=lambda saved: saved.made, reverse=True)


def _is_ours(path: Path, raw: dict) -> bool:
    """Return whether the report's settings are known to this version and can be requested again."""
    try:
        return StabilityConfig.from_dict(raw["config"]).key == path.parent.name
    except ConfigError:
        return False


def save_calibration(calibration: Calibration, workspace: Workspace) -> Path:
    """Save a calibration; it depends on no dataset of the workspace."""
    path = calibration_path(calibration.config, workspace)
    write_json(path, {"format": _FORMAT, **calibration.to_dict()})
    return path


def calibration_path(config: CalibrationConfig, workspace: Workspace) -> Path:
    """Return the path of the calibration of this configuration."""
    return workspace.reports / "calibration" / f"{config.key}.json"


def load_calibration(config: CalibrationConfig, workspace: Workspace) -> Calibration | None:
    """Return the saved calibration, or None where there is none (or one of an older format)."""
    raw = _read(calibration_path(config, workspace))
    return None if raw is None else Calibration.from_dict(raw)


def _read(path: Path) -> dict | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(
            "the report cannot be read",
            where=str(path),
            todo="delete this file and compute the report again",
        ) from error
    return raw if raw.get("format") == _FORMAT else None
