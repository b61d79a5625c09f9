"""Runs as jobs of Slurm, through `submitit`, where the command `sbatch` exists.

The queue submits the runs whose request has the executor "slurm". `submitit` is optional: nothing
here is needed on a machine without Slurm. Settings come from the
environment: CAPO_SLURM_PARTITION, CAPO_SLURM_MINUTES (240), CAPO_SLURM_MEMORY_GB, CAPO_SLURM_GPUS
and CAPO_SLURM_CPUS. The workspace must lie on a disk that the nodes share.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.runs.process import ROOT, worker_command

_LIVE = {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "RESIZING"}
_OWN_JOB = "SLURM_JOB_ID"  # Slurm sets it for the processes of a job
_ASK_EVERY_S = 5.0  # squeue is called no more often for one job: clusters limit such calls
_PATIENCE_S = 10.0  # squeue itself tries for minutes where the controller cannot be reached
_known: dict[str, tuple[float, bool]] = {}


def unavailable() -> str:
    """Return why Slurm cannot be used here; "" where it can."""
    if shutil.which("sbatch") is None:
        return "there is no Slurm on this machine (no command sbatch)"
    if find_spec("submitit") is None:
        return "the package submitit is not installed (pip install submitit)"
    return ""


def submit(folder: Path) -> str:
    """Submit the run in `folder` to Slurm and return the number of its job.

    Raises:
        BackendUnavailable: there is no Slurm here, or it refused.
        ConfigError: a setting in the environment is not a number.
    """
    why = unavailable()
    if why:
        raise BackendUnavailable(why, todo="run it on this machine (executor local)")
    import submitit

    executor = submitit.SlurmExecutor(folder=folder / "slurm")
    executor.update_parameters(**_parameters(folder))
    try:
        # The worker takes the place of submitit's process, so that the signals Slurm sends before
        # it ends a job reach the worker, which saves then; submitit would requeue, or kill it.
        job = executor.submit(os.execv, sys.executable, worker_command(folder))
    except Exception as error:  # submitit passes on the messages of sbatch in errors of its own
        said = str(error).strip() or type(error).__name__
        raise BackendUnavailable(
            f"Slurm did not accept the run ({said.splitlines()[-1][:300]})",
            todo="check the CAPO_SLURM_… settings and sinfo",
        ) from error
    return str(job.job_id)


def inside_job() -> bool:
    """Return whether this process is part of a job of Slurm: a worker on a compute node."""
    return bool(os.environ.get(_OWN_JOB))


def alive(number: str, *, begun: bool) -> bool:
    """Return whether job `number` is pending or running; queries Slurm at most every 5 s.

    Where Slurm cannot be asked (compute nodes and containers without its commands, a controller
    that does not answer) its last answer holds; without one a job that has not begun is taken to
    be pending: nothing says otherwise.

    Args:
        begun: whether its worker has shown a sign of life, and no longer does.
    """
    if number == os.environ.get(_OWN_JOB):
        return True
    checked_at, answer = _known.get(number, (0.0, False))
    if time.monotonic() - checked_at > _ASK_EVERY_S or not checked_at:
        found = _ask(number)
        if found is not None:
            answer = found
        elif not checked_at:
            answer = not begun
        _known[number] = (time.monotonic(), answer)
    return answer


def cancel(number: str) -> None:
    """Cancel the job `number`."""
    subprocess.run(["scancel", number], check=False, capture_output=True)
    _known.pop(number, None)


def _ask(number: str) -> bool | None:
    """Return whether Slurm lists a job as pending or running; None where it cannot be asked."""
    if shutil.which("squeue") is None:
        return None
    try:
        listed = subprocess.run(
            ["squeue", "--noheader", "--format=%T", "--jobs", number],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return None
    # A job that ended some minutes ago is an error too, of its own words.
    if listed.returncode and "Invalid job id" not in listed.stderr:
        return None
    return any(state in _LIVE for state in listed.stdout.split())


def _parameters(folder: Path) -> dict:
    found = {
        "job_name": folder.name[:60],
        "time": _number("CAPO_SLURM_MINUTES") or 240,
        "cpus_per_task": _number("CAPO_SLURM_CPUS") or None,
        "gpus_per_node": _number("CAPO_SLURM_GPUS") or None,
        "partition": os.environ.get("CAPO_SLURM_PARTITION") or None,
        # The worker is found from here, wherever the run was submitted.
        "additional_parameters": {"chdir": str(ROOT)},
    }
    memory = _number("CAPO_SLURM_MEMORY_GB")
    if memory:
        found["mem"] = f"{memory}GB"
    return {name: value for name, value in found.items() if value is not None}


def _number(name: str) -> int:
    raw = os.environ.get(name, "")
    if raw and not raw.isdecimal():
        raise ConfigError(f"{name} is {raw!r}", expected="a whole number")
    return int(raw or 0)
