"""Runs: folders with a long computation, and access to their files.

Beside the files of `capo_core.run_folder`:

    request.json    kind, settings and place in the queue (see `request`)
    status.json     its state (see `status`)
    log.txt         the output of its workers
    preflight.json  the estimate of a pre-flight check, if one was run
    notes.txt       notes by people
    stopping        present after a stop request; with "now" in it: without saving

Runs of the queue lie under `workspace.runs`. Those that start at once, beside the queue (reports,
calibrations, pre-flight checks), lie under `workspace.jobs` (see `submit.begin`).

Any process may read them at any time, without locks.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError, RunError
from capo_core.json_text import json_line
from capo_core.run_folder import RunFolder
from capo_core.runs import slurm
from capo_core.runs.checks import check
from capo_core.runs.request import FILE, RunRequest
from capo_core.runs.status import Status, process_start_mark
from capo_core.workspace import Workspace, safe_name, write_json

BROKEN = "broken"  # the state of a run whose files cannot be used
# A process on another machine cannot be checked; it is alive while its heartbeat is recent.
SILENCE_S = 25.0
# A run that starts at once has a worker within moments; without one for longer, its launcher died.
UNCLAIMED_S = 60.0
_MADE_BY_RUNS = (FILE, "config.json", "status.json")


@dataclass(frozen=True)
class Run:
    """A run's folder, with access to its files.

    `status()` reads the files anew each time, and never raises: a run whose files were damaged or
    edited into nonsense has the state "broken", and its message has the reason.
    """

    folder: Path

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def at_once(self) -> bool:
        """Return whether the run starts at once, outside the queue."""
        return self.folder.parent.name == "jobs"

    @property
    def log(self) -> str:
        """The output of its workers; "" if there is none."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def files(self) -> RunFolder:
        """The files that the computation itself writes: events, adapter, outputs, result."""
        return RunFolder(self.folder)

    @cached_property
    def request(self) -> RunRequest:
        """The request, not to be changed; `CapoError` where it cannot be read."""
        try:
            return _request(self.folder, _stamp(self.folder / FILE))
        except OSError as error:
            raise RunError(f"the file cannot be read ({error.strerror})", where=FILE) from None

    @property
    def config(self) -> dict[str, Any]:
        """The configuration `{"kind": …, "settings": {…}}`."""
        return {"kind": self.request.kind, "settings": self.request.settings}

    @property
    def stop_asked(self) -> bool:
        return (self.folder / "stopping").exists() or (self.folder / "stop").exists()

    @property
    def stop_now(self) -> bool:
        with suppress(FileNotFoundError):
            return (self.folder / "stopping").read_text(encoding="utf-8") == "now"
        return False

    def ask_to_stop(self, *, now: bool = False) -> None:
        """Ask the worker to save and stop; with `now`, to end at once, without saving."""
        self.files.ask_to_stop()  # an empty file, which a full disk has room for, too
        path = self.folder / "stopping"
        path.write_text("now", encoding="utf-8") if now else path.touch()

    def forget_stop(self) -> None:
        (self.folder / "stopping").unlink(missing_ok=True)
        self.files.forget_stop()

    @property
    def problem(self) -> str:
        """The reason why the run's files cannot be used; "" where they can."""
        try:
            return _contents(self.folder, self._stamps()).problem
        except OSError as error:
            return f"the run's files cannot be read ({error.strerror})"

    def _stamps(self) -> tuple[Stamp | None, ...]:
        return tuple(_stamp(self.folder / name) for name in _MADE_BY_RUNS)

    def status(self) -> Status:
        """Return the current status; a live state whose process is gone reads as lost."""
        try:
            found = _contents(self.folder, self._stamps())
        except OSError:
            return Status(state=BROKEN, message=self.problem)
        if found.problem:
            return Status(state=BROKEN, message=found.problem)
        if found.status is None:
            return self._without_status()
        status = found.status
        if not status.live or self._alive(status):
            return status
        # The worker may have ended properly between reading the status and checking the process,
        # and the run have been deleted since.
        with suppress(OSError, RunError):
            status = self._read()
        if not status.live:
            return status
        status = replace(
            status,
            state="lost",
            message="the process ended unexpectedly (killed, or the machine restarted)",
        )
        if self.files.done:
            # It ended between writing the result and the status.
            return replace(status, state="succeeded", message="done", share=1.0)
        return status

    def write(self, status: Status) -> Status:
        """Replace the status file and return the new status.

        Where no new file can be made, as on a full disk, it is written into the existing one, whose
        space is ours already: so that a run can be stopped there, and says how it ended.

        Raises:
            OSError: that cannot be done either, or there is no status yet.
        """
        path = self.folder / "status.json"
        try:
            write_json(path, asdict(status))
        except OSError as error:
            content = json_line(asdict(status)).encode()
            try:
                with path.open("r+b") as file:
                    room = max(len(content), os.fstat(file.fileno()).st_size)
                    file.write(content.ljust(room))
            except OSError:
                raise error from None
        return status

    def _read(self) -> Status:
        return _read_status(self.folder)

    @property
    def notes(self) -> str:
        """The notes on the run; "" where there are none."""
        path = self.folder / "notes.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def estimate(self) -> dict[str, Any] | None:
        """The estimate of a pre-flight check, as a `Preflight`; None where there was none."""
        try:
            return json.loads((self.folder / "preflight.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _without_status(self) -> Status:
        """Return the status of a run that was started without one."""
        if self.files.done:
            return Status(state="succeeded", message="done", share=1.0)
        return Status(state="stopped", message="not finished; its status was not recorded")

    def _alive(self, status: Status) -> bool:
        if status.slurm:
            begun = status.state == "running"
            return status.silent_s() < SILENCE_S or slurm.alive(status.slurm, begun=begun)
        if not status.pid:  # it waits for its turn, however long
            begins = not self.at_once or time.time() - status.queued < UNCLAIMED_S
            return status.state == "queued" and begins
        if status.host and status.host != socket.gethostname():
            return status.silent_s() < SILENCE_S
        # Without a mark it had ended before whoever started it could read one.
        return bool(status.birth) and process_start_mark(status.pid) == status.birth


@dataclass(frozen=True)
class _Contents:
    """Content of a run's small files: the reason why they cannot be used, and the status."""

    problem: str
    status: Status | None


Stamp = tuple[int, int, int]
# A list of hundreds of runs is read at every click; of most runs no file has changed.
_MOST_KNOWN = 4096


def _stamp(path: Path) -> Stamp | None:
    """Return what changes whenever the file is replaced; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino, about.st_size


@lru_cache(maxsize=_MOST_KNOWN)
def _request(folder: Path, stamp: Stamp | None) -> RunRequest:
    return RunRequest.read(folder)


@lru_cache(maxsize=_MOST_KNOWN)
def _contents(folder: Path, stamps: tuple[Stamp | None, ...]) -> _Contents:
    """Return what the files with these stamps say; an `OSError` is not remembered."""
    request, config, status = stamps
    try:
        if request is not None or config is None:
            check(RunRequest.read(folder))
        if config is not None:
            _ = RunFolder(folder).config
        return _Contents("", None if status is None else _read_status(folder))
    except CapoError as error:
        return _Contents(str(error), None)


def _read_status(folder: Path) -> Status:
    path = folder / "status.json"
    try:
        return Status.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise RunError("status.json is damaged", where=str(folder)) from error


def find_run(workspace: Workspace, run_id: str) -> Run:
    """Return the run of that name; `RunError` where there is none."""
    run = Run(workspace.runs / safe_name(run_id))
    if not is_run(run.folder):
        raise RunError(
            f"there is no run named {run_id!r}",
            where=str(workspace.runs),
            todo="see the names: python -m capo_core runs list",
        )
    return run


def all_runs(workspace: Workspace) -> list[Run]:
    """Return all runs in the order of submission; those without a request come first."""
    found = [Run(folder) for folder in _folders(workspace)]
    return sorted(found, key=lambda run: (_order(run), run.run_id))


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a run."""
    return any((folder / name).exists() for name in _MADE_BY_RUNS)


def silence_s(status: Status, now: float | None = None) -> float:
    """Return the seconds since the heartbeat of a running worker, where unusually long; else 0.

    Its process exists (else the run would be lost): it is slow or frozen, not dead.
    """
    silent = status.silent_s(time.time() if now is None else now)
    return silent if status.state == "running" and silent > 10 else 0.0


def _folders(workspace: Workspace) -> list[Path]:
    try:
        with os.scandir(workspace.runs) as entries:
            folders = [Path(each.path) for each in entries if each.is_dir()]
    except FileNotFoundError:
        return []
    return [folder for folder in folders if is_run(folder)]


def _order(run: Run) -> int:
    try:
        return run.request.order
    except CapoError:
        return 0
