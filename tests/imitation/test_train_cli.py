"""`train sft | capo` from the command line."""

import json
import os
import signal

import pytest
import typer
from helpers.tiny_training import tiny_base, tiny_dataset
from typer.testing import CliRunner

from capo_core.cli import train
from capo_core.data.catalog import Catalog
from capo_core.runs import actions
from capo_core.runs import run as runs_run
from capo_core.workspace import Workspace

PLAIN = ("--contrast", "response", "--no-calibrate")  # what is usual: test_usual_capo.py
QUICK = ("--epochs", "1", "--items-per-step", "4", "--sample-every", "0")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command in a workspace with the tiny dataset and the tiny base."""
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    Catalog(Workspace(tmp_path)).add(tiny_dataset())
    base = tiny_base(tmp_path / "base")
    app = typer.Typer()
    train.mount(app)

    def invoke(*arguments: str):
        stage, *rest = arguments
        named = [] if "--sft" in rest and "--base" not in rest else ["--base", base]
        plain = PLAIN if stage == "capo" else ()
        line = ["train", stage, "--dataset", "tiny", *named, *plain, *rest]
        return CliRunner().invoke(app, line)

    return invoke


def test_capo_trains_its_sft_run_first_and_finds_it_again(run, tmp_path):
    done = run("capo", "--annotator", "A", *QUICK, "--beta", "0.3", "--loss", "listwise", "--json")
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    assert (result["stage"], result["target"], result["steps"]) == ("capo", "A", 4)
    config = json.loads((tmp_path / "runs" / result["run_id"] / "config.json").read_text())
    assert (config["settings"]["beta"], config["settings"]["loss"]) == (0.3, "listwise")
    assert sorted(path.name.split("-")[1] for path in (tmp_path / "runs").iterdir()) == [
        "capo",
        "sft",
    ]
    listed = runs_run.all_runs(
        Workspace(tmp_path)
    )  # on the list of runs, as if the queue had done it
    assert [each.status().state for each in listed] == ["succeeded", "succeeded"]
    assert {each.request.kind for each in listed} == {"train_sft", "train_capo"}
    again = run("capo", "--annotator", "A", *QUICK, "--beta", "0.3", "--loss", "listwise")
    assert "CAPO of A: 4 of 4 steps, 14 training items" in again.stdout
    named = run("capo", "--annotator", "A", *QUICK, "--sft", config["sft"]["run"], "--json")
    assert json.loads(named.stdout)[0]["run_id"] != result["run_id"]  # of another beta


def test_all_annotators_and_one_for_all(run):
    done = run("sft", "--annotator", "all", *QUICK, "--rank", "2", "--json")
    assert [result["target"] for result in json.loads(done.stdout)] == ["A", "B", "C"]
    some = run("sft", "--annotator", "C", "A", *QUICK, "--rank", "2", "--json")
    assert [result["target"] for result in json.loads(some.stdout)] == ["C", "A"]
    shared = run("sft", "--shared", *QUICK, "--json")
    assert json.loads(shared.stdout)[0]["training_items"] == 3 * 14


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sft", "--annotator", "Z"), "no annotator 'Z'"),
        (("sft",), "name an annotator"),
        (("sft", "--shared", "--annotator", "A"), "trained on all annotators"),
        (("sft", "--annotator", "A", "--epochs", "0"), "SFT, epochs"),
        (("capo", "--annotator", "A", "--loss", "dpo"), "CAPO, loss"),
        (("capo", "--annotator", "A", "--sft", "none"), "no run named 'none'"),
        (("capo", "--annotator", "A", "--sft", "none", "--base", "b"), "base is the one of the"),
        (("sft", "--annotator", "A", "--quantise"), "4 bits needs"),
    ],
)
def test_mistakes_are_told_without_a_trace(run, arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.output and "Traceback" not in done.output


def test_ctrl_c_saves_and_the_same_command_goes_on(run, tmp_path, monkeypatch):
    from capo_core.imitation.training.loop import TrainingLoop

    real = TrainingLoop._after_step

    def interrupted(self):
        real(self)
        if self.counters.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(TrainingLoop, "_after_step", interrupted)
    before = signal.getsignal(signal.SIGINT)
    stopped = run("sft", "--annotator", "A", *QUICK)
    assert stopped.exit_code == 2 and "stopped after step 3 of 4, and saved" in stopped.output
    assert signal.getsignal(signal.SIGINT) is before
    (told,) = runs_run.all_runs(Workspace(tmp_path))
    assert told.status().state == "stopped" and actions.resume_point(told).step == 3
    monkeypatch.undo()
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    assert "4 of 4 steps" in run("sft", "--annotator", "A", *QUICK).output
