"""Beginning, finding and stopping jobs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capo_core.errors import ConfigError
from capo_core.runs.kinds import KINDS
from capo_core.runs.status import Job, Status, birth_of
from capo_core.workspace import Workspace, content_hash, make_folder, write_json

_ROOT = Path(__file__).resolve().parents[2]


def submit(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Job:
    """The job of this kind with these settings: the one that runs already, else a new one.

    A job's name is its kind and the hash of its settings, so asking twice gives one job. One that
    has ended, however it ended, begins anew.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"there is no job of kind {kind!r}", expected=f"one of {sorted(KINDS)}")
    job = locate(workspace, kind, settings)
    with workspace.lock(job.name):
        if exists(job) and job.status().live:
            return job
        make_folder(job.folder)
        (job.folder / "stop").unlink(missing_ok=True)
        write_json(job.folder / "config.json", {"kind": kind, "settings": dict(settings)})
        status = job.write(Status(queued=time.time()))
        pid = start_worker(job.folder)
        # Still under the lock, which the worker takes before its first word: so that the one
        # never overwrites the other.
        job.write(Status(queued=status.queued, pid=pid, birth=birth_of(pid), heartbeat=time.time()))
    return job


def locate(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Job:
    """Where the job of this kind with these settings lies, or would lie."""
    return Job(workspace.jobs / f"{kind}-{content_hash(kind, dict(settings))[:16]}")


def exists(job: Job) -> bool:
    return (job.folder / "status.json").exists()


def find(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Job | None:
    """The job of this kind with these settings, if it was ever asked for."""
    job = locate(workspace, kind, settings)
    return job if exists(job) else None


def every(workspace: Workspace, kind: str | None = None) -> list[Job]:
    """All jobs of the workspace, the last asked for first."""
    folders = workspace.jobs.iterdir() if workspace.jobs.is_dir() else ()
    jobs = [Job(folder) for folder in folders if exists(Job(folder))]
    if kind is not None:
        jobs = [job for job in jobs if job.config["kind"] == kind]
    return sorted(jobs, key=lambda job: job.status().queued, reverse=True)


def start_worker(folder: Path, *, append: bool = False) -> int:
    """Start the worker as a process of its own, which outlives this one; its number.

    Args:
        append: keep what earlier workers printed in the log.
    """
    with (folder / "log.txt").open("ab" if append else "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "capo_core.runs.worker", str(folder)],
            cwd=_ROOT,
            # Threads that wait for work would otherwise take the processor from others.
            env={"OMP_WAIT_POLICY": "passive", "TOKENIZERS_PARALLELISM": "false", **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Someone must collect the dead child, or it stays in the process table as long as we live.
    threading.Thread(target=process.wait, name=f"collect-{process.pid}", daemon=True).start()
    return process.pid
