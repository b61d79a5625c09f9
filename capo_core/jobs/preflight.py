"""A look at a run before it begins: what it will read, need and take, and whether it can work.

    found = look(workspace, "train_sft", settings)
    found.possible, found.sentences, found.problems

`look` measures in a process of its own, so that the peak of memory is that of a run, and a model
that is too large takes nobody with it. What it found can be given to `submission.submit` as the
run's estimate, where it is kept beside what was measured. `python -m capo_core.jobs.preflight` is
that process; it reads the request from its input. `preflight_kept` keeps what was found.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError, RunError
from capo_core.jobs import preflight_training, preflight_writing, run_kinds
from capo_core.jobs.memory import available_bytes
from capo_core.jobs.preflight_found import Preflight, Problem
from capo_core.jobs.preflight_problems import problem_of, shortages, too_large
from capo_core.jobs.request import Request
from capo_core.workspace import Workspace, make_folder

_ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 900


def look(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Preflight:
    """What is to be expected of a run, from one dry step in a process of its own.

    Nothing is begun and nothing kept. What cannot work is among the `problems`.

    Raises:
        RunError: there is no such kind, or a setting is not of the right type.
    """
    request = Request(kind, dict(settings))
    run_kinds.check(request)
    asked = {"workspace": str(workspace.root), "kind": kind, "settings": dict(settings)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "capo_core.jobs.preflight"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            cwd=_ROOT,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        what = f"one step takes longer than {PATIENCE_S / 60:.0f} minutes"
        return Preflight(kind, problems=(Problem(what, "choose a smaller base, or a GPU"),))
    if done.returncode == 0:
        return Preflight.from_dict(json.loads(done.stdout.splitlines()[-1]))
    if done.returncode < 0:
        return Preflight(kind, problems=(too_large("the system ended the dry step"),))
    raise RunError(
        f"the dry step failed ({(done.stderr.strip().splitlines() or ['no word'])[-1][:300]})"
    )


def measure(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Preflight:
    """The same as `look` in this process, whose memory then counts, too."""
    make_folder(workspace.root)
    free = {
        "memory_free": available_bytes(),
        "disk_free": shutil.disk_usage(workspace.root).free,
    }
    looks = {
        "train_sft": preflight_training.training,
        "train_capo": preflight_training.training,
        "generate": preflight_writing.writing,
    }
    try:
        found = looks[kind](kind, settings, workspace) if kind in looks else {}
    except CapoError as error:
        return Preflight(kind, **free, problems=(problem_of(error),))
    made = Preflight(kind, **{**free, **found})
    return Preflight(**{**vars(made), "problems": (*made.problems, *shortages(made))})


def main() -> int:
    asked = json.loads(sys.stdin.read())
    workspace = Workspace(Path(asked["workspace"]))
    found = measure(workspace, asked["kind"], asked["settings"])
    print(json.dumps(found.to_dict()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
