"""The process of a worker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # where `-m capo_core…` finds the package
OWN_THREADS = "CAPO_WORKER_THREADS"  # how many threads a worker was given by the queue


def worker_command(folder: Path) -> list[str]:
    """Return the command line that does the run in `folder`, whatever its kind."""
    return [sys.executable, "-m", "capo_core.runs.worker", str(folder)]


def worker_environment(parallel: int) -> dict[str, str]:
    """Return the environment variables of a worker beside which `parallel` - 1 others may run."""
    # Threads that wait for work would otherwise take the processor from others.
    environment = {"OMP_WAIT_POLICY": "passive", "TOKENIZERS_PARALLELISM": "false", **os.environ}
    # Set here for the worker that starts this one, and not by the user.
    if environment.pop(OWN_THREADS, None) == environment.get("OMP_NUM_THREADS"):
        environment.pop("OMP_NUM_THREADS", None)
    if parallel > 1 and "OMP_NUM_THREADS" not in environment:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        threads = str(max(1, (cores or 1) // parallel))
        environment |= {"OMP_NUM_THREADS": threads, OWN_THREADS: threads}
    return environment


def start(folder: Path, *, parallel: int = 1) -> int:
    """Start the worker of a run as a separate process and return its PID.

    It outlives this process and appends its output to the run's log.

    Args:
        parallel: how many workers may run at once. Each computes with its part of the cores, unless
            OMP_NUM_THREADS is set: with more threads than cores, threads that have finished their
            part of a product wait for those that have no core, at every product (ten times slower,
            as measured for answers on two busy cores).
    """
    environment = worker_environment(parallel)
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            worker_command(folder),
            cwd=ROOT,
            # Threads that wait for work would otherwise take the processor from others.
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Someone must collect the dead child, or it stays in the process table as long as we live.
    threading.Thread(target=process.wait, name=f"collect-{process.pid}", daemon=True).start()
    return process.pid
