"""A run that computes nothing of use, but behaves like a training.

For tests, and for trying how runs behave on a machine: it takes steps, writes events and
checkpoints, resumes where it stopped, and ends in a number that depends on every step.
"""

from __future__ import annotations

import json
import time

from capo_core.errors import DataError, Stopped
from capo_core.progress import Progress
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.runs.checks import Settings
from capo_core.workspace import Workspace, content_hash, write_json

GO_ON = "go_on"  # a file in the run's folder that ends its waiting
_LOOK_S = 0.02


def work_through_steps(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Execute `steps` steps of `step_s` seconds each.

    Args:
        settings: steps, step_s; `seed`; `fail`, words to fail with at the end; `full_disk_at`,
            the step from which on nothing can be written to the events any more; `hold_at`, the
            step after which it waits until a file `go_on` lies in its folder. One that is resumed
            from there waits no more.

    Raises:
        DataError: with the words of `fail`.
        RunError: the disk is full.
        Stopped: on request; the steps so far are saved.
    """
    folder.claim({"stage": "dummy", "settings": dict(settings)})
    checkpoint = folder.checkpoint / "state.json"
    state = {"step": 0, "sum": str(settings.get("seed", 0)), "events_size": 0}
    with folder.lock():
        if checkpoint.exists():
            state = json.loads(checkpoint.read_text(encoding="utf-8"))
        folder.cut_events(state["events_size"])
        folder.forget_stop()
        folder.log("resumed" if state["step"] else "started", step=state["step"])
        while state["step"] < settings["steps"]:
            _tell(progress, state["step"], settings["steps"])
            time.sleep(settings["step_s"])
            state["step"] += 1
            state["sum"] = content_hash(state["sum"], state["step"])
            if state["step"] == settings.get("full_disk_at"):
                _fill_disk(folder)
            folder.log("step", step=state["step"], loss=1 / state["step"])
            state["events_size"] = folder.events_size()
            with disk_errors(folder.checkpoint):
                write_json(checkpoint, state)
            if state["step"] == settings.get("hold_at"):
                while not (folder.path / GO_ON).exists():
                    _tell(progress, state["step"], settings["steps"])
                    time.sleep(_LOOK_S)
        if settings.get("fail"):
            raise DataError(settings["fail"])
        folder.finish({"steps": state["step"], "sum": state["sum"]})
    return "all steps are done"


def _tell(progress: Progress, done: int, steps: int) -> None:
    try:
        progress(f"{done} of {steps} steps", done / steps)
    except Stopped:
        raise Stopped(f"stopped after step {done}, and saved") from None


def _fill_disk(folder: RunFolder) -> None:
    """Redirect the run's events to a device that is always full (Linux)."""
    folder.events_path.rename(folder.events_path.with_name("events-before.jsonl"))
    folder.events_path.symlink_to("/dev/full")
