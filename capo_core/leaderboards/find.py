"""The dataset of a board in a workspace, and the generations on it."""

from __future__ import annotations

from capo_core.data.catalog import Catalog, Entry
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, DataError
from capo_core.formatting import listed
from capo_core.leaderboards.boards import BOARDS, Board
from capo_core.run_folder import RunFolder, list_runs
from capo_core.workspace import Workspace


def board_of(dataset: Dataset) -> Board | None:
    """Return the board that a dataset holds the data of; None for any other dataset.

    It comes from files of LeWiDi, and has the board's labels and test items.
    """
    if not _of_lewidi(dataset):
        return None
    if not (dataset.items["split"] == "test").any():
        return None
    labels = set(dataset.task.scale.labels)
    return next((board for board in BOARDS.values() if set(board.labels) == labels), None)


def find_dataset(workspace: Workspace, board: Board, name: str = "") -> Dataset:
    """Return the dataset of a board: of this name, or the only one in the workspace.

    Raises:
        DataError: there is none, or several.
    """
    if name:
        return Catalog(workspace).load(name)
    found = datasets_of(workspace, board)
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"several datasets are of {board.title}: {listed([one.name for one in found])}",
            todo="name one of them (--data)",
        )
    raise DataError(
        f"no dataset of the workspace is LeWiDi's {board.title} with its test part",
        expected="all parts of the board as one dataset with their split",
        todo=f"data fetch {source_of(board)} (or --fetch), or import the files together: "
        f"data import {board.file}_train.json {board.file}_dev.json {board.file}_test.json "
        f"--name lewidi-{board.name}; a dataset under another name is named by --data",
    )


def datasets_of(workspace: Workspace, board: Board) -> list[Dataset]:
    """Return the datasets of the workspace that are the board's."""
    catalog = Catalog(workspace)
    names = [entry.name for entry in catalog.entries() if _of_lewidi(entry) and not entry.problem]
    return [one for one in map(catalog.load, names) if board_of(one) == board]


def source_of(board: Board) -> str:
    """Return the name under which `data fetch` has the board's files."""
    return f"lewidi-{board.name}"


def _of_lewidi(one: Dataset | Entry) -> bool:
    return "lewidi" in f"{one.origin} {one.name}".casefold()


def finished_runs(workspace: Workspace, dataset: Dataset) -> list[RunFolder]:
    """Return the finished generations on the test part of exactly this dataset and split."""
    found = []
    for run in list_runs(workspace):
        try:
            config = run.config
            about = config.get("dataset", {})
            if (
                config.get("stage") == "generate"
                and run.done
                and about.get("fingerprint") == dataset.fingerprint
                and about.get("split") == dataset.split_fingerprint
                and config["settings"]["split"] == "test"
            ):
                found.append(run)
        except (CapoError, KeyError, TypeError, AttributeError):
            continue  # a broken run is reported where runs are listed
    return found
