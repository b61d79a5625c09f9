"""The queue: who is next, and beginning it. There is no daemon.

Whoever looks at the runs (a page, the command line, a worker that ends) calls `advance`. It works
under one lock of the workspace, so that any number of processes may call it at once, and each run
is begun exactly once: a worker, too, takes that lock to claim its run, and gives way where another
one has it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from capo_core.errors import BackendUnavailable, CapoError, ConfigError, RunError
from capo_core.imitation.run_folder import disk_errors, run_id
from capo_core.jobs import run_kinds, slurm
from capo_core.jobs.launch import start_worker
from capo_core.jobs.record import Status, birth_of
from capo_core.jobs.request import Request
from capo_core.jobs.runs import BROKEN, Run, every, is_run
from capo_core.workspace import Workspace, make_folder, write_json

LOCK = "queue"


def submit(
    workspace: Workspace,
    kind: str,
    settings: Mapping[str, Any],
    *,
    after: Sequence[str] = (),
    experiment: str = "",
    executor: str = "local",
    estimate: Mapping[str, Any] | None = None,
) -> Run:
    """Put a run at the end of the queue, and begin what can begin.

    A run's name is made of its kind and settings: the same asked twice is one run. One that waits
    or works goes on as it was; one that has succeeded is done; one that failed, was stopped or
    lost takes its place in the queue again, and goes on from its checkpoint.

    Args:
        after: runs that must succeed first.
        estimate: what a preflight expected of it, kept beside what will be measured.

    Raises:
        RunError, ConfigError: the kind or a setting is wrong, or a run of `after` is not there.
    """
    run = enqueue(
        workspace, kind, settings,
        after=after, experiment=experiment, executor=executor, estimate=estimate,
    )  # fmt: skip
    advance(workspace)
    return run


def enqueue(
    workspace: Workspace,
    kind: str,
    settings: Mapping[str, Any],
    *,
    after: Sequence[str] = (),
    experiment: str = "",
    executor: str = "local",
    estimate: Mapping[str, Any] | None = None,
) -> Run:
    """`submit`, but nothing begins yet; for several runs that belong together."""
    request = Request(kind, dict(settings), tuple(after), experiment, executor=executor)
    run_kinds.check(request)
    run = Run(workspace.runs / name_of(request))
    with workspace.lock(LOCK):
        for name in request.after:
            if not is_run(workspace.runs / name):
                raise RunError(f"there is no run {name!r} to wait for", where=run.run_id)
        if is_run(run.folder):
            _requeue(workspace, run)
            return run
        with disk_errors(run.folder):
            make_folder(run.folder)
            if estimate is not None:
                write_json(run.folder / "preflight.json", dict(estimate))
            now = time.time()
            replace(request, queued=now, order=_next_order(workspace)).write(run.folder)
            run.write(Status(queued=now, message="waiting for its turn"))
    return run


def name_of(request: Request) -> str:
    """The name of the run for this request, the same for the same kind and settings."""
    settings = request.settings
    method = run_kinds.method_of(request)
    stage = {"generate": "answers", "train_sft": "sft", "train_capo": "capo"}.get(
        request.kind, request.kind
    )
    who = run_kinds.target_of(settings)
    if request.kind == "generate":
        who = f"{method}_{who}"
    dataset = str(settings.get("dataset") or "none")
    return run_id(dataset, stage, who, {"kind": request.kind, "settings": settings})


def advance(workspace: Workspace) -> list[Run]:
    """Begin the runs whose turn it is; those begun now.

    A run begins when all runs it waits for have succeeded and fewer than `parallel` runs are at
    work, the one asked for first before others. One that waits for a failed run fails with it.
    One that waits for a run that was stopped or lost goes on waiting: that one can be resumed.

    Raises:
        ConfigError: the number of parallel runs is none.
        DataError: another process has held the queue for half a minute.
    """
    begun = []
    with workspace.lock(LOCK):
        runs = every(workspace)
        status = {run.run_id: run.status() for run in runs}
        waiting = [run for run in runs if _waits(status[run.run_id])]
        if not waiting:
            return []
        # Failing one may fail those that wait for it, so look again until nothing changes.
        while any(_fail_with_another(run, status) for run in waiting):
            waiting = [run for run in waiting if _waits(status[run.run_id])]
        room = parallel(workspace) - sum(_at_work_here(each) for each in status.values())
        for run in waiting:
            if any(status[name].state != "succeeded" for name in run.request.after):
                continue
            if run.request.executor == "slurm":
                _hand_to_slurm(run, status)
                begun.append(run)
            elif room > 0:
                _begin(run, status[run.run_id])
                begun.append(run)
                room -= 1
    return begun


def waits_for(run: Run) -> str:
    """Why a queued run has not begun, in words; "" where it waits only for its turn."""
    siblings = {name: Run(run.folder.parent / name) for name in run.request.after}
    for name, other in siblings.items():
        state = other.status().state if is_run(other.folder) else "deleted"
        if state in ("stopped", "lost", BROKEN, "deleted"):
            return f"waits for {name}, which is {state}"
        if state != "succeeded":
            return f"waits for {name}"
    return ""


def parallel(workspace: Workspace) -> int:
    """How many runs may work on this machine at once.

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
        raise ConfigError(f"{raw!r} runs at once", where=where, expected="a whole number from 1 on")
    return number


def _requeue(workspace: Workspace, run: Run) -> None:
    """Put a run that has ended without success back; under the queue's lock."""
    status = run.status()
    if status.live or status.state == "succeeded":
        return
    if status.state == BROKEN:
        raise RunError(
            f"the run's files are broken: {status.message}",
            where=str(run.folder),
            todo="mend the file, or delete the run and ask for it anew",
        )
    run.forget_stop()
    now = time.time()
    with disk_errors(run.folder):
        # Where it gets is measured anew from where it goes on.
        run.write(
            Status(
                queued=now,
                message="waiting for its turn",
                share=status.share,
                worked_s=status.duration_s(),
                peak_bytes=status.peak_bytes,
                gpu_peak_bytes=status.gpu_peak_bytes,
            )
        )
        replace(run.request, queued=now, order=_next_order(workspace)).write(run.folder)


def _next_order(workspace: Workspace) -> int:
    orders = [0]
    for run in every(workspace):
        try:
            orders.append(run.request.order)
        except CapoError:
            continue
    return 1 + max(orders)


def _waits(status: Status) -> bool:
    return status.state == "queued" and not status.pid and not status.slurm


def _at_work_here(status: Status) -> bool:
    return status.live and bool(status.pid) and not status.slurm


def _fail_with_another(run: Run, status: dict[str, Status]) -> bool:
    """Fail `run` where one it waits for has failed, or is not there any more."""
    if status[run.run_id].state != "queued":
        return False
    for name in run.request.after:
        other = status.get(name)
        if other is not None and other.state != "failed":
            continue
        why = "was deleted" if other is None else f"failed: {other.message}"
        said = f"waits for a run that {why} ({name})"
        status[run.run_id] = run.write(
            replace(
                status[run.run_id],
                state="failed",
                # Down a chain the first failure is what matters.
                message=other.message if other is not None and other.blocked_by else said,
                ended=time.time(),
                blocked_by=name,
            )
        )
        return True
    return False


def _begin(run: Run, status: Status) -> None:
    pid = start_worker(run.folder, append=True)
    run.write(
        replace(
            status, pid=pid, birth=birth_of(pid), heartbeat=time.time(), message="about to begin"
        )
    )


def _hand_to_slurm(run: Run, status: dict[str, Status]) -> None:
    before = status[run.run_id]
    try:
        number = slurm.submit(run.folder)
    except (BackendUnavailable, ConfigError) as error:
        run.write(replace(before, state="failed", message=str(error), ended=time.time()))
        return
    run.write(replace(before, slurm=number, message=f"handed to Slurm as job {number}"))


def claim(workspace: Workspace, run: Run) -> Status | None:
    """The status to go on from, now this process's; None where another worker has the run.

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
            replace(status, pid=pid, birth=birth_of(pid), state="running", heartbeat=time.time(),
                    started=time.time(), message="starting")
        )  # fmt: skip


def renew(workspace: Workspace, run: Run) -> None:
    """Put a run that failed, was stopped or lost back into the queue, and with it those that
    failed because of it."""
    with workspace.lock(LOCK):
        status = run.status()
        if status.live:
            raise RunError(f"the run is {status.state}", where=run.run_id)
        if status.state == "succeeded":
            raise RunError("the run has succeeded: there is nothing left to do", where=run.run_id)
        runs = every(workspace)
        back = [run.run_id]
        _requeue(workspace, run)
        for other in runs:  # in order, so that chains come back as a whole
            if other.status().blocked_by in back:
                _requeue(workspace, other)
                back.append(other.run_id)
