"""Freezing: a hash over design, texts, order, sources and planned analysis, after which nothing
changes.

frozen.json: {"hash", "frozen" (ISO time, UTC), "parts" {file: hash}, "leaks" {kind: texts},
"leaks_accepted"}. The hash is over contents, not over files: the same study gives the same hash on
every machine and with every version of the file formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from capo_core.data.catalog import Catalog
from capo_core.errors import StudyError
from capo_core.schema import Table
from capo_core.study.design import leaks
from capo_core.study.design.draft import (
    DESIGN,
    FROZEN,
    TABLES,
    Draft,
    design_of,
    folder_of,
    load,
    read_json,
    tables_of,
)
from capo_core.workspace import Workspace, content_hash, write_json

READ_ONLY = 0o444
OWNER_READ_ONLY = 0o400


@dataclass(frozen=True)
class Frozen:
    """The record of a frozen study.

    Attributes:
        hash: SHA-256 (hex) over `parts`; print it where the study is announced.
        frozen: when, ISO time in UTC.
        parts: of the design and of each table.
        leaks: kind → texts that showed it when the study was frozen.
    """

    study_id: str
    hash: str
    frozen: str
    parts: dict[str, str]
    leaks: dict[str, int]


def freeze(workspace: Workspace, study_id: str, *, accept_leaks: bool = False) -> Frozen:
    """Freeze a draft, so that nothing of it changes; a frozen study is only verified.

    Args:
        accept_leaks: freeze although texts would give their source away; their number is frozen
            with the study and belongs into the report.

    Raises:
        StudyError: there is no such study, it was frozen and changed since, its dataset changed
            since it was drawn, or there are leaks.
    """
    folder = folder_of(workspace, study_id)
    with workspace.lock(f"study-{study_id}"[:80]):
        if (folder / FROZEN).exists():
            return verify(workspace, study_id)
        draft = load(workspace, study_id)
        found = leaks.summary(leaks.find_leaks(draft, _same_data(workspace, draft)))
        if found and not accept_leaks:
            listed = ", ".join(f"{kind} in {count} texts" for kind, count in found.items())
            raise StudyError(
                f"sources could be recognised: {listed}",
                where=study_id,
                todo="list them (study leaks) and exclude such texts, or freeze the study as it "
                "is and report the leaks (--accept-leaks)",
            )
        parts = parts_of(draft)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for table in TABLES:
            sealed = table.name == "sealed"
            path = folder / f"{table.name}.parquet"
            path.chmod(OWNER_READ_ONLY if sealed else READ_ONLY)
        (folder / DESIGN).chmod(READ_ONLY)
        frozen = Frozen(study_id, content_hash(parts), now, parts, found)
        write_json(
            folder / FROZEN,
            {
                "hash": frozen.hash,
                "frozen": now,
                "parts": parts,
                "leaks": found,
                "leaks_accepted": bool(found),
            },
        )
        (folder / FROZEN).chmod(READ_ONLY)
    return frozen


def verify(workspace: Workspace, study_id: str) -> Frozen:
    """Return the record of a frozen study after checking that everything on disk is unchanged.

    Raises:
        StudyError: the study is not frozen, or a part of it was changed; it says which.
    """
    folder = folder_of(workspace, study_id)
    draft = load(workspace, study_id)
    if not (folder / FROZEN).exists():
        raise StudyError(
            f"the study {study_id!r} is not frozen",
            where=str(folder),
            todo="freeze it (study freeze), so that nothing can change while people judge",
        )
    raw = read_json(folder / FROZEN)
    try:
        frozen = Frozen(study_id, raw["hash"], raw["frozen"], dict(raw["parts"]), raw["leaks"])
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(
            f"frozen.json is damaged ({error!r})", where=str(folder / FROZEN)
        ) from error
    now = parts_of(draft)
    changed = sorted(
        name for name in {*now, *frozen.parts} if now.get(name) != frozen.parts.get(name)
    )
    if changed or content_hash(frozen.parts) != frozen.hash:
        raise StudyError(
            f"the study was changed after it was frozen: {', '.join(changed) or FROZEN}",
            where=str(folder),
            expected=f"what has the hash {frozen.hash[:16]}…",
            todo="put the files back from a copy; judgments on a changed study prove nothing",
        )
    return frozen


def is_frozen(workspace: Workspace, study_id: str) -> bool:
    """Return whether the study was frozen; `verify` checks that it is unchanged."""
    return (folder_of(workspace, study_id) / FROZEN).exists()


def hash_of(workspace: Workspace, study_id: str) -> str:
    """Return the hash under which a study was frozen, without checking that it is unchanged.

    Raises:
        StudyError: it is not frozen, or its record is damaged.
    """
    place = folder_of(workspace, study_id) / FROZEN
    found = read_json(place).get("hash")
    if not isinstance(found, str):
        raise StudyError("frozen.json is damaged (no hash)", where=str(place))
    return found


def parts_of(draft: Draft) -> dict[str, str]:
    """Return hashes of the design (with seed and planned analysis) and of each table."""
    parts = {"design": content_hash(design_of(draft))}
    by_name = {table.name: table for table in TABLES}
    for name, frame in tables_of(draft).items():
        parts[name] = _rows_hash(frame, by_name[name])
    return parts


def _rows_hash(frame: pd.DataFrame, table: Table) -> str:
    """Return the hash of a table's rows, sorted by its key."""
    columns = []
    for column in table.columns:
        values = frame[column.name].tolist()
        columns.append([int(v) for v in values] if column.kind == "count" else values)
    return content_hash(table.names, sorted(zip(*columns, strict=True)))


def _same_data(workspace: Workspace, draft: Draft):
    """Load the dataset that the draft was drawn from; `StudyError` where it has changed."""
    dataset = Catalog(workspace).load(draft.config.dataset)
    if dataset.fingerprint != draft.fingerprint:
        raise StudyError(
            f"the dataset {dataset.name!r} changed since the study was drawn",
            where=draft.config.name,
            todo="draw it again (study create --replace)",
        )
    return dataset
