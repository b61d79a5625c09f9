"""What is known of a long computation: a folder with its settings, its status and its log.

A job is a folder under `workspace.jobs`:

    config.json   kind and settings, as asked for
    status.json   replaced whole at every change (see `Status`)
    stop          present once somebody asked it to stop
    log.txt       what the worker printed

Pages only read these files, so a closed tab or a restarted dashboard loses nothing.

What keeps a status file true while the work goes on.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from capo_core.errors import RunError, Stopped
from capo_core.runs.memory import gpu_peak_bytes, peak_bytes
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
        host: the machine it works on; "" where that goes without saying.
        slurm: the number of its job at Slurm; "" where there is none.
        start_share: the share that was done when the worker began: more than 0 where it resumed.
        worked_s: seconds that earlier workers of the same run worked.
        peak_bytes, gpu_peak_bytes: most memory of the process, and of it on its GPU, so far.
        blocked_by: the run whose failure let this one fail; "" otherwise.
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
    host: str = ""
    slurm: str = ""
    start_share: float = 0.0
    worked_s: float = 0.0
    peak_bytes: int = 0
    gpu_peak_bytes: int = 0
    blocked_by: str = ""

    @classmethod
    def from_dict(cls, raw: Any) -> Status:
        """The status again from its JSON; `RunError` where that is no status."""
        if not isinstance(raw, dict):
            raise RunError("the status is not an object", where="status.json")
        kinds = {each.name: type(each.default) for each in fields(cls)}
        for name, value in raw.items():
            if name not in kinds:
                raise RunError(f"the status knows no {name!r}", where="status.json")
            right = (int, float) if kinds[name] is float else kinds[name]
            if not isinstance(value, right) or isinstance(value, bool):
                raise RunError(f"{name} is {value!r}", where="status.json")
        if raw.get("state") not in (*LIVE, *ENDED):
            raise RunError(f"the state is {raw.get('state')!r}", where="status.json",
                           expected=f"one of {', '.join((*LIVE, *ENDED))}")  # fmt: skip
        return cls(**raw)

    @property
    def live(self) -> bool:
        return self.state in LIVE

    def left_s(self, now: float | None = None) -> float | None:
        """Seconds left if the rest goes as the beginning went; None while too early to say."""
        done = self.share - self.start_share
        if self.state != "running" or done < 0.05 * (1 - self.start_share) or not self.started:
            return None
        elapsed = (time.time() if now is None else now) - self.started
        return max(0.0, elapsed * (1 - self.share) / max(done, 1e-9))

    def duration_s(self, now: float | None = None) -> float:
        """Seconds worked so far, over all workers of the run; waiting does not count."""
        if not self.started:
            return self.worked_s
        end = self.ended or (self.heartbeat if not self.live else time.time())
        return self.worked_s + max(0.0, (end if now is None else now) - self.started)

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

    @property
    def stop_now(self) -> bool:
        """Shall it end at once, without saving?"""
        return False

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
        try:
            return Status.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise RunError("status.json is damaged", where=str(self.folder)) from error

    def _alive(self, status: Status) -> bool:
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


HEARTBEAT_S = 1.0
# A computation sees the wish to stop at its next word of progress. One that is deep in a long
# step is ended after this time; whatever it writes is written whole or not at all.
PATIENCE_S = 8.0


class Reporter:
    """Writes the status at every beat; may be called from several threads.

    Args:
        job: whose status it is.
        status: as it was before this process took over.
        patience_s: how long a wish to stop may go unheard before the process is ended; None
            never ends it.
    """

    def __init__(self, job: Job, status: Status, patience_s: float | None = PATIENCE_S) -> None:
        self._job, self._patience_s = job, patience_s
        pid = os.getpid()
        self._status = replace(status, pid=pid, birth=birth_of(pid), host=socket.gethostname())
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._stop_seen = 0.0
        self._beat = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)

    def begin(self) -> None:
        self._change(
            state="running",
            message="starting",
            started=time.time(),
            ended=0.0,
            start_share=self._status.share,
        )
        self._beat.start()

    def progress(self, what: str, share: float) -> None:
        """The `Progress` of the work; raises `Stopped` where somebody asked for that."""
        if self._job.stop_asked:
            raise Stopped("stopped on request")
        with self._guard:  # the heartbeat carries it to the file: many words cost no writing
            share = min(1.0, max(self._status.share, share))
            self._status = replace(self._status, message=what, share=share)

    def finish(self, state: str, message: str) -> None:
        """The last word; it gets onto the disk even where that is full."""
        self._over.set()
        with self._guard:
            share = 1.0 if state == "succeeded" else self._status.share
            self._status = replace(
                self._measured(), state=state, message=message, share=share, ended=time.time()
            )
            try:
                self._job.write(self._status)
            except OSError:
                self._write_over()

    def _change(self, **changes) -> None:
        with self._guard:
            self._status = replace(self._measured(), **changes)
            self._job.write(self._status)

    def _measured(self) -> Status:
        return replace(
            self._status,
            heartbeat=time.time(),
            peak_bytes=max(self._status.peak_bytes, peak_bytes()),
            gpu_peak_bytes=max(self._status.gpu_peak_bytes, gpu_peak_bytes()),
        )

    def _write_over(self) -> None:
        """Write into the file that is there: its place on a full disk is ours already."""
        content = json.dumps(asdict(self._status), ensure_ascii=False).encode()
        with suppress(OSError), (self._job.folder / "status.json").open("r+b") as file:
            room = max(len(content), os.fstat(file.fileno()).st_size)
            file.write(content.ljust(room))
            file.truncate(room)

    def _keep_beating(self) -> None:
        while not self._over.wait(HEARTBEAT_S):
            if self._job.stop_asked:
                self._stop_seen = self._stop_seen or time.time()
                unheard = time.time() - self._stop_seen
                if self._job.stop_now or (
                    self._patience_s is not None and unheard > self._patience_s
                ):
                    self.finish("stopped", "stopped on request, in the middle of a step")
                    os._exit(0)
            if not self._over.is_set():
                # A beat that cannot be written is left out: the next one may succeed, and the
                # work itself will say what is wrong.
                with suppress(OSError):
                    self._change()
