"""LeWiDi: labels packed into text, repeated annotators, metadata with trailing commas."""

import json

import pytest
from helpers.data_files import lewidi_item, shared

from capo_core.data.importing import read_dataset
from capo_core.task import NLI, PARAPHRASE, LabelScale


def read(tmp_path, items, name="Paraphrase_train.json", **options):
    path = tmp_path / name
    path.write_text(items if isinstance(items, str) else json.dumps(items), encoding="utf-8")
    return read_dataset(path, name="x", **options)


def rows(read_):
    columns = ["annotator_id", "label", "explanation"]
    return read_.dataset.annotations[columns].to_numpy().tolist()


def test_two_labels_pair_with_two_explanations_in_order(tmp_path):
    item = lewidi_item(
        "Ann1,Ann2,Ann2", {"Ann1": "3", "Ann2": "-1,4"}, ["first", "second", "third"]
    )
    read_ = read(tmp_path, {"q1": item})
    assert rows(read_) == [
        ["Ann1", "3", "first"],
        ["Ann2", "-1", "second"],
        ["Ann2", "4", "third"],
    ]
    assert read_.dataset.task == PARAPHRASE
    assert read_.dataset.items["split"].tolist() == ["train"]


def test_explanations_go_by_the_order_of_annotators_not_of_labels(tmp_path):
    item = lewidi_item("Ann2,Ann1", {"Ann1": "1", "Ann2": "2"}, ["of two", "of one"])
    assert rows(read(tmp_path, {"q1": item})) == [["Ann2", "2", "of two"], ["Ann1", "1", "of one"]]


def test_more_labels_than_mentions_keep_the_label_without_explanation(tmp_path):
    item = lewidi_item("Ann1", {"Ann1": "1,2"}, ["why"])
    read_ = read(tmp_path, {"q1": item})
    assert rows(read_) == [["Ann1", "1", "why"], ["Ann1", "2", ""]]
    assert any("more labels than explanations" in note for note in read_.report.notes)


def test_more_mentions_than_labels_set_the_explanation_aside(tmp_path):
    item = lewidi_item("Ann1,Ann1", {"Ann1": "1"}, ["why", "and why else"])
    read_ = read(tmp_path, {"q1": item})
    assert rows(read_) == [["Ann1", "1", "why"]]
    assert read_.report.rows_read == 2
    aside = read_.report.rejected.iloc[0]
    assert (aside["row"], aside["column"]) == (1, "annotations.Ann1")
    assert "and why else" in aside["text"]


def test_without_a_list_of_annotators_the_labels_name_them(tmp_path):
    item = lewidi_item("", {"Ann1": "1", "Ann2": "2"}, [])
    assert rows(read(tmp_path, {"q1": item})) == [["Ann1", "1", ""], ["Ann2", "2", ""]]


def test_nli_by_its_own_names(tmp_path):
    item = lewidi_item(
        "Ann1,Ann2",
        {"Ann1": "entailment,neutral", "Ann2": "neutral"},
        [],
        text={"context": "c", "statement": "s"},
        split="dev",
        **{"annotation task": "natural language inference"},
    )
    read_ = read(tmp_path, {"q1": item})
    assert read_.dataset.task == NLI
    assert read_.dataset.items[["text_a", "text_b", "split"]].to_numpy().tolist() == [
        ["c", "s", "validation"]
    ]
    assert sorted(row[:2] for row in rows(read_)) == [
        ["Ann1", "entailment"],
        ["Ann1", "neutral"],
        ["Ann2", "neutral"],
    ]


def test_another_task_of_the_series_gets_its_scale_inferred(tmp_path):
    item = lewidi_item(
        "Ann1,Ann2",
        {"Ann1": "1", "Ann2": "4"},
        [],
        text={"context": "c", "response": "r"},
        **{"annotation task": "hate speech detection"},
    )
    task = read(tmp_path, {"q1": item}).dataset.task
    assert task.scale == LabelScale.between(1, 4)
    assert (task.role_a, task.role_b) == ("context", "response")


def test_metadata_with_trailing_commas_beside_it_is_read_along(tmp_path):
    (tmp_path / "Paraphrase_annotators_meta.json").write_text(
        '{"Ann1": {"Age": "26", "Note": "a, }",},\n "Ann9": {"Age": "9",}\n}', encoding="utf-8"
    )
    report = read(tmp_path, {"q1": lewidi_item("Ann1", {"Ann1": "1"}, ["why"])}).report
    assert report.people == {"Ann1": {"Age": "26", "Note": "a, }"}}
    assert any("not in the data: Ann9" in note for note in report.notes)


def test_metadata_with_numbers_and_bare_names_are_read_along(tmp_path):
    (tmp_path / "Paraphrase_annotators_meta.json").write_text(
        '{"0": {"Age": 19.0, "Gender": "Female"}, "1": {"Age": 34.5}}', encoding="utf-8"
    )
    item = lewidi_item("Ann0,Ann1", {"Ann0": "1", "Ann1": "0"}, ["why", "so"])
    report = read(tmp_path, {"q1": item}).report
    assert report.people == {"Ann0": {"Age": "19", "Gender": "Female"}, "Ann1": {"Age": "34.5"}}
    assert not any("was ignored" in note for note in report.notes)


@pytest.mark.parametrize("content", ["{broken", "[1]", '{"Ann1": 3}'])
def test_metadata_that_cannot_be_read_are_left_out_and_noted(tmp_path, content):
    (tmp_path / "Paraphrase_annotators_meta.json").write_text(content, encoding="utf-8")
    report = read(tmp_path, {"q1": lewidi_item("Ann1", {"Ann1": "1"}, ["why"])}).report
    assert report.people == {}
    assert any("was ignored" in note for note in report.notes)


def test_the_paraphrase_file_comes_in_whole():
    read_ = read_dataset(shared("lewidi", "Paraphrase_train.json"), name="p")
    assert (len(read_.dataset.items), read_.report.rows_kept) == (400, 1600)
    assert len(read_.report.rejected) == 0
    assert read_.dataset.task == PARAPHRASE
    assert set(read_.report.people) == {"Ann1", "Ann2", "Ann3", "Ann4"}


def test_the_nli_file_agrees_with_varierr():
    """Its 50 items are VariErr's; every explanation must stand under the same label there."""
    small = read_dataset(shared("lewidi", "VariErrNLI_dev.json"), name="s").dataset
    whole = read_dataset(shared("varierr", "varierr.json"), name="v").dataset
    assert (len(small.items), len(small.annotations)) == (50, 187)

    def said(dataset, offset):
        frame = dataset.annotations.merge(dataset.items, on="item_id")
        numbers = frame["annotator_id"].str.removeprefix("Ann").astype(int) - offset
        columns = [frame[name].str.strip() for name in ("text_b", "label", "explanation")]
        return set(zip(numbers, *columns, strict=True))

    assert said(small, 1) <= said(whole, 0)
