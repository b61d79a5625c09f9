"""A board of LeWiDi-2025 on one track, as a run."""

from __future__ import annotations

from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import Settings
from capo_core.runs.kinds.inputs import load_dataset
from capo_core.workspace import Workspace


def score_board(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Score our rows on `settings["board"]`, and save the board in the workspace.

    Raises:
        DataError: the dataset has changed since the run was requested, or is none of the board.
    """
    from capo_core.leaderboards import store
    from capo_core.leaderboards.boards import find_board
    from capo_core.leaderboards.compute import compute

    dataset = load_dataset(settings, workspace)
    board = find_board(settings["board"])
    result = compute(
        workspace, board, settings["track"], data=dataset.name,
        progress=part_of(progress, 0.02, 0.98),
    )  # fmt: skip
    store.save(result, workspace)
    return f"board {board.title}, track {settings['track']}, scored"
