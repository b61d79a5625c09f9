"""Runs begun at once, with real processes: watched, stopped, killed, found again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.dummy_runs import wait_for, wait_until

from capo_core.errors import RunError
from capo_core.runs import submit
from capo_core.runs.request import RunRequest
from capo_core.runs.run import UNCLAIMED_S, Run
from capo_core.runs.status import HEARTBEAT_S, Status, process_start_mark
from capo_core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
LONG = {"steps": 6000, "step_s": 0.1}
SHORT = {"steps": 2, "step_s": 0.05}


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    yield workspace
    for job in submit.every_begun(workspace, "dummy"):
        status = job.status()
        if status.live and status.pid and status.pid != os.getpid():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(status.pid, signal.SIGKILL)


def _put(workspace: Workspace) -> Run:
    """A dummy run that nobody works on."""
    run = Run(workspace.jobs / "dummy-x")
    RunRequest("dummy", SHORT).write(run.folder)
    return run


def test_a_job_succeeds_and_says_so(workspace):
    job = submit.begin(workspace, "dummy", SHORT)
    status = wait_for(job, "succeeded", "failed", "lost")
    assert (status.state, status.message, status.share) == ("succeeded", "all steps are done", 1.0)
    assert status.queued <= status.started <= status.ended


def test_a_failure_is_told_as_its_sentence(workspace):
    job = submit.begin(workspace, "dummy", {**SHORT, "fail": "the milk is sour"})
    status = wait_for(job, "succeeded", "failed", "lost")
    assert (status.state, status.message) == ("failed", "the milk is sour.")


def test_an_internal_error_is_reported_and_logged(workspace):
    job = submit.begin(workspace, "dummy", {"steps": 1, "step_s": -1})
    status = wait_for(job, "succeeded", "failed", "lost")
    assert status.state == "failed" and "internal error" in status.message
    assert "Traceback" in job.log


def test_stop_ends_it_as_stopped(workspace):
    job = submit.begin(workspace, "dummy", LONG)
    wait_for(job, "running")
    job.ask_to_stop()
    status = wait_for(job, "stopped", "failed", "succeeded", "lost")
    assert status.state == "stopped"
    assert status.share < 1


def test_stop_also_ends_a_step_that_listens_to_nobody(workspace):
    # One step of ten minutes: only the heartbeat can end it, after its patience.
    job = submit.begin(workspace, "dummy", {"steps": 1, "step_s": 600})
    wait_for(job, "running")
    job.ask_to_stop()
    pid = job.status().pid
    assert wait_for(job, "stopped", "failed", "lost").state == "stopped"
    # The last word is on the disk before the process is gone.
    wait_until(lambda: process_start_mark(pid) == "", job)


def test_a_killed_worker_is_lost_and_can_begin_again(workspace):
    job = submit.begin(workspace, "dummy", LONG)
    status = wait_for(job, "running")
    os.kill(status.pid, signal.SIGKILL)
    assert wait_for(job, "lost").state == "lost"
    again = submit.begin(workspace, "dummy", LONG)
    assert again.folder == job.folder
    assert wait_for(again, "running").pid != status.pid


def test_a_frozen_worker_is_slow_not_lost(workspace):
    job = submit.begin(workspace, "dummy", LONG)
    pid = wait_for(job, "running").pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: job.status().silent_s() > 2 * HEARTBEAT_S, job)
        assert job.status().state == "running"
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_same_request_twice_is_one_job(workspace):
    first = submit.begin(workspace, "dummy", LONG)
    second = submit.begin(workspace, "dummy", dict(reversed(LONG.items())))
    assert second == first
    assert second.status().pid == first.status().pid
    assert submit.begin(workspace, "dummy", SHORT) != first


def test_a_job_outlives_the_process_that_began_it_and_is_found_again(workspace):
    begin = (
        "import sys; from pathlib import Path; from capo_core.runs import submit; "
        "from capo_core.workspace import Workspace; "
        f"submit.begin(Workspace(Path(sys.argv[1])), 'dummy', {LONG!r})"
    )
    subprocess.run([sys.executable, "-c", begin, str(workspace.root)], check=True, cwd=ROOT)
    job = submit.find_begun(workspace, "dummy", LONG)
    assert job is not None
    assert wait_for(job, "running").live
    assert [found.run_id for found in submit.every_begun(workspace, "dummy")] == [job.run_id]


def test_the_number_of_a_dead_process_given_to_another_is_no_life(workspace):
    # This very process lives under its number, but was not born when the status says.
    job = _put(workspace)
    mine = Status(state="running", pid=os.getpid(), birth=process_start_mark(os.getpid()))
    job.write(mine)
    assert job.status().state == "running"
    job.write(replace(mine, birth="another boot:1"))
    assert job.status().state == "lost"


def test_a_queued_job_that_nobody_claimed_is_lost_after_a_while(workspace):
    job = _put(workspace)
    job.write(Status(queued=time.time()))
    assert job.status().state == "queued"
    job.write(Status(queued=time.time() - UNCLAIMED_S - 1))
    assert job.status().state == "lost"


def test_the_status_file_is_whole_at_every_moment(workspace):
    job = submit.begin(workspace, "dummy", {"steps": 40, "step_s": 0.05})
    path = job.folder / "status.json"
    seen = set()
    while job.status().live:
        seen.add(json.loads(path.read_text(encoding="utf-8"))["state"])
    assert seen <= {"queued", "running", "succeeded"}
    assert job.status().state == "succeeded"


def test_an_unknown_kind_is_refused(workspace):
    with pytest.raises(RunError, match="no run of kind 'dance'"):
        submit.begin(workspace, "dance", {})


def test_what_is_left_goes_by_what_is_done():
    # A quarter done after 30 s: three quarters are left, 90 s.
    status = Status(state="running", share=0.25, started=1000.0)
    assert status.left_s(now=1030.0) == pytest.approx(90.0)
    assert Status(state="running", share=0.001, started=1000.0).left_s(now=1030.0) is None
