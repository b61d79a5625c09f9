"""Saved results of transfer: one for each home dataset, other data, team and settings."""

from __future__ import annotations

import json
from pathlib import Path

from capo_core.distributions.transfer_report import Transfer
from capo_core.run_folder import disk_errors
from capo_core.workspace import Workspace, content_hash, make_folder, write_json

FOLDER = "transfer"


def _folder(workspace: Workspace, fingerprint: str) -> Path:
    return workspace.root / "distributions" / FOLDER / fingerprint[:16]


def save(result: Transfer, workspace: Workspace) -> Path:
    """Write a result, in place of an earlier one of the same data, team and settings; return its
    path. One that does not say its settings, of an earlier version, keeps its name."""
    key = [result.away, dict(result.members)]
    if result.settings:
        key += [dict(result.settings), result.away_fingerprint]
    name = content_hash(*key)[:16]
    path = _folder(workspace, result.fingerprint) / f"{name}.json"
    with disk_errors(path):
        make_folder(path.parent)
        write_json(path, result.to_dict())
    return path


def saved(workspace: Workspace, fingerprint: str) -> list[Transfer]:
    """Return the saved results of a home dataset, the newest first, without damaged ones."""
    found = []
    paths = _folder(workspace, fingerprint).glob("*.json")
    for path in sorted(paths, key=lambda each: each.stat().st_mtime, reverse=True):
        try:
            found.append(Transfer.from_dict(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # the command writes it anew
    return found
