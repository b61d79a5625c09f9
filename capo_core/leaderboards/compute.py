"""A board from a workspace: its dataset, the systems of a track, and generations as rows.

What command, page and run kind call. All modules with systems are imported here, so that the
registry is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

import capo_core
from capo_core.errors import ConfigError
from capo_core.evaluation.streams import run_outputs
from capo_core.leaderboards import encoder, linear  # noqa: F401  (they register their systems)
from capo_core.leaderboards.board import Leaderboard, compute_board
from capo_core.leaderboards.boards import CONTENT, Board, check_track
from capo_core.leaderboards.cells import BoardTask, board_task
from capo_core.leaderboards.find import find_dataset, finished_runs
from capo_core.leaderboards.imitations import alike_for_all, imitation_rows
from capo_core.leaderboards.systems import Prediction, Resources, System
from capo_core.progress import Progress, silent
from capo_core.run_folder import disk_errors, find_run
from capo_core.text.embeddings import Embedder
from capo_core.workspace import Workspace, atomic_file, content_hash, make_folder


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
    again: bool = False,
    progress: Progress = silent,
) -> Leaderboard:
    """Return a board on one track, scored.

    Args:
        data: name of the dataset; by default the only one of the board.
        systems: names of systems; all of the track by default.
        runs: generations to score as rows; by default all finished ones on the test part.
        with_runs: whether generations are scored at all; only on the content track, since they
            do not read the annotators' explanations.
        again: whether saved predictions are left aside. Each is saved as soon as it is there, so
            that a stopped computation resumes, and a new generation costs no training anew.

    Raises:
        ConfigError: there is no such track or system, or generations are named on a track that
            they have no rows on.
        DataError: there is no such dataset, or a run is of another one.
    """
    check_track(board, track)
    if runs:
        check_generations(track)
    dataset = find_dataset(workspace, board, data)
    task = board_task(dataset, board)
    rows = []
    if with_runs and track == CONTENT:
        folders = (
            finished_runs(workspace, dataset)
            if runs is None
            else [find_run(workspace, name) for name in runs]
        )
        if folders:
            alike = {each.run_id for each in folders if alike_for_all(each.config["settings"])}
            rows = imitation_rows(task, run_outputs(dataset, folders)[0], alike)
    resources = Resources(Embedder(workspace.cache), seeds, progress)

    def predict(system: System) -> Prediction:
        path = _saved(workspace, task, track, system, seeds)
        found = None if again else _read(path, task)
        if found is None:
            found = system.predict(task.given(), track, resources)
            _write(path, found)
        return found

    return compute_board(
        task, track, resources, names=systems, more=rows, predict=predict, progress=progress
    )


def check_generations(track: str) -> None:
    """Raise `ConfigError` unless generations can have a row on the track."""
    if track != CONTENT:
        raise ConfigError(
            "generations do not read the annotators' explanations of the test items, so that their "
            f"rows stand on the track {CONTENT!r} alone",
            todo=f"--track {CONTENT}, or leave out --run",
            option="--run",
        )


def _saved(
    workspace: Workspace, task: BoardTask, track: str, system: System, seeds: tuple[int, ...]
) -> Path:
    """Return where the prediction of a system is saved: by all that it depends on."""
    dataset = task.dataset
    key = content_hash(
        dataset.fingerprint, dataset.split_fingerprint, task.board.name, track, system.name,
        system.revision, seeds, capo_core.__version__,
    )  # fmt: skip
    return workspace.cache / "leaderboards" / f"{key[:32]}.npz"


def _read(path: Path, task: BoardTask) -> Prediction | None:
    try:
        with np.load(path, allow_pickle=False) as saved:
            chances, note = saved["chances"], str(saved["note"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None  # a damaged file of a cache is computed anew
    shape = (len(task.test), len(task.board.labels))
    return Prediction(chances, note) if chances.shape == shape else None


def _write(path: Path, prediction: Prediction) -> None:
    with disk_errors(path):
        make_folder(path.parent)
        with atomic_file(path) as file:
            np.savez(file, chances=prediction.chances, note=np.array(prediction.note))
