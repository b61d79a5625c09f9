"""What goes wrong with runs: with real processes, killed as a machine would kill them."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from helpers.dummy_runs import (
    ENDLESS,
    expected_sum,
    let_go,
    put,
    python,
    settings,
    wait_for,
    wait_for_step,
    wait_until,
)

from capo_core import workspace as core_workspace
from capo_core.runs import actions, process, queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs import status as runs_status
from capo_core.runs.run import Run
from capo_core.runs.status import Status, process_start_mark
from capo_core.runs.summary import summarise_run
from capo_core.runs.worker import ended_well
from capo_core.workspace import write_json


def test_a_killed_dashboard_leaves_its_run_at_work_and_finds_it_again(workspace):
    code = """
import sys, time
from pathlib import Path
from capo_core.runs import submit
from capo_core.workspace import Workspace
run = submit.submit(Workspace(Path(sys.argv[1])), "dummy",
                        {"steps": 5, "step_s": 0.02, "hold_at": 2})
print(run.run_id, flush=True)
time.sleep(600)
"""
    dashboard = python(code, workspace.root)
    run = runs_run.find_run(workspace, dashboard.stdout.readline().strip())
    wait_for_step(run, 2)
    dashboard.send_signal(signal.SIGKILL)
    dashboard.wait(timeout=60)
    (found,) = runs_run.all_runs(workspace)
    assert found.status().state == "running"
    let_go(found)
    assert wait_for(found, "succeeded", "lost", "failed").state == "succeeded"
    assert found.files.result["sum"] == expected_sum(5)


def test_a_killed_worker_is_lost_at_once_and_resumes_to_the_same_result(workspace):
    run = submit.submit(workspace, "dummy", settings(steps=6, hold_at=3))
    wait_for_step(run, 3)
    os.kill(run.status().pid, signal.SIGKILL)
    status = wait_for(run, "lost")
    assert "killed" in status.message
    point = actions.resume(workspace, run.run_id)
    assert point == actions.ResumePoint(3, "resumes from step 3")
    assert wait_for(run, "succeeded", "failed", "lost").state == "succeeded"
    assert run.files.result == {"steps": 6, "sum": expected_sum(6)}
    assert run.files.events("resumed")[0]["step"] == 3
    # No step stands twice, and none is missing, in what is shown of it.
    assert [event["step"] for event in run.files.events("step")] == list(range(1, 7))


def test_what_was_worked_before_the_kill_counts(workspace):
    run = submit.submit(workspace, "dummy", settings(steps=6, step_s=0.1, hold_at=5))
    wait_for_step(run, 5)
    # A heartbeat carries the share to the file, and its time.
    wait_until(lambda: run.status().share >= 5 / 6, run)
    os.kill(run.status().pid, signal.SIGKILL)
    wait_for(run, "lost")
    actions.resume(workspace, run.run_id)
    status = wait_for(run, "succeeded")
    assert status.worked_s >= 5 * 0.1
    assert status.duration_s() == status.worked_s + status.ended - status.started


@pytest.mark.parametrize("birth", ["another boot:1", "", "no mark at all"])
def test_after_a_restart_of_the_machine_there_is_no_ghost(workspace, birth):
    # The number lives (it is this very process), as after a restart it may: but it is another.
    run = put(workspace)
    me = os.getpid()
    run.write(Status(state="running", pid=me, birth=birth, heartbeat=time.time()))
    assert run.status().state == "lost"
    run.write(Status(state="queued", pid=me, birth=birth, heartbeat=time.time()))
    assert run.status().state == "lost"


def test_a_worker_that_dies_before_it_has_a_mark_holds_up_nobody(workspace, monkeypatch):
    monkeypatch.setattr(process, "start", lambda folder, **_: 2**22 + 1)  # no process has it
    dead, waiting = put(workspace, seed=1), put(workspace, seed=2)
    assert queue.advance(workspace) == [dead]
    job = submit.begin(workspace, "dummy", settings())
    assert [run.status().state for run in (dead, job)] == ["lost", "lost"]
    monkeypatch.undo()
    assert queue.advance(workspace) == [waiting]
    assert wait_for(waiting, "succeeded").state == "succeeded"
    submit.begin(workspace, "dummy", settings())  # anew
    assert wait_for(job, "succeeded").state == "succeeded"


def test_after_a_restart_what_waited_begins_when_somebody_looks(workspace):
    ghost, waiting = put(workspace, seed=1), put(workspace, seed=2)
    ghost.write(Status(state="running", pid=2**22 + 1, birth="another boot:1"))
    assert queue.advance(workspace) == [waiting]
    wait_for(waiting, "succeeded")
    assert ghost.status().state == "lost"


def test_a_run_of_another_machine_lives_as_long_as_it_is_heard(workspace):
    run = put(workspace)
    there = Status(state="running", pid=1, birth="their boot:1", host="another-machine.invalid")
    run.write(Status(**{**vars(there), "heartbeat": time.time() + 60}))
    assert run.status().state == "running"
    run.write(Status(**{**vars(there), "heartbeat": time.time() - runs_run.SILENCE_S - 5}))
    assert run.status().state == "lost"


def test_a_result_without_a_last_word_is_a_success(workspace):
    run = put(workspace)
    run.write(Status(state="running", pid=2**22 + 1, birth="gone:1", share=0.9))
    run.files.finish({"steps": 2})
    assert run.status().state == "succeeded"


def test_two_launchers_on_one_workspace_watch_the_same_run(workspace):
    run = submit.submit(workspace, "dummy", settings(**ENDLESS))
    pid = wait_for(run, "running").pid
    code = """
import sys
from pathlib import Path
from capo_core.runs import actions, queue
from capo_core.runs.run import all_runs
from capo_core.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
(run,) = all_runs(workspace)
print(len(queue.advance(workspace)), run.status().state, run.status().pid)
actions.stop(workspace, run.run_id)
"""
    out, error = python(code, workspace.root).communicate(timeout=240)
    assert out.split() == ["0", "running", str(pid)], error
    assert wait_for(run, "stopped", "failed", "lost").state == "stopped"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full (Linux)")
def test_a_full_disk_ends_the_run_in_plain_words_and_spoils_nothing(workspace):
    run = submit.submit(workspace, "dummy", settings(steps=9, full_disk_at=4))
    status = wait_for(run, "failed", "succeeded", "lost")
    assert status.state == "failed"
    assert "the disk is full" in status.message and "free some space" in status.todo
    assert "Traceback" not in run.log
    before = run.folder / "events-before.jsonl"
    steps = [json.loads(line) for line in before.read_text().splitlines()]
    assert [each["step"] for each in steps if each["event"] == "step"] == [1, 2, 3]
    assert actions.resume_point(run).step == 3  # the checkpoint is whole
    # With room again, it ends as if nothing had been.
    run.files.events_path.unlink()
    before.rename(run.files.events_path)
    run.request.write(run.folder)
    request = json.loads((run.folder / "request.json").read_text())
    assert request["settings"]["full_disk_at"] == 4
    assert run.files.config["settings"]["full_disk_at"] == 4


@pytest.fixture
def full_disk(monkeypatch):
    """Nothing new can be written; what is there can be written over."""

    def full(path, mode="wb"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(core_workspace, "atomic_file", full)


def test_on_a_full_disk_runs_can_be_stopped(workspace, full_disk_after_start, full_disk):
    running, waiting = full_disk_after_start
    assert actions.stop(workspace, waiting.run_id) == "removed from the queue"
    assert waiting.status().state == "stopped"
    assert "saves and stops" in actions.stop(workspace, running.run_id)
    assert wait_for(running, "stopped", "failed", "lost").state == "stopped"


@pytest.fixture
def full_disk_after_start(workspace):
    running, waiting = put(workspace, seed=1, **ENDLESS), put(workspace, seed=2)
    queue.advance(workspace)
    wait_for(running, "running")
    return running, waiting


@pytest.fixture
def queued(workspace):
    return put(workspace)


def test_on_a_full_disk_a_worker_says_so_where_it_began(workspace, queued, full_disk, monkeypatch):
    run = queued
    with pytest.raises(OSError, match="No space"):  # there is no file yet whose space it could use
        Run(workspace.runs).write(Status())
    heartbeat = runs_status.Heartbeat(run, Status(), patience_s=None)
    monkeypatch.setattr(Run, "write", no_room(Run.write, times=1))
    assert not ended_well(heartbeat.begin, heartbeat)
    status = run.status()
    assert (status.state, status.message) == ("failed", "the disk is full.")
    assert "free some space" in status.todo


def no_room(write, times):
    """`Run.write`, which fails so many times."""
    left = iter(range(times))

    def tried(run, status):
        if next(left, None) is not None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(run, status)

    return tried


def test_a_beat_that_is_late_does_not_overwrite_what_came_after_the_end(workspace, monkeypatch):
    run, change = put(workspace), runs_status.Heartbeat._change
    beating, queued_again, beaten = threading.Event(), threading.Event(), threading.Event()

    def late(heartbeat, **changes):
        if changes:  # no beat
            return change(heartbeat, **changes)
        beating.set()
        assert queued_again.wait(240)
        change(heartbeat)
        beaten.set()

    monkeypatch.setattr(runs_status.Heartbeat, "_change", late)
    monkeypatch.setattr(runs_status, "HEARTBEAT_S", 0.01)
    heartbeat = runs_status.Heartbeat(run, run.status())
    heartbeat.begin()
    assert beating.wait(240)
    heartbeat.finish("stopped", "stopped on request")
    assert run.status().state == "stopped"
    submit.resubmit(workspace, run)
    queued_again.set()
    assert beaten.wait(240)
    assert run.status().state == "queued"


def test_the_last_word_gets_through_where_no_new_file_can_be_made(workspace, monkeypatch):
    run = put(workspace)
    heartbeat = runs_status.Heartbeat(run, run.status())
    heartbeat.begin()

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs_run, "write_json", full)
    heartbeat.finish("failed", "the disk is full")
    monkeypatch.undo()
    assert run.status().state == "failed"
    assert run.status().message == "the disk is full"


NONSENSE = [
    ("request.json", "not JSON", "request.json: the file is not JSON"),
    ("request.json", "[1, 2]", "the file is not a JSON object"),
    ("request.json", '{"kind": "dance"}', "no run of kind 'dance'"),
    ("request.json", '{"settings": {}}', "the request has no kind"),
    ("request.json", '{"kind": "dummy", "speed": 3}', "a request has no 'speed'"),
    ("request.json", '{"kind": "dummy", "after": "x"}', "after is 'x'"),
    ("request.json", '{"kind": "dummy", "after": ["../x"]}', "'../x' cannot be used"),
    ("request.json", '{"kind": "dummy", "settings": {"steps": "many"}}', "steps is 'many'"),
    ("request.json", '{"kind": "dummy", "settings": {"pace": 1}}', "no setting 'pace'"),
    ("request.json", '{"kind": "dummy", "settings": {}}', "'steps' is missing"),
    ("request.json", '{"kind": "dummy", "order": "first"}', "order is 'first'"),
    ("request.json", "\x00\xff", "the file is not JSON"),
    ("status.json", "{", "status.json is damaged"),
    ("status.json", '{"state": "asleep"}', "the state is 'asleep'"),
    ("status.json", '{"state": "running", "share": "half"}', "share is 'half'"),
    ("status.json", '{"mood": "good"}', "a status has no 'mood'"),
    ("config.json", "][", "config.json is damaged"),
    ("config.json", '"everything"', "config.json is damaged"),
]


def edited(workspace, seed, file, content):
    """A run of which one file was edited into nonsense."""
    run = put(workspace, seed=seed)
    (run.folder / file).write_text(content, encoding="latin-1")
    return run


@pytest.mark.parametrize(("file", "content", "said"), NONSENSE)
def test_a_file_edited_into_nonsense_is_told(workspace, file, content, said):
    broken, well = edited(workspace, 1, file, content), put(workspace, seed=2)
    found = {run.run_id: run.status() for run in runs_run.all_runs(workspace)}
    assert found[broken.run_id].state == runs_run.BROKEN
    assert said in found[broken.run_id].message
    assert found[well.run_id].state == "queued"
    # Deciding who is next takes no notice of it either.
    assert put(workspace, seed=3).request.order >= 2
    # And it can be put away.
    actions.delete(workspace, broken.run_id)
    assert broken.run_id not in {run.run_id for run in runs_run.all_runs(workspace)}


def test_a_request_that_cannot_be_read_takes_no_other_run_with_it(workspace):
    broken, well = put(workspace, seed=1), put(workspace, seed=2)
    (broken.folder / "request.json").unlink()
    (broken.folder / "request.json").mkdir()
    found = [summarise_run(run) for run in runs_run.all_runs(workspace)]
    assert {each.run_id: each.state for each in found} == {
        broken.run_id: runs_run.BROKEN, well.run_id: "queued"
    }  # fmt: skip
    assert put(workspace, seed=3).request.order == 3


def test_files_edited_into_nonsense_stop_no_other_run(workspace):
    for seed, (file, content, _) in enumerate(NONSENSE):
        edited(workspace, seed, file, content)
    well = put(workspace, seed=len(NONSENSE))
    queue.advance(workspace)
    wait_for(well, "succeeded")
    broken = [run for run in runs_run.all_runs(workspace) if run.status().state == runs_run.BROKEN]
    assert len(broken) == len(NONSENSE)


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        ("train_sft", {"epochs": "many"}, "cannot be used"),
        ("train_sft", {"epochs": 0}, "epochs"),
        ("train_sft", {"speed": 1}, "no setting 'speed'"),
        ("train_sft", {"lora": {"rank": None}}, "cannot be used"),
        ("generate", {"method": "dance"}, "dance"),
        ("generate", {"method": "sft"}, "needs the adapters"),
        ("generate", {}, "the setting 'method' is missing"),
    ],
)
def test_settings_edited_into_nonsense_are_told(workspace, kind, config, said):
    run = runs_run.Run(workspace.runs / "edited")
    settings = {"dataset": "demo-nli", "base": "embedded", "config": config}
    settings["targets" if kind == "generate" else "target"] = ["a"] if kind == "generate" else "a"
    write_json(run.folder / "request.json", {"kind": kind, "settings": settings})
    assert run.status().state == runs_run.BROKEN
    assert said in run.status().message


def test_a_frozen_worker_is_slow_not_lost(workspace):
    run = submit.submit(workspace, "dummy", settings(**ENDLESS))
    status = wait_for(run, "running")
    os.kill(status.pid, signal.SIGSTOP)
    try:
        assert process_start_mark(status.pid) == status.birth
        later = run.status().heartbeat + 60
        assert run.status().state == "running"
        assert runs_run.silence_s(run.status(), now=later) > 50
        assert runs_run.silence_s(run.status(), now=status.heartbeat + 1) == 0
    finally:
        os.kill(status.pid, signal.SIGCONT)


def test_a_machine_that_shuts_down_lets_the_run_save(workspace):
    run = submit.submit(workspace, "dummy", settings(**ENDLESS))
    wait_for_step(run, 2)
    os.kill(run.status().pid, signal.SIGTERM)  # what a machine sends before it ends all
    status = wait_for(run, "stopped", "lost", "failed")
    assert status.state == "stopped"
    assert status.message == f"stopped after step {actions.resume_point(run).step}, and saved"
