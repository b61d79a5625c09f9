"""Actions on runs: stop, resume, repeat with changes, delete, restore, write notes."""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from capo_core.errors import RunError
from capo_core.formatting import count
from capo_core.run_folder import disk_errors
from capo_core.runs import queue, slurm, submit
from capo_core.runs.run import Run, all_runs, find_run, is_run
from capo_core.runs.status import LIVE
from capo_core.workspace import Workspace, atomic_file, make_folder, safe_name


@dataclass(frozen=True)
class ResumePoint:
    """The point from which a run would resume.

    Attributes:
        step: training steps, or outputs, that are done.
        words: the same for a person.
    """

    step: int
    words: str


def stop(workspace: Workspace, run_id: str, *, now: bool = False) -> str:
    """Ask a run to save and stop, and return one sentence about what will happen.

    Args:
        now: end it at once: what came after its last checkpoint is lost.

    Raises:
        RunError: it is neither queued nor running.
    """
    run = find_run(workspace, run_id)
    with workspace.lock(queue.LOCK):
        status = run.status()
        if not status.live:
            raise RunError(f"the run is {status.state}: there is nothing to stop", where=run_id)
        if status.state == "queued" and not status.pid:
            if status.slurm:
                slurm.cancel(status.slurm)
            run.write(
                replace(status, state="stopped", message="stopped before it started", slurm="",
                        ended=time.time())
            )  # fmt: skip
            return "removed from the queue"
        run.ask_to_stop(now=now)
    return "ends at once" if now else "saves and stops after the current step"


def resume(workspace: Workspace, run_id: str) -> ResumePoint:
    """Put a run that was stopped, lost or failed back into the queue; return the resume point.

    Runs that failed because they depend on it come back with it.

    Raises:
        RunError: it has succeeded, is queued or running already, or its files are broken.
    """
    run = find_run(workspace, run_id)
    point = resume_point(run)
    submit.resubmit(workspace, run)
    queue.advance(workspace)
    return point


def resume_point(run: Run) -> ResumePoint:
    """Return the point from which a run would resume, by the files it has saved."""
    answers = run.folder / "outputs.jsonl"
    if answers.exists():
        done = answers.read_bytes().count(b"\n")
        return ResumePoint(
            done, f"resumes after {count(done, 'output')}" if done else "starts anew"
        )
    step = _saved_step(run.files.checkpoint)
    return ResumePoint(step, f"resumes from step {step}" if step else "starts from step 0")


def repeat(workspace: Workspace, run_id: str, changes: Mapping[str, Any]) -> Run:
    """Submit a run like this one with other settings.

    Args:
        changes: dotted names of settings and their new values: {"config.epochs": 3}.

    Raises:
        RunError: nothing is changed, or there is no such setting.
        ConfigError: a value is out of its range.
    """
    run = find_run(workspace, run_id)
    request = run.request
    settings = with_changes(request.settings, changes)
    if settings == request.settings:
        raise RunError(
            "with the same settings it is the same run",
            where=run_id,
            todo="change a setting (config.seed for a repetition), or resume the run",
        )
    return submit.submit(
        workspace, request.kind, settings,
        after=request.after, after_any=request.after_any, executor=request.executor,
    )  # fmt: skip


def with_changes(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `settings` with other values at dotted names; only nested names may be new.

    A whole number in place of one with a fraction is one too: 0 and 0.0 are the same setting.
    """
    result = deepcopy(dict(settings))
    for name, value in changes.items():
        *path, last = name.split(".")
        place: Any = result
        for part in path:
            place = place.get(part) if isinstance(place, dict) else None
        if not isinstance(place, dict) or (not path and last not in place):
            raise RunError(f"there is no setting {name!r}", expected=f"one of {sorted(settings)}")
        place[last] = float(value) if _same_number(place.get(last), value) else value
    return result


def _same_number(before: Any, value: Any) -> bool:
    return isinstance(before, float) and type(value) is int


def delete(workspace: Workspace, run_id: str) -> Path:
    """Move a run to the trash folder and return its path there.

    Raises:
        RunError: it is queued or running, or a run that is depends on it.
    """
    run = find_run(workspace, run_id)
    with workspace.lock(queue.LOCK):
        state = run.status().state
        if state in LIVE:
            raise RunError(f"the run is {state}", where=run_id, todo="stop it first")
        for other in all_runs(workspace):
            if other.status().live and run_id in other.request.waits_for:
                raise RunError(
                    f"the run {other.run_id} depends on it", where=run_id, todo="stop that first"
                )
        make_folder(workspace.trash)
        place = workspace.trash / f"{run_id}-{time.time_ns() // 1_000_000}"
        with disk_errors(run.folder):
            shutil.move(run.folder, place)
    return place


def restore(workspace: Workspace, name: str) -> Run:
    """Move a run back out of the trash folder, by its name there.

    Raises:
        RunError: there is none, or its place is taken.
    """
    source = workspace.trash / safe_name(name)
    place = workspace.runs / name.rpartition("-")[0]
    with workspace.lock(queue.LOCK):
        if not is_run(source):
            raise RunError(f"there is no {name!r} in the trash", where=str(workspace.trash))
        if place.exists():
            raise RunError(f"there is a run {place.name!r} again", where=str(workspace.runs))
        with disk_errors(place):
            shutil.move(source, place)
    return Run(place)


def write_notes(workspace: Workspace, run_id: str, text: str) -> None:
    """Replace the notes on a run; an empty text deletes them."""
    run = find_run(workspace, run_id)
    path = run.folder / "notes.txt"
    if not text.strip():
        path.unlink(missing_ok=True)
        return
    with disk_errors(path), atomic_file(path, "w") as file:
        file.write(text.strip() + "\n")


def _saved_step(folder: Path) -> int:
    """Return the step of a checkpoint, 0 where there is none; reads the header only."""
    state = folder / "state.safetensors"
    try:
        if state.exists():
            with state.open("rb") as file:
                (size,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(min(size, 100_000_000)))
            return int(json.loads(header["__metadata__"]["counters"])["step"])
        plain = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return int(plain["step"])
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return 0
