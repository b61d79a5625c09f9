"""What comparisons a workspace holds: found, put together, scored; broken runs do not hide them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from helpers.comparisons import experiment, run, speaker, the_next, the_target, world

from capo_core.data.catalog import Catalog
from capo_core.runs import comparisons, queue
from capo_core.workspace import Workspace, write_json


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def dataset():
    return world()


@pytest.fixture
def entry(workspace, dataset):
    return Catalog(workspace).add(dataset)


def found(workspace, entry):
    finished = comparisons.finished_generations(workspace, entry)
    return finished, comparisons.all_comparisons(workspace, entry, finished)


def test_nothing_is_there_at_first(workspace, entry):
    assert found(workspace, entry) == ([], [])


def test_an_experiment_is_one_comparison_with_its_report(workspace, dataset, entry):
    made = experiment(
        workspace,
        dataset,
        {
            "zero_shot": speaker(dataset, the_next(dataset)),
            "capo": speaker(dataset, the_target),
        },
        families=("labels",),
    )
    finished, (only,) = found(workspace, entry)
    assert [(one.method, one.targets, one.split) for one in finished] == [
        ("zero_shot", dataset.annotators, "test"),
        ("capo", dataset.annotators, "test"),
    ]
    assert only.runs == tuple(one.run_id for one in finished)
    assert only.title.startswith("By hand, ")
    assert only.experiment.experiment_id == made.experiment_id
    assert only.report_path == made.evaluation.folder / "report.json"


def test_an_experiment_is_there_before_it_is_scored(workspace, dataset, entry):
    experiment(workspace, dataset, {"icl": speaker(dataset, the_target)}, scored=False)
    _, (only,) = found(workspace, entry)
    assert only.report_path is None
    assert only.evaluation is not None


def test_runs_on_other_data_are_not_here(workspace, dataset, entry):
    run(workspace, world(items=60), "elsewhere", "icl", speaker(world(items=60), the_target))
    assert found(workspace, entry) == ([], [])


@pytest.mark.parametrize(
    "config",
    ["{", "[]", '{"stage": "generate"}', '{"stage": "generate", "dataset": "mine", "settings": 3}'],
)
def test_a_broken_run_hides_no_other(workspace, dataset, entry, config):
    run(workspace, dataset, "good", "icl", speaker(dataset, the_target))
    bad = run(workspace, dataset, "bad", "zero_shot", speaker(dataset, the_target))
    (bad.path / "config.json").write_text(config)
    finished, _ = found(workspace, entry)
    assert [one.run_id for one in finished] == ["good"]


def test_a_broken_request_hides_no_other(workspace, dataset, entry):
    made = experiment(workspace, dataset, {"icl": speaker(dataset, the_target)}, scored=False)
    lost = workspace.runs / "evaluation-lost"
    lost.mkdir()
    (lost / "request.json").write_text('{"kind": 5}')
    _, known = found(workspace, entry)
    assert [one.key for one in known] == [made.members[-1].run_id]


def test_only_runs_on_one_part_of_the_data_are_put_together(workspace, dataset, entry):
    answer = speaker(dataset, the_target)
    for name in ("first", "second"):
        run(workspace, dataset, name, "icl", answer, seed=("first", "second").index(name))
    run(workspace, world(held_out=12), "train-part", "icl", answer_anything(dataset), split="train")
    finished = comparisons.finished_generations(workspace, entry)
    assert {one.split for one in finished} == {"test", "train"}
    both = comparisons.custom_comparison(
        workspace, entry, finished, ["second", "train-part", "first"]
    )
    assert both.runs == ("first", "second")  # as they were asked for, on the first one's part
    assert both.key == comparisons.CUSTOM and both.evaluation is None
    assert comparisons.custom_comparison(workspace, entry, finished, ["not-there", ""]) is None


def answer_anything(dataset):
    return lambda target, item: "Label: neutral\nExplanation: whatever"


def test_scores_are_asked_for_once_and_then_found(workspace, dataset, entry, monkeypatch):
    begun = []
    monkeypatch.setattr(queue, "_start", lambda job, status, parallel: begun.append(job.run_id))
    run(workspace, dataset, "one", "icl", speaker(dataset, the_target))
    finished = comparisons.finished_generations(workspace, entry)
    mine = comparisons.custom_comparison(workspace, entry, finished, ["one"])
    asked = comparisons.score(workspace, entry, mine)
    assert begun == [asked.run_id]
    assert asked.request.kind == "evaluate" and asked.request.settings["runs"] == ["one"]
    again = comparisons.custom_comparison(workspace, entry, finished, ["one"])
    assert again.evaluation.run_id == asked.run_id
    # The same evaluation stands in the list, to be found without naming its runs.
    (listed,) = comparisons.all_comparisons(workspace, entry, finished)
    assert listed.key == asked.run_id and listed.title.startswith("1 run put together, ")


def test_an_evaluation_whose_runs_are_gone_is_not_offered(workspace, dataset, entry, monkeypatch):
    monkeypatch.setattr(queue, "_start", lambda job, status, parallel: None)
    run(workspace, dataset, "one", "icl", speaker(dataset, the_target))
    finished = comparisons.finished_generations(workspace, entry)
    comparisons.score(
        workspace, entry, comparisons.custom_comparison(workspace, entry, finished, ["one"])
    )
    assert comparisons.all_comparisons(workspace, entry, []) == []


def test_a_report_that_cannot_be_read_is_made_again(workspace, dataset, entry, monkeypatch):
    begun = []
    monkeypatch.setattr(queue, "_start", lambda job, status, parallel: begun.append(job.run_id))
    made = experiment(
        workspace, dataset, {"icl": speaker(dataset, the_target)}, families=("labels",)
    )
    made.evaluation.folder.joinpath("report.json").write_text("{")
    _, (only,) = found(workspace, entry)
    comparisons.rescore(workspace, entry, only)
    assert begun == [made.members[-1].run_id]
    assert not only.evaluation.folder.joinpath("report.json").exists()


def test_the_newest_comes_first(workspace, dataset, entry):
    answer = speaker(dataset, the_target)
    old = experiment(workspace, dataset, {"icl": answer}, scored=False, name="old")
    new = experiment(workspace, dataset, {"icl": answer}, scored=False, name="new", seeds=[1])
    path = old.folder / "experiment.json"
    raw = json.loads(path.read_text())
    write_json(path, {**raw, "made": new.made - 3600})
    _, known = found(workspace, entry)
    assert [one.experiment.config.name for one in known] == ["new", "old"]
    assert replace(known[0], title="") != known[1]
