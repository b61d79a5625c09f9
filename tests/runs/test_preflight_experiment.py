"""The check of an experiment: which runs stand for the others, its table, and what mends what."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import pytest
from helpers.chat_server import serving

from capo_core.imitation.backends import openai
from capo_core.imitation.backends.openai import from_environment
from capo_core.runs.experiments.config import from_preset
from capo_core.runs.experiments.plan import plan_runs
from capo_core.runs.preflight import dry_run, report
from capo_core.runs.preflight.experiment import checks_of, experiment_preflight
from capo_core.runs.preflight.report import Preflight, Problem, Tokens
from capo_core.workspace import Workspace

MIB = 1_000_000


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def experiment(**changes):
    return from_preset("minutes", "demo-nli", ("A", "B"), **changes)


def saved(workspace, config, kind: str, found: Preflight) -> None:
    for check in checks_of(plan_runs(config)):
        if check.kind == kind:
            request = check.planned.request
            report.save_preflight(replace(found, kind=kind), workspace, request.settings)


def remedies(workspace, config) -> dict[str, str]:
    found = experiment_preflight(workspace, config)
    return {r.label: r.options for _, one in found.obstacles for r in one.remedies}


def test_one_run_of_each_kind_stands_for_the_others():
    checks = checks_of(plan_runs(experiment()))
    assert [(check.kind, check.runs, check.work) for check in checks] == [
        ("train_sft", 2, 2), ("train_capo", 2, 2), ("generate", 4, 4), ("generate", 1, 1)
    ]  # fmt: skip
    assert [check.planned.method for check in checks[2:]] == ["zero_shot", "icl"]
    asked = experiment(server="big", judge={"server": "judge"})
    of_server = checks_of(plan_runs(asked))[2:]
    assert [(check.server, check.runs) for check in of_server] == [
        ("big", 3), ("", 2), ("judge", 1)
    ]  # fmt: skip
    assert of_server[0].planned.method == "icl"  # the longest prompts


def test_what_costs_otherwise_is_measured_apart_or_by_its_epochs():
    config = from_preset("people", "demo-nli", ("A", "B"), seeds=(0,))
    checks = {check.title: check for check in checks_of(plan_runs(config))}
    assert list(checks) == [
        "SFT for A", "CAPO for A", "CAPO, plain form for A", "Generate: Zero-shot",
        "Generate: In-context learning",
    ]  # fmt: skip
    sft = checks["SFT for A"]
    # SFT and the shuffled control have 4 epochs, SFT as long as both 4 + 2.
    assert (sft.runs, sft.work) == (6, pytest.approx(2 * (4 + 4 + 6) / 4))
    assert checks["CAPO for A"].runs == checks["CAPO, plain form for A"].runs == 2
    assert checks["Generate: In-context learning"].runs == 2  # and with own label words


def test_the_table_has_each_need_and_it_passes_once_all_are_checked(workspace):
    config = experiment()
    assert not experiment_preflight(workspace, config).passed
    found = Preflight(
        "", tokens=Tokens(106, 125, 131, 512), memory_bytes=90 * MIB, seconds=60.0,
        disk_bytes=11 * MIB,
    )  # fmt: skip
    for kind in ("train_sft", "train_capo", "generate"):
        assert not experiment_preflight(workspace, config).complete
        saved(workspace, config, kind, found)
    whole = experiment_preflight(workspace, config)
    assert whole.passed and not whole.obstacles
    header, lines = whole.table()
    rows = {line[0]: line[1:] for line in lines}
    assert header[1:5] == [
        "SFT for A", "CAPO for A", "Generate: Zero-shot", "Generate: In-context learning"
    ]  # fmt: skip
    assert rows["Tokens, median"][0] == "106" and rows["Tokens, p95"][0] == "125"
    assert rows["Tokens, max / limit"][0] == "131 / 512"
    assert rows["Memory"][0] == "90 MB" and rows["Memory"][-1].endswith("free")
    assert rows["Time, all of them"][:4] == ("2 min", "2 min", "4 min", "1 min")
    assert whole.total_seconds == 9 * 60
    assert [row["state"] for row in whole.to_dict()["checks"]] == ["passed"] * 4


def test_too_little_memory_is_mended_by_settings_that_need_less(workspace, monkeypatch):
    from capo_core.runs.preflight import experiment as module

    monkeypatch.setattr(module, "available_bytes", lambda: 50 * MIB)
    config = experiment()
    found = Preflight(
        "", tokens=Tokens(100, 190, 400, 512), memory_bytes=90 * MIB, batch_tokens=2048
    )
    saved(workspace, config, "train_sft", found)
    assert experiment_preflight(workspace, config).blocked
    offered = remedies(workspace, config)
    assert offered == {
        "1,024 tokens per micro-batch": "--set sft.batch_tokens=1024",
        "Gradient checkpointing": "--set sft.gradient_checkpointing=true",
        "At most 192 tokens": "--set sft.max_tokens=192",
    }
    # Memory that is free again is no obstacle any more.
    monkeypatch.setattr(module, "available_bytes", lambda: 500 * MIB)
    assert not experiment_preflight(workspace, config).blocked


def test_answers_without_memory_are_mended_by_smaller_batches(workspace, monkeypatch):
    from capo_core.runs.preflight import experiment as module

    monkeypatch.setattr(module, "available_bytes", lambda: 50 * MIB)
    config = experiment(methods=("zero_shot",))
    found = Preflight(
        "", tokens=Tokens(100, 190, 400, 512), memory_bytes=90 * MIB, batch_tokens=16384
    )
    saved(workspace, config, "generate", found)
    offered = remedies(workspace, config)
    assert offered["8,192 tokens per batch"] == "--set generate.batch_tokens=8192"
    # The changed experiment asks for what was offered, and is checked again.
    changed = replace(config, generate={**config.generate, "batch_tokens": 8192})
    (request,) = [one.request for one in plan_runs(changed) if one.request.kind == "generate"]
    assert request.settings["batch_tokens"] == 8192
    assert not experiment_preflight(workspace, changed).complete


def test_what_is_cut_is_mended_by_a_higher_limit_and_does_not_block(workspace):
    config = experiment()
    saved(workspace, config, "train_capo", Preflight("", cut=3, tokens=Tokens(9, 9, 9, 512)))
    found = experiment_preflight(workspace, config)
    assert not found.blocked
    assert remedies(workspace, config) == {"Up to 1,024 tokens": "--set capo.max_tokens=1024"}


def test_prompts_that_do_not_fit_are_mended_by_fewer_examples(workspace):
    config = experiment()
    problem = Problem("no prompt fits", "lower max_new_tokens", "context")
    saved(workspace, config, "generate", Preflight("", problems=(problem,)))
    assert remedies(workspace, config) == {"2 in-context examples": "--set generate.examples=2"}


def test_a_server_is_asked_for_its_models(workspace, monkeypatch):
    config = experiment(server="big", methods=["zero_shot"])
    settings = {"dataset": "demo-nli", "targets": ["A"], "server": "big",
                "config": {"method": "zero_shot"}}  # fmt: skip
    monkeypatch.delenv("CAPO_SERVER_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    patient = partial(openai.server_models, timeout_s=120)  # a busy machine
    monkeypatch.setattr(openai, "server_models", patient)
    found = dry_run.estimate_here(workspace, "generate", settings)
    assert not found.possible and "no server is named" in found.problems[0].what
    with serving() as chat:
        monkeypatch.setenv("CAPO_SERVER_URL", chat.url)
        chat.models = ["small", "tall"]
        assert patient(from_environment("big")) == ("small", "tall")
        found = dry_run.estimate_here(workspace, "generate", settings)
        assert "has no model 'big'; it has small, tall" in found.problems[0].what
        saved(workspace, config, "generate", replace(found, made=time.time()))
        assert remedies(workspace, config) == {
            "Use small": "--server small", "Use tall": "--server tall",
            "Use the base model instead": "--server ''",
        }  # fmt: skip
        chat.models = ["big"]
        assert dry_run.estimate_here(workspace, "generate", settings).possible
        chat.models = None  # it does not know that address
        found = dry_run.estimate_here(workspace, "generate", settings)
        assert found.possible and "does not list its models" in found.warnings[0]
    found = dry_run.estimate_here(workspace, "generate", settings)
    assert found.problems[0].kind == "server" and "cannot be reached" in found.problems[0].what


def test_what_a_server_said_an_hour_ago_is_asked_again(workspace):
    config = experiment(server="big", methods=["zero_shot"])
    saved(workspace, config, "generate", Preflight("", made=time.time() - 3600))
    assert not experiment_preflight(workspace, config).complete
    saved(workspace, config, "generate", Preflight("", made=time.time()))
    assert experiment_preflight(workspace, config).passed
