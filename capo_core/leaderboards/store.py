"""Results of boards in a workspace: the newest of each board and track."""

from __future__ import annotations

from pathlib import Path

from capo_core.leaderboards.board import Leaderboard
from capo_core.leaderboards.boards import BOARDS, TRACKS
from capo_core.run_folder import disk_errors
from capo_core.workspace import Workspace, make_folder, read_saved, write_json

FOLDER = "leaderboards"


def _path(workspace: Workspace, board: str, track: str) -> Path:
    return workspace.root / FOLDER / f"lewidi-{board}-{track}.json"


def save(result: Leaderboard, workspace: Workspace) -> Path:
    """Write a result, in place of an earlier one of the same board and track; return its path."""
    path = _path(workspace, result.board, result.track)
    with disk_errors(path):
        make_folder(path.parent)
        write_json(path, result.to_dict())
    return path


def load(workspace: Workspace, board: str, track: str) -> Leaderboard | None:
    """Return the saved result of a board and track; None without one.

    Raises:
        DataError: the file cannot be read.
    """
    path = _path(workspace, board, track)
    if not path.is_file():
        return None
    return read_saved(
        path,
        Leaderboard.from_dict,
        "the saved board",
        f"compute it again: benchmark lewidi --dataset {board} --track {track}",
    )


def saved(workspace: Workspace) -> list[tuple[str, str]]:
    """Return (board, track) of all saved results, in the order of the registry."""
    return [
        (board, track)
        for board in BOARDS
        for track in TRACKS
        if _path(workspace, board, track).is_file()
    ]
