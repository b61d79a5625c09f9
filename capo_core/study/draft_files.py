"""A study's folder: its draft as files, written whole, read and checked.

studies/<study_id>/design.json          the design, what it was drawn from, notes, counts
                   trials.parquet …     the tables of `tables`
                   sealed.parquet       readable by its owner alone (mode 0600)
                   frozen.json          see `freeze`
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from capo_core.errors import CapoError, StudyError
from capo_core.schema import Table, check
from capo_core.study.config import StudyConfig
from capo_core.study.design import Draft
from capo_core.study.sources import LeftOut
from capo_core.study.tables import ASSIGNMENTS, CARDS, FEEDBACK, SEALED, TEXTS, TRIALS
from capo_core.workspace import Workspace, atomic_file, make_folder, safe_name, write_json

DESIGN = "design.json"
FROZEN = "frozen.json"
TABLES: tuple[Table, ...] = (TRIALS, TEXTS, CARDS, ASSIGNMENTS, FEEDBACK, SEALED)
VERSION = 1  # of the layout
OWNER_ONLY = 0o600


def folder_of(workspace: Workspace, study_id: str) -> Path:
    """Where a study lies, be it there or not; `ConfigError` for a name that is no name."""
    return workspace.studies / safe_name(study_id)


def create(workspace: Workspace, draft: Draft, *, replace: bool = False) -> str:
    """Write a draft into the workspace; the study's id, which is its name.

    Raises:
        StudyError: there is a study of this name (without `replace`), or it is frozen.
    """
    study_id = draft.config.name
    folder = folder_of(workspace, study_id)
    with workspace.lock(f"study-{study_id}"[:80]):
        if (folder / FROZEN).exists():
            raise StudyError(
                f"the study {study_id!r} is frozen: nothing of it can change any more",
                todo="give the new design another name",
            )
        if (folder / DESIGN).exists() and not replace:
            raise StudyError(
                f"there is a study named {study_id!r}",
                where=str(folder),
                todo="choose another name, or replace the draft (--replace)",
            )
        make_folder(folder)
        (folder / DESIGN).unlink(missing_ok=True)  # a draft without it is not there yet
        for table, frame in tables_of(draft).items():
            _write(folder / f"{table}.parquet", frame, owner_only=table == SEALED.name)
        write_json(folder / DESIGN, design_of(draft))
    return study_id


def load(workspace: Workspace, study_id: str) -> Draft:
    """The draft on disk, with its tables checked.

    Raises:
        StudyError: there is none of this name, or its files are damaged.
    """
    folder = folder_of(workspace, study_id)
    raw = read_json(folder / DESIGN)
    try:
        if raw["version"] != VERSION:
            raise StudyError(
                f"its layout is version {raw['version']!r}",
                where=str(folder / DESIGN),
                expected=f"version {VERSION}",
                todo="use the version of this program that made it",
            )
        config = StudyConfig.from_dict(raw["config"])
        left_out = tuple(LeftOut(**one) for one in raw["left_out"])
        fingerprint, notes = str(raw["fingerprint"]), tuple(map(str, raw["notes"]))
    except (KeyError, TypeError) as error:
        raise StudyError(
            f"the design is damaged ({error!r})", where=str(folder / DESIGN)
        ) from error
    frames = {table.name: _read(folder / f"{table.name}.parquet", table) for table in TABLES}
    return Draft(config=config, fingerprint=fingerprint, left_out=left_out, notes=notes, **frames)


def names(workspace: Workspace) -> list[str]:
    """All studies, frozen or not, in alphabetical order."""
    return sorted(path.parent.name for path in workspace.studies.glob(f"*/{DESIGN}"))


def tables_of(draft: Draft) -> dict[str, pd.DataFrame]:
    """A draft's tables by name."""
    return {table.name: getattr(draft, table.name) for table in TABLES}


def design_of(draft: Draft) -> dict[str, Any]:
    """What design.json says."""
    return {
        "version": VERSION,
        "study_id": draft.config.name,
        "config": draft.config.to_dict(),
        "fingerprint": draft.fingerprint,
        "left_out": [asdict(one) for one in draft.left_out],
        "notes": list(draft.notes),
    }


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a study's folder; `StudyError` where there is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"there is no study named {path.parent.name!r}"
            if path.name == DESIGN
            else f"{path.name} is missing",
            where=str(path.parent),
            todo="see the command study create",
        ) from None
    except (OSError, ValueError) as error:
        raise StudyError(f"the file cannot be read ({error})", where=str(path)) from error
    if not isinstance(raw, dict):
        raise StudyError("the file does not hold a JSON object", where=str(path))
    return raw


def _write(path: Path, frame: pd.DataFrame, *, owner_only: bool) -> None:
    with atomic_file(path) as file:  # a new file is readable by its owner alone
        frame.to_parquet(file, index=False)
    path.chmod(OWNER_ONLY if owner_only else 0o644)


def _read(path: Path, table: Table) -> pd.DataFrame:
    try:
        return check(pd.read_parquet(path), table, source=str(path))
    except CapoError:
        raise
    except Exception as error:  # pyarrow has many kinds for a damaged file
        raise StudyError(
            f"the table cannot be read ({type(error).__name__})",
            where=str(path),
            todo="put the file back from a copy, or design the study anew under another name",
        ) from error
