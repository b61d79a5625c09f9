"""Stop, resume, run again, delete, restore, notes; and runs in the foreground."""

from __future__ import annotations

import json
import os
import struct

import pytest
from helpers.dummy_runs import (
    ENDLESS,
    expected_sum,
    put,
    settings,
    wait_for,
    wait_for_step,
)

from capo_core.errors import ConfigError, DataError, RunError, Stopped
from capo_core.runs import actions, queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs.foreground import foreground
from capo_core.runs.status import Status


def test_stop_saves_and_resume_says_from_which_step(workspace):
    run = submit.submit(workspace, "dummy", settings(steps=6, hold_at=3))
    wait_for_step(run, 3)
    assert "saves and stops" in actions.stop(workspace, run.run_id)
    status = wait_for(run, "stopped", "failed", "lost", "succeeded")
    assert status.state == "stopped"
    assert status.message == "stopped after step 3, and saved"
    assert actions.resume(workspace, run.run_id).words == "resumes from step 3"
    assert wait_for(run, "succeeded").state == "succeeded"
    assert run.files.result["sum"] == expected_sum(6)


def test_a_wish_to_stop_between_the_asking_and_the_beginning_is_not_forgotten(workspace):
    # The computation forgets a stop flag from before it began; this one came while it began.
    run = put(workspace, steps=6, hold_at=1)
    queue.advance(workspace)
    actions.stop(workspace, run.run_id)
    assert wait_for(run, "stopped", "succeeded", "failed").state == "stopped"
    assert len(run.files.events("step")) <= 1


def test_stop_now_ends_a_step_that_listens_to_nobody(workspace):
    run = submit.submit(workspace, "dummy", settings(steps=1, step_s=600))
    wait_for(run, "running")
    assert "at once" in actions.stop(workspace, run.run_id, now=True)
    assert wait_for(run, "stopped", "lost").state == "stopped"


def test_a_run_that_waits_is_stopped_by_leaving_the_queue(workspace):
    first, second = put(workspace, **ENDLESS), put(workspace, seed=1)
    queue.advance(workspace)
    assert "removed from the queue" in actions.stop(workspace, second.run_id)
    assert second.status().state == "stopped"
    with pytest.raises(RunError, match="the run is stopped: there is nothing to stop"):
        actions.stop(workspace, second.run_id)
    assert first.status().live


def test_resume_is_refused_where_there_is_nothing_to_resume(workspace):
    run = put(workspace)
    with pytest.raises(RunError, match="the run is queued"):
        actions.resume(workspace, run.run_id)
    run.write(Status(state="succeeded"))
    with pytest.raises(RunError, match="has succeeded"):
        actions.resume(workspace, run.run_id)


def test_resuming_a_failed_run_takes_along_those_that_failed_with_it(workspace):
    sour = put(workspace, fail="the milk is sour", steps=1)
    second = put(workspace, after=[sour.run_id], seed=1)
    third = put(workspace, after=[second.run_id], seed=2)
    other = put(workspace, seed=3)
    other.write(Status(state="failed", message="for reasons of its own"))
    queue.advance(workspace)
    wait_for(third, "failed")
    blocker = put(workspace, **ENDLESS, seed=9)  # so that nothing begins meanwhile
    queue.advance(workspace)
    actions.resume(workspace, sour.run_id)
    states = [run.status().state for run in (sour, second, third, other)]
    assert states == ["queued", "queued", "queued", "failed"]
    assert blocker.status().live
    orders = [
        run.request.order for run in runs_run.all_runs(workspace) if run.status().state == "queued"
    ]
    assert orders == sorted(orders)


def test_the_point_of_a_training_is_read_from_its_checkpoints_head(workspace):
    # The layout that safetensors documents: length of the header, header, tensors.
    run = put(workspace)
    run.files.checkpoint.mkdir()
    head = json.dumps({"__metadata__": {"counters": json.dumps({"step": 120})}}).encode()
    path = run.files.checkpoint / "state.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    assert actions.resume_point(run) == actions.ResumePoint(120, "resumes from step 120")
    path.write_bytes(b"torn")
    assert actions.resume_point(run).step == 0


def test_the_point_of_a_generation_is_its_answers(workspace):
    run = put(workspace)
    (run.folder / "outputs.jsonl").write_text('{"a": 1}\n{"a": 2}\n{"torn')
    assert actions.resume_point(run).words == "resumes after 2 outputs"


def test_again_with_changes_is_another_run(workspace):
    run = put(workspace, steps=3)
    other = actions.repeat(workspace, run.run_id, {"steps": 4})
    assert other.run_id != run.run_id
    assert other.request.settings == {**run.request.settings, "steps": 4}
    with pytest.raises(RunError, match="the same run"):
        actions.repeat(workspace, run.run_id, {"steps": 3})
    with pytest.raises(RunError, match="no setting 'pace'"):
        actions.repeat(workspace, run.run_id, {"pace": 3})
    with pytest.raises(RunError, match="steps is 'many'"):
        actions.repeat(workspace, run.run_id, {"steps": "many"})


def test_changes_reach_into_settings_and_leave_the_old_ones_alone():
    old = {"base": "embedded", "config": {"epochs": 3, "lora": {"rank": 16}}}
    new = actions.with_changes(old, {"config.lora.rank": 8, "config.seed": 1})
    assert new == {"base": "embedded", "config": {"epochs": 3, "lora": {"rank": 8}, "seed": 1}}
    assert old["config"] == {"epochs": 3, "lora": {"rank": 16}}


def test_a_whole_number_in_place_of_a_fraction_is_the_same_setting():
    old = {"config": {"weight_decay": 0.1, "epochs": 3}}
    new = actions.with_changes(old, {"config.weight_decay": 0, "config.epochs": 2})
    assert json.dumps(new) == '{"config": {"weight_decay": 0.0, "epochs": 2}}'
    assert (
        actions.with_changes(old, {"config.weight_decay": True})["config"]["weight_decay"] is True
    )


def test_delete_moves_to_the_trash_and_restore_brings_back(workspace):
    run = put(workspace)
    with pytest.raises(RunError, match="the run is queued"):
        actions.delete(workspace, run.run_id)
    run.write(Status(state="stopped"))
    follower = put(workspace, after=[run.run_id], seed=1)
    with pytest.raises(RunError, match=f"{follower.run_id} depends on it"):
        actions.delete(workspace, run.run_id)
    actions.stop(workspace, follower.run_id)
    place = actions.delete(workspace, run.run_id)
    assert place.parent == workspace.trash and (place / "request.json").exists()
    with pytest.raises(RunError, match="no run named"):
        runs_run.find_run(workspace, run.run_id)
    assert actions.restore(workspace, place.name).run_id == run.run_id
    assert runs_run.find_run(workspace, run.run_id).status().state == "stopped"


@pytest.mark.parametrize("name", ["../runs", "/etc", "a/b", ""])
def test_names_that_lead_elsewhere_are_refused(workspace, name):
    for action in (actions.delete, actions.restore, actions.stop, actions.resume):
        with pytest.raises((ConfigError, RunError)):
            action(workspace, name)


def test_notes_are_kept_and_taken_away(workspace):
    run = put(workspace)
    actions.write_notes(workspace, run.run_id, "  the rate was too high — “sour”\n")
    assert run.notes == "the rate was too high — “sour”\n"
    actions.write_notes(workspace, run.run_id, " ")
    assert run.notes == ""


class TestForeground:
    def test_it_is_seen_as_running_and_ends_as_it_ends(self, workspace):
        run = put(workspace)
        seen = []
        with foreground(workspace, run.files, progress=lambda *said: seen.append(said)) as tell:
            tell("half done", 0.5)
            status = run.status()
            assert (status.state, status.pid) == ("running", os.getpid())
            assert seen == [("half done", 0.5)]
        assert run.status().state == "succeeded"

    @pytest.mark.parametrize(
        ("error", "state", "message"),
        [
            (Stopped("stopped after step 3"), "stopped", "stopped after step 3"),
            (DataError("the milk is sour"), "failed", "the milk is sour."),
            (KeyboardInterrupt(), "stopped", "interrupted at the keyboard"),
            (ZeroDivisionError("x"), "failed", "an internal error: ZeroDivisionError('x')"),
        ],
    )
    def test_what_ends_it_is_told_and_goes_on_to_the_caller(self, workspace, error, state, message):
        run = put(workspace)
        with pytest.raises(type(error)), foreground(workspace, run.files):
            raise error
        assert (run.status().state, run.status().message) == (state, message)

    def test_somebody_elsewhere_can_stop_it(self, workspace):
        run = put(workspace)
        with pytest.raises(Stopped), foreground(workspace, run.files) as tell:
            actions.stop(workspace, run.run_id)
            tell("on and on", 0.1)
        assert run.status().state == "stopped"

    def test_it_does_not_take_a_run_from_another_process(self, workspace):
        run = submit.submit(workspace, "dummy", settings(**ENDLESS))
        wait_for(run, "running")
        with pytest.raises(RunError, match="another process"), foreground(workspace, run.files):
            raise AssertionError("never here")

    def test_a_run_that_nobody_queued_has_a_request_afterwards(self, workspace):
        folder = runs_run.Run(workspace.runs / "by-hand").files
        asked = settings(steps=5)
        with foreground(workspace, folder, kind="dummy", settings=asked):
            pass
        assert runs_run.find_run(workspace, "by-hand").request.settings == asked
        assert actions.repeat(workspace, "by-hand", {"steps": 6}).request.settings["steps"] == 6

    def test_what_waits_begins_when_it_ends(self, workspace):
        folder = runs_run.Run(workspace.runs / "by-hand").files
        with foreground(workspace, folder, kind="dummy", settings=settings()):
            waiting = put(workspace, seed=5)
            assert queue.advance(workspace) == []
        wait_for(waiting, "succeeded")
