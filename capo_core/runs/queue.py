"""The queue: the order of runs, and starting the next ones. There is no daemon.

Every process that lists runs (a page, the command line, a worker that ends) calls `advance`. It
holds one lock of the workspace, so that any number of processes may call it at once, and each run
is started exactly once: a worker, too, takes that lock to claim its run, and exits where another
one has it. Runs come into the queue by `submit`.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import Any

from capo_core.errors import BackendUnavailable, ConfigError, RunError
from capo_core.formatting import Named, Statement, Titles
from capo_core.runs import dependencies, process, slurm
from capo_core.runs.dependencies import DELETED, DependencyStates
from capo_core.runs.run import BROKEN, Run, all_runs
from capo_core.runs.status import Status, process_start_mark
from capo_core.workspace import Workspace

LOCK = "queue"


def advance(workspace: Workspace) -> list[Run]:
    """Start the runs that may start now, and return them.

    A run starts when its dependencies allow it (see `dependencies`) and fewer than `max_parallel`
    runs are running, in the order of submission. One that needs a failed run fails with it. One
    that needs a run that was stopped or lost stays queued: that one can be resumed. An evaluation
    that skipped a run which has succeeded since comes back into the queue.

    Raises:
        ConfigError: the number of parallel runs is not a whole number from 1 on.
        DataError: another process has held the queue for half a minute.
    """
    started = []
    with workspace.lock(LOCK):
        runs = all_runs(workspace)
        status = {run.run_id: run.status() for run in runs}
        _bring_up_to_date(runs, status)
        waiting = [run for run in runs if _unclaimed(status[run.run_id])]
        if not waiting:
            return []
        # Failing one may fail those that depend on it, so repeat until nothing changes.
        states = DependencyStates(workspace.runs, status)
        while any(_fail_with_another(run, states, status) for run in waiting):
            waiting = [run for run in waiting if _unclaimed(status[run.run_id])]
        parallel = max_parallel(workspace)
        room = parallel - sum(_running_here(each) for each in status.values())
        for run in waiting:
            if states.blocked_by(run.request):
                continue
            if run.request.executor == "slurm":
                # A compute node may be without sbatch: the run stays in the queue for a machine
                # that has it, and does not fail because another run ended first.
                if slurm.inside_job() and slurm.unavailable():
                    continue
                _hand_to_slurm(run, status)
                started.append(run)
            elif room > 0:
                _start(run, status[run.run_id], parallel)
                started.append(run)
                room -= 1
    return started


def claim(workspace: Workspace, run: Run) -> Status | None:
    """Claim a run for this process; return its status, or None where another worker has it.

    Raises:
        RunError: the run's files are broken.
    """
    pid = os.getpid()
    with workspace.lock(LOCK):
        status = run.status()
        if status.state == BROKEN:
            raise RunError(status.message, where=run.run_id)
        mine = status.pid in (0, pid) or bool(status.slurm)
        if status.state != "queued" or not mine:
            return None
        return run.write(
            replace(
                status,
                pid=pid,
                birth=process_start_mark(pid),
                state="running",
                heartbeat=time.time(),
                started=time.time(),
                message="starting",
            )
        )


def reason_for_waiting(run: Run, titles: Titles = lambda kind, name: name) -> str:
    """Return why a queued run has not started; "" where it only waits for its turn.

    Args:
        titles: what the run that it waits for is called, of the kind "run".
    """
    states = DependencyStates(run.folder.parent)
    name = states.blocked_by(run.request)
    if not name:
        return ""
    state = states.status(name).state
    ended = state in ("stopped", "lost", BROKEN, DELETED)
    template = "waits for {run}, which is {state}" if ended else "waits for {run}"
    values = {"run": Named("run", name), "state": state}
    return Statement("waiting", template, values).render(titles)


def max_parallel(workspace: Workspace) -> int:
    """Return how many runs may run on this machine at once.

    The environment variable CAPO_PARALLEL_RUNS, else `parallel_runs` in the workspace's
    settings.json, else 1.
    """
    raw: Any = os.environ.get("CAPO_PARALLEL_RUNS")
    where = "CAPO_PARALLEL_RUNS"
    path = workspace.root / "settings.json"
    if not raw and path.exists():
        where = str(path)
        try:
            raw = json.loads(path.read_text(encoding="utf-8")).get("parallel_runs", 1)
        except (ValueError, AttributeError):
            raise ConfigError("the file is not a JSON object", where=where) from None
    try:
        number = int(raw or 1)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise ConfigError(
            f"{raw!r} is not a number of parallel runs",
            where=where,
            expected="a whole number from 1 on",
        )
    return number


def _unclaimed(status: Status) -> bool:
    return status.state == "queued" and not status.pid and not status.slurm


def _running_here(status: Status) -> bool:
    return status.live and bool(status.pid) and not status.slurm


def _fail_with_another(run: Run, states: DependencyStates, status: dict[str, Status]) -> bool:
    """Fail `run` if a run it needs has failed or was deleted; return whether it was failed."""
    if status[run.run_id].state != "queued":
        return False
    name = states.failed_because_of(run.request)
    if not name:
        return False
    other = states.status(name)
    why = f"failed: {other.message.rstrip('.')}" if other.state == "failed" else f"is {other.state}"
    why = "was deleted" if other.state == DELETED else why
    status[run.run_id] = run.write(
        replace(
            status[run.run_id],
            state="failed",
            # Down a chain the first failure is what matters.
            message=other.message if other.blocked_by else f"depends on a run that {why} ({name})",
            todo=other.todo if other.state == "failed" else "",
            ended=time.time(),
            blocked_by=name,
        )
    )
    return True


def _bring_up_to_date(runs: list[Run], status: dict[str, Status]) -> None:
    """Requeue runs that skipped inputs which have succeeded since."""
    there = {name for name, each in status.items() if each.state == "succeeded"}
    for run in runs:
        if run.run_id not in there or not there.intersection(dependencies.skipped_by(run)):
            continue
        before = status[run.run_id]
        status[run.run_id] = run.write(
            Status(
                queued=time.time(),
                message="queued again to include new results",
                worked_s=before.duration_s(),
                peak_bytes=before.peak_bytes,
                gpu_peak_bytes=before.gpu_peak_bytes,
            )
        )
        # After the status: a worker that is killed must not look like one that has finished.
        run.files.forget_result()


def _start(run: Run, status: Status, parallel: int) -> None:
    pid = process.start(run.folder, parallel=parallel)
    run.write(
        replace(
            status,
            pid=pid,
            birth=process_start_mark(pid),
            heartbeat=time.time(),
            message="about to start",
        )
    )


def _hand_to_slurm(run: Run, status: dict[str, Status]) -> None:
    before = status[run.run_id]
    try:
        number = slurm.submit(run.folder)
    except (BackendUnavailable, ConfigError) as error:
        run.write(
            replace(before, state="failed", message=error.problem, todo=error.todo or "",
                    ended=time.time())
        )  # fmt: skip
        return
    run.write(replace(before, slurm=number, message=f"submitted to Slurm as job {number}"))
