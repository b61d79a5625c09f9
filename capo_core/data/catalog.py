"""The catalog: datasets of a workspace, and the ones that ship with the project.

On disk a dataset is `datasets/<name>/<version>/` with `items.parquet`, `annotations.parquet`,
`crowd.parquet` (if there are counts), `meta.json`, `report.json` and `set_aside.parquet` (the
rejected rows), and a file `current.json` that names the version. A version is written under a
temporary name, renamed when it is complete, and only then named in `current.json`, which is
replaced in one step: a reader sees the old dataset or the new one. Any number of processes may
read and write.

A shipped dataset is read-only: a table `<name>.csv` and its task `<name>.json` in one folder.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from dataclasses import replace as dataclass_replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa

from capo_core.data import export as data_export
from capo_core.data.columns import ColumnMapping
from capo_core.data.formats.registry import download_sources
from capo_core.data.importing import ImportReport, read_dataset
from capo_core.data.pseudonyms import KEY_FILE, key_table
from capo_core.data.splits import Shares, assign_splits, split_sizes
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError, DataError
from capo_core.export_formats import csv_text, unescape
from capo_core.formatting import name_list
from capo_core.provenance import UNKNOWN, kind_of
from capo_core.run_folder import list_runs
from capo_core.shipped import FOLDER as SHIPPED
from capo_core.task import Task
from capo_core.workspace import Workspace, make_folder, safe_name, write_json

_TABLES = ("items", "annotations", "crowd")
_LAYOUT = 1  # of the files on disk


@dataclass(frozen=True)
class Entry:
    """One line of the catalog.

    Attributes:
        task: the task's name.
        items, annotators, annotations: counts.
        shipped: whether the dataset ships with the project (read-only).
        added: ISO time (UTC) when it was added; "" for shipped datasets.
        problem: why it cannot be read; "" if nothing is known to be wrong.
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
    """Return the version that `current.json` names; None if there is no dataset."""
    try:
        version = json.loads((home / "current.json").read_text(encoding="utf-8"))["version"]
        return safe_name(version)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, CapoError) as error:
        raise _edited(home / "current.json", error) from None


def entry_of(dataset: Dataset, *, shipped: bool = False, added: str = "") -> Entry:
    """Return the catalog's line of a dataset."""
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
    """Write all files of a version into the empty `folder`."""
    for table in _TABLES:
        frame = getattr(dataset, table)
        if frame is not None:
            _write_table(folder / f"{table}.parquet", frame)
    meta = {
        "layout": _LAYOUT,
        "entry": entry.to_dict(),
        "task": dataset.task.to_dict(),
        # Recorded here: a file that is missing because a writer is replacing the version must not
        # look like one that never existed.
        "crowd": dataset.crowd is not None,
        "report": report is not None,
    }
    if report is not None:
        about = report.to_dict()
        about.pop("set_aside")
        write_json(folder / "report.json", about)
        _write_table(folder / "set_aside.parquet", report.rejected)
        if report.pseudonyms:
            key = folder / KEY_FILE
            rows = csv_text(key_table(report.pseudonyms), data_export.provenance_of(dataset))
            key.write_text(rows, encoding="utf-8")
            key.chmod(0o600)
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
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, CapoError) as error:
        raise _edited(path, error) from None
    return meta


def load_entry(folder: Path) -> Entry:
    """Return the catalog's line of the version in `folder`."""
    return Entry(**_meta(folder)["entry"])


def load_version(name: str, folder: Path) -> Dataset:
    """Return the dataset in `folder`.

    Raises:
        FileNotFoundError: the version is gone. DataError: its files were changed.
    """
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
    """Return the import report, None if there is none; errors as in `load_version`."""
    path = folder / "report.json"
    if not _meta(folder)["report"]:
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        about.pop("reasons")  # counted from the rows
        if about["mapping"] is not None:
            about["mapping"] = ColumnMapping.from_dict(about["mapping"])
        rejected = pd.read_parquet(folder / "set_aside.parquet")
        about |= {"notes": tuple(about["notes"]), "rejected": rejected}
        if (folder / KEY_FILE).is_file():
            key = pd.read_csv(folder / KEY_FILE, dtype=str, keep_default_na=False)
            names = key["annotator"].map(unescape)
            about["pseudonyms"] = dict(zip(names, key["pseudonym"], strict=True))
        return ImportReport(**about)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise _edited(path, error) from None


def _edited(path: Path, why: object) -> DataError:
    return DataError(
        f"the files of this dataset are damaged or were changed since it was added ({why})",
        where=str(path),
        expected="the files as the catalog wrote them",
        todo="import it again and replace this one",
        option="--replace",
    )


def shipped_names(folder: Path = SHIPPED) -> list[str]:
    """Return the names of the shipped datasets in `folder`, in alphabetical order."""
    tables = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    return [path.stem for path in tables if path.with_suffix(".json").is_file()]


def load_shipped(name: str, folder: Path = SHIPPED) -> Dataset:
    """Return a shipped dataset; read once per process as long as its files stay the same.

    Raises:
        DataError: a file of the dataset is damaged.
    """
    files = (folder / f"{name}.csv", folder / f"{name}.json")
    return _load_shipped(name, tuple((path, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=8)
def _load_shipped(name: str, stamps: tuple[tuple[Path, int], ...]) -> Dataset:
    table, description = (path for path, _ in stamps)
    try:
        about = json.loads(description.read_text(encoding="utf-8"))
        task = Task.from_dict(about.get("task", about))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"the description of a shipped dataset cannot be read ({error})",
            where=str(description),
            todo="install the project again",
        ) from None
    read = read_dataset(table, name=name, format="table", task=task)
    origin = about.get("origin") or "simulated annotators, shipped with the project"
    return dataclass_replace(read.dataset, origin=origin, simulated=True)


def runs_of_split(workspace: Workspace, dataset: Dataset, *, other: bool = False) -> list[str]:
    """Return the runs on a dataset of this name and content that use its split.

    Args:
        other: those that use another split of the same items instead.
    """
    found = []
    for run in list_runs(workspace):
        try:
            about = run.config.get("dataset")
        except CapoError:  # a folder without a readable configuration is no run of this data
            continue
        if (
            isinstance(about, dict)
            and about.get("name") == dataset.name
            and about.get("fingerprint") == dataset.fingerprint
            and about.get("split") is not None
            and (about["split"] != dataset.split_fingerprint) == other
        ):
            found.append(run.run_id)
    return found


_LOCK = "catalog"
T = TypeVar("T")


class Catalog:
    """The datasets of `workspace`, and the ones shipped in the folder `shipped`."""

    def __init__(self, workspace: Workspace, *, shipped: Path = SHIPPED) -> None:
        self.workspace, self.shipped = workspace, shipped

    def names(self) -> list[str]:
        """Return all datasets, shipped ones first, each group in alphabetical order."""
        own = []
        if self.workspace.datasets.is_dir():
            own = sorted(
                folder.name
                for folder in self.workspace.datasets.iterdir()
                if (folder / "current.json").is_file()
            )
        shipped = shipped_names(self.shipped)
        return shipped + [name for name in own if name not in shipped]

    def entries(self) -> list[Entry]:
        """Return a line for each of `names()`; an unreadable dataset has a `problem`."""
        result = []
        for name in self.names():
            try:
                result.append(self.entry(name))
            except CapoError as error:
                if name in self.names():  # else it was removed in the meantime
                    result.append(Entry(name, "", 0, 0, 0, "", problem=str(error)))
        return result

    def entry(self, name: str) -> Entry:
        """Return one line of the catalog; `DataError` if there is no such dataset."""
        if self._is_shipped(name):
            return entry_of(load_shipped(name, self.shipped), shipped=True)
        return self._read(name, load_entry)

    def load(self, name: str) -> Dataset:
        """Return the dataset, whose content must have the fingerprint it was added with.

        Raises:
            DataError: there is no such dataset, or its files are damaged or were edited.
        """
        if self._is_shipped(name):
            return load_shipped(name, self.shipped)
        return self._read(name, lambda folder: load_version(name, folder))

    def add(
        self, dataset: Dataset, report: ImportReport | None = None, replace: bool = False
    ) -> Entry:
        """Add `dataset` to the workspace under its name.

        Raises:
            ConfigError: the name is used (and not `replace`), or belongs to a shipped dataset.
            DataError: the workspace cannot be written.
        """
        name = safe_name(dataset.name)
        self._check_writable(name, "replaced")
        entry = entry_of(dataset, added=datetime.now(UTC).isoformat(timespec="seconds"))
        home = self.workspace.datasets / name
        with self.workspace.lock(_LOCK), _write_errors(home):
            if (home / "current.json").is_file() and not replace:
                raise ConfigError(
                    f"a dataset named {name!r} exists already",
                    todo="choose another name, or replace that dataset",
                    option="--replace",
                )
            make_folder(home)
            before = {path for path in home.iterdir() if path.is_dir()}
            temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=home))
            try:
                write_version(temporary, dataset, entry, report)
                version = uuid.uuid4().hex
                temporary.replace(home / version)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            write_json(home / "current.json", {"version": version})
            for old in before:  # also what a process that was killed left behind
                shutil.rmtree(old, ignore_errors=True)
        return entry

    def resplit(
        self,
        name: str,
        shares: Shares,
        seed: int,
        *,
        to: str,
        replace: bool = False,
    ) -> tuple[Entry, Dataset, list[str]]:
        """Add the dataset `name`, split at random by `shares`, under the name `to`.

        Args:
            shares, seed: see `splits.assign_splits`.
            replace: whether a dataset named `to` (also `name` itself) is replaced.

        Returns: entry and dataset, and the runs on a dataset of this name that have another split.

        Raises:
            ConfigError, DataError: as `add`; the shares cannot be used.
        """
        dataset = assign_splits(self.load(name), shares, seed).named(to)
        report = self.report(name)
        if report is not None:
            note = f"split of {name}: {split_sizes(dataset)} (random, seed {seed})"
            report = dataclass_replace(report, notes=(*report.notes, note))
        entry = self.add(dataset, report, replace=replace)
        return entry, dataset, runs_of_split(self.workspace, dataset, other=True)

    def remove(self, name: str) -> None:
        """Delete a dataset from the workspace permanently.

        Raises:
            ConfigError: it is a shipped dataset. DataError: there is no such dataset.
        """
        self._check_writable(safe_name(name), "removed")
        home = self.workspace.datasets / name
        with self.workspace.lock(_LOCK), _write_errors(home):
            if not (home / "current.json").is_file():
                raise self._unknown(name)
            (home / "current.json").unlink()
            shutil.rmtree(home, ignore_errors=True)

    def report(self, name: str) -> ImportReport | None:
        """Return the import report; None for shipped and simulated datasets."""
        return None if self._is_shipped(name) else self._read(name, load_report)

    def key_file(self, name: str) -> Path | None:
        """Return the file with the annotators' names and pseudonyms; None if there is none."""
        if self._is_shipped(name):
            return None
        path = self._read(name, lambda folder: folder / KEY_FILE)
        return path if path.is_file() else None

    def export(
        self, name: str, path: Path | str, format: str = "csv", *, crowd: bool = False
    ) -> Path:
        """Write a dataset to a file; see `data.export.export`."""
        return data_export.export(self.load(name), path, format, crowd=crowd)

    def _is_shipped(self, name: str) -> bool:
        return name in shipped_names(self.shipped)

    def _check_writable(self, name: str, action: str) -> None:
        if self._is_shipped(name):
            raise ConfigError(
                f"{name!r} is shipped with the project and cannot be {action}",
                todo="use another name",
            )

    def _unknown(self, name: str) -> DataError:
        known = self.names()
        return DataError(
            f"there is no dataset {name!r}",
            where=str(self.workspace.root),
            expected=f"one of {name_list(known)}" if known else None,
            todo="download it on the page Data, Import"
            if name in download_sources()
            else "import one, or choose another workspace with CAPO_WORKSPACE",
            option=f"data fetch {name}" if name in download_sources() else None,
        )

    def _read(self, name: str, read: Callable[[Path], T]) -> T:
        """Return `read(folder of the current version)`; retry if a writer replaces it meanwhile."""
        home = self.workspace.datasets / safe_name(name)
        for _ in range(20):
            version = current_version(home)
            if version is None:
                raise self._unknown(name)
            try:
                return read(home / version)
            except FileNotFoundError as error:
                missing = error
                if current_version(home) == version:
                    break
        raise DataError(
            f"a file of the dataset is missing ({Path(missing.filename or '').name})",
            where=str(home),
            todo="import it again and replace this one",
            option="--replace",
        )


def data_kind(workspace: Workspace, name: str, fingerprint: str) -> str:
    """Return who wrote a dataset (`provenance.PEOPLE`, …), as far as the workspace still has it."""
    try:
        entry = Catalog(workspace).entry(name)
    except CapoError:
        return UNKNOWN
    return kind_of(entry.simulated) if entry.fingerprint == fingerprint else UNKNOWN


@contextmanager
def _write_errors(where: Path) -> Iterator[None]:
    """Turn errors of the file system into a `DataError`."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the workspace cannot be written ({error.strerror or error})",
            where=str(where),
            todo="free some space, or choose another workspace with CAPO_WORKSPACE",
        ) from error
