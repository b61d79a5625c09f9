"""The commands that concern runs, as a person types them."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from capo_core.cli import experiments
from capo_core.cli import runs as cli_runs
from capo_core.data.catalog import Catalog
from capo_core.runs import process, queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs.experiments import store
from capo_core.runs.status import Status
from capo_core.workspace import Workspace

SETTINGS = {"steps": 2, "step_s": 0.01}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace in which nothing really begins."""
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(process, "start", lambda folder, **_: 2**22 + 1)
    monkeypatch.setattr(queue, "process_start_mark", lambda pid: "here")
    monkeypatch.setattr(runs_run, "process_start_mark", lambda pid: "here")
    return Workspace(tmp_path)


def say(*words: str, code: int = 0) -> str:
    app = typer.Typer(rich_markup_mode=None)
    cli_runs.mount(app)
    experiments.mount(app)
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_an_empty_workspace_is_no_error(workspace):
    assert json.loads(say("runs", "list", "--json")) == []
    assert say("runs", "list") == "There are no runs yet.\n"
    assert "No run is queued or running" in say("queue")
    assert "No experiments yet" in say("experiment", "list")


def test_the_life_of_a_run(workspace):
    run = submit.submit(workspace, "dummy", SETTINGS)
    (listed,) = json.loads(say("runs", "list", "--json"))
    assert (listed["run"], listed["state"], listed["kind"]) == (run.run_id, "queued", "dummy")
    assert "saves and stops" in say("runs", "stop", run.run_id)
    run.write(Status(state="stopped", share=0.5, started=1.0, ended=61.0, peak_bytes=123_000_000))
    shown = say("runs", "show", run.run_id)
    for words in ("stopped", "starts from step 0", "computed for 1 min", "123 MB", '"steps": 2'):
        assert words in shown
    assert "starts from step 0" in say("runs", "resume", run.run_id)
    assert run.status().state == "queued"
    run.write(Status(state="stopped"))
    other = say("runs", "again", run.run_id, "--set", "steps=5").split(":")[0]
    assert runs_run.find_run(workspace, other).request.settings["steps"] == 5
    say("runs", "notes", run.run_id, "too slow")
    assert "too slow" in say("runs", "notes", run.run_id)
    place = "".join(say("runs", "delete", run.run_id).split()).rpartition("/")[2]
    say("runs", "show", run.run_id, code=2)
    assert "is restored" in say("runs", "restore", place)


def test_a_status_that_no_run_can_have_is_refused(workspace):
    assert "no status 'done'" in say("runs", "list", "--state", "done", code=2)
    assert "greater than or equal to 0" in say("runs", "log", "any", "--lines", "-5", code=2)


def test_a_broken_run_is_listed_as_such(workspace):
    run = submit.enqueue(workspace, "dummy", SETTINGS)
    (run.folder / "request.json").write_text("nonsense")
    (listed,) = json.loads(say("runs", "list", "--json", "--state", "broken"))
    assert "request.json" in listed["message"]
    assert "broken" in say("runs", "show", run.run_id)


def test_an_experiment_is_begun_from_a_preset_and_from_its_own_file(workspace, tmp_path):
    who = Catalog(workspace).load("demo-nli").annotators
    words = ["experiment", "start", "--dataset", "demo-nli", "--annotator", who[0],
             "--method", "zero_shot", "sft", "--set", "sft.epochs=2", "--json"]  # fmt: skip
    begun = json.loads(say(*words))
    assert begun["config"]["methods"] == ["zero_shot", "sft"]
    assert begun["config"]["sft"]["epochs"] == 2
    assert len(begun["runs"]) == 4
    file = tmp_path / "again.json"
    file.write_text(json.dumps(begun["config"]))
    again = json.loads(say("experiment", "start", "--config", str(file), "--json"))
    assert again["experiment"] == begun["experiment"]
    assert begun["experiment"] in say("experiment", "list")
    assert "4 queued" in " ".join(say("experiment", "status", begun["experiment"]).split())
    assert "4 runs asked to stop" in say("experiment", "stop", begun["experiment"])


@pytest.mark.parametrize("content", ["nonsense", "[1]", '{"dataset": "demo-nli", "speed": 1}'])
def test_a_configuration_that_is_none_is_refused(workspace, tmp_path, content):
    file = tmp_path / "config.json"
    file.write_text(content)
    say("experiment", "start", "--config", str(file), code=2)
    assert store.all_experiments(workspace) == ([], {})


def test_all_is_everybody(workspace):
    begun = json.loads(say("experiment", "start", "--dataset", "demo-nli", "--annotator", "all",
                           "--method", "icl", "--json"))  # fmt: skip
    assert begun["config"]["targets"] == list(Catalog(workspace).load("demo-nli").annotators)
