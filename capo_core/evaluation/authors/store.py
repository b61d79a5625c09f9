"""Saved attributions by likelihood: the newest of each dataset content and split."""

from __future__ import annotations

from pathlib import Path

from capo_core.dataset import Dataset
from capo_core.evaluation.authors.result import AuthorAttribution
from capo_core.run_folder import disk_errors
from capo_core.workspace import Workspace, make_folder, read_saved, write_json

FILE = "authors-{split}.json"
_FORMAT = 1  # raised when a result of an older version cannot be read any more


def path_of(workspace: Workspace, fingerprint: str, split: str) -> Path:
    """Return where the result of a dataset's content and split is saved."""
    return workspace.reports / fingerprint[:16] / FILE.format(split=split[:16])


def save(result: AuthorAttribution, workspace: Workspace) -> Path:
    """Write a result, in place of an earlier one; return its path."""
    path = path_of(workspace, result.fingerprint, result.split)
    with disk_errors(path):
        make_folder(path.parent)
        write_json(path, {"format": _FORMAT, **result.to_dict()})
    return path


def load(workspace: Workspace, dataset: Dataset) -> AuthorAttribution | None:
    """Return the saved result of a dataset on its present split; None without one.

    Raises:
        DataError: the file cannot be read.
    """
    path = path_of(workspace, dataset.fingerprint, dataset.split_fingerprint)
    if not path.is_file():
        return None
    return read_saved(
        path,
        lambda raw: AuthorAttribution.from_dict(raw) if raw["format"] == _FORMAT else None,
        "the saved attribution by likelihood",
        f"compute it again: python -m capo_core authors {dataset.name} --again",
    )
