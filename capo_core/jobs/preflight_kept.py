"""What is kept about runs that are not in the queue yet: what was found, and what they will be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capo_core.jobs.preflight_found import Preflight
from capo_core.jobs.request import Request
from capo_core.workspace import Workspace, content_hash, make_folder, safe_name, write_json


def keep(found: Preflight, workspace: Workspace, settings: Mapping[str, Any]) -> None:
    """Keep what was found where `kept` finds it."""
    write_json(_place(workspace, found.kind, settings), found.to_dict())


def kept(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Preflight | None:
    """What the job "preflight" found for this run; None where nobody looked."""
    try:
        raw = json.loads(_place(workspace, kind, settings).read_text(encoding="utf-8"))
        return Preflight.from_dict(raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def announce(workspace: Workspace, run_id: str, request: Request) -> None:
    """Say what a run will be that is not in the queue yet, for the looks at runs that follow it."""
    folder = _announced(workspace, run_id)
    make_folder(folder)
    request.write(folder)


def announced(workspace: Workspace, run_id: str) -> Request:
    """What was announced under that name; `RunError` where nothing was."""
    return Request.read(_announced(workspace, run_id))


def _announced(workspace: Workspace, run_id: str) -> Path:
    return workspace.cache / "preflight" / safe_name(run_id)


def _place(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Path:
    return workspace.cache / "preflight" / f"{content_hash(kind, dict(settings))[:16]}.json"
