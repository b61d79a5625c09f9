"""VariErr: validity by the author's own second judgment, crowd counts, and the published facts."""

import pytest
from helpers.data_files import explanation, jsonl_of, shared, varierr_item

from capo_core.data.formats.varierr import item_label_errors, own_judgment
from capo_core.data.importing import read_dataset


def read(tmp_path, *items):
    path = tmp_path / "v.json"
    path.write_text(jsonl_of(items), encoding="utf-8")
    return read_dataset(path, name="v")


def test_two_labels_of_one_annotator_are_two_rows(tmp_path):
    item = varierr_item(
        "7c", {"neutral": [explanation(0, "maybe")], "contradiction": [explanation(0, "no")]}
    )
    read_ = read(tmp_path, item, varierr_item("8c", {"neutral": [explanation(1)]}))
    mine = read_.dataset.annotations.query("item_id == '7c'")
    assert mine[["annotator_id", "label", "explanation"]].to_numpy().tolist() == [
        ["0", "neutral", "maybe"],
        ["0", "contradiction", "no"],
    ]
    assert read_.report.format == "varierr"
    assert read_.report.rows_read == read_.report.rows_kept == 3


@pytest.mark.parametrize(
    ("judgments", "valid"),
    [
        ([{"annotator": 1, "makes_sense": True}], "true"),
        ([{"annotator": 1, "makes_sense": False}], "false"),
        ([{"annotator": 0, "makes_sense": True}], "unknown"),  # only others judged
        ([{"annotator": 0, "makes_sense": True}, {"annotator": 1, "makes_sense": False}], "false"),
        ([{"annotator": 1, "makes_sense": None}], "unknown"),
        ([], "unknown"),
        (None, "unknown"),
        ("broken", "unknown"),
    ],
)
def test_validity_is_the_authors_own_judgment(judgments, valid):
    assert own_judgment(judgments, "1") == valid


def test_a_label_is_an_error_if_no_author_confirms_it(tmp_path):
    # Labels of item 1n: entailment has one confirmed of two: no error; neutral has one withdrawn:
    # error; contradiction has one without judgment: error, for nobody confirms it. So 2 of 3.
    labels = {
        "entailment": [explanation(0, own=False), explanation(1)],
        "neutral": [explanation(2, own=False, others=[(0, True)])],
        "contradiction": [explanation(3, own=None)],
    }
    dataset = read(tmp_path, varierr_item("1n", labels)).dataset
    assert item_label_errors(dataset.annotations) == (2, 3)
    assert dataset.annotations["valid"].tolist() == ["false", "true", "false", "unknown"]


def test_crowd_counts_with_a_letter_left_out(tmp_path):
    dataset = read(tmp_path, varierr_item("1n", {"neutral": [explanation(0)]})).dataset
    counts = dict(zip(dataset.crowd["label"], dataset.crowd["count"], strict=True))
    assert counts == {"entailment": 90, "neutral": 10, "contradiction": 0}


@pytest.mark.parametrize("bad", [{"e": -1}, {"e": 1.5}, {"e": "many"}, {"e": True}])
def test_crowd_counts_that_are_none_are_left_out_and_noted(tmp_path, bad):
    items = [
        varierr_item("1n", {"neutral": [explanation(0)]}, chaosnli_labels=bad),
        varierr_item("2n", {"neutral": [explanation(1)]}),
    ]
    read_ = read(tmp_path, *items)
    assert set(read_.dataset.crowd["item_id"]) == {"2n"}
    assert any("row 1: the crowd count" in note for note in read_.report.notes)


def test_an_item_that_only_the_crowd_labelled_is_kept(tmp_path):
    items = [varierr_item("1n", {"neutral": [explanation(0)]}), varierr_item("2n")]
    assert read(tmp_path, *items).dataset.items["item_id"].tolist() == ["1n", "2n"]


def test_the_published_facts_come_out():
    """The counts of the data's README, recomputed there from the same file."""
    read_ = read_dataset(shared("varierr", "varierr.json"), name="varierr")
    dataset = read_.dataset
    counts = dataset.annotations["annotator_id"].value_counts()
    assert [int(counts[a]) for a in dataset.annotators] == [469, 478, 490, 496]
    assert len(dataset.annotations) == 1933 == read_.report.rows_read
    assert item_label_errors(dataset.annotations) == (129, 878)
    annotators = dataset.annotations.groupby("item_id")["annotator_id"].nunique()
    assert annotators.value_counts().to_dict() == {4: 395, 3: 70, 2: 31, 1: 4}
    assert (dataset.annotations.groupby("item_id").size() == 4).sum() == 341
    assert dataset.crowd.groupby("item_id")["count"].sum().eq(100).all()
    assert dataset.items["split"].value_counts().to_dict() == {
        "train": 300,
        "validation": 100,
        "test": 100,
    }


def test_errors_are_those_that_the_file_lists():
    import json

    path = shared("varierr", "varierr.json")
    listed = {
        (item["id"], label)
        for item in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        for label in item["error_labels"]
    }
    annotations = read_dataset(path, name="varierr").dataset.annotations
    confirmed = annotations[annotations["valid"] == "true"]
    every = set(zip(annotations["item_id"], annotations["label"], strict=True))
    good = set(zip(confirmed["item_id"], confirmed["label"], strict=True))
    assert every - good == listed
