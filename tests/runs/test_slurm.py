"""Runs submitted to Slurm: to a real one with one node where a test can start it."""

from __future__ import annotations

import os
import signal

import pytest
from helpers import slurm_node
from helpers.dummy_runs import (
    ENDLESS,
    end_all,
    expected_sum,
    put,
    settings,
    wait_for,
    wait_for_step,
)

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.runs import actions, queue, slurm, submit
from capo_core.runs.status import Status
from capo_core.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    yield workspace
    end_all(workspace)


def test_without_slurm_it_says_so(workspace, monkeypatch):
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    with pytest.raises(BackendUnavailable, match="no Slurm on this machine"):
        slurm.submit(workspace.root)
    run = submit.submit(workspace, "dummy", settings(), executor="slurm")
    assert run.status().state == "failed"
    assert "no Slurm on this machine" in run.status().message


def test_a_setting_that_is_no_number_is_refused(workspace, monkeypatch):
    monkeypatch.setenv("CAPO_SLURM_MINUTES", "long")
    with pytest.raises(ConfigError, match="CAPO_SLURM_MINUTES is 'long'"):
        slurm._parameters(workspace.root)


def test_a_job_that_slurm_does_not_know_is_lost(workspace, monkeypatch):
    run = put(workspace)
    run.write(Status(state="running", slurm="7", heartbeat=0.0))
    monkeypatch.setattr(slurm, "_known", {})
    monkeypatch.setattr(slurm, "_ask", lambda number: False)
    assert run.status().state == "lost"
    monkeypatch.setattr(slurm, "_known", {})
    monkeypatch.setattr(slurm, "_ask", lambda number: True)
    assert run.status().state == "running"


@pytest.fixture
def without_commands(monkeypatch):
    """A machine without sbatch and squeue, as many compute nodes and containers are."""
    monkeypatch.setattr(slurm, "_known", {})
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def test_a_worker_on_a_node_without_sbatch_leaves_the_next_run_in_the_queue(
    without_commands, workspace, monkeypatch
):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    run = submit.submit(workspace, "dummy", settings(), executor="slurm")
    assert (run.status().state, run.status().slurm) == ("queued", "")
    monkeypatch.delenv("SLURM_JOB_ID")
    queue.advance(workspace)
    assert run.status().state == "failed"


def test_a_job_on_a_node_without_squeue_begins(without_commands, workspace, monkeypatch):
    run = put(workspace)
    run.write(Status(state="queued", slurm="7", heartbeat=0.0))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert queue.claim(workspace, run).state == "running"


def test_without_squeue_a_job_that_has_not_begun_is_not_lost(without_commands, workspace):
    run = put(workspace)
    run.write(Status(state="queued", slurm="7", heartbeat=0.0))
    assert run.status().state == "queued"
    slurm._known.clear()
    run.write(Status(state="running", slurm="7", heartbeat=0.0))
    assert run.status().state == "lost"


@pytest.fixture
def squeue(monkeypatch, tmp_path):
    """A function that puts a script in the place of the command `squeue`."""
    command = tmp_path / "bin" / "squeue"
    command.parent.mkdir()
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")

    def does(script: str) -> None:
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)

    monkeypatch.setattr(slurm, "_known", {})
    return does


UNREACHABLE = "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1"
UNKNOWN = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"


@pytest.mark.parametrize("silent", [UNREACHABLE, "exec sleep 5"])
def test_a_job_is_not_lost_while_slurm_does_not_answer(squeue, workspace, monkeypatch, silent):
    monkeypatch.setattr(slurm, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(slurm, "_ASK_EVERY_S", -1.0)
    run = put(workspace)
    run.write(Status(state="queued", slurm="7", heartbeat=0.0))
    squeue(silent)
    assert run.status().state == "queued"
    squeue("echo PENDING")
    assert run.status().state == "queued"
    squeue(silent)
    assert run.status().state == "queued"
    squeue(UNKNOWN)
    assert run.status().state == "lost"
    squeue(silent)
    assert run.status().state == "lost"


@pytest.fixture
def local(monkeypatch, squeue):
    """submitit's executor of this machine in Slurm's place, which starts a job the same way."""
    squeue("echo RUNNING")
    submitit = pytest.importorskip("submitit")
    monkeypatch.setattr(submitit, "SlurmExecutor", submitit.LocalExecutor)
    monkeypatch.setattr(slurm, "unavailable", lambda: "")
    monkeypatch.setattr(slurm, "_parameters", lambda folder: {})


def test_what_is_submitted_is_the_workers_command_line(local, workspace):
    run = submit.submit(workspace, "dummy", settings(steps=5), executor="slurm")
    assert run.status().slurm.isdecimal()
    assert wait_for(run, "succeeded", "failed").state == "succeeded", run.log
    assert run.files.result["sum"] == expected_sum(5)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR2"])
def test_the_signals_before_the_end_of_a_job_reach_the_worker_which_saves(local, workspace, name):
    run = submit.submit(workspace, "dummy", settings(**ENDLESS), executor="slurm")
    wait_for_step(run, 2)
    os.kill(run.status().pid, getattr(signal, name))
    assert wait_for(run, "stopped", "failed").state == "stopped"
    assert actions.resume_point(run).step >= 2


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    why = slurm_node.why_not()
    if why:
        pytest.skip(why)
    node = slurm_node.Node(tmp_path_factory.mktemp("slurm"))
    patch = pytest.MonkeyPatch()
    for name, value in node.environment.items():
        patch.setenv(name, value)
    try:
        node.start()
        yield node
    finally:
        node.stop()
        patch.undo()


@pytest.mark.slow
class TestRealSlurm:
    def test_a_run_works_there_and_is_watched_here(self, node, workspace):
        run = submit.submit(workspace, "dummy", settings(steps=5), executor="slurm")
        assert run.status().slurm.isdecimal()
        status = wait_for(run, "succeeded", "failed", "lost")
        assert status.state == "succeeded", (status, run.log)
        assert run.files.result["sum"] == expected_sum(5)

    def test_it_saves_and_stops_and_goes_on(self, node, workspace):
        asked = settings(steps=6, hold_at=3)
        run = submit.submit(workspace, "dummy", asked, executor="slurm")
        wait_for_step(run, 3)
        actions.stop(workspace, run.run_id)
        assert wait_for(run, "stopped", "succeeded", "failed", "lost").state == "stopped"
        assert actions.resume(workspace, run.run_id).step == 3
        assert wait_for(run, "succeeded", "failed", "lost").state == "succeeded"
        assert run.files.result["sum"] == expected_sum(6)

    def test_one_that_is_cancelled_there_saves_and_stops(self, node, workspace):
        asked = settings(steps=6000, step_s=0.1)
        run = submit.submit(workspace, "dummy", asked, executor="slurm")
        wait_for_step(run, 2)
        slurm.cancel(run.status().slurm)
        assert wait_for(run, "lost", "stopped", within_s=60).state == "stopped"
        assert actions.resume_point(run).step >= 2

    def test_one_that_is_killed_there_is_lost_here_within_half_a_minute(self, node, workspace):
        asked = settings(steps=6000, step_s=0.1, seed=1)
        run = submit.submit(workspace, "dummy", asked, executor="slurm")
        wait_for_step(run, 2)
        os.kill(run.status().pid, signal.SIGKILL)
        assert wait_for(run, "lost", "stopped", within_s=35).state == "lost"

    def test_those_that_wait_for_it_begin_afterwards(self, node, workspace):
        first = submit.enqueue(workspace, "dummy", settings(steps=3), executor="slurm")
        second = put(workspace, after=[first.run_id], seed=1)
        queue.advance(workspace)
        assert wait_for(second, "succeeded").started >= first.status().ended
