"""What is known of a long computation: a folder with its settings, its status and its log.

A job is a folder under `workspace.jobs`:

    config.json   kind and settings, as asked for
    status.json   replaced whole at every change (see `Status`)
    stop          present once somebody asked it to stop
    log.txt       what the worker printed

Pages only read these files, so a closed tab or a restarted dashboard loses nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from capo_core.workspace import write_json

LIVE = ("queued", "running")
ENDED = ("succeeded", "failed", "stopped", "lost")

# A launcher names its worker within moments; a queued job without a worker for longer than this
# has lost its launcher.
UNCLAIMED_S = 60.0


@dataclass(frozen=True)
class Status:
    """Where a job stands. Times are seconds since the epoch, 0 where the thing has not happened.

    Attributes:
        state: queued, running, succeeded, failed, stopped or lost. "lost" is never written: it is
            what a reader finds where a live state's process is gone.
        message: what is being done, or how it ended, in words for a person.
        share: the share done, 0 to 1.
        pid, birth: the worker's process and the mark of its start, together unmistakable: an
            operating system gives the number of a dead process to another one.
        heartbeat: when the worker last said it lives.
    """

    state: str = "queued"
    message: str = "waiting to begin"
    share: float = 0.0
    pid: int = 0
    birth: str = ""
    queued: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    heartbeat: float = 0.0

    @property
    def live(self) -> bool:
        return self.state in LIVE

    def left_s(self, now: float | None = None) -> float | None:
        """Seconds left if the rest goes as the beginning went; None while too early to say."""
        if self.state != "running" or self.share < 0.05 or not self.started:
            return None
        elapsed = (time.time() if now is None else now) - self.started
        return max(0.0, elapsed * (1 - self.share) / self.share)

    def silent_s(self, now: float | None = None) -> float:
        """Seconds since the worker's last sign of life; slow is not lost."""
        return max(0.0, (time.time() if now is None else now) - self.heartbeat)


@dataclass(frozen=True)
class Job:
    """A job's folder and what can be read there."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def config(self) -> dict:
        """`{"kind": …, "settings": {…}}` as asked for."""
        return json.loads((self.folder / "config.json").read_text(encoding="utf-8"))

    @property
    def log(self) -> str:
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def stop_asked(self) -> bool:
        return (self.folder / "stop").exists()

    def status(self) -> Status:
        """The status as it is now; a live state whose process is gone reads as lost."""
        status = self._read()
        if not status.live or self._alive(status):
            return status
        # The worker may have ended properly between the reading and the looking.
        status = self._read()
        if not status.live:
            return status
        return replace(
            status,
            state="lost",
            message="the process ended without a word (killed, or the machine restarted)",
        )

    def write(self, status: Status) -> Status:
        write_json(self.folder / "status.json", asdict(status))
        return status

    def ask_to_stop(self) -> None:
        (self.folder / "stop").touch()

    def _read(self) -> Status:
        path = self.folder / "status.json"
        return Status(**json.loads(path.read_text(encoding="utf-8")))

    @staticmethod
    def _alive(status: Status) -> bool:
        if not status.pid:
            return time.time() - status.queued < UNCLAIMED_S
        return birth_of(status.pid) == status.birth


def birth_of(pid: int) -> str:
    """A mark of when process `pid` began, the same for its whole life; "" where there is none.

    On Linux the kernel's start time together with the boot it belongs to, so that a number given
    again after a restart of the machine is not mistaken for the old process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _birth_by_ps(pid)
    # The command's name stands in parentheses and may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    state, start = fields[0], fields[19]
    return "" if state in "ZX" else f"{boot}:{start}"


def _birth_by_ps(pid: int) -> str:
    """The same where there is no /proc (macOS)."""
    asked = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    state, _, start = asked.stdout.strip().partition(" ")
    return "" if not state or state.startswith("Z") else start.strip()
