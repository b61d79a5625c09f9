"""Several files of one dataset: joined by item, with their parts, and nothing dropped silently."""

import json

import pandas as pd
import pytest
from helpers.data_files import HEADER, csv_of, lewidi_item, row, shared

from capo_core.data.catalog import Catalog
from capo_core.data.importing import read_dataset
from capo_core.data.splits import parse_shares, split_sizes
from capo_core.errors import ConfigError, DataError
from capo_core.run_folder import RunFolder
from capo_core.workspace import Workspace

KNIT, SWIM = (
    {"Question1": "How do I knit?", "Question2": "Is knitting hard?"},
    {"Question1": "Where can I swim?", "Question2": "Is there a pool?"},
)


def write(folder, **files):
    paths = []
    for name, content in files.items():
        paths.append(folder / f"Paraphrase_{name}.json")
        paths[-1].write_text(json.dumps(content), encoding="utf-8")
    return paths


def item(label="1", why="why", text=KNIT, split="", annotator="Ann1"):
    return lewidi_item(annotator, {annotator: label}, [why], text=text, split=split)


def parts(dataset):
    return dict(zip(dataset.items["item_id"], dataset.items["split"], strict=True))


def noted(result, words):
    return any(words in note for note in result.report.notes)


def test_files_become_the_parts_that_their_names_state(tmp_path):
    paths = write(tmp_path, test={"c": item()}, dev={"b": item(text=SWIM)}, train={"a": item()})
    result = read_dataset(paths, name="x")
    assert parts(result.dataset) == {"a": "train", "b": "validation", "c": "test"}
    assert result.report.rows_read == result.report.rows_kept == 3
    assert (
        result.report.source == "Paraphrase_train.json, Paraphrase_dev.json, Paraphrase_test.json"
    )
    assert all(name in result.dataset.origin for name in ("train.json", "dev.json", "test.json"))


def test_the_order_of_files_and_the_folder_give_the_same_dataset(tmp_path):
    clash = {"a": item(text=SWIM, why="other")}
    paths = write(tmp_path, train={"a": item()}, dev=clash)
    (tmp_path / "Paraphrase_annotators_meta.json").write_text('{"Ann1": {"Age": "26"}}')
    first = read_dataset(paths, name="x")
    turned = read_dataset(paths[::-1], name="x")
    folder = read_dataset(tmp_path, name="x")
    everything = read_dataset(sorted(tmp_path.iterdir()), name="x")
    fingerprints = {r.dataset.fingerprint for r in (first, turned, folder, everything)}
    assert len(fingerprints) == 1
    assert parts(first.dataset) == parts(turned.dataset) == parts(folder.dataset)
    assert first.report.people == everything.report.people == {"Ann1": {"Age": "26"}}


def test_the_same_identifier_with_other_texts_is_another_item(tmp_path):
    """In LeWiDi's VariErr files an identifier is shared by different hypotheses."""
    paths = write(tmp_path, train={"7": item(why="one")}, dev={"7": item(text=SWIM, why="two")})
    result = read_dataset(paths, name="x")
    assert parts(result.dataset) == {"7": "train", "7-validation": "validation"}
    texts = result.dataset.items.set_index("item_id")["text_a"]
    assert texts["7-validation"] == SWIM["Question1"]
    owner = result.dataset.annotations.set_index("explanation")["item_id"]
    assert owner.to_dict() == {"one": "7", "two": "7-validation"}
    assert noted(result, "1 item of Paraphrase_dev.json with the identifier of an item")


def test_the_same_item_in_two_files_is_joined_and_repeated_annotations_are_rejected(tmp_path):
    spaced = {**KNIT, "Question1": "How do  I knit?"}
    dev = {"7": lewidi_item("Ann1,Ann2", {"Ann1": "1", "Ann2": "2"}, ["why", "new"], text=spaced,
                            split="dev")}  # fmt: skip
    result = read_dataset(write(tmp_path, train={"7": item(split="train")}, dev=dev), name="x")
    assert len(result.dataset.items) == 1
    assert sorted(result.dataset.annotations["explanation"]) == ["new", "why"]
    rejected = result.report.rejected
    assert rejected["row"].tolist() == ["Paraphrase_dev.json:1"]
    assert "duplicate" in rejected["reason"][0]
    assert result.report.rows_read == result.report.rows_kept + len(rejected)
    assert noted(result, "1 item in more than one file")
    assert noted(result, "more than one split: the first is used")


def test_other_labels_of_an_annotator_in_another_file_are_imported_and_said(tmp_path):
    paths = write(tmp_path, train={"7": item("1")}, dev={"7": item("3", why="changed")})
    result = read_dataset(paths, name="x")
    assert sorted(result.dataset.annotations["label"]) == ["1", "3"]
    assert noted(result, "1 item × annotator with other labels in a later file")


def test_what_items_state_counts_more_than_the_name_of_the_file(tmp_path):
    paths = write(tmp_path, train={"a": item(split="dev")}, dev={"b": item(text=SWIM)})
    result = read_dataset(paths, name="x")
    assert set(parts(result.dataset).values()) == {"validation"}
    assert noted(result, "state the part validation, not train")


def test_parts_can_be_given(tmp_path):
    (tmp_path / "one.csv").write_text(csv_of([row("i1"), row("i1", "B")]))
    (tmp_path / "two.csv").write_text(csv_of([row("i2", texts=("A dog runs.", "It sits."))]))
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    result = read_dataset(files, name="x", parts=["test", "dev"])
    assert parts(result.dataset) == {"i1": "test", "i2": "validation"}
    assert set(parts(read_dataset(files[0], name="x", parts=["test"]).dataset).values()) == {"test"}
    with pytest.raises(ConfigError, match="1 part for 2 files"):
        read_dataset(files, name="x", parts=["test"])
    with pytest.raises(ConfigError, match="'exam' is not known"):
        read_dataset(files, name="x", parts=["test", "exam"])


def test_labels_share_one_scale_over_the_files(tmp_path):
    (tmp_path / "train.csv").write_text(csv_of([row(label="1"), row(annotator="B", label="2")]))
    other = ("A dog runs.", "It sits.")
    (tmp_path / "test.csv").write_text(csv_of([row("i2", label="5", texts=other)]))
    scale = read_dataset(tmp_path, name="x").dataset.task.scale
    assert scale.labels == ("1", "2", "3", "4", "5")


def test_items_that_only_texts_identify_are_numbered_over_all_files(tmp_path):
    header = ["annotator_id", "label", "explanation", "premise", "hypothesis"]
    (tmp_path / "train.csv").write_text(csv_of([row()[1:]], header))
    again = [row(annotator="B", why="Same item.")[1:], row(texts=("A dog.", "It."))[1:]]
    (tmp_path / "test.csv").write_text(csv_of(again, header))
    dataset = read_dataset(tmp_path, name="x").dataset
    assert dataset.items["item_id"].tolist() == ["1", "2"]
    assert dataset.annotations.groupby("item_id").size().to_dict() == {"1": 2, "2": 1}


def test_annotation_ids_that_begin_anew_in_each_file_lose_no_annotation(tmp_path):
    header = ["annotation_id", *HEADER]
    (tmp_path / "train.csv").write_text(csv_of([["1", *row()]], header))
    (tmp_path / "test.csv").write_text(csv_of([["1", *row("i2", texts=("A.", "B."))]], header))
    result = read_dataset(tmp_path, name="x")
    assert result.report.rows_kept == 2
    assert result.dataset.annotations["annotation_id"].is_unique
    assert noted(result, "given a new one")


def test_rejected_rows_name_their_file(tmp_path):
    (tmp_path / "train.csv").write_text(csv_of([row(), row(label="")]))
    (tmp_path / "test.csv").write_text(csv_of([row("i2", label=""), row("i2", "B")]))
    result = read_dataset(tmp_path, name="x")
    assert result.report.rejected["row"].tolist() == ["train.csv:3", "test.csv:2"]
    catalog = Catalog(Workspace(tmp_path / "ws"))
    catalog.add(result.dataset, result.report)
    pd.testing.assert_frame_equal(catalog.report("x").rejected, result.report.rejected)


def test_a_folder_of_several_datasets_is_refused_with_their_names(tmp_path):
    write(tmp_path, train={"a": item()}, dev={"b": item()})
    (tmp_path / "votes.csv").write_text(csv_of())
    with pytest.raises(DataError, match=r"2 datasets: Paraphrase \(2 files\), votes \(1 file\)"):
        read_dataset(tmp_path, name="x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no file in it can be imported"):
        read_dataset(tmp_path / "empty", name="x")


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    (json_file,) = write(tmp_path, train={"a": item()})
    (tmp_path / "votes.csv").write_text(csv_of())
    with pytest.raises(DataError, match="different formats"):
        read_dataset([json_file, tmp_path / "votes.csv"], name="x")
    nli = item("neutral", text={"context": "c", "statement": "s"})
    nli["annotation task"] = "natural language inference"
    with pytest.raises(DataError, match="different tasks"):
        read_dataset([json_file, *write(tmp_path, dev={"b": nli})], name="x")
    with pytest.raises(ConfigError, match="given twice"):
        read_dataset([json_file, json_file], name="x")


def test_one_file_named_test_is_still_split_at_random(tmp_path):
    (tmp_path / "test.csv").write_text(csv_of())
    result = read_dataset(tmp_path / "test.csv", name="x")
    assert noted(result, "no split in the file")


@pytest.mark.parametrize("text", ["300/100", "a/b/c", "0/0/0", "-1/1/1", "nan/1/1", "half"])
def test_shares_that_cannot_be_used(text):
    with pytest.raises(ConfigError, match="cannot be used"):
        parse_shares(text)


def test_a_new_split_is_a_new_dataset_and_old_runs_are_named(tmp_path):
    workspace = Workspace(tmp_path)
    catalog = Catalog(workspace)
    rows = [row(f"i{n}", texts=(f"Text {n}.", "T.")) for n in range(10)]
    (tmp_path / "votes.csv").write_text(csv_of(rows))
    read = read_dataset(tmp_path / "votes.csv", name="votes", shares=(0.6, 0.2, 0.2), seed=1)
    catalog.add(read.dataset, read.report)
    data = read.dataset
    about = {"name": "votes", "fingerprint": data.fingerprint, "split": data.split_fingerprint}
    RunFolder(workspace.runs / "sft-1").claim({"stage": "sft", "dataset": about})

    _, copy, affected = catalog.resplit("votes", (0.5, 0.3, 0.2), 2, to="votes-2")
    assert split_sizes(copy) == "5 train, 3 validation, 2 test"
    assert affected == []
    assert catalog.load("votes").split_fingerprint == data.split_fingerprint
    assert any("random, seed 2" in note for note in catalog.report("votes-2").notes)

    _, again, affected = catalog.resplit("votes", (0.5, 0.3, 0.2), 2, to="votes", replace=True)
    assert again.split_fingerprint == copy.split_fingerprint != data.split_fingerprint
    assert affected == ["sft-1"]
    with pytest.raises(ConfigError, match="exists already"):
        catalog.resplit("votes", (0.5, 0.3, 0.2), 3, to="votes-2")


def test_the_three_paraphrase_files_are_500_items_with_four_answers_each():
    paths = [shared("lewidi", f"Paraphrase_{part}.json") for part in ("train", "dev", "test")]
    result = read_dataset(paths, name="p")
    assert split_sizes(result.dataset) == "400 train, 50 validation, 50 test"
    answers = result.dataset.annotations
    assert (len(answers), len(result.report.rejected)) == (2000, 0)
    assert set(answers.groupby("item_id")["annotator_id"].nunique()) == {4}
    assert (answers["explanation"].str.strip() != "").all()
    paper = read_dataset(paths, name="p", shares=parse_shares("paper"), seed=42).dataset
    assert split_sizes(paper) == "300 train, 100 validation, 100 test"
    assert paper.fingerprint == result.dataset.fingerprint


def test_items_that_share_an_identifier_in_lewidis_varierr_are_varierrs_own():
    """488 items of the three files; eight identifiers stand for two hypotheses each."""
    paths = [shared("lewidi", f"VariErrNLI_{part}.json") for part in ("train", "dev", "test")]
    joined = read_dataset(paths, name="s").dataset
    whole = read_dataset(shared("varierr", "varierr.json"), name="v").dataset
    assert split_sizes(joined) == "388 train, 50 validation, 50 test"
    assert joined.items["item_id"].str.contains("-").sum() == 8

    def answers(dataset, offset):
        frame = dataset.annotations.merge(dataset.items, on="item_id")
        who = frame["annotator_id"].str.removeprefix("Ann").astype(int) - offset
        columns = [frame[name].str.strip() for name in ("text_b", "label", "explanation")]
        return set(zip(who, *columns, strict=True))

    assert answers(joined, 1) <= answers(whole, 0)
