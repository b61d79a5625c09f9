"""What the page Distributions looks at: datasets and files together, runs, what is shown first."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.distribution_sources import judgments, row, small_dataset, source, write_lines

from capo_core.dashboard.distributions import data
from capo_core.distributions import store
from capo_core.distributions.sources import dataset_judgments
from capo_core.errors import DataError
from capo_core.imitation.generation.outputs import to_frame, write_table
from capo_core.runs.comparisons import Generation
from capo_core.workspace import Workspace, write_json

EVEN = [1 / 3, 1 / 3, 1 / 3]


def with_texts(name, sources, texts, said=()):
    """Judgments whose items have these texts; items are called i0, i1, …"""
    made = judgments(*sources, said=said)
    items = made.items.assign(text_a=list(texts))
    return type(made)(name, made.task, items, made.sources, made.explanations)


def test_a_file_on_the_same_items_stands_beside_the_dataset():
    own = with_texts("mine", [source("annotators", [EVEN, EVEN])], ["one", "two"])
    file = with_texts("file", [source("crowd", [[1, 0, 0], [0, 1, 0]])], ["two", "three"])
    found, with_own, names, notes = data.put_together(own, [file])
    assert with_own and names == ["file"]
    assert [one.name for one in found.sources] == ["annotators", "crowd"]
    # "two" is the second item of the dataset and the first of the file.
    assert found.source("crowd").item_ids == ("i1",)
    assert found.notes == ("1 of 2 items of file not in mine; left out",) and not notes


def test_a_file_on_other_items_is_shown_alone_and_that_is_said():
    own = with_texts("mine", [source("annotators", [EVEN])], ["one"])
    file = with_texts("file", [source("crowd", [EVEN])], ["other"])
    found, with_own, names, notes = data.put_together(own, [file])
    assert found.name == "file" and not with_own and names == ["file"]
    assert "shown without it" in notes[0]


def test_of_two_files_the_one_that_goes_with_nothing_is_left_out_and_named():
    first = with_texts("first", [source("crowd", [EVEN])], ["one"])
    strange = with_texts("strange", [source("other", [EVEN])], ["other"])
    found, _, names, notes = data.put_together(None, [first, strange])
    assert [one.name for one in found.sources] == ["crowd"] and names == ["first"]
    assert "Skipped: strange" in notes[0] and "no item in common" in notes[0]


def test_alone_leaves_the_dataset_out_also_where_it_fits():
    own = with_texts("mine", [source("annotators", [EVEN])], ["one"])
    file = with_texts("file", [source("crowd", [EVEN])], ["one"])
    found, with_own, names, _ = data.put_together(own, [file], alone=True)
    assert not with_own and names == ["file"] and found.name == "file"


def test_what_a_file_only_repeats_is_not_shown_twice():
    said = [("i0", "humans", 0, "neutral", "It  is so."), ("i0", "humans", 1, "neutral", "Yes.")]
    own = with_texts("mine", [source("crowd", [[0.5, 0.5, 0]])], ["one"], said)
    other = with_texts(
        "file", [source("crowd", [[0.504, 0.496, 0]]), source("new", [[0, 0, 1]])], ["one"],
        [("i0", "humans", 0, "neutral", "It is so."), ("i0", "model", 0, "neutral", "It is so!")],
    )  # fmt: skip
    found, _, _, notes = data.put_together(own, [other])
    assert [one.name for one in found.sources] == ["crowd", "new"]
    assert set(found.explanations["source"]) == {"humans", "model"}
    assert len(found.explanations) == 3
    assert notes == ["Duplicates from file are not shown: crowd (file)."]


@pytest.mark.parametrize(
    ("names", "against", "shown"),
    [
        (["crowd", "annotators", "single label", "annotator a", "annotator b", "uniform"],
         "crowd", ["annotators", "single label", "uniform"]),
        (["annotators", "single label", "annotator a", "annotator b", "uniform"],
         "annotators", ["single label", "annotator a", "annotator b", "uniform"]),
        (["crowd", "annotators", "uniform", "capo team", "capo ann", "capo bob"],
         "crowd", ["annotators", "capo team", "uniform"]),
        (["crowd", "annotator a", "uniform"], "crowd", ["annotator a", "uniform"]),
        (["other", "uniform"], "other", ["uniform"]),
    ],
    ids=["crowd", "no crowd", "team", "one annotator only", "hardly anything"],
)  # fmt: skip
def test_what_is_shown_before_anybody_has_chosen(names, against, shown):
    assert data.default_against(names) == against
    assert data.default_shown(names, against) == shown


def test_no_more_sources_at_first_than_can_be_read():
    names = ["crowd", *(f"model {n}" for n in range(20)), "uniform"]
    shown = data.default_shown(names, "crowd")
    assert len(shown) == data.MOST_SHOWN and shown[-1] == "uniform"


def estimate(workspace, name, made, shares, called="embedded: none"):
    """A finished estimate as its run leaves it."""
    folder = workspace.runs / name
    write_json(folder / "config.json", {"stage": "estimate", "target": "all",
                                        "dataset": {"fingerprint": made.fingerprint}})  # fmt: skip
    write_json(folder / "result.json", {})
    write_json(
        folder / store.ESTIMATE,
        {"name": called, "about": "", "labels": list(made.task.scale.labels), "shares": shares},
    )


def test_estimates_become_sources_and_two_of_one_name_are_told_apart(tmp_path):
    workspace, made = Workspace(tmp_path), judgments(source("crowd", [EVEN, EVEN]))
    estimate(workspace, "mine-estimate-aaaaaa", made, {"i0": [1, 0, 0]})
    estimate(workspace, "mine-estimate-bbbbbb", made, {"i0": [1, 0, 0], "i1": [0, 1, 0]})
    found, runs, notes = data.with_estimates(made, workspace)
    assert [one.name for one in found.sources] == [
        "crowd", "embedded: none", "embedded: none (mine-estimate-bbbbbb)",
    ]  # fmt: skip
    assert (
        runs[1] == ("mine-estimate-bbbbbb", "embedded: none (mine-estimate-bbbbbb)") and not notes
    )


def test_a_broken_estimate_is_named_and_does_no_harm(tmp_path):
    workspace, made = Workspace(tmp_path), judgments(source("crowd", [EVEN]))
    estimate(workspace, "mine-estimate-broken", made, {"i0": [1, 1, 1]})
    found, runs, notes = data.with_estimates(made, workspace)
    assert [one.name for one in found.sources] == ["crowd"] and not runs
    assert "mine-estimate-broken cannot be used" in notes[0] and "sum to one" in notes[0]


def answers(workspace, run, who, label):
    rows = [
        {"output_id": f"{run}-{n}", "run_id": run, "method": "capo", "target_annotator_id": who,
         "item_id": f"i{n}", "sample": "0", "label": label, "explanation": "Why not.",
         "raw_text": "", "parsed": "true", "problem": "", "prompt_tokens": 1, "output_tokens": 1}
        for n in range(2)
    ]  # fmt: skip
    write_table(to_frame(rows), workspace.runs / run)
    return Generation(run, "capo", (who,), "test", "base", 0, 0.0)


def test_annotators_imitated_in_runs_of_their_own_are_one_team(tmp_path):
    workspace, made = Workspace(tmp_path), judgments(source("crowd", [EVEN, EVEN]))
    runs = [answers(workspace, "r1", "ann", "neutral"),
            answers(workspace, "r2", "bob", "entailment")]  # fmt: skip
    found, notes = data.with_answers(made, workspace, runs)
    assert [one.name for one in found.sources] == ["crowd", "capo team", "capo ann", "capo bob"]
    # One always says neutral, the other always entailment: the team is half and half.
    np.testing.assert_allclose(found.source("capo team").shares, [[0.5, 0.5, 0]] * 2)
    assert set(found.explanations["source"]) == {"capo team"} and not notes


def test_methods_of_several_models_are_named_with_them(tmp_path):
    workspace, made = Workspace(tmp_path), judgments(source("crowd", [EVEN, EVEN]))
    first = answers(workspace, "r1", "ann", "neutral")
    other = answers(workspace, "r2", "ann", "neutral")
    other = Generation("r2", "capo", ("ann",), "test", "large", 0, other.ended)
    found, _ = data.with_answers(made, workspace, [first, other])
    assert [one.name for one in found.sources] == ["crowd", "capo (base) ann", "capo (large) ann"]


def test_files_are_taken_in_once_and_come_back(tmp_path):
    workspace = Workspace(tmp_path)
    path = write_lines(tmp_path / "a.jsonl", [row(1, **{"chaos probs": [0.1, 0.7, 0.2]})])
    labels = small_dataset().task.scale.labels
    name = data.take_in(workspace, path, None, labels)
    assert name == data.take_in(workspace, path, None, labels)
    found, missing = data.opened(
        workspace, [name, "", "gone", "../x"], lambda space, one: store.load(one, space)
    )
    assert [one.name for one in found.values()] == ["a"]
    assert missing == ["gone", "../x"]


def test_labels_come_from_the_person_then_the_dataset_then_nli(tmp_path):
    workspace = Workspace(tmp_path)
    two = write_lines(tmp_path / "two.jsonl", [row(1, shares=[0.4, 0.6])])
    three = write_lines(tmp_path / "three.jsonl", [row(1, shares=[0.4, 0.3, 0.3])])
    assert data.labels_of(" no, yes ,") == ("no", "yes")
    assert data.labels_of("  ") is None
    for labels, own in ((("no", "yes"), ("a", "b", "c")), (None, ("no", "yes"))):
        found = store.load(data.take_in(workspace, two, labels, own), workspace)
        assert found.task.scale.labels == ("no", "yes")
    found = store.load(data.take_in(workspace, three, None, ("no", "yes")), workspace)
    assert found.task.scale.labels[0] == "entailment"
    with pytest.raises(DataError, match=r"two\.jsonl, line 1"):
        data.take_in(workspace, two, None, found.task.scale.labels)


def test_of_a_dataset_all_items_are_compared():
    made = dataset_judgments(small_dataset())
    crowd, annotators = made.source("crowd"), made.source("annotators")
    assert len(set(crowd.item_ids) & set(annotators.item_ids)) == 2
