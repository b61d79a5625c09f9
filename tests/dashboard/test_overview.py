"""The steps of the overview: their states, and sentences on runs, distributions and studies."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from capo_core.dashboard.overview.page import captions, disagreement
from capo_core.dashboard.overview.steps import (
    Step,
    annotator_results,
    comparison_results,
    distribution_results,
    imitation_results,
    obstacles,
    run_states,
    study_results,
    study_stages,
    with_states,
)
from capo_core.data.catalog import Catalog, load_shipped
from capo_core.runs import queue, submit
from capo_core.runs.status import Status
from capo_core.study.config import StudyConfig
from capo_core.workspace import Workspace, write_json


def test_nothing_is_said_in_words():
    assert imitation_results(Counter()).startswith("No runs yet.")
    assert comparison_results(Counter()).startswith("No model outputs yet")
    assert study_results(Counter()).startswith("No study yet.")


@pytest.mark.parametrize(
    ("done", "states"),
    [
        ((True, False, False), ["done", "next", "later"]),
        # Nothing of one's own is imported, and the demo's report is there: imitation is next.
        ((False, True, False, False), ["later", "done", "next", "later"]),
        # All of the demo is there: one's own data is next.
        ((False, True, True), ["next", "done", "done"]),
        ((False, False), ["next", "later"]),
        ((True,), ["done"]),
    ],
)
def test_the_next_step_follows_the_last_that_is_done(done, states):
    steps = with_states([Step("", "", "", "", "", done=each) for each in done])
    assert [step.state for step in steps] == states


def test_what_the_data_do_not_allow_is_never_next():
    demo = load_shipped("demo-nli")
    labels_only = replace(demo, annotations=demo.annotations.assign(explanation=" "))
    assert obstacles(demo) == {}
    missing = obstacles(labels_only)
    assert set(missing) == {"stability", "finetune", "compare", "studies"}
    path = [
        Step(page, "", "", page, "Open", done=page == "data")
        for page in ("data", "stability", "finetune", "compare", "studies")
    ]
    found = with_states(path, missing)
    assert [step.state for step in found] == ["done"] + 4 * ["impossible"]
    assert all(step.results.startswith("Needs explanations") for step in found[1:])
    assert not any(step.action for step in found[1:])
    of_one = demo.annotations["annotator_id"] == demo.annotators[0]
    alone = obstacles(replace(demo, annotations=demo.annotations[of_one].reset_index(drop=True)))
    found = with_states(path, alone)
    assert [step.state for step in found] == ["done", "impossible", "next", "later", "later"]


def test_the_picture_has_the_numbers_of_this_dataset_and_none_without_a_report():
    assert not any(letter.isdigit() for letter in captions(None)[0])
    single, pooled = (
        SimpleNamespace(k=k, accuracy=accuracy, low=accuracy - 0.04, high=min(1, accuracy + 0.04),
                        chance=0.25, reduction="mask_input", n_items=500)
        for k, accuracy in ((1, 0.38), (8, 1))
    )  # fmt: skip
    said = captions((single, pooled))[0].replace("\u00a0", " ")
    assert "from 1 explanation in 38 % [34–42], from 8 in 100 % [96–100] (chance 25 %," in said
    assert "from 1 explanation in 38 % [34–42] (chance" in captions((single, single))[0].replace(
        "\u00a0", " "
    )


def small(rows, explained=True):
    """A dataset of rows "item annotator label", with the explanation "because" or none."""
    demo = load_shipped("demo-nli")
    told = [row.split() for row in rows]
    annotations = demo.annotations.iloc[: len(told)].reset_index(drop=True)
    items = list(dict.fromkeys(item for item, *_ in told))
    return replace(
        demo, crowd=None,
        items=demo.items.iloc[: len(items)].assign(item_id=items).reset_index(drop=True),
        annotations=annotations.assign(
            item_id=[item for item, *_ in told], annotator_id=[who for _, who, _ in told],
            label=[demo.task.scale.labels[int(label)] for *_, label in told],
            explanation="because" if explained else "",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["i A 0", "i B 0", "j A 1", "j B 2"], "different labels on 1 of them"),
        (["i A 0", "i B 0"], "different labels on 0 of them"),
        (["i A 0", "j B 1"], "none of them labelled by two annotators"),
        (["i A 0", "i B 1", "j A 0"], "different labels on 1 of the 1 labelled by two annotators"),
        # Two labels by one annotator are one answer, and no disagreement with oneself.
        (["i A 0", "i A 1", "j B 0"], "none of them labelled by two annotators"),
        (["i A 0", "i A 1", "i B 1", "i B 0"], "different labels on 0 of them"),
    ],
)
def test_disagreement_is_of_annotators_and_of_the_items_that_two_of_them_labelled(rows, said):
    assert disagreement(small(rows)).startswith(said)


def test_one_annotator_has_no_each_and_nobody_to_agree_with():
    alone = small(["i A 0", "j A 1"])
    assert annotator_results(alone) == "1 annotator with 2 explanations."
    assert "no second annotator to compare with" in distribution_results(alone, Counter())
    assert annotator_results(small(["i A 0"], False)) == "1 annotator; label use."
    two = small(["i A 0", "j A 1", "i B 1"])
    assert annotator_results(two) == "2 annotators with 1 to 2 explanations each."
    assert "the annotators together are the reference" in distribution_results(two, Counter())
    assert annotator_results(small(["i A 0", "i B 0"])) == "2 annotators with 1 explanation each."
    crowd = replace(two, annotations=two.annotations.iloc[:0])
    assert annotator_results(crowd).startswith("No annotators")


def test_runs_are_counted_by_their_state():
    states = Counter({("train_sft", "succeeded"): 2, ("generate", "succeeded"): 3,
                      ("generate", "failed"): 1})  # fmt: skip
    assert imitation_results(states) == "6 runs: 5 succeeded, 1 failed."
    assert comparison_results(states) == "Model outputs of 3 runs, no evaluation yet."
    states["evaluate", "succeeded"] = 1
    assert comparison_results(states) == "Model outputs of 3 runs, 1 evaluation."


def test_estimates_and_classifiers_imitate_nobody_and_are_said_with_the_distributions():
    states = Counter({("estimate", "succeeded"): 2, ("softlabel", "failed"): 1})
    assert imitation_results(states).startswith("No runs yet.")
    demo = load_shipped("demo-nli")
    assert distribution_results(demo, states) == "Crowd labels for 500 items; 2 model estimates."
    assert distribution_results(replace(demo, crowd=None), Counter()).startswith("No crowd labels")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    # Nothing begins: what is asked for here stays a folder.
    monkeypatch.setattr(queue, "advance", lambda workspace: [])
    return Workspace(tmp_path)


def test_only_runs_on_the_same_dataset_count(workspace):
    entry = Catalog(workspace).entry("demo-nli")
    for name, state in (("demo-nli", "succeeded"), ("demo-paraphrase", "succeeded")):
        run = submit.submit(
            workspace,
            "generate",
            {
                "dataset": name,
                "targets": ["A"],
                "base": "embedded",
                "config": {"method": "zero_shot"},
            },
        )
        run.write(Status(state=state))
    (workspace.runs / "broken").mkdir()
    (workspace.runs / "broken" / "request.json").write_text("{")
    assert sum(run_states(workspace, entry).values()) == 1


def test_studies_of_the_dataset_are_counted_by_their_stage(workspace):
    entry = Catalog(workspace).entry("demo-nli")
    for name, dataset in (("one", "demo-nli"), ("two", "demo-nli"), ("three", "demo-paraphrase")):
        config = StudyConfig(name, dataset).to_dict()
        write_json(workspace.studies / name / "design.json", {"config": config})
    write_json(workspace.studies / "two" / "frozen.json", {"hash": "0" * 64})
    (workspace.studies / "broken").mkdir()
    (workspace.studies / "broken" / "design.json").write_text("{")
    stages, simulated = study_stages(workspace, entry)
    assert stages == {"draft": 1, "frozen": 1} and simulated == 0
    assert study_results(stages) == "2 studies (1 draft, 1 frozen)."
    assert study_results(stages, 1) == "2 studies (1 draft, 1 frozen; 1 with simulated judges)."
