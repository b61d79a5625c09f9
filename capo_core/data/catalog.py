"""The datasets of a workspace: added whole, read whole, by any number of processes.

On disk a dataset is `datasets/<name>/<version>/` with `items.parquet`, `annotations.parquet`,
`crowd.parquet` (where there are counts), `meta.json`, `report.json` and `set_aside.parquet`, and a
file `current.json` that names the version. A version is written under a temporary name, renamed
when it is complete, and only then named in `current.json`, which is replaced in one step: a reader
sees the old dataset or the new one.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from capo_core.data import demos, exporting
from capo_core.data.importing import ImportReport
from capo_core.data.versions import (
    Entry,
    current_version,
    entry_of,
    load_entry,
    load_report,
    load_version,
    write_version,
)
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError, DataError
from capo_core.workspace import Workspace, make_folder, safe_name, write_json

_LOCK = "catalog"
T = TypeVar("T")


class Catalog:
    """The datasets of `workspace`, and the demos shipped in `shipped`."""

    def __init__(self, workspace: Workspace, *, shipped: Path = demos.FOLDER) -> None:
        self.workspace, self.shipped = workspace, shipped

    def names(self) -> list[str]:
        """All datasets, demos first, each group in alphabetical order."""
        own = []
        if self.workspace.datasets.is_dir():
            own = sorted(
                folder.name
                for folder in self.workspace.datasets.iterdir()
                if (folder / "current.json").is_file()
            )
        shipped = demos.names(self.shipped)
        return shipped + [name for name in own if name not in shipped]

    def entries(self) -> list[Entry]:
        """A line for each of `names()`; what cannot be read is listed with its `problem`."""
        result = []
        for name in self.names():
            try:
                result.append(self.entry(name))
            except CapoError as error:
                if name in self.names():  # else it was removed in the meantime
                    result.append(Entry(name, "", 0, 0, 0, "", problem=str(error)))
        return result

    def entry(self, name: str) -> Entry:
        """One line of the catalog; `DataError` if there is no such dataset."""
        if self._is_demo(name):
            return entry_of(demos.load(name, self.shipped), shipped=True)
        return self._read(name, load_entry)

    def load(self, name: str) -> Dataset:
        """The dataset; its content must still have the fingerprint it was added with.

        Raises:
            DataError: there is no such dataset, or its files are damaged or were edited.
        """
        if self._is_demo(name):
            return demos.load(name, self.shipped)
        return self._read(name, lambda folder: load_version(name, folder))

    def add(
        self, dataset: Dataset, report: ImportReport | None = None, replace: bool = False
    ) -> Entry:
        """Put `dataset` under its name into the workspace.

        Raises:
            ConfigError: the name is taken (without `replace`), or belongs to a demo.
            DataError: the workspace cannot be written.
        """
        name = safe_name(dataset.name)
        self._not_a_demo(name, "replaced")
        entry = entry_of(dataset, added=datetime.now(UTC).isoformat(timespec="seconds"))
        home = self.workspace.datasets / name
        with self.workspace.lock(_LOCK), _in_words(home):
            if (home / "current.json").is_file() and not replace:
                raise ConfigError(
                    f"there is a dataset named {name!r} already",
                    todo="choose another name, or replace it (--replace)",
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

    def remove(self, name: str) -> None:
        """Take a dataset out of the workspace, for good.

        Raises:
            ConfigError: it is a demo. DataError: there is no such dataset.
        """
        self._not_a_demo(safe_name(name), "removed")
        home = self.workspace.datasets / name
        with self.workspace.lock(_LOCK), _in_words(home):
            if not (home / "current.json").is_file():
                raise self._unknown(name)
            (home / "current.json").unlink()
            shutil.rmtree(home, ignore_errors=True)

    def report(self, name: str) -> ImportReport | None:
        """How the dataset was imported; None for demos and simulated data."""
        return None if self._is_demo(name) else self._read(name, load_report)

    def export(self, name: str, path: Path | str, format: str = "csv") -> Path:
        """Write a dataset to a file; see `exporting.export`."""
        return exporting.export(self.load(name), path, format)

    def _is_demo(self, name: str) -> bool:
        return name in demos.names(self.shipped)

    def _not_a_demo(self, name: str, what: str) -> None:
        if name in demos.NAMES:
            raise ConfigError(
                f"{name!r} is shipped with the project and cannot be {what}",
                todo="use another name",
            )

    def _unknown(self, name: str) -> DataError:
        known = self.names()
        return DataError(
            f"there is no dataset {name!r}",
            where=str(self.workspace.root),
            expected=f"one of {', '.join(known)}" if known else None,
            todo="import one, or choose another workspace by CAPO_WORKSPACE",
        )

    def _read(self, name: str, read: Callable[[Path], T]) -> T:
        """`read(folder of the current version)`; again, if a writer replaced it meanwhile."""
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
            todo="import it again with --replace",
        )


@contextmanager
def _in_words(where: Path) -> Iterator[None]:
    """What the file system refuses, as a `DataError`."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the workspace cannot be written ({error.strerror or error})",
            where=str(where),
            todo="free some space, or choose another workspace by CAPO_WORKSPACE",
        ) from error
