"""A run on disk: what was asked, what happened, and what came of it.

A run is a folder under `workspace.runs`:

    config.json    what was asked: stage, target, dataset and base with their fingerprints, settings
    events.jsonl   what happened, one JSON object a line, in order (see `RunFolder.log`)
    log.txt        what a worker printed
    checkpoint/    where to go on from (see `checkpoint.py`)
    adapter/       the trained adapter, in PEFT's layout, with its card README.md
    result.json    the outcome; written last, so that a run with a result is a finished one
    stop           present once somebody asked the run to stop
    lock           held by the process that works in the folder

Its name is made of what was asked: the same command again finds the same folder, and goes on where
the run stopped or says that it is done. Readers need no lock. Nothing here needs torch.

A file of JSON objects, one a line, that survives a line whose writing was cut off.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from capo_core.errors import RunError
from capo_core.workspace import Workspace, content_hash, make_folder, safe_name, write_json


def add_line(path: Path, line: str) -> None:
    """Add `line` to the file, on a line of its own also where the one before has no end.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("ab+") as file:
        start = b""
        if file.tell():
            file.seek(-1, os.SEEK_END)
            start = b"" if file.read(1) == b"\n" else b"\n"
        file.write(start + line.encode("utf-8") + b"\n")


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of all lines that are whole, in order; none where there is no file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    # Not splitlines: a text may hold other characters that it takes for line breaks.
    found = (_read(line) for line in text.split("\n")[:-1])
    return [each for each in found if each]


def _read(line: str) -> dict[str, Any]:
    """The object of a line; empty where it is not whole."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


VERSION = 1  # of the layout


@dataclass(frozen=True)
class RunFolder:
    """One run's folder; it need not be there yet (see `claim`)."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def config(self) -> dict[str, Any]:
        """What was asked; `RunError` where there is no run."""
        return self._json("config.json")

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def events_path(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def done(self) -> bool:
        return (self.path / "result.json").is_file()

    @property
    def result(self) -> dict[str, Any]:
        """The outcome; `RunError` while there is none."""
        return self._json("result.json")

    @property
    def stop_asked(self) -> bool:
        return (self.path / "stop").exists()

    def ask_to_stop(self) -> None:
        """The process that works here saves and stops after its present step."""
        (self.path / "stop").touch()

    def forget_stop(self) -> None:
        (self.path / "stop").unlink(missing_ok=True)

    def claim(self, asked: dict[str, Any]) -> None:
        """Make the folder for what is `asked` (JSON-able), or find that it was made for that.

        Raises:
            RunError: the folder belongs to a run of which something else was asked; it says what.
        """
        make_folder(self.path)
        asked = json.loads(json.dumps({"version": VERSION, **asked}))
        if not (self.path / "config.json").exists():
            with disk_errors(self.path):
                write_json(self.path / "config.json", asked)
            return
        differences = _differences(self.config, asked)
        if differences:
            raise RunError(
                f"the run was begun with something else: {'; '.join(differences[:5])}",
                where=str(self.path),
                todo="begin a new run, or ask for what this one was begun with",
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Only one process works in a run; it is free again when that process ends, however.

        Raises:
            RunError: another process works in it.
        """
        make_folder(self.path)
        lock = FileLock(self.path / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(
                "another process is working in this run",
                where=str(self.path),
                todo="wait until it is done, or ask it to stop",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def log(self, event: str, **values: Any) -> None:
        """Add `{"t": seconds since the epoch, "event": event, …}` to the run's events.

        Numbers that are not finite are written as null: JSON has no other word for them.
        """
        line = json.dumps(
            {"t": round(time.time(), 3), "event": event, **_finite(values)}, ensure_ascii=False
        )
        with disk_errors(self.path):
            add_line(self.events_path, line)

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """All events so far, or those of one kind.

        A line that is being written is left out, and one whose writing was cut off: by a full
        disk, or by a process that was killed.
        """
        found = whole_lines(self.events_path)
        return [each for each in found if event in (None, each["event"])]

    def events_size(self) -> int:
        """Bytes of events so far."""
        return self.events_path.stat().st_size if self.events_path.exists() else 0

    def cut_events(self, size: int) -> None:
        """Forget all events after the first `size` bytes: what a resumed run does once more."""
        if self.events_size() > size:
            with disk_errors(self.path), self.events_path.open("r+b") as file:
                file.truncate(size)

    def forget_result(self) -> None:
        """What is here is to be done again; the rest of the files stays until it is."""
        (self.path / "result.json").unlink(missing_ok=True)

    def finish(self, result: dict[str, Any]) -> None:
        """Write the outcome, as the last thing of a run."""
        with disk_errors(self.path):
            write_json(self.path / "result.json", _finite(result))

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            what = "there is no such run" if name == "config.json" else "the run is not finished"
            raise RunError(what, where=str(self.path)) from None
        except ValueError:
            raise RunError(f"{name} is damaged", where=str(self.path)) from None


def run_id(dataset: str, stage: str, annotator: str, asked: dict[str, Any]) -> str:
    """`<dataset>-<stage>-<annotator>-<8 hexadecimal digits of what is asked>`.

    Names are shortened and cleaned for a file system; the digits keep runs apart.
    """
    parts = [re.sub(r"[^A-Za-z0-9._]+", "_", part) for part in (dataset, stage, annotator)]
    head = "-".join(part[:length] for part, length in zip(parts, (32, 12, 24), strict=True))
    return safe_name(f"{head.lstrip('._-') or 'run'}-{content_hash(asked)[:8]}")


def run_for(workspace: Workspace, asked: dict[str, Any]) -> RunFolder:
    """The folder for what is `asked`, which has at least `stage`, `target` and `dataset.name`."""
    name = run_id(asked["dataset"]["name"], asked["stage"], asked["target"], asked)
    return RunFolder(workspace.runs / name)


def find_run(workspace: Workspace, name: str) -> RunFolder:
    """The run named `name`; `RunError` where there is none."""
    folder = RunFolder(workspace.runs / safe_name(name))
    if not (folder.path / "config.json").is_file():
        raise RunError(
            f"there is no run named {name!r}",
            where=str(workspace.runs),
            todo="see their names: python -m capo_core runs list",
        )
    return folder


def list_runs(workspace: Workspace) -> list[RunFolder]:
    """All runs, in alphabetical order."""
    if not workspace.runs.is_dir():
        return []
    return [RunFolder(path.parent) for path in sorted(workspace.runs.glob("*/config.json"))]


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """A disk that is full or cannot be written, in plain words.

    Raises:
        RunError: instead of an `OSError` of the code inside.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise RunError(
            "there is no room left on the disk" if full else f"cannot write ({error.strerror})",
            where=str(where),
            todo=("make room" if full else "make the folder writable")
            + " and give the same command again: it goes on from the last checkpoint",
        ) from error


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Where two JSON values differ, in words: `settings.epochs was 5 and is 3 now`."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            text
            for key in sorted({*before, *now})
            for text in _differences(
                before.get(key), now.get(key), f"{name}.{key}" if name else key
            )
        ]
    if before == now:
        return []
    if name == "dataset.fingerprint":
        return ["the dataset has changed since"]
    return [f"{name} was {before!r} and is {now!r} now"]


def _finite(value: Any) -> Any:
    """`value` with null for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
