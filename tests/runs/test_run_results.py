"""Lists of runs have what came out of them: scores of the newest evaluation, by method."""

from __future__ import annotations

import pytest
from helpers import comparisons as by_hand

from capo_core.data.catalog import Catalog
from capo_core.evaluation.measures.attribution import View
from capo_core.evaluation.report import load
from capo_core.runs.kinds.evaluation import REPORT
from capo_core.runs.results import RunResults, by_experiment, results_of
from capo_core.runs.run import all_runs
from capo_core.runs.summary import summarise_run
from capo_core.workspace import Workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("results"))
    dataset = by_hand.world()
    Catalog(workspace).add(dataset)
    answers = {
        "sft": by_hand.speaker(dataset, by_hand.the_target, right=0.5),
        "zero_shot": by_hand.speaker(dataset, by_hand.the_next(dataset)),
    }
    return by_hand.experiment(workspace, dataset, answers)


def found(experiment) -> dict[str, RunResults]:
    return results_of([summarise_run(run) for run in all_runs(experiment.workspace)])


def test_a_generation_has_the_scores_of_its_method(made):
    report = load(made.evaluation.folder / REPORT)
    view = View("words", "mask_input").name
    for method, labels, attributed in (("sft", 0.5, 1.0), ("zero_shot", 1.0, 0.0)):
        (member,) = (m for m in made.members if (m.kind, m.method) == ("generate", method))
        mine = found(made)[member.run_id]
        assert mine.label_accuracy == report.row(method, "label accuracy").value == labels
        assert mine.attribution == report.row(method, view, 1).value == attributed
        assert (mine.human, mine.n, mine.base) == (1.0, 36, "by-hand")


def test_a_training_has_the_scores_of_its_annotator(made):
    results = found(made)
    trainings = [m for m in made.members if m.kind == "train_sft"]
    assert len(trainings) == 3
    report = load(made.evaluation.folder / REPORT)
    for target, member in zip(made.config.targets, trainings, strict=True):
        mine = results[member.run_id]
        row = report.row("sft", "label accuracy", 0, target)
        assert (mine.label_accuracy, mine.n) == (row.value, 12)


def test_a_broken_report_costs_the_scores_only(made):
    path = made.evaluation.folder / REPORT
    kept = path.read_text(encoding="utf-8")
    path.write_text("{", encoding="utf-8")
    try:
        results = found(made)
        assert {each.label_accuracy for each in results.values()} == {None}
        assert "by-hand" in {each.base for each in results.values()}
    finally:
        path.write_text(kept, encoding="utf-8")


def test_an_experiment_has_a_line_for_each_method(made):
    seen = [summarise_run(run) for run in all_runs(made.workspace)]
    rows = {row["method"]: row for row in by_experiment(seen, results_of(seen))}
    assert set(rows) == {"sft", "zero_shot"}
    # Three trainings and the generation that answered with them: its answers are counted once.
    sft = rows["sft"]
    assert (sft["runs"], sft["succeeded"], sft["n"]) == (4, 4, 36)
    assert (sft["label_accuracy"], sft["attribution"]) == (0.5, 1.0)
    assert sft["base"] == "embedded, by-hand"
    assert rows["zero_shot"]["label_accuracy"] == 1.0
