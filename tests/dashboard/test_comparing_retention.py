"""What trainings made their base forget: which are behind a comparison, found and asked for."""

from __future__ import annotations

import pytest
from helpers.comparisons import experiment, speaker, the_target, world
from helpers.retention_reports import retention

from capo_core.dashboard.compare import retention as compare_retention
from capo_core.dashboard.ui.theme import human_look
from capo_core.data.catalog import Catalog
from capo_core.runs import comparisons, queue
from capo_core.workspace import Workspace, write_json


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def entry(workspace):
    return Catalog(workspace).add(world())


@pytest.fixture
def comparison(workspace, entry):
    """Unscored answers by prompting, SFT and CAPO."""
    dataset = world()
    answer = speaker(dataset, the_target)
    experiment(
        workspace, dataset, dict.fromkeys(("zero_shot", "sft", "capo"), answer), scored=False
    )
    finished = comparisons.finished_generations(workspace, entry)
    (only,) = comparisons.all_comparisons(workspace, entry, finished)
    return only


def test_trainings_are_those_whose_adapters_answered(workspace, comparison):
    found = compare_retention.trainings(workspace, comparison)
    assert [(one.method, one.target) for one in found] == [
        ("capo", "ann"), ("capo", "bob"), ("capo", "cyd"),
        ("sft", "ann"), ("sft", "bob"), ("sft", "cyd"),
    ]  # fmt: skip
    assert all(one.run_id.startswith(f"mine-{one.method}-{one.target}") for one in found)
    only = compare_retention.trainings(workspace, comparison, "bob")
    assert [(one.method, one.target) for one in only] == [("capo", "bob"), ("sft", "bob")]


def test_a_broken_run_names_no_training(workspace, comparison):
    for name in comparison.runs:
        path = workspace.runs / name / "config.json"
        if "capo" in name:
            write_json(path, {"stage": "generate", "settings": [], "adapters": {}})
    found = compare_retention.trainings(workspace, comparison)
    assert {one.method for one in found} == {"sft"}


def test_a_measurement_is_asked_for_once_and_found(workspace, entry, comparison, monkeypatch):
    begun = []
    monkeypatch.setattr(queue, "_start", lambda job, status, parallel: begun.append(job.run_id))
    first, second, *_ = compare_retention.trainings(workspace, comparison)
    assert compare_retention.measurement(workspace, first) is None
    asked = compare_retention.measure(workspace, entry, first)
    assert asked.run_id in begun
    assert compare_retention.measurement(workspace, first).run_id == asked.run_id
    assert compare_retention.measurement(workspace, second) is None


def test_a_finished_measurement_comes_before_a_later_question(
    workspace, entry, comparison, monkeypatch
):
    monkeypatch.setattr(queue, "_start", lambda job, status, parallel: None)
    training = compare_retention.trainings(workspace, comparison)[0]
    done = retention(workspace, entry, training.run_id, training.target)
    compare_retention.measure(workspace, entry, training)
    assert compare_retention.measurement(workspace, training).run_id == done.run_id


def test_the_curve_goes_from_the_base_to_the_end_with_its_best_point(workspace, entry):
    from capo_core.evaluation.retention import load

    found = load(retention(workspace, entry, "some-run", "ann").path)
    gained = compare_retention.gained(found, human_look(dark=False))
    kept = compare_retention.kept(found, human_look(dark=False))
    given = next(line for line in gained.data if line.name == "attributed to the target")
    assert list(given.x) == [0, 0.5, 1, 1.5, 2] and list(given.y) == [0.3, 0.5, 0.7, 0.8, 0.9]
    assert list(gained.layout.xaxis.ticktext) == ["base", "0.5", "SFT", "0.5", "CAPO"]
    general = next(line for line in kept.data if line.name == "general text")
    assert list(general.y) == [1.0, 1.1, 1.2, 1.4, 2.0]  # relative to the base model
    best = [shape for shape in gained.layout.shapes if shape.x0 == shape.x1]
    assert [shape.x0 for shape in best] == [1.0]


def test_all_measured_trainings_of_a_target_stand_in_one_plane(workspace, entry):
    from capo_core.evaluation.retention import load
    from capo_core.evaluation.retention_plane import retention_plane

    runs = [retention(workspace, entry, name, "ann") for name in ("with-lora", "with-oft")]
    retention(workspace, entry, "of-another", "bob")
    there = compare_retention.measured(workspace, entry, "ann")
    assert {name: run.run_id for name, run in there.items()} == dict(
        zip(("with-lora", "with-oft"), (run.run_id for run in runs), strict=True)
    )
    plane = retention_plane({name: load(run.folder) for name, run in there.items()})
    figure = compare_retention.plane_figure(plane)
    assert [line.name for line in figure.data] == ["with-lora", "with-oft"]
    assert list(figure.data[0].marker.size) == [8, 8, 15, 8, 8]
    assert figure.data[0].line.color != figure.data[1].line.color
