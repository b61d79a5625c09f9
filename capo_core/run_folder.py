"""A run on disk: its configuration, its events and its result.

A run is a folder under `workspace.runs`:

    config.json    the request: stage, target, dataset and base model with fingerprints, settings
    events.jsonl   events in order, one JSON object per line (see `RunFolder.log`)
    log.txt        output of the worker
    checkpoint/    the state from which a run resumes
    adapter/       the trained adapter, in PEFT's layout, with its card README.md
    result.json    the outcome; written last, so that a run with a result is a finished one
    stop           present after a stop request
    lock           held by the process that works in the folder

Its name is derived from the configuration: the same command again finds the same folder, and
resumes the run or reports that it is finished. Readers need no lock. Nothing here needs torch.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from capo_core.errors import RunError, Stopped
from capo_core.json_text import json_line
from capo_core.progress import Progress
from capo_core.workspace import Workspace, content_hash, make_folder, safe_name, write_json


def add_line(path: Path, line: str) -> None:
    """Append `line` to the file, on a new line even if the last one was cut off.

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
    """Return the objects of all complete lines, in order; none if there is no file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    # Not splitlines(): it also breaks at other characters, which a text may hold.
    found = (_read(line) for line in text.split("\n")[:-1])
    return [each for each in found if each]


def _read(line: str) -> dict[str, Any]:
    """Return the object of a line; empty if the line is not complete."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


VERSION = 1  # of the layout


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; it need not exist yet (see `claim`)."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def config(self) -> dict[str, Any]:
        """The configuration; `RunError` if there is no run, or it cannot be read."""
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
        """The outcome; `RunError` if the run is not finished, or it cannot be read."""
        return self._json("result.json")

    @property
    def stop_asked(self) -> bool:
        return (self.path / "stop").exists()

    def ask_to_stop(self) -> None:
        """Ask the process that works here to save and stop after its present step."""
        (self.path / "stop").touch()

    def forget_stop(self) -> None:
        (self.path / "stop").unlink(missing_ok=True)

    def claim(self, config: dict[str, Any]) -> None:
        """Create the folder for `config` (JSON-able), or check that it was created for the same.

        Raises:
            RunError: the folder belongs to a run with another configuration; the text lists the
                differences.
        """
        make_folder(self.path)
        config = json.loads(json_line({"version": VERSION, **config}))
        if not (self.path / "config.json").exists():
            with disk_errors(self.path):
                write_json(self.path / "config.json", config)
            return
        differences = _differences(self.config, config)
        if differences:
            raise RunError(
                f"the run was started with another configuration: {'; '.join(differences[:5])}",
                where=str(self.path),
                todo="start a new run, or use the configuration of this one",
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process work in a run; the lock is released when that process ends, however.

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
                todo="wait until it has finished, or stop it",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def log(self, event: str, **values: Any) -> None:
        """Append `{"t": seconds since the epoch, "event": event, …}` to the run's events.

        Numbers that are not finite are written as null, as JSON has no notation for them.
        """
        line = json_line({"t": round(time.time(), 3), "event": event, **values})
        with disk_errors(self.path):
            add_line(self.events_path, line)

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return all events so far, or those of one kind.

        Incomplete lines are left out: one that is being written, or that was cut off by a full
        disk or a killed process.
        """
        found = whole_lines(self.events_path)
        return [each for each in found if event in (None, each["event"])]

    def events_size(self) -> int:
        """Return the size of the events so far, in bytes."""
        return self.events_path.stat().st_size if self.events_path.exists() else 0

    def cut_events(self, size: int) -> None:
        """Delete all events after the first `size` bytes, which a resumed run repeats."""
        if self.events_size() > size:
            with disk_errors(self.path), self.events_path.open("r+b") as file:
                file.truncate(size)

    def forget_result(self) -> None:
        """Delete the outcome so that the run is repeated; the other files stay until then."""
        (self.path / "result.json").unlink(missing_ok=True)

    def finish(self, result: dict[str, Any]) -> None:
        """Write the outcome, as the last file of a run."""
        with disk_errors(self.path):
            write_json(self.path / "result.json", result)

    def _json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.path / name).read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
        except FileNotFoundError:
            what = "there is no such run" if name == "config.json" else "the run is not finished"
            raise RunError(what, where=str(self.path)) from None
        except OSError as error:
            what = f"{name} cannot be read ({error.strerror})"
            raise RunError(what, where=str(self.path)) from None
        except ValueError:
            pass
        raise RunError(
            f"{name} is damaged",
            where=str(self.path),
            todo="put a copy of the file in its place, or delete the run and start it again",
        )


def run_id(dataset: str, stage: str, annotator: str, config: dict[str, Any]) -> str:
    """Return `<dataset>-<stage>-<annotator>-<8 hexadecimal digits of the configuration>`.

    Names are shortened and cleaned for the file system; the digits tell runs apart.
    """
    parts = [re.sub(r"[^A-Za-z0-9._]+", "_", part) for part in (dataset, stage, annotator)]
    head = "-".join(part[:length] for part, length in zip(parts, (32, 12, 24), strict=True))
    return safe_name(f"{head.lstrip('._-') or 'run'}-{content_hash(config)[:8]}")


def run_for(workspace: Workspace, config: dict[str, Any]) -> RunFolder:
    """Return the folder for `config`, which has at least `stage`, `target` and `dataset.name`."""
    name = run_id(config["dataset"]["name"], config["stage"], config["target"], config)
    return RunFolder(workspace.runs / name)


def made_by(folders: Iterable[RunFolder]) -> dict[str, Any]:
    """Return what runs add to the provenance of an export (see `provenance.Provenance`): the base
    models, the seeds, and the runs themselves. Runs that cannot be read are left out."""
    models, seeds, names = set(), set(), []
    for folder in folders:
        try:
            config = folder.config
            models.add(Path(str(config["base"]["name"])).name)
            seeds.add(int(config["settings"]["seed"]))
        except (RunError, KeyError, TypeError, ValueError):
            pass
        names.append(folder.run_id)
    shown = names if len(names) <= MOST_RUNS else [*names[:MOST_RUNS], f"{len(names)} in all"]
    return {
        "models": tuple(sorted(models)),
        "seeds": tuple(sorted(seeds)),
        "details": (("runs", ", ".join(shown)),) if names else (),
    }


MOST_RUNS = 12  # named in an export


def stopping(folder: RunFolder, progress: Progress) -> Progress:
    """Return a progress that raises `Stopped` once the run was asked to stop."""

    def watched(what: str, share: float) -> None:
        if folder.stop_asked:
            raise Stopped("stopped on request")
        progress(what, share)

    return watched


def find_run(workspace: Workspace, name: str) -> RunFolder:
    """Return the run named `name`; raise `RunError` if there is none."""
    folder = RunFolder(workspace.runs / safe_name(name))
    if not (folder.path / "config.json").is_file():
        raise RunError(
            f"there is no run named {name!r}",
            where=str(workspace.runs),
            todo="list the runs: python -m capo_core runs list",
        )
    return folder


def list_runs(workspace: Workspace) -> list[RunFolder]:
    """Return all runs, in alphabetical order."""
    if not workspace.runs.is_dir():
        return []
    return [RunFolder(path.parent) for path in sorted(workspace.runs.glob("*/config.json"))]


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turn errors of a disk that is full or not writable into a `RunError`.

    Raises:
        RunError: instead of an `OSError` of the code inside.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise RunError(
            "the disk is full" if full else f"cannot write ({error.strerror})",
            where=str(where),
            todo=("free some space" if full else "make the folder writable")
            + " and run the same command again: it resumes from the last checkpoint",
        ) from error


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Return how two JSON values differ, in words: `settings.epochs was 5 and is 3 now`."""
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
