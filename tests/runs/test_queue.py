"""The queue: order, dependencies, one at a time, once each; with real workers."""

from __future__ import annotations

import os
import time
from itertools import pairwise

import pytest
from helpers.dummy_runs import ENDLESS, expected_sum, put, python, settings, wait_for

from capo_core.errors import ConfigError, RunError
from capo_core.runs import queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs.status import Status, process_start_mark


def test_runs_begin_in_order_one_after_the_other_and_each_once(workspace):
    asked = [put(workspace, seed=number) for number in range(3)]
    queue.advance(workspace)  # from here on, each worker that ends begins the next
    for run in asked:
        assert wait_for(run, "succeeded", "failed", "lost").state == "succeeded"
    spans = [(run.status().started, run.status().ended) for run in asked]
    assert spans == sorted(spans)
    for (_, ended), (started, _) in pairwise(spans):
        assert ended <= started
    for number, run in enumerate(asked):
        assert run.files.result == {"steps": 2, "sum": expected_sum(2, number)}
        assert len(run.files.events("started")) == 1


def test_what_was_measured_stands_in_the_status(workspace):
    run = submit.submit(workspace, "dummy", settings(steps=3, step_s=0.1))
    status = wait_for(run, "succeeded")
    assert status.duration_s() >= 0.3
    # A Python alone needs some megabytes, and no rehearsal needs a gigabyte.
    assert 5e6 < status.peak_bytes < 1e9


def test_two_at_once_where_the_workspace_says_so(workspace):
    (workspace.root / "settings.json").write_text('{"parallel_runs": 2}')
    asked = [put(workspace, **ENDLESS, seed=number) for number in range(3)]
    assert [run.run_id for run in queue.advance(workspace)] == [run.run_id for run in asked[:2]]
    assert queue.advance(workspace) == []
    assert asked[2].status().state == "queued"


@pytest.mark.parametrize("raw", ["none", "0", "-1", "1.5"])
def test_a_number_of_runs_that_is_none_is_refused(workspace, monkeypatch, raw):
    monkeypatch.setenv("CAPO_PARALLEL_RUNS", raw)
    with pytest.raises(ConfigError, match="CAPO_PARALLEL_RUNS"):
        queue.max_parallel(workspace)


def test_a_run_waits_for_those_it_needs(workspace):
    first = put(workspace, steps=3)
    second = put(workspace, after=[first.run_id], seed=1)
    assert queue.reason_for_waiting(second) == f"waits for {first.run_id}"
    queue.advance(workspace)
    assert wait_for(second, "succeeded").started >= first.status().ended


def test_a_run_that_waits_does_not_hold_up_others(workspace):
    broken = put(workspace, seed=1)
    broken.write(Status(state="stopped"))
    waiting = put(workspace, after=[broken.run_id], seed=2)
    free = put(workspace, seed=3)
    assert [run.run_id for run in queue.advance(workspace)] == [free.run_id]
    assert waiting.status().state == "queued"
    assert "which is stopped" in queue.reason_for_waiting(waiting)


def test_what_waits_for_a_failed_run_fails_with_it_and_says_why(workspace):
    sour = put(workspace, fail="the milk is sour")
    second = put(workspace, after=[sour.run_id], seed=1)
    third = put(workspace, after=[second.run_id], seed=2)
    queue.advance(workspace)
    status = wait_for(third, "failed")
    assert status.blocked_by == second.run_id
    assert second.status().message.startswith("depends on a run that failed: the milk is sour")
    assert sour.run_id in second.status().message
    assert third.status().message == second.status().message  # not said twice in one another
    assert third.files.events() == []


def test_the_same_asked_twice_is_one_run(workspace):
    first = put(workspace, steps=7)
    assert put(workspace, steps=7) == first
    assert put(workspace, steps=8) != first
    assert len(runs_run.all_runs(workspace)) == 2


def test_a_run_that_has_succeeded_is_not_begun_again(workspace):
    run = put(workspace)
    queue.advance(workspace)
    ended = wait_for(run, "succeeded").ended
    put(workspace)
    assert queue.advance(workspace) == []
    assert run.status().ended == ended


def test_a_run_that_needs_one_nobody_has_is_refused(workspace):
    with pytest.raises(RunError, match="no run 'nobody' to depend on"):
        put(workspace, after=["nobody"])


def test_two_processes_queue_at_the_same_instant_and_both_advance(workspace):
    code = """
import sys, time
from pathlib import Path
from capo_core.runs import submit
from capo_core.workspace import Workspace
workspace, who, start = Workspace(Path(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3])
time.sleep(max(0, start - time.time()))
for number in range(4):
    run = submit.submit(workspace, "dummy",
                            {"steps": 1, "step_s": 0.02, "seed": 10 * who + number})
    print(run.run_id)
"""
    start = time.time() + 3
    both = [python(code, workspace.root, who, start) for who in (1, 2)]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    names = [out.split() for out, _ in said]
    every = runs_run.all_runs(workspace)
    assert sorted(run.run_id for run in every) == sorted(names[0] + names[1])
    orders = [run.request.order for run in every]
    assert orders == list(range(1, 9))
    for run in every:
        wait_for(run, "succeeded")
        assert len(run.files.events("started")) == 1
    for own in names:  # each process's runs come in the order in which it asked
        assert [run.run_id for run in every if run.run_id in own] == own
    starts = [run.status().started for run in every]
    assert starts == sorted(starts)


def test_a_second_worker_of_one_run_gives_way(workspace):
    run = put(workspace, **ENDLESS)
    queue.advance(workspace)
    pid = wait_for(run, "running").pid
    other = python(
        "import sys; from capo_core.runs.worker import main; sys.exit(main(sys.argv[1]))",
        run.folder,
    )
    assert other.wait(timeout=240) == 0
    assert run.status().pid == pid
    assert len(run.files.events("started")) == 1


def test_a_launcher_that_dies_before_it_names_the_worker_does_no_harm(workspace):
    # What is left then: a queued run without a worker's number, and a worker on its way.
    run = put(workspace)
    orphan = python("from capo_core.runs.worker import main; import sys; main(sys.argv[1])",
                    run.folder)  # fmt: skip
    queue.advance(workspace)
    orphan.wait(timeout=240)
    wait_for(run, "succeeded")
    assert len(run.files.events("started")) == 1


def test_a_run_in_the_foreground_holds_the_queue(workspace):
    busy = put(workspace, seed=1)
    me = os.getpid()
    busy.write(Status(state="running", pid=me, birth=process_start_mark(me), heartbeat=time.time()))
    waiting = put(workspace, seed=2)
    assert queue.advance(workspace) == []
    busy.write(Status(state="succeeded"))
    assert queue.advance(workspace) == [waiting]
