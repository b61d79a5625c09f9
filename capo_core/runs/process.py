"""The process of a worker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # where `-m capo_core…` finds the package


def worker_command(folder: Path) -> list[str]:
    """Return the command line that does the run in `folder`, whatever its kind."""
    return [sys.executable, "-m", "capo_core.runs.worker", str(folder)]


def start(folder: Path) -> int:
    """Start the worker of a run as a separate process and return its PID.

    It outlives this process and appends its output to the run's log.
    """
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            worker_command(folder),
            cwd=ROOT,
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
