"""Files with label distributions: taken in once, kept under their content's hash. No Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from capo_core.distributions import kept
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.read_file import read_judgments
from capo_core.errors import DataError
from capo_core.task import NLI
from capo_core.workspace import Workspace


def labels_of(text: str) -> tuple[str, ...] | None:
    """What somebody typed as labels; None where they typed nothing."""
    labels = tuple(part.strip() for part in text.split(",") if part.strip())
    return labels or None


def take_in(
    workspace: Workspace, path: Path, labels: Sequence[str] | None, own: Sequence[str]
) -> str:
    """Read a file and keep what is in it; its id.

    Args:
        labels: in the order of the file's lists, as somebody named them; None: those of the
            dataset, and where they do not fit, NLI's.
        own: the dataset's labels.

    Raises:
        DataError: the file cannot be used; it says which line, and why.
    """
    if labels is not None:
        return kept.keep(read_judgments(path, labels), workspace)
    try:
        found = read_judgments(path, None if tuple(own) == NLI.scale.labels else own)
    except DataError:
        if tuple(own) == NLI.scale.labels:
            raise
        found = read_judgments(path, None)
    return kept.keep(found, workspace)


def opened(
    workspace: Workspace, names: Iterable[str], load: Callable[[Workspace, str], Judgments]
) -> tuple[dict[str, Judgments], list[str]]:
    """The open files of an address by their ids, and those that are not kept here."""
    found: dict[str, Judgments] = {}
    missing = []
    for name in names:
        if not name:
            continue
        if not (name.isalnum() and len(name) <= 64):
            missing.append("by another name")
            continue
        try:
            found[name] = load(workspace, name)
        except DataError:
            missing.append(name)
    return found, missing
