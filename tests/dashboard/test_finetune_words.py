"""Runs in words: what one is called, where it stands, how two differ."""

from __future__ import annotations

import os
import time

import pytest
from helpers.run_folders import capo_settings, put_run, sft_settings

from capo_core.dashboard.finetune.page import trained_sentence
from capo_core.dashboard.finetune.run import stop_sentence
from capo_core.runs import summary
from capo_core.runs.request import KINDS
from capo_core.runs.run import Run
from capo_core.runs.status import process_start_mark
from capo_core.runs.summary import (
    differences,
    exact_duration,
    flattened,
    shortened_list,
    status_line,
    summarise_run,
    table_row,
)
from capo_core.workspace import Workspace, write_json


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


GENERATION = {
    "dataset": "mine", "targets": ["ann", "bob"], "base": "embedded", "adapters": ["x"],
    "config": {"method": "sft"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "settings", "title"),
    [
        ("train_sft", sft_settings(), "SFT for ann"),
        ("train_capo", capo_settings("s"), "CAPO for ann"),
        ("generate", GENERATION, "Generation: SFT for ann and bob"),
        ("evaluate", {"dataset": "mine", "runs": ["a"], "config": {}}, "Evaluation"),
        ("dummy", {"steps": 1, "step_s": 0}, "Dummy run"),
    ],
)
def test_a_run_is_called_by_what_it_does(workspace, kind, settings, title):
    seen = summarise_run(put_run(workspace, "r", kind, settings, state="stopped"))
    assert (seen.title, seen.can_repeat) == (title, True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "dance", "settings": {}}'])
def test_a_run_that_says_nothing_is_called_by_its_folder(workspace, content):
    run = put_run(workspace, "r-1", state="stopped")
    (run.folder / "request.json").write_text(content)
    seen = summarise_run(Run(run.folder))
    assert seen.state == "broken" and not seen.can_repeat
    assert table_row(seen)["run_id"] == "r-1" and table_row(seen)["state"] == "Broken"


def test_a_run_begun_without_the_queue_is_known_by_its_own_configuration(workspace):
    run = Run(workspace.runs / "by-hand")
    asked = {"stage": "capo", "target": "ann", "dataset": {"name": "mine"},
             "base": {"name": "embedded"}, "settings": {"epochs": 2}}  # fmt: skip
    write_json(run.folder / "config.json", asked)
    seen = summarise_run(run)
    assert (seen.title, seen.dataset, seen.can_repeat) == ("CAPO for ann", "mine", False)
    assert seen.settings == {"base": "embedded", "config": {"epochs": 2}}


def test_what_waits_says_for_whom_by_its_title(workspace):
    put_run(workspace, "first", state="stopped")
    second = put_run(workspace, "second", "train_capo", capo_settings("first"))
    request = {"kind": "train_capo", "settings": second.request.settings, "after": ["first"]}
    write_json(second.folder / "request.json", request)
    assert (
        status_line(summarise_run(Run(second.folder))) == "waits for SFT for ann, which is stopped"
    )
    assert status_line(summarise_run(put_run(workspace, "third"))) == "waiting for its turn"


@pytest.fixture
def now(monkeypatch) -> float:
    """A clock that stands still: what is shown must not hang on how fast the machine is."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    return now


def test_a_silent_worker_is_slow(workspace, now):
    me = os.getpid()
    run = put_run(
        workspace, "r", state="running", pid=me, birth=process_start_mark(me),
        message="step 3 of 9",
        heartbeat=now - 60, started=now - 90, share=0.5,
    )  # fmt: skip
    said = status_line(summarise_run(run))
    assert said == "step 3 of 9 (slow: no sign of life for 60 s, but its process exists)"


def test_time_left_is_told_from_the_pace_so_far(workspace, now):
    me = os.getpid()
    run = put_run(
        workspace, "r", state="running", pid=me, birth=process_start_mark(me),
        message="step 3 of 9",
        heartbeat=now, started=now - 60, share=0.5,
    )  # fmt: skip
    assert status_line(summarise_run(run)) == "step 3 of 9, about 60 s left"
    assert table_row(summarise_run(run))["done"] == 0.5


def test_every_kind_of_run_has_a_name_for_its_state_and_itself():
    assert set(summary.STATES) >= {"queued", "running", "succeeded", "failed", "stopped", "lost"}
    assert all(kind.label for kind in KINDS.values())


def test_two_configurations_differ_by_their_dotted_names():
    one = {"base": "a", "config": {"lora": {"rank": 8}, "epochs": 3}}
    two = {"base": "a", "config": {"lora": {"rank": 16}, "epochs": 3, "seed": 1}}
    assert flattened(one) == {"base": "a", "config.lora.rank": 8, "config.epochs": 3}
    assert differences(one, two) == [("config.lora.rank", 8, 16), ("config.seed", None, 1)]
    assert differences(one, one) == []


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C"),
     (list("ABCDEF"), "A, B and 4 more")],
)  # fmt: skip
def test_names_are_listed_as_a_person_would(names, said):
    assert shortened_list(names) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_worked_time_is_exact_enough_to_compare(seconds, said):
    assert exact_duration(seconds) == said


def test_a_stopped_run_says_so_once():
    said = "stopped after step 40 of 51, and saved"
    assert stop_sentence(said) == "Stopped after step 40 of 51, and saved"
    assert stop_sentence("interrupted at the keyboard") == "Stopped: interrupted at the keyboard"


def test_a_trainings_pairs_have_an_interval_over_their_items():
    said = trained_sentence(("ann",), 0.55, 20).replace("\u00a0", " ")
    assert said.startswith("CAPO for ann ranks the annotator's own response above another")
    assert "in 55 % [34–74] of pairs on 20 validation items (chance 50 %)" in said
