"""An evaluation goes on without what has come to nothing, says so, and is brought up to date."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from helpers import comparisons as by_hand
from helpers.dummy_runs import end_all, wait_for, wait_until
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.data.catalog import Catalog
from capo_core.evaluation import report as reports
from capo_core.imitation.prompting.prompts import USUAL_METHODS
from capo_core.progress import silent
from capo_core.runs import actions, dependencies, kinds, process, queue, submit
from capo_core.runs.experiments import store
from capo_core.runs.experiments.store import progress_of
from capo_core.runs.kinds.evaluation import REPORT
from capo_core.runs.run import Run
from capo_core.runs.status import Status, process_start_mark
from capo_core.workspace import Workspace

GONE = 2**22 + 1  # the number of no process
SOUR = {"state": "failed", "message": "the milk is sour.", "todo": "buy some"}


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def at_work(workspace):
    """Workers begin, and are ended with the test."""
    yield
    end_all(workspace)


@pytest.fixture
def held(monkeypatch):
    """Nothing begins by itself: a worker that is asked for is this process, and does nothing."""
    monkeypatch.setattr(process, "start", lambda folder, **_: os.getpid())


def prepared(workspace, methods=("zero_shot", "icl"), **settings):
    """An experiment whose answers are there, and whose evaluation waits."""
    dataset = by_hand.world()
    Catalog(workspace).add(dataset)
    answers = dict.fromkeys(methods, by_hand.speaker(dataset, by_hand.the_target))
    made = by_hand.experiment(
        workspace, dataset, answers, scored=False, families=("labels",), **settings
    )
    made.evaluation.write(Status())
    return made


def lose(experiment, kind: str, method: str, **status) -> Run:
    """Nothing has come of a run after all."""
    member = next(m for m in experiment.members if (m.kind, m.method) == (kind, method))
    run = Run(experiment.workspace.runs / member.run_id)
    for name in ("result.json", "outputs.parquet"):
        (run.folder / name).unlink(missing_ok=True)
    run.write(Status(**status))
    return run


def make_up_for(experiment, run: Run) -> None:
    """The run is repeated with success."""
    dataset = Catalog(experiment.workspace).load("mine")
    answer = by_hand.speaker(dataset, by_hand.the_target)
    config = experiment.config.generate_config(run.request.method, 0)
    by_hand.answered(dataset, run.files, answer, config=config)
    run.write(Status(state="succeeded", share=1.0))


def evaluate(experiment) -> Run:
    """Do the evaluation in this process, as its worker would."""
    run = experiment.evaluation
    said = kinds.execute(run.request, experiment.workspace, run.files, silent)
    run.write(Status(state="succeeded", message=said, share=1.0))
    return run


def report_of(run: Run) -> reports.EvaluationReport:
    return reports.load(run.folder / REPORT)


def test_one_failed_method_leaves_an_evaluation_of_the_rest_that_is_made_whole_later(
    workspace, at_work
):
    made = prepared(workspace)
    failed = lose(made, "generate", "icl", **SOUR)
    assert progress_of(made).state == "running"  # there is something to evaluate
    queue.advance(workspace)
    status = wait_for(made.evaluation, "succeeded", "failed")
    said = "icl (Generation for ann, bob, cyd failed: the milk is sour)"
    assert status.state == "succeeded" and said in status.message
    # Its worker has ended, and with it its last look at the queue.
    wait_until(lambda: process_start_mark(status.pid) == "", made.evaluation)
    report = report_of(made.evaluation)
    assert report.method_names == ("zero_shot",)
    assert said in report.missing and report.missing in report.methods["text"]
    assert [one.text for one in report.statements if one.topic == "missing"] == [report.missing]
    now = progress_of(made)
    assert now.state == "failed" and now.scored and "the milk is sour" in now.message
    assert now.left_s is None
    # Two sets of answers weigh 0.5 for each of three targets, the evaluation 0.4.
    assert now.share == pytest.approx((1.5 + 1.2) / (1.5 + 1.5 + 1.2))
    assert queue.advance(workspace) == []  # nothing new: nothing is done again

    make_up_for(made, failed)
    again = progress_of(made)  # before anybody has looked at the queue
    assert (again.state, again.counts) == ("running", {"succeeded": 2, "queued": 1})
    assert again.share == pytest.approx(3.0 / 4.2)
    assert [run.run_id for run in queue.advance(workspace)] == [made.evaluation.run_id]
    wait_for(made.evaluation, "succeeded", "failed", "lost")
    whole = report_of(made.evaluation)
    assert whole.method_names == ("zero_shot", "icl") and not whole.missing
    assert "missing" not in {one.topic for one in whole.statements}
    assert progress_of(made).state == "succeeded" and progress_of(made).share == 1.0
    assert queue.advance(workspace) == []


@pytest.mark.parametrize(
    ("status", "said", "state"),
    [
        ({"state": "stopped"}, "SFT for bob was stopped", "stopped"),
        ({"state": "running", "pid": GONE, "birth": "x:1"}, "SFT for bob is lost", "lost"),
        (SOUR, "SFT for bob failed: the milk is sour", "failed"),
    ],
)
def test_what_hangs_on_a_lost_training_is_missing_for_its_reason(
    workspace, held, status, said, state
):
    made = prepared(workspace, USUAL_METHODS, targets=("bob",))
    lose(made, "train_sft", "sft", **status)
    waiting = [lose(made, *each) for each in (("generate", "sft"), ("train_capo", "capo"),
                                              ("generate", "capo"))]  # fmt: skip
    assert queue.advance(workspace) == [made.evaluation]
    evaluate(made)
    # What needs it keeps to that: it waits for one that can be resumed, and fails with a failed.
    kept = "failed" if state == "failed" else "queued"
    assert [run.status().state for run in waiting] == [kept] * 3
    report = report_of(made.evaluation)
    assert report.method_names == ("zero_shot", "icl", "profile")
    assert report.missing.count(said) == 2
    assert f"sft ({said}); capo ({said})" in report.missing
    now = progress_of(made)
    assert now.state == state and now.scored
    assert now.left_s is None


def test_time_left_counts_nothing_that_cannot_go_on(workspace, held):
    made = prepared(workspace, USUAL_METHODS, targets=("bob",))
    lose(made, "train_sft", "sft", state="stopped")
    for each in (("generate", "sft"), ("train_capo", "capo"), ("generate", "capo")):
        lose(made, *each)
    profile = next(each for each in made.runs() if each.request.kind == "profile")
    profile.write(Status(state="succeeded", share=1.0, started=100.0, ended=130.0))
    # 30 s for a weight of 0.3; only the evaluation's 0.4 can still be done.
    assert progress_of(made).left_s == pytest.approx(40.0)


def test_where_nothing_has_come_of_any_method_it_fails_with_them(workspace, held):
    made = prepared(workspace)
    for method in ("zero_shot", "icl"):
        lose(made, "generate", method, **SOUR)
    assert queue.advance(workspace) == []
    status = made.evaluation.status()
    assert status.state == "failed" and "the milk is sour" in status.message
    store.start(workspace, made.config)  # takes up all of it
    assert progress_of(made).state == "running"


def test_one_seed_of_two_is_named_with_its_seed(workspace, held):
    made = prepared(workspace, ("zero_shot",), seeds=(0, 1))
    second = Run(workspace.runs / made.members[1].run_id)
    (second.folder / "result.json").unlink()
    second.write(Status(**SOUR))
    evaluate(made)
    assert "zero_shot, seed 1 (" in report_of(made.evaluation).missing


def test_an_experiment_of_before_takes_the_new_ways_when_it_is_taken_up(workspace, held):
    made = prepared(workspace)
    lose(made, "generate", "icl", **SOUR)
    evaluation = made.evaluation
    strict = replace(evaluation.request, after=evaluation.request.after_any, after_any=())
    strict.write(evaluation.folder)
    queue.advance(workspace)
    assert made.evaluation.status().state == "failed"
    store.start(workspace, made.config)
    assert made.evaluation.request.after == ()
    assert len(made.evaluation.request.after_any) == 2


def test_a_deleted_run_is_missing_as_such(workspace, held):
    made = prepared(workspace)
    evaluate(made)
    icl = made.members[1].run_id
    actions.delete(workspace, icl)
    (gone,) = dependencies.skipped_inputs(workspace, [icl])
    assert gone.why.endswith("was deleted")


def test_the_command_line_shows_the_scores_there_are_and_what_is_missing(
    workspace, held, monkeypatch
):
    made = prepared(workspace)
    lose(made, "generate", "icl", **SOUR)
    evaluate(made)
    monkeypatch.setattr(store, "start", lambda *_: made)
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    file = workspace.root / "saved.json"
    file.write_text(json.dumps(made.config.to_dict()))
    done = CliRunner().invoke(app, ["experiment", "start", "--config", str(file), "--wait"])
    assert done.exit_code == 2, done.output  # as for any run that is not done
    assert "Not scored, because there is no result: In-context learning" in " ".join(
        done.output.split()
    )
    assert "label accuracy" in done.output and "updates the evaluation" in " ".join(
        done.output.split()
    )


def test_a_judge_goes_on_without_and_is_asked_only_for_the_rest_later(workspace, held):
    made = prepared(workspace)
    failed = lose(made, "generate", "icl", **SOUR)
    names = [member.run_id for member in made.members[:2]]
    about = {"dataset": "mine", "fingerprint": "", "guess": True}
    judge = submit.enqueue(
        workspace, "judge", {**about, "runs": names, "config": {"trials": 6, "cards": 2}},
        after_any=names,
    )  # fmt: skip
    kinds.execute(judge.request, workspace, judge.files, silent)
    judge.write(Status(state="succeeded", share=1.0))
    assert dependencies.skipped_by(judge) == [failed.run_id]
    before = (judge.folder / "outputs.jsonl").read_text()
    trials = judge.files.result["trials"]

    make_up_for(made, failed)
    queue.advance(workspace)
    assert judge.status().state == "queued" and not judge.files.done
    kinds.execute(judge.request, workspace, judge.files, silent)
    assert dependencies.skipped_by(judge) == []
    # The answers so far stay, and those to questions about the other method follow.
    assert judge.files.result["trials"] > trials
    assert (judge.folder / "outputs.jsonl").read_text().startswith(before)
