"""Columns whose values say otherwise than their names: asked about, or not taken; all made up."""

import pytest
from helpers.field_files import csv_of, found, write

from capo_core.data.columns import parse_mapping
from capo_core.data.importing import read_dataset
from capo_core.errors import DataError

POSTS = [
    f"{subject} {verb} today" for subject in ("The bus", "My phone") for verb in ("came", "left us")
]
PEOPLE = ("ann", "ben", "cem")


def refusal(path, *pairs):
    with pytest.raises(DataError) as error:
        read_dataset(path, name="x", mapping=parse_mapping(pairs) if pairs else None)
    return str(error.value), error.value.option or ""


def test_a_label_of_the_item_is_no_answer_where_answers_differ_beside_it(tmp_path):
    header = ("id", "text", "stance", "coder", "coder_gender", "how convincing")
    rows = [
        (n, text, "pro", who, who[0], ("low", "mid", "high")[(n + k) % 3])
        for n, text in enumerate(POSTS)
        for k, who in enumerate(PEOPLE)
    ]
    path = write(tmp_path, "a.csv", csv_of([header, *rows]))
    said, option = refusal(path)
    assert "'stance' is the same for all annotators of each item" in said
    assert "'how convincing' (such as 'low')" in said and "gender" not in said.split("differ")[1]
    assert option == '--map "label=how convincing", or --map "label=stance"'
    answers, _ = found(path, mapping=parse_mapping(["label=how convincing"]))
    assert answers["ben", POSTS[1]] == ("high", "")
    assert len(found(path, mapping=parse_mapping(["label=stance"]))[0]) == 12
    # Nothing else differs: all agree.
    agreed = [(*row[:-1], "mid") for row in rows]
    assert len(found(write(tmp_path, "b.csv", csv_of([header, *agreed])))[0]) == 12


def test_a_document_s_number_does_not_identify_its_segments(tmp_path):
    header = ("system", "doc_id", "seg_id", "rater", "source", "category")
    rows = [
        (system, 1, seg, who, f"{text}, {system}", ("Style", "No-error")[(seg + k) % 2])
        for system in ("one", "two")
        for seg, text in enumerate(POSTS)
        for k, who in enumerate(PEOPLE)
    ]
    path = write(tmp_path, "m.tsv", csv_of([header, *rows], "\t"))
    said, option = refusal(path)
    assert "'doc_id' does not identify the items" in said and "'system', 'seg_id'" in said
    joined = "item_id=doc_id+system+seg_id"
    assert option == f'--map "{joined}", or --map item_id=, or --map "item_id=doc_id"'
    read = read_dataset(path, name="x", mapping=parse_mapping([joined, "text_a=source"]))
    assert len(read.dataset.items) == 8 and len(read.dataset.annotations) == 24
    assert read.dataset.items["item_id"].tolist()[0] == "1-one-0"


def test_several_labels_of_one_item_stay_labels_of_it(tmp_path):
    header = ("doc_id", "text", "annotator", "label", "explanation", "time")
    rows = [
        (n, text, who, label, f"{who} {label} {n}", f"10:{n}{k}")
        for n, text in enumerate(POSTS)
        for who in PEOPLE
        for k, label in enumerate(("joy", "awe"))
    ]
    read = read_dataset(write(tmp_path, "v.csv", csv_of([header, *rows])), name="x")
    assert len(read.dataset.items) == 4 and len(read.dataset.annotations) == 24


def test_numbers_are_no_second_text_and_turns_of_a_user_no_annotator(tmp_path):
    header = ("text", "hypothesis", "rater_id", "label")
    rows = [(text, f"-{n}.{k}7", who, "xy"[k % 2]) for n, text in enumerate(POSTS)
            for k, who in enumerate(PEOPLE)]  # fmt: skip
    read = read_dataset(write(tmp_path, "s.csv", csv_of([header, *rows])), name="x")
    assert len(read.dataset.items) == 4 and not any(read.dataset.items["text_b"])
    header = ("id", "agent", "user", "rude", "kind")
    rows = [(n, "Hello.", text, n % 2, 1 - n % 2) for n, text in enumerate(POSTS)]
    said, _ = refusal(write(tmp_path, "c.csv", csv_of([header, *rows])))
    assert "no column was found for annotator_id" in said


def test_answers_to_yes_no_questions_are_no_labels_of_one(tmp_path):
    header = ("id", "text", "worker", "intentYN", "groupYN", "rudeYN")
    rows = [(n, text, who, 1, 1, (n + k) % 2) for n, text in enumerate(POSTS)
            for k, who in enumerate(PEOPLE)]  # fmt: skip
    path = write(tmp_path, "q.csv", csv_of([header, *rows]))
    said, option = refusal(path)
    assert "no column was found for label" in said and "'rudeYN' (such as '0')" in said
    assert "--format one-hot" in option
    read = read_dataset(path, name="x", mapping=parse_mapping(["label=rudeYN"]))
    assert read.dataset.task.scale.labels == ("0", "1") and len(read.dataset.annotations) == 12
    assert len(read_dataset(path, name="x", format="one-hot").dataset.annotations) > 12


def test_columns_that_say_nothing_or_answer_are_not_proposed(tmp_path):
    header = ("text", "toxic_score", "batch", "whom")
    rows = [(text, k - 1, "b1", "") for text in POSTS for k in range(3)]
    _, option = refusal(write(tmp_path, "n.csv", csv_of([header, *rows])))
    assert "annotator_id=toxic_score" not in option and "batch" not in option
