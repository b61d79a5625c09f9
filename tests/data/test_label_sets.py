"""Cells with several labels: found, asked about, read as the user says; labels that look alike."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.data.importing import read_dataset
from capo_core.data.label_sets import find_label_sets
from capo_core.errors import ConfigError, DataError
from capo_core.task import LabelScale, Task

HEADER = ["item_id", "annotator_id", "label", "explanation", "text"]


def table(path, labels, annotators="AB"):
    """A long CSV with these labels in turn by the annotators."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for n, label in enumerate(labels):
        item = n // len(annotators)
        writer.writerow(
            [f"q{item}", annotators[n % len(annotators)], label, f"w{n}", f"Text {item}"]
        )
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def given(dataset):
    return sorted(dataset.annotations[["item_id", "annotator_id", "label"]].itertuples(index=False))


@pytest.mark.parametrize(
    "written",
    ["happy;sad", "happy | sad", "happy, sad", '["happy", "sad"]', "['happy', 'sad']",
     '{"choices": ["happy", "sad"]}', '[{"label": "happy"}, {"label": "sad"}]'],
)  # fmt: skip
def test_several_labels_are_asked_about_and_read_as_the_answer_says(tmp_path, written):
    path = table(tmp_path / "t.csv", ["happy", written, "sad", "happy"])
    with pytest.raises(DataError, match="several labels in one cell") as refused:
        read_dataset(path, name="x")
    assert "1 annotation with" in str(refused.value)
    assert refused.value.option == "--label-sets each, or --label-sets set"
    read = read_dataset(path, name="x", label_sets="each")
    assert given(read.dataset) == [
        ("q0", "A", "happy"), ("q0", "B", "happy"), ("q0", "B", "sad"), ("q1", "A", "sad"),
        ("q1", "B", "happy"),
    ]  # fmt: skip
    assert read.report.rows_read == read.report.rows_kept == 5
    both = read.dataset.annotations.query("item_id == 'q0' and annotator_id == 'B'")
    assert set(both["explanation"]) == {"w1"}
    read = read_dataset(path, name="x", label_sets="set")
    assert read.dataset.task.scale.labels == ("happy", "happy + sad", "sad")
    assert read.report.rows_read == read.report.rows_kept == 4


def test_the_order_in_a_set_does_not_matter():
    found = find_label_sets({"a;b": 1, "b;a": 1, "a;b;a": 1})
    assert found.several() == ["a;b", "b;a", "a;b;a"]
    assert {tuple(sorted(labels)) for labels in found.sets.values()} == {("a", "b")}


@pytest.mark.parametrize(
    "labels",
    [["No, not at all", "yes", "no"], ["and/or", "neither"], ["3,5", "3", "5"], ["a;b"],
     ["[unclear]", "yes"], ["R&D", "sales"]],
)  # fmt: skip
def test_what_only_looks_like_a_set_is_one_label(labels):
    assert find_label_sets(dict.fromkeys(labels, 1)).several() == []


def test_lists_of_one_are_that_label_and_other_json_is_set_aside(tmp_path):
    path = table(
        tmp_path / "t.csv",
        ['["yes"]', "no", "[]", '[{"start": 3, "end": 7}]', '{"choices": ["no"]}', "yes"],
    )
    read = read_dataset(path, name="x")
    assert read.report.reasons() == {
        "the label is a list or an object that holds no labels": 1,
        "the label is missing": 1,
    }
    assert sorted(read.dataset.annotations["label"]) == ["no", "no", "yes", "yes"]
    assert read.report.rows_read == 6 == read.report.rows_kept + len(read.report.rejected)


def test_a_label_of_the_scale_given_is_never_taken_apart(tmp_path):
    path = table(tmp_path / "t.csv", ["a;b", "a", "b", "a"])
    task = Task("t", LabelScale(("a", "b", "a;b")))
    assert sorted(read_dataset(path, name="x", task=task).dataset.annotations["label"]) == [
        "a", "a", "a;b", "b",
    ]  # fmt: skip


def test_the_command_asks_and_takes_the_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    path = table(tmp_path / "t.csv", ["happy", "happy;sad", "sad", "happy"])
    words = ["data", "import", str(path), "--name", "x", "--json"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code and "--label-sets each" in refused.output
    done = CliRunner().invoke(app, [*words, "--label-sets", "each"])
    assert json.loads(done.output)["annotations"] == 5
    with pytest.raises(ConfigError, match="cannot be read as 'both'"):
        read_dataset(path, name="x", label_sets="both")


def test_labels_that_look_alike_are_joined_and_said(tmp_path):
    labels = ["Oui", "oui", "OUI", "non", "Non", "non", "Caf\u00e9  noir", "cafe\u0301 noir"]
    read = read_dataset(table(tmp_path / "t.csv", labels), name="x")
    assert read.dataset.task.scale.labels == ("café noir", "non", "oui") or (
        read.dataset.task.scale.labels == ("cafe\u0301 noir", "non", "oui")
    )
    assert any("joined" in note and "'Oui' → 'oui'" in note for note in read.report.notes)
    # …and kept apart where the user gives them
    task = Task("t", LabelScale(("Oui", "oui", "OUI", "non", "Caf\u00e9 noir")))
    read = read_dataset(table(tmp_path / "t.csv", labels), name="x", task=task)
    assert {"Oui", "oui", "OUI"} <= set(read.dataset.annotations["label"])


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (["1.5", "2", "2.50", "4"], ("1.5", "2", "2.5", "4")),
        (["0,5", "1", "1,5", "10"], ("0.5", "1", "1.5", "10")),
        (["-0.5", "0", "0.25", "−1"], ("-1", "-0.5", "0", "0.25")),
        (
            ["0.0", "0.3333333333333333", "0.6666666666666666"],
            ("0", "0.3333333333", "0.6666666667"),
        ),
        (["0.30000000000000004", "0.3", "0.9"], ("0.3", "0.9")),
    ],
)
def test_half_points_and_decimals_are_ordered_numbers(tmp_path, written, labels):
    read = read_dataset(table(tmp_path / "t.csv", written), name="x")
    assert read.dataset.task.scale == LabelScale(labels, ordinal=True)
    assert not any("are words" in note for note in read.report.notes)


def test_words_for_no_answer_beside_numbers_are_no_labels(tmp_path):
    read = read_dataset(table(tmp_path / "t.csv", ["0.5", "n/a", "1.5", "-"]), name="x")
    assert read.dataset.task.scale == LabelScale(("0.5", "1.5"), ordinal=True)
    assert len(read.report.rejected) == 2
    assert all("is not on the scale" in reason for reason in read.report.reasons())


def test_a_slider_is_refused_with_its_range(tmp_path):
    path = table(tmp_path / "t.csv", [f"{n / 10}" for n in range(1, 302)])
    with pytest.raises(DataError, match=r"301 different numbers, from 0\.1 to 30\.1"):
        read_dataset(path, name="x")


def test_annotators_by_unicode_form_are_one_and_by_case_two(tmp_path):
    path = table(
        tmp_path / "t.csv", ["a", "b", "a", "b", "a", "b"], ["Zo\u00eb", "Zoe\u0308", "zoë"]
    )
    read = read_dataset(path, name="x")
    assert set(read.dataset.annotators) in ({"Zo\u00eb", "zoë"}, {"Zoe\u0308", "zoë"})
    notes = " ".join(read.report.notes)
    assert "invisible marks only are joined" in notes and "kept apart: " in notes


def test_explanations_that_say_nothing_are_none(tmp_path):
    path = tmp_path / "t.csv"
    said = ["N/A", "-", "none", "n.a.", "None of them fits.", "no", "...", "NA", "—", " n/a "]
    lines = [f"q{n},A,{'ab'[n % 2]},{text},T{n}" for n, text in enumerate(said)]
    path.write_text("\n".join([",".join(HEADER), *lines]), encoding="utf-8")
    read = read_dataset(path, name="x")
    kept = [text for text in read.dataset.annotations["explanation"] if text]
    assert kept == ["None of them fits.", "no"]
    assert any(note.startswith("8 explanations that only say") for note in read.report.notes)
