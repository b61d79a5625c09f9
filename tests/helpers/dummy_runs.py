"""Runs that sleep, and waiting for what becomes of them.

A test that must meet a run at work lets it wait at a step (`hold_at`), or gives it minutes of work:
a run that is merely a little slow has ended on a slow machine before the test has looked.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from capo_core.errors import RunError
from capo_core.runs import run as runs_run
from capo_core.runs import submit
from capo_core.runs.kinds.dummy import GO_ON
from capo_core.runs.run import Run
from capo_core.runs.status import Status
from capo_core.workspace import Workspace, content_hash

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240  # a loaded machine needs seconds to start a Python


# More steps than any test sees the end of.
ENDLESS = {"steps": 6000, "step_s": 0.1}


def settings(steps: int = 2, step_s: float = 0.02, **more) -> dict:
    return {"steps": steps, "step_s": step_s, **more}


def put(workspace: Workspace, *, after=(), experiment="", **more) -> Run:
    """A rehearsal in the queue; nothing begins."""
    return submit.enqueue(workspace, "dummy", settings(**more), after=after, experiment=experiment)


def expected_sum(steps: int, seed: int = 0) -> str:
    """What a rehearsal of so many steps ends in."""
    value = str(seed)
    for step in range(1, steps + 1):
        value = content_hash(value, step)
    return value


def wait_for(run: Run, *states: str, within_s: float = PATIENCE_S) -> Status:
    end = time.time() + within_s
    while time.time() < end:
        status = run.status()
        if status.state in states:
            return status
        time.sleep(0.05)
    raise AssertionError(f"{run.status()} never became {states}; log: {run.log}")


def wait_until(condition: Callable[[], bool], run: Run, *, within_s: float = PATIENCE_S) -> None:
    end = time.time() + within_s
    while time.time() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"it never came so far: {run.status()}; {run.log}")


def wait_for_step(run: Run, step: int) -> None:
    """Wait until so many steps are done and saved."""
    wait_until(lambda: saved_step(run) >= step, run)


def saved_step(run: Run) -> int:
    path = run.files.checkpoint / "state.json"
    return json.loads(path.read_text())["step"] if path.exists() else 0


def let_go(run: Run) -> None:
    """Let a run that waits at a step go on."""
    (run.folder / GO_ON).touch()


def python(code: str, *args: object) -> subprocess.Popen:
    """A process of its own that runs `code`, as another dashboard would."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_all(workspace: Workspace) -> None:
    """Kill the workers that a test has left."""
    for run in runs_run.all_runs(workspace):
        try:
            status = run.status()
        except RunError:
            continue
        if status.live and status.pid and status.pid != os.getpid():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(status.pid, signal.SIGKILL)
