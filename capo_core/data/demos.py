"""The simulated datasets that ship with the project, in `data/` at its root; read-only."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from capo_core.data.importing import read_dataset
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.task import Task

FOLDER = Path(__file__).resolve().parents[2] / "data"
NAMES = ("demo-nli", "demo-paraphrase")


def names(folder: Path = FOLDER) -> list[str]:
    """The demos whose two files (table and task) are there."""
    return [name for name in NAMES if all(path.is_file() for path in _files(name, folder))]


def load(name: str, folder: Path = FOLDER) -> Dataset:
    """One demo; read once per process as long as its files stay the same.

    Raises:
        DataError: a file of the demo is damaged.
    """
    stamps = tuple((str(path), path.stat().st_mtime_ns) for path in _files(name, folder))
    return _load(name, stamps)


def _files(name: str, folder: Path) -> tuple[Path, Path]:
    return folder / f"{name}.csv", folder / f"{name}.json"


@lru_cache(maxsize=8)
def _load(name: str, stamps: tuple[tuple[str, int], ...]) -> Dataset:
    table, about = (Path(path) for path, _ in stamps)
    try:
        described = json.loads(about.read_text(encoding="utf-8"))
        task = Task.from_dict(described.get("task", described))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"the demo's description cannot be read ({error})",
            where=str(about),
            todo="get the project's files again",
        ) from None
    read = read_dataset(table, name=name, format="table", task=task)
    origin = described.get("origin") or "simulated annotators, shipped with the project"
    return replace(read.dataset, origin=origin, simulated=True)
