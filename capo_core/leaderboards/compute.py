"""A board from a workspace: its dataset, the systems of a track, and generations as rows.

What command, page and run kind call. All modules with systems are imported here, so that the
registry is whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from capo_core.evaluation.streams import run_outputs
from capo_core.leaderboards import encoder, linear  # noqa: F401  (they register their systems)
from capo_core.leaderboards.board import Leaderboard, compute_board
from capo_core.leaderboards.boards import CONTENT, Board, check_track
from capo_core.leaderboards.cells import board_task
from capo_core.leaderboards.find import find_dataset, finished_runs
from capo_core.leaderboards.imitations import imitation_rows
from capo_core.leaderboards.systems import Resources
from capo_core.progress import Progress, silent
from capo_core.run_folder import find_run
from capo_core.text.embeddings import Embedder
from capo_core.workspace import Workspace


def compute(
    workspace: Workspace,
    board: Board,
    track: str,
    *,
    data: str = "",
    systems: Sequence[str] = (),
    runs: Sequence[str] | None = None,
    with_runs: bool = True,
    seeds: tuple[int, ...] = (0, 1, 2),
    progress: Progress = silent,
) -> Leaderboard:
    """Return a board on one track, scored.

    Args:
        data: name of the dataset; by default the only one of the board.
        systems: names of systems; all of the track by default.
        runs: generations to score as rows; by default all finished ones on the test part.
        with_runs: whether generations are scored at all; only on the content track, since they
            do not read the annotators' explanations.

    Raises:
        ConfigError: there is no such track or system.
        DataError: there is no such dataset, or a run is of another one.
    """
    check_track(board, track)
    dataset = find_dataset(workspace, board, data)
    task = board_task(dataset, board)
    rows = []
    if with_runs and track == CONTENT:
        folders = (
            finished_runs(workspace, dataset)
            if runs is None
            else [find_run(workspace, name) for name in runs]
        )
        rows = imitation_rows(task, run_outputs(dataset, folders)[0]) if folders else []
    resources = Resources(Embedder(workspace.cache), seeds, progress)
    return compute_board(task, track, resources, names=systems, more=rows, progress=progress)
