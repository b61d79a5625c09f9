"""The status of a run, and the heartbeat that updates its file while the run is in progress.

The file status.json is replaced whole at every change. Pages only read it, so a closed tab or a
restarted dashboard loses nothing.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capo_core.errors import RunError, Stopped, with_todo
from capo_core.memory import gpu_peak_bytes, peak_bytes

if TYPE_CHECKING:
    from capo_core.runs.run import Run

LIVE = ("queued", "running")
ENDED = ("succeeded", "failed", "stopped", "lost")


@dataclass(frozen=True)
class Status:
    """The state of a run, recorded and not set.

    Times are seconds since the epoch, 0 before the event.

    Attributes:
        state: queued, running, succeeded, failed, stopped or lost. "lost" is never written: a
            reader infers it if the process of a live state is gone.
        message: the current activity, or how it ended, for people.
        todo: after a failure, what can be done about it; in former builds, part of `message`.
        share: the share done, 0 to 1.
        pid, birth: the worker's PID and the mark of its start, unique together, since operating
            systems reuse PIDs.
        heartbeat: the time of the worker's last sign of life.
        host: the machine it runs on; "" where not recorded.
        slurm: the number of its job at Slurm; "" where there is none.
        start_share: the share that was done when the worker started: more than 0 where it resumed.
        worked_s: computing time of earlier workers of the same run, in seconds.
        peak_bytes, gpu_peak_bytes: most memory of the process, and of it on its GPU, so far.
        blocked_by: the run whose failure caused this one to fail; "" otherwise.
    """

    state: str = "queued"
    message: str = "waiting to start"
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
    todo: str = ""

    @classmethod
    def from_dict(cls, raw: Any) -> Status:
        """Return the status from its JSON; `RunError` where it is not a status."""
        if not isinstance(raw, dict):
            raise RunError("the status is not a JSON object", where="status.json")
        kinds = {each.name: type(each.default) for each in fields(cls)}
        for name, value in raw.items():
            if name not in kinds:
                raise RunError(f"a status has no {name!r}", where="status.json")
            right = (int, float) if kinds[name] is float else kinds[name]
            if not isinstance(value, right) or isinstance(value, bool):
                raise RunError(f"{name} is {value!r}", where="status.json")
        if raw.get("state") not in (*LIVE, *ENDED):
            raise RunError(f"the state is {raw.get('state')!r}", where="status.json",
                           expected=f"one of {', '.join((*LIVE, *ENDED))}")  # fmt: skip
        return cls(**raw)

    @property
    def text(self) -> str:
        """The message with what can be done."""
        return with_todo(self.message, self.todo)

    @property
    def live(self) -> bool:
        return self.state in LIVE

    def left_s(self, now: float | None = None) -> float | None:
        """Return the seconds left at the pace so far; None while it is too early to tell."""
        done = self.share - self.start_share
        if self.state != "running" or done < 0.05 * (1 - self.start_share) or not self.started:
            return None
        elapsed = (time.time() if now is None else now) - self.started
        return max(0.0, elapsed * (1 - self.share) / max(done, 1e-9))

    def duration_s(self, now: float | None = None) -> float:
        """Return the computing time so far in seconds, over all workers of the run."""
        if not self.started:
            return self.worked_s
        end = self.ended or (self.heartbeat if not self.live else time.time())
        return self.worked_s + max(0.0, (end if now is None else now) - self.started)

    def silent_s(self, now: float | None = None) -> float:
        """Return the seconds since the worker's last sign of life."""
        return max(0.0, (time.time() if now is None else now) - self.heartbeat)


def process_start_mark(pid: int) -> str:
    """Return a mark of the start of process `pid`, constant while it lives; "" without a process.

    On Linux the kernel's start time together with the boot it belongs to, so that a PID reused
    after a reboot is not mistaken for the old process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _start_mark_by_ps(pid)
    # The command's name stands in parentheses and may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    state, start = fields[0], fields[19]
    return "" if state in "ZX" else f"{boot}:{start}"


def _start_mark_by_ps(pid: int) -> str:
    """Return the mark where there is no /proc (macOS)."""
    listed = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    state, _, start = listed.stdout.strip().partition(" ")
    return "" if not state or state.startswith("Z") else start.strip()


HEARTBEAT_S = 1.0
# A computation notices a request to stop at its next progress report. One that is deep in a long
# step is ended after this time; whatever it writes is written whole or not at all.
PATIENCE_S = 8.0


class Heartbeat:
    """Writes the status of a run at every beat; may be called from several threads.

    Args:
        run: the run this process works on.
        status: as it was before this process took over.
        patience_s: how long a request to stop may go unnoticed before the process is ended; None
            never ends it.
    """

    def __init__(self, run: Run, status: Status, patience_s: float | None = PATIENCE_S) -> None:
        self._run, self._patience_s = run, patience_s
        pid = os.getpid()
        self._status = replace(
            status, pid=pid, birth=process_start_mark(pid), host=socket.gethostname()
        )
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._stop_seen = 0.0
        self._beat = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

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
        """Record the progress of the work; raise `Stopped` after a request to stop."""
        if self._run.stop_asked:
            raise Stopped("stopped on request")
        with self._guard:  # the heartbeat writes it to the file: frequent reports cost no writing
            share = min(1.0, max(self._status.share, share))
            self._status = replace(self._status, message=what, share=share)

    def finish(self, state: str, message: str, todo: str = "") -> None:
        """Write the final status, even where the disk is full (see `Run.write`)."""
        self._over.set()
        with self._guard:
            share = 1.0 if state == "succeeded" else self._status.share
            self._status = replace(
                self._measured(), state=state, message=message, todo=todo, share=share,
                ended=time.time(),
            )  # fmt: skip
            with suppress(OSError):  # nothing is left to be done: a reader infers that it is lost
                self._run.write(self._status)

    def _change(self, **changes) -> None:
        with self._guard:
            if self._over.is_set():  # what is in the file now may be of the run's next worker
                return
            self._status = replace(self._measured(), **changes)
            self._run.write(self._status)

    def _measured(self) -> Status:
        return replace(
            self._status,
            heartbeat=time.time(),
            peak_bytes=max(self._status.peak_bytes, peak_bytes()),
            gpu_peak_bytes=max(self._status.gpu_peak_bytes, gpu_peak_bytes()),
        )

    def _beat_on(self) -> None:
        while not self._over.wait(HEARTBEAT_S):
            if self._run.stop_asked:
                self._stop_seen = self._stop_seen or time.time()
                unheard = time.time() - self._stop_seen
                if self._run.stop_now or (
                    self._patience_s is not None and unheard > self._patience_s
                ):
                    self.finish("stopped", "stopped on request, in the middle of a step")
                    os._exit(0)
            # A beat that cannot be written is skipped: the next one may succeed, and the work
            # itself will report the problem.
            with suppress(OSError):
                self._change()
