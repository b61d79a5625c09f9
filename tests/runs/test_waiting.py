"""Runs that wait until others are over, however these ended; with real workers."""

from __future__ import annotations

import os
import signal

import pytest
from helpers.dummy_runs import ENDLESS, put, settings, wait_for, wait_for_step, wait_until

from capo_core.errors import RunError
from capo_core.runs import actions, queue, submit
from capo_core.runs.status import Status


def put_last(workspace, *others):
    return submit.enqueue(
        workspace, "dummy", settings(seed=9), after_any=[run.run_id for run in others]
    )


def test_it_begins_when_one_has_failed_and_the_other_is_done(workspace):
    sour, well = put(workspace, fail="the milk is sour"), put(workspace, seed=1)
    last = put_last(workspace, sour, well)
    assert queue.reason_for_waiting(last) == f"waits for {sour.run_id}"
    queue.advance(workspace)
    assert wait_for(last, "succeeded", "failed").state == "succeeded"
    assert sour.status().state == "failed"
    assert last.status().started >= well.status().ended


def test_it_begins_when_one_was_stopped_or_killed_and_what_needs_that_one_waits_on(workspace):
    ended, well = put(workspace, **ENDLESS), put(workspace, seed=1)
    needs = put(workspace, after=[ended.run_id], seed=2)
    last = put_last(workspace, well, needs)
    queue.advance(workspace)
    wait_for_step(ended, 1)
    actions.stop(workspace, ended.run_id)
    assert wait_for(last, "succeeded", "failed").state == "succeeded"
    assert (ended.status().state, needs.status().state) == ("stopped", "queued")
    # The same where the process is killed instead.
    actions.resume(workspace, ended.run_id)
    another = submit.enqueue(
        workspace, "dummy", settings(seed=8), after_any=[well.run_id, needs.run_id]
    )
    # It has a number, but has not begun: as long as the other one works, it waits.
    wait_until(lambda: ended.status().state == "running", ended)
    assert queue.advance(workspace) == []
    assert queue.reason_for_waiting(another) == f"waits for {needs.run_id}"
    os.kill(ended.status().pid, signal.SIGKILL)
    wait_for(ended, "lost")
    queue.advance(workspace)
    assert wait_for(another, "succeeded", "failed").state == "succeeded"
    assert queue.reason_for_waiting(needs) == f"waits for {ended.run_id}, which is lost"


def test_where_all_have_failed_it_fails_with_them_and_comes_back_with_any(workspace):
    first, second = put(workspace, seed=1), put(workspace, seed=2)
    last = put_last(workspace, first, second)
    for run in (first, second):
        run.write(Status(state="failed", message="the milk is sour"))
    assert queue.advance(workspace) == []
    assert last.status().state == "failed" and "the milk is sour" in last.status().message
    submit.resubmit(workspace, second)
    assert [run.status().state for run in (first, second, last)] == ["failed", "queued", "queued"]
    queue.advance(workspace)
    wait_for(last, "succeeded")
    assert first.status().state == "failed"


def test_where_none_has_succeeded_and_one_can_be_resumed_it_waits(workspace):
    failed, stopped = put(workspace, seed=1), put(workspace, seed=2)
    last = put_last(workspace, failed, stopped)
    failed.write(Status(state="failed"))
    stopped.write(Status(state="stopped"))
    assert queue.advance(workspace) == []
    assert queue.reason_for_waiting(last) == f"waits for {stopped.run_id}, which is stopped"


def test_runs_that_wait_for_one_another_never_begin_and_hold_up_no_other(workspace):
    one = put(workspace, seed=1)
    other = put(workspace, after=[one.run_id], seed=2)
    last = put_last(workspace, other)
    request = {**vars(one.request), "after": (other.run_id,)}
    type(one.request)(**request).write(one.folder)  # as a person's hand may make it
    assert queue.advance(workspace) == []
    assert last.status().state == "queued"


def test_a_run_to_wait_for_must_be_there_and_may_not_be_deleted_meanwhile(workspace):
    run = put(workspace)
    run.write(Status(state="stopped"))
    put_last(workspace, run)
    with pytest.raises(RunError, match="depends on it"):
        actions.delete(workspace, run.run_id)
    with pytest.raises(RunError, match="no run 'nobody' to depend on"):
        submit.enqueue(workspace, "dummy", settings(seed=5), after_any=["nobody"])
