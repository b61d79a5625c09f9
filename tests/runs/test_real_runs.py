"""Real trainings as runs of the queue: the same as in the foreground, also after a kill."""

from __future__ import annotations

import os
import signal
import time

import pytest
from helpers.dummy_runs import wait_for, wait_until
from safetensors.numpy import load_file

from capo_core.data.catalog import Catalog
from capo_core.progress import silent
from capo_core.run_folder import RunFolder
from capo_core.runs import actions, kinds, submit
from capo_core.runs.request import RunRequest
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (EMBEDDED_BASE / "model.safetensors").exists(), reason="the embedded base is not built"
    ),
]


@pytest.fixture
def annotator(workspace):
    return Catalog(workspace).load("demo-nli").annotators[0]


def sft(annotator: str) -> dict:
    return {
        "dataset": "demo-nli",
        "target": annotator,
        "base": "embedded",
        "config": {
            "epochs": 1,
            "items_per_step": 16,
            "checkpoint_every": 3,
            "sample_every": 0,
            "max_tokens": 512,
        },
    }


def weights(folder: RunFolder) -> dict:
    return load_file(folder.adapter / "adapter_model.safetensors")


def test_a_killed_training_resumes_to_the_same_weights(workspace, annotator, tmp_path_factory):
    settings = sft(annotator)
    run = submit.submit(workspace, "train_sft", settings)
    wait_until(lambda: len(run.files.events("step")) >= 5, run, within_s=400)
    os.kill(run.status().pid, signal.SIGKILL)
    wait_for(run, "lost", within_s=30)
    point = actions.resume(workspace, run.run_id)
    assert point.step >= 3 and point.words == f"resumes from step {point.step}"
    assert wait_for(run, "succeeded", "failed", "lost", within_s=400).state == "succeeded"
    assert run.files.events("resumed")[0]["step"] == point.step
    # The same in this process, never interrupted.
    other = Workspace(tmp_path_factory.mktemp("uninterrupted"))
    folder = RunFolder(other.runs / run.run_id)
    kinds.execute(RunRequest("train_sft", settings), other, folder, silent)
    one, two = weights(run.files), weights(folder)
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)


def test_a_stopped_training_says_where_it_goes_on(workspace, annotator):
    run = submit.submit(workspace, "train_sft", sft(annotator))
    wait_until(lambda: len(run.files.events("step")) >= 2, run, within_s=400)
    actions.stop(workspace, run.run_id)
    status = wait_for(run, "stopped", "succeeded", "failed", "lost", within_s=200)
    assert status.state == "stopped" and "and saved" in status.message
    point = actions.resume_point(run)
    assert f"after step {point.step} " in status.message


def test_an_experiment_from_training_to_scores(workspace, annotator):
    from capo_core.evaluation.report import load
    from capo_core.runs.experiments import store
    from capo_core.runs.experiments.config import ExperimentConfig
    from capo_core.runs.experiments.store import progress_of
    from capo_core.runs.kinds.evaluation import REPORT

    config = ExperimentConfig(
        "demo-nli",
        targets=(annotator,),
        methods=("zero_shot", "profile", "sft", "capo"),
        sft=sft("")["config"],
        capo={"epochs": 1, "max_tokens": 512, "sample_every": 0},
        profile={"examples": 5, "max_new_tokens": 120},
        generate={"items": 12, "max_new_tokens": 40},
        evaluate={"families": ["labels"], "pool": [1]},
    )
    experiment = store.start(workspace, config)
    end = time.time() + 900
    shares = []
    while time.time() < end:
        now = progress_of(experiment)
        shares.append(now.share)
        if now.state != "running":
            break
        time.sleep(1)
    assert now.state == "succeeded", now
    assert shares == sorted(shares)
    report = load(experiment.evaluation.folder / REPORT)
    assert {"zero_shot", "profile", "sft", "capo"} <= set(report.method_names)
