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
    """Put a run at the end of the queue, and begin what can begin.

    A run's name is made of its kind and settings: the same asked twice is one run. One that waits
    or works goes on as it was; one that has succeeded is done; one that failed, was stopped or
    lost takes its place in the queue again, and goes on from its checkpoint.

    Args:
        after: runs that must succeed first.
        after_any: runs that must be over first, however they end.
        estimate: what a preflight expected of it, kept beside what will be measured.

    Raises:
        RunError, ConfigError: the kind or a setting is wrong, or a run to wait for is not there.
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
    """`submit`, but nothing begins yet; for several runs that belong together."""
    request = RunRequest(
        kind, dict(settings), tuple(after), experiment,
        executor=executor, after_any=tuple(after_any),
    )  # fmt: skip
    check(request)
    run = Run(workspace.runs / run_name(request))
    with workspace.lock(queue.LOCK):
        for name in request.waits_for:
            if not is_run(workspace.runs / name):
                raise RunError(f"there is no run {name!r} to wait for", where=run.run_id)
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
    """The name of the run for this request, the same for the same kind and settings."""
    settings = request.settings
    stage = KINDS[request.kind].stage or request.kind
    targets = settings.get("targets") or [settings.get("target") or "all"]
    who = "+".join(map(str, targets)) if len(targets) < 4 else "all"
    if request.kind == "generate":
        who = f"{request.method}_{who}"
    dataset = str(settings.get("dataset") or "none")
    return run_id(dataset, stage, who, {"kind": request.kind, "settings": settings})


def begin(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Run:
    """Begin a run at once, beside the queue: the one that is at work already, else a new one.

    Its name is made of its kind and settings, so that asking twice gives one run. One that has
    ended, however it ended, begins anew.

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
        # Still under the lock, which the worker takes before its first word: so that the one
        # never overwrites the other.
        run.write(replace(status, pid=pid, birth=process_start_mark(pid), heartbeat=time.time()))
    return run


def begun_at(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Run:
    """Return the run that `begin` makes of this kind and these settings, begun or not."""
    return Run(workspace.jobs / f"{kind}-{content_hash(kind, dict(settings))[:16]}")


def find_begun(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Run | None:
    """Return the run of this kind with these settings; None where it was never begun."""
    run = begun_at(workspace, kind, settings)
    return run if _exists(run) else None


def every_begun(workspace: Workspace, kind: str) -> list[Run]:
    """Return all runs of this kind that were begun at once, the last first."""
    folders = workspace.jobs.iterdir() if workspace.jobs.is_dir() else ()
    found = [(run, run.status()) for run in map(Run, folders) if _exists(run)]
    found = [(run, status) for run, status in found if status.state != BROKEN]
    found = [(run, status) for run, status in found if run.request.kind == kind]
    return [run for run, _ in sorted(found, key=lambda each: each[1].queued, reverse=True)]


def _exists(run: Run) -> bool:
    return (run.folder / "status.json").exists()


def resubmit_unfinished(workspace: Workspace, run: Run) -> None:
    """Put a run that has ended without success back into the queue, as it was asked for; one that
    waits, works or has succeeded stays as it is. One that measures goes on without others now,
    also where it was asked for before it could."""
    with workspace.lock(queue.LOCK):
        asked = None
        if run.status().state in ("failed", "stopped", "lost") and run.request.kind in MEASURING:
            asked = replace(run.request, after=(), after_any=run.request.waits_for)
        _requeue(workspace, run, asked)


def resubmit(workspace: Workspace, run: Run) -> None:
    """Put a run that failed, was stopped or lost back into the queue, and with it those that
    failed because of it."""
    with workspace.lock(queue.LOCK):
        status = run.status()
        if status.live:
            raise RunError(f"the run is {status.state}", where=run.run_id)
        if status.state == "succeeded":
            raise RunError("the run has succeeded: there is nothing left to do", where=run.run_id)
        runs = all_runs(workspace)
        back = [run.run_id]
        _requeue(workspace, run)
        for other in runs:  # in order, so that chains come back as a whole
            blocked = other.status().blocked_by
            if blocked and not {blocked, *other.request.after_any}.isdisjoint(back):
                _requeue(workspace, other)
                back.append(other.run_id)


def _requeue(workspace: Workspace, run: Run, asked: RunRequest | None = None) -> None:
    """Put a run that has ended without success back; under the queue's lock.

    Args:
        asked: the request it is asked for with now; it says anew for whom the run waits.
    """
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
        request = run.request
        if asked is not None:
            request = replace(request, after=asked.after, after_any=asked.after_any)
        replace(request, queued=now, order=_next_order(workspace)).write(run.folder)


def _next_order(workspace: Workspace) -> int:
    orders = [0]
    for run in all_runs(workspace):
        try:
            orders.append(run.request.order)
        except CapoError:
            continue
    return 1 + max(orders)
