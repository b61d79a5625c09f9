"""Folders of a workspace, and writing of files so that no incomplete one is ever read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from filelock import FileLock, Timeout

from capo_core.errors import CapoError, ConfigError, DataError
from capo_core.json_text import json_text

Saved = TypeVar("Saved")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Workspace:
    """The folder of all data: datasets, caches, reports, runs.

    Several processes may use one workspace: files are replaced whole, and `lock` admits one writer
    at a time for a read followed by a write.
    """

    root: Path

    @classmethod
    def default(cls) -> Workspace:
        """Return the workspace at `CAPO_WORKSPACE`, else at `./workspace`.

        Raises:
            ConfigError: the path cannot be resolved: "~name" of no user, or a link to itself.
        """
        given = os.environ.get("CAPO_WORKSPACE") or "workspace"
        try:
            return cls(Path(given).expanduser().resolve())
        except RuntimeError as error:
            raise ConfigError(
                f"CAPO_WORKSPACE is {given!r}, which is no folder ({error})",
                expected="the path of a folder, which need not exist yet",
            ) from None

    def become_default(self) -> None:
        """Make this the default workspace of this process and of those that it starts.

        A worker's run may name a base model of its workspace, wherever the worker was started.
        """
        os.environ["CAPO_WORKSPACE"] = str(self.root)

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def experiments(self) -> Path:
        return self.root / "experiments"

    @property
    def studies(self) -> Path:
        return self.root / "studies"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def trash(self) -> Path:
        return self.root / "trash"

    @contextmanager
    def lock(self, name: str, *, timeout_s: float = 30) -> Iterator[None]:
        """Let one process at a time pass; `DataError` after `timeout_s` seconds of waiting."""
        folder = self.root / "locks"
        make_folder(folder)
        lock = FileLock(folder / f"{safe_name(name)}.lock", timeout=timeout_s)
        try:
            with lock:
                yield
        except Timeout:
            raise DataError(
                f"another process has been writing '{name}' for more than {timeout_s:.0f} s",
                where=str(self.root),
                todo="wait until it has finished, or stop it, and try again",
            ) from None


def safe_name(name: str) -> str:
    """Return `name`, if it is safe as a file name; raise `ConfigError` otherwise."""
    if not _NAME.fullmatch(name or "") or name.endswith("."):
        raise ConfigError(
            f"the name {name!r} cannot be used",
            expected="1 to 80 letters, digits, '.', '_' or '-', beginning with a letter or digit",
        )
    return name


def make_folder(folder: Path) -> Path:
    """Create `folder` and its parents; raise `DataError` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the folder cannot be created ({error.strerror})",
            where=str(folder),
            todo="choose another workspace with the environment variable CAPO_WORKSPACE",
        ) from error
    return folder


@contextmanager
def atomic_file(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Yield a temporary file that replaces `path` once it is complete and on disk.

    A reader sees the old content or the new, never a part, even after a crash or a full disk.
    """
    make_folder(path.parent)
    encoding = None if "b" in mode else "utf-8"
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as readable JSON, atomically; what is not finite is null."""
    text = json_text(value)
    with atomic_file(path, "w") as file:
        file.write(text + "\n")


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; None where there is none, or it cannot be read."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return raw if isinstance(raw, dict) else None


def read_saved(path: Path, build: Callable[[Any], Saved], what: str, todo: str) -> Saved:
    """Return what `build` makes of the JSON in the file of a result.

    Args:
        what: the result in the message: "the evaluation". todo: how to compute it again.

    Raises:
        DataError: the file is missing, or is not what `build` reads.
    """
    try:
        return build(json.loads(path.read_text(encoding="utf-8")))
    except CapoError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{what} cannot be read ({type(error).__name__})", where=str(path), todo=todo
        ) from error


def content_hash(*parts: Any) -> str:
    """SHA-256 (hex) of JSON-able `parts`; the same content gives the same hash everywhere."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
