"""The look before a run: what it finds, and what it refuses with advice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from helpers.tiny_training import tiny_base, tiny_dataset

from capo_core.data.catalog import Catalog
from capo_core.errors import RunError
from capo_core.imitation.training.config import SftConfig
from capo_core.progress import silent
from capo_core.runs.kinds.preflight import check_run
from capo_core.runs.preflight import dry_run, report
from capo_core.runs.preflight.report import Preflight, Problem, Tokens
from capo_core.runs.request import RunRequest
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace

needs_base = pytest.mark.skipif(
    not (EMBEDDED_BASE / "model.safetensors").exists(), reason="the embedded base is not built"
)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def annotator(workspace):
    return Catalog(workspace).load("demo-nli").annotators[0]


def sft(annotator: str, **config) -> dict:
    config = {"epochs": 2, "max_tokens": 512, "items_per_step": 4, **config}
    return {"dataset": "demo-nli", "target": annotator, "base": "embedded", "config": config}


def said(found: Preflight) -> str:
    return " ".join(found.sentences)


@needs_base
def test_a_training_is_counted_timed_and_measured(workspace, annotator):
    found = dry_run.estimate_here(workspace, "train_sft", sft(annotator))
    assert found.possible, found.problems
    dataset = Catalog(workspace).load("demo-nli")
    train = set(dataset.items.loc[dataset.items["split"] == "train", "item_id"])
    rows = dataset.annotations[dataset.annotations["annotator_id"] == annotator]
    own = rows[rows["item_id"].isin(train) & (rows["valid"] != "false")]
    assert found.counts["training items"] == own["item_id"].nunique()
    assert found.counts["responses"] == len(own)
    assert found.counts["steps"] == 2 * -(-own["item_id"].nunique() // 4)
    tokens = found.tokens
    assert 0 < tokens.median <= tokens.p95 <= tokens.longest <= tokens.limit == 512
    assert found.seconds > 0 and found.memory_bytes > 50e6
    assert not list(workspace.runs.glob("*"))  # nothing was begun


@pytest.mark.slow
@needs_base
def test_twice_the_epochs_take_twice_the_time_and_as_much_memory(workspace, annotator):
    one = dry_run.estimate_here(workspace, "train_sft", sft(annotator, epochs=2))
    two = dry_run.estimate_here(workspace, "train_sft", sft(annotator, epochs=8))
    # Each is measured on its own, on a machine with other things to do.
    assert 1.3 < two.seconds / one.seconds < 12
    assert two.counts["steps"] == 4 * one.counts["steps"]


@needs_base
def test_a_context_that_is_too_short_is_refused(workspace, annotator):
    found = dry_run.estimate_here(workspace, "train_sft", sft(annotator, max_tokens=16))
    assert not found.possible
    assert "max_tokens" in said(found)


@needs_base
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "nobody"}, "nobody"),
        ({"dataset": "not-there"}, "not-there"),
        ({"base": "/not/there"}, "/not/there"),
        ({"fingerprint": "of yesterday"}, "has changed since"),
    ],
)
def test_what_is_not_there_is_refused(workspace, annotator, changes, words):
    found = dry_run.estimate_here(workspace, "train_sft", {**sft(annotator), **changes})
    assert not found.possible and words in said(found)


@pytest.mark.parametrize(
    ("needs", "free", "words"),
    [
        ({"disk_bytes": 900_000}, {"disk_free": 1_000_000}, "the disk has 1 MB free"),
        ({"memory_bytes": 8_000_000_000}, {"memory_free": 5_000_000_000}, "8.0 GB of memory"),
    ],
)
def test_too_little_disk_or_memory_is_refused(workspace, monkeypatch, needs, free, words):
    from capo_core.runs.preflight import dry_run

    monkeypatch.setattr(dry_run, "estimate_training", lambda *_: {**needs, **free})
    found = dry_run.estimate_here(workspace, "train_sft", {})
    assert not found.possible and words in said(found)
    assert found.problems[0].todo
    monkeypatch.setattr(dry_run, "estimate_training", lambda *_: needs)
    assert dry_run.estimate_here(workspace, "train_sft", {}).possible  # this machine has that much


@needs_base
def test_weights_beyond_the_memory_are_refused_before_they_are_loaded(
    workspace, annotator, monkeypatch
):
    from capo_core import memory
    from capo_core.imitation.models import base_model

    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000_000)
    monkeypatch.setattr(base_model, "load_base_model", lambda *a, **k: pytest.fail("was loaded"))
    found = dry_run.estimate_here(workspace, "train_sft", sft(annotator))
    assert not found.possible and "weights of the base model alone" in said(found)


@pytest.mark.slow
@needs_base
def test_a_generation_is_counted_and_timed(workspace, annotator):
    settings = {
        "dataset": "demo-nli", "targets": [annotator], "base": "embedded",
        "config": {"method": "icl", "examples": 2, "items": 5, "samples": 2, "max_new_tokens": 16},
    }  # fmt: skip
    found = dry_run.estimate_here(workspace, "generate", settings)
    assert found.possible, found.problems
    assert dict(found.counts) == {"items": 5, "annotators": 1, "answers": 10}
    assert found.seconds > 0 and found.left_out == 0


@pytest.mark.slow
@needs_base
def test_a_capo_run_is_looked_at_before_its_sft_is_done(workspace, annotator):
    from capo_core.runs import submit

    before = submit.enqueue(workspace, "train_sft", sft(annotator))
    settings = {
        "dataset": "demo-nli", "target": annotator, "sft": before.run_id,
        "config": {"epochs": 1, "items_per_step": 2, "max_tokens": 512},
    }  # fmt: skip
    found = dry_run.estimate_here(workspace, "train_capo", settings)
    assert found.possible, found.problems
    assert found.counts["pairs"] >= found.counts["training items"]


@pytest.mark.parametrize(
    "form", [{}, {"ld_alpha": 0.5}, {"ld_alpha": 0.0, "contrast": "explanation"}, {"loss": "nca"}]
)
def test_every_form_of_capo_can_be_looked_at(workspace, tmp_path, form):
    from capo_core.runs import submit

    Catalog(workspace).add(tiny_dataset())
    settings = {"dataset": "tiny", "target": "A", "base": tiny_base(tmp_path / "base")}
    before = submit.enqueue(workspace, "train_sft", {**settings, "config": {"epochs": 1}})
    asked = {**settings, "sft": before.run_id, "config": {"epochs": 1, **form}}
    del asked["base"]
    found = dry_run.estimate_here(workspace, "train_capo", asked)
    assert found.possible, found.problems
    assert found.counts["pairs"] > 0


@pytest.mark.slow
@needs_base
def test_in_a_process_of_its_own_the_peak_is_that_of_a_run(workspace, annotator):
    """The estimate of memory against what a run then needs: within a fifth."""
    from helpers.dummy_runs import wait_for

    from capo_core.runs import submit

    settings = sft(annotator, epochs=1)
    found = dry_run.estimate_run(workspace, RunRequest("train_sft", settings))
    run = submit.submit(workspace, "train_sft", settings, estimate=found.to_dict())
    status = wait_for(run, "succeeded", "failed", "lost", within_s=600)
    assert status.state == "succeeded", status.message
    assert status.peak_bytes == pytest.approx(found.memory_bytes, rel=0.2)
    assert Preflight.from_dict(run.estimate) == found
    print(f"memory: expected {found.memory_bytes:,}, measured {status.peak_bytes:,}")
    print(f"time: expected {found.seconds:.1f} s, measured {status.duration_s():.1f} s")


def test_settings_that_are_none_are_refused_at_once(workspace):
    with pytest.raises(RunError, match="no run of kind 'dance'"):
        check_run({"kind": "dance", "settings": {}}, workspace, None, silent)
    with pytest.raises(RunError, match="target is 3"):
        check_run({"kind": "train_sft", "settings": {"target": 3}}, workspace, None, silent)


def test_it_survives_its_file(workspace):
    found = Preflight(
        "train_sft",
        counts={"training items": 3},
        tokens=Tokens(10, 20, 30, 512),
        seconds=3.5,
        problems=(Problem("the milk is sour", "buy new milk"),),
        warnings=("It rains.",),
    )
    assert Preflight.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert report.saved_preflight(workspace, "train_sft", {"a": 1}) is None
    report.save_preflight(found, workspace, {"a": 1})
    assert report.saved_preflight(workspace, "train_sft", {"a": 1}) == found
    assert "Cannot run: the milk is sour. What to do: buy new milk." in said(found)
    assert not replace(found, problems=()).problems


def test_default_settings_are_those_of_the_training():
    assert SftConfig.from_dict({}) == SftConfig()


@pytest.mark.parametrize(
    ("stored", "loaded", "fits"),
    [("bfloat16", 4, 2000), ("bfloat16", 2, 1000), ("float32", 4, 1000), ("float32", 2, 500)],
)
def test_weights_are_counted_in_the_number_type_they_are_loaded_in(
    tmp_path, monkeypatch, stored, loaded, fits
):
    """`auto` is bf16 on a CPU that computes with it: the model's own rule is asked."""
    import torch

    from capo_core.imitation.models import base_files, base_model

    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    (tmp_path / "config.json").write_text(json.dumps({"dtype": stored}))
    monkeypatch.setattr(base_files, "find_base_model", lambda name: tmp_path)
    types = {4: torch.float32, 2: torch.bfloat16}
    monkeypatch.setattr(base_model, "number_type", lambda *_: types[loaded])
    assert report.weights_problem("smollm2", "auto", False, fits) is None
    assert report.weights_problem("smollm2", "auto", False, fits - 1).kind == "memory"


@pytest.mark.parametrize(
    "stderr",
    [
        "Traceback …\nImportError: libtorch_cpu.so: failed to map segment",
        "Traceback …\nMemoryError",
        "Traceback …\npyo3_runtime.PanicException: PyObject pointer is null",
    ],
)
def test_a_dry_step_without_memory_is_an_obstacle_and_no_defect(workspace, monkeypatch, stderr):
    from types import SimpleNamespace

    done = SimpleNamespace(returncode=1, stdout="", stderr=stderr)
    monkeypatch.setattr(dry_run.subprocess, "run", lambda *_, **__: done)
    found = dry_run.estimate_run(workspace, RunRequest("train_sft", {}))
    assert found.problems[0].kind == "memory"
    done.stderr = "Traceback …\nKeyError: 'x'"
    with pytest.raises(RunError, match="KeyError"):
        dry_run.estimate_run(workspace, RunRequest("train_sft", {}))
