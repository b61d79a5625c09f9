"""What keeps a status file true while the work goes on."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace

from capo_core.errors import Stopped
from capo_core.jobs.memory import gpu_peak_bytes, peak_bytes
from capo_core.jobs.record import Job, Status, birth_of

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
