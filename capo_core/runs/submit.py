"""Submission of runs: to the queue, the first time or again, or at once beside the queue."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from capo_core.errors import CapoError, RunError
from capo_core.run_folder import disk_errors, run_id
from capo_core.runs import process, queue
from capo_core.runs.checks import check
from capo_core.runs.dependencies import MEASURING
from capo_core.runs.request import KINDS, RunRequest
from capo_core.runs.run import BROKEN, Run, all_runs, is_run
from capo_core.runs.status import Status, process_start_mark
from capo_core.workspace import Workspace, content_hash, make_folder, write_json


def submit(
    workspace: Workspace,
    kind: str,
    settings: Mapping[str, Any],
    *,
    after: Sequence[str] = (),
    after_any: Sequence[str] = (),
    experiment: str = "",
    executor: str = "local",
    estimate: Mapping[str, Any] | None = None,
) -> Run:
    """Put a run at the end of the queue, and start the runs that may start.

    A run's name is made of its kind and settings: the same request twice is one run. One that is
    queued or running stays as it is; one that has succeeded is done; one that failed, was stopped
    or lost takes a place in the queue again, and resumes from its checkpoint.

    Args:
        after: runs that must succeed first.
        after_any: runs that must end first, however they end.
        estimate: of a pre-flight check, to be saved beside the measured values.

    Raises:
        RunError, ConfigError: the kind or a setting is wrong, or a dependency does not exist.
    """
    run = enqueue(
        workspace, kind, settings, after=after, after_any=after_any,
        experiment=experiment, executor=executor, estimate=estimate,
    )  # fmt: skip
    queue.advance(workspace)
    return run


def enqueue(
    workspace: Workspace,
    kind: str,
    settings: Mapping[str, Any],
    *,
    after: Sequence[str] = (),
    after_any: Sequence[str] = (),
    experiment: str = "",
    executor: str = "local",
    estimate: Mapping[str, Any] | None = None,
) -> Run:
    """Put a run at the end of the queue without starting any; for runs that belong together."""
    request = RunRequest(
        kind, dict(settings), tuple(after), experiment,
        executor=executor, after_any=tuple(after_any),
    )  # fmt: skip
    check(request)
    run = Run(workspace.runs / run_name(request))
    with workspace.lock(queue.LOCK):
        for name in request.waits_for:
            if not is_run(workspace.runs / name):
                raise RunError(f"there is no run {name!r} to depend on", where=run.run_id)
        if is_run(run.folder):
            _requeue(workspace, run, request)
            return run
        with disk_errors(run.folder):
            make_folder(run.folder)
            if estimate is not None:
                write_json(run.folder / "preflight.json", dict(estimate))
            now = time.time()
            replace(request, queued=now, order=_next_order(workspace)).write(run.folder)
            run.write(Status(queued=now, message="waiting for its turn"))
    return run


def run_name(request: RunRequest) -> str:
    """Return the name of the run for this request, the same for the same kind and settings."""
    settings = request.settings
    stage = KINDS[request.kind].stage or request.kind
    targets = settings.get("targets") or [settings.get("target") or "all"]
    who = "+".join(map(str, targets)) if len(targets) < 4 else "all"
    if request.kind == "generate":
        who = f"{request.method}_{who}"
    dataset = str(settings.get("dataset") or "none")
    return run_id(dataset, stage, who, {"kind": request.kind, "settings": settings})


def begin(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Run:
    """Start a run at once, outside the queue, unless it is running already; return it.

    Its name is made of its kind and settings, so that the same request twice is one run. A run that
    has ended, in whatever state, starts anew.

    Raises:
        RunError, ConfigError: the kind or a setting is wrong.
    """
    request = RunRequest(kind, dict(settings), queued=time.time())
    check(request)
    run = begun_at(workspace, kind, settings)
    with workspace.lock(queue.LOCK):
        if _exists(run) and run.status().live:
            return run
        make_folder(run.folder)
        run.forget_stop()
        run.files.forget_result()
        (run.folder / "log.txt").unlink(missing_ok=True)
        request.write(run.folder)
        status = run.write(Status(queued=request.queued))
        pid = process.start(run.folder)
        # Still under the lock, which the worker takes before it writes: so that neither
        # overwrites the status of the other.
        run.write(replace(status, pid=pid, birth=process_start_mark(pid), heartbeat=time.time()))
    return run


def begun_at(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Run:
    """Return the run that `begin` makes of this kind and these settings, started or not."""
    return Run(workspace.jobs / f"{kind}-{content_hash(kind, dict(settings))[:16]}")


def find_begun(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Run | None:
    """Return the run of this kind with these settings; None where it was never started."""
    run = begun_at(workspace, kind, settings)
    return run if _exists(run) else None


def every_begun(workspace: Workspace, kind: str) -> list[Run]:
    """Return all runs of this kind that were started by `begin`, the last first."""
    folders = workspace.jobs.iterdir() if workspace.jobs.is_dir() else ()
    found = [(run, run.status()) for run in map(Run, folders) if _exists(run)]
    found = [(run, status) for run, status in found if status.state != BROKEN]
    found = [(run, status) for run, status in found if run.request.kind == kind]
    return [run for run, _ in sorted(found, key=lambda each: each[1].queued, reverse=True)]


def _exists(run: Run) -> bool:
    return (run.folder / "status.json").exists()


def resubmit_unfinished(workspace: Workspace, run: Run) -> None:
    """Put a run that ended without success back into the queue; any other stays as it is.

    An evaluation or judge run skips failed inputs from now on, even if its former request
    needed all of them.
    """
    with workspace.lock(queue.LOCK):
        renewed = None
        if run.status().state in ("failed", "stopped", "lost") and run.request.kind in MEASURING:
            renewed = replace(run.request, after=(), after_any=run.request.waits_for)
        _requeue(workspace, run, renewed)


def resubmit(workspace: Workspace, run: Run) -> None:
    """Put a run that failed, was stopped or lost back into the queue.

    Runs that failed because of it come back with it.

    Raises:
        RunError: it is queued or running, has succeeded, or its files are broken.
    """
    with workspace.lock(queue.LOCK):
        status = run.status()
        if status.live:
            raise RunError(f"the run is {status.state}", where=run.run_id)
        if status.state == "succeeded":
            raise RunError("the run has succeeded: there is nothing to resume", where=run.run_id)
        runs = all_runs(workspace)
        back = [run.run_id]
        _requeue(workspace, run)
        for other in runs:  # in order, so that chains come back as a whole
            blocked = other.status().blocked_by
            if blocked and not {blocked, *other.request.after_any}.isdisjoint(back):
                _requeue(workspace, other)
                back.append(other.run_id)


def _requeue(workspace: Workspace, run: Run, renewed: RunRequest | None = None) -> None:
    """Put a run that has ended without success back; under the queue's lock.

    Args:
        renewed: the request with which it is submitted now; its dependencies replace the former.
    """
    status = run.status()
    if status.live or status.state == "succeeded":
        return
    if status.state == BROKEN:
        raise RunError(
            f"the run's files are broken: {status.message}",
            where=str(run.folder),
            todo="correct the file, or delete the run and submit it again",
        )
    run.forget_stop()
    now = time.time()
    with disk_errors(run.folder):
        # The progress is measured from where it resumes.
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
        request = run.request
        if renewed is not None:
            request = replace(request, after=renewed.after, after_any=renewed.after_any)
        replace(request, queued=now, order=_next_order(workspace)).write(run.folder)


def _next_order(workspace: Workspace) -> int:
    orders = [0]
    for run in all_runs(workspace):
        try:
            orders.append(run.request.order)
        except CapoError:
            continue
    return 1 + max(orders)
