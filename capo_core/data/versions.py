"""One version of a dataset on disk: written whole, read back and checked."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from capo_core.data.importing import ImportReport
from capo_core.data.mapping import Mapping
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, DataError
from capo_core.task import Task
from capo_core.workspace import safe_name, write_json

_TABLES = ("items", "annotations", "crowd")
_LAYOUT = 1  # of the files on disk


@dataclass(frozen=True)
class Entry:
    """One line of the catalog.

    Attributes:
        task: the task's name.
        items, annotators, annotations: how many.
        shipped: one of the read-only demos.
        added: when, as an ISO time in UTC; "" for demos.
        problem: why it cannot be read, "" if nothing is known to be wrong.
    """

    name: str
    task: str
    items: int
    annotators: int
    annotations: int
    fingerprint: str
    origin: str = ""
    simulated: bool = False
    shipped: bool = False
    added: str = ""
    problem: str = ""

    def to_dict(self) -> dict:
        return asdict(self)


def current_version(home: Path) -> str | None:
    """The version that `current.json` names; None where there is no dataset."""
    try:
        version = json.loads((home / "current.json").read_text(encoding="utf-8"))["version"]
        return safe_name(version)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, CapoError) as error:
        raise _edited(home / "current.json", error) from None


def entry_of(dataset: Dataset, *, shipped: bool = False, added: str = "") -> Entry:
    """The catalog's line of a dataset."""
    return Entry(
        name=dataset.name,
        task=dataset.task.name,
        items=len(dataset.items),
        annotators=len(dataset.annotators),
        annotations=len(dataset.annotations),
        fingerprint=dataset.fingerprint,
        origin=dataset.origin,
        simulated=dataset.simulated,
        shipped=shipped,
        added=added,
    )


def write_version(
    folder: Path, dataset: Dataset, entry: Entry, report: ImportReport | None
) -> None:
    """All files of a version into the empty `folder`."""
    for table in _TABLES:
        frame = getattr(dataset, table)
        if frame is not None:
            _write_table(folder / f"{table}.parquet", frame)
    meta = {
        "layout": _LAYOUT,
        "entry": entry.to_dict(),
        "task": dataset.task.to_dict(),
        # Said here, for a file that is gone because a writer is replacing the version must not
        # look like one that never was.
        "crowd": dataset.crowd is not None,
        "report": report is not None,
    }
    if report is not None:
        about = report.to_dict()
        about.pop("set_aside")
        write_json(folder / "report.json", about)
        _write_table(folder / "set_aside.parquet", report.set_aside)
    write_json(folder / "meta.json", meta)


def _write_table(path: Path, frame: pd.DataFrame) -> None:
    with path.open("wb") as file:
        frame.to_parquet(file, index=False)
        file.flush()
        os.fsync(file.fileno())


def _meta(folder: Path) -> dict:
    path = folder / "meta.json"
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        Entry(**meta["entry"])
        Task.from_dict(meta["task"])
        if not isinstance(meta["crowd"], bool) or not isinstance(meta["report"], bool):
            raise ValueError("crowd or report is neither true nor false")
    except (ValueError, KeyError, TypeError, CapoError) as error:
        raise _edited(path, error) from None
    return meta


def load_entry(folder: Path) -> Entry:
    """The catalog's line of the version in `folder`."""
    return Entry(**_meta(folder)["entry"])


def load_version(name: str, folder: Path) -> Dataset:
    """The dataset; FileNotFoundError where the version is gone, DataError where it was changed."""
    meta = _meta(folder)
    entry = Entry(**meta["entry"])
    tables = {}
    for table in _TABLES:
        path = folder / f"{table}.parquet"
        if table == "crowd" and not meta["crowd"]:
            continue
        try:
            tables[table] = pd.read_parquet(path)
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _edited(path, error) from None
    try:
        dataset = Dataset(
            name=name,
            task=Task.from_dict(meta["task"]),
            origin=entry.origin,
            simulated=entry.simulated,
            **tables,
        )
    except CapoError as error:
        raise _edited(folder, error) from None
    if dataset.fingerprint != entry.fingerprint:
        raise _edited(folder, f"fingerprint {dataset.fingerprint[:12]}…, recorded "
                              f"{entry.fingerprint[:12]}…")  # fmt: skip
    return dataset


def load_report(folder: Path) -> ImportReport | None:
    """The import report, where there is one; errors as `load_version`."""
    path = folder / "report.json"
    if not _meta(folder)["report"]:
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        about.pop("reasons")  # counted from the rows
        if about["mapping"] is not None:
            about["mapping"] = Mapping.from_dict(about["mapping"])
        aside = pd.read_parquet(folder / "set_aside.parquet")
        return ImportReport(**(about | {"notes": tuple(about["notes"]), "set_aside": aside}))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise _edited(path, error) from None


def _edited(path: Path, why: object) -> DataError:
    return DataError(
        f"the files of this dataset are damaged or were changed since it was added ({why})",
        where=str(path),
        expected="the files as the catalog wrote them",
        todo="import it again with --replace",
    )
