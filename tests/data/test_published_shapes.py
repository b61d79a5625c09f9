"""Shapes of published data that earlier builds misread or refused without help; all made up."""

import json

import pytest
from helpers.field_files import TEXTS, csv_of, found, write
from openpyxl import Workbook

from capo_core.data.columns import parse_mapping
from capo_core.data.importing import read_dataset
from capo_core.errors import DataError

PEOPLE = ("ann", "ben", "cem")


def refusal(path, **options):
    with pytest.raises(DataError) as error:
        found(path, **options)
    return str(error.value), error.value.option or ""


def lines(rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def test_several_lists_of_labels_are_several_questions(tmp_path):
    """As in EXIST: a list for each task, of the same length as the annotators, some of sets."""
    items = {
        f"{n}": {"id_post": n, "post": text, "number_annotators": 2, "annotators": ["A_1", "A_2"],
                 "age_annotators": ["18-22", "46+"], "labels_task1": ["YES", "NO"],
                 "labels_task2": [["HUMOUR", "IRONY"], ["-"]]}
        for n, text in enumerate(TEXTS)
    }  # fmt: skip
    path = write(tmp_path, "e.json", items)
    said, option = refusal(path)
    assert "2 questions could be the label: 'labels_task1' (such as 'YES')" in said
    assert "age_annotators" not in said and option == "--map label=labels_task1"
    answers, _ = found(path, mapping=parse_mapping(["label=labels_task1"]))
    assert answers["A_2", TEXTS[1]] == ("NO", "") and len(answers) == 4
    read = read_dataset(path, name="x", mapping=parse_mapping(["label=labels_task2"]))
    assert set(read.dataset.annotations["label"]) == {"HUMOUR", "IRONY"}
    assert len(read.dataset.annotations) == 4 and len(read.report.rejected) == 2


def test_lists_called_after_what_they_rate(tmp_path):
    rows = [{"text": text, "annotator_ids": ["a", "b"], "toxicity_labels": [n, 1],
             "rationales": ["r1", "r2"]} for n, text in enumerate(TEXTS)]  # fmt: skip
    answers, _ = found(write(tmp_path, "l.jsonl", lines(rows)))
    assert answers["a", TEXTS[0]] == ("0", "r1") and answers["b", TEXTS[1]] == ("1", "r2")


def test_workers_with_several_ratings_in_a_list(tmp_path):
    rows = [
        {"comment": text, "machine_score": 0.3,
         "ratings": [{"worker_id": who, "toxic_score": n + k, "is_profane": False, "gender": "x"}
                     for k, who in enumerate(PEOPLE)]}
        for n, text in enumerate(TEXTS)
    ]  # fmt: skip
    path = write(tmp_path, "t.jsonl", lines(rows))
    said, option = refusal(path)
    assert "'toxic_score' (such as '0'), 'is_profane'" in said and "gender" not in said
    assert option == "--map label=toxic_score"
    answers, _ = found(path, mapping=parse_mapping(["label=toxic_score"]))
    assert answers["cem", TEXTS[1]] == ("3", "") and len(answers) == 6


def test_the_workers_of_each_label(tmp_path):
    rows = [
        {"text_id": f"t{n}", "sentence": text, "model_0_probs": {"up": 0.9, "down": 0.1},
         "label_distribution": {"up": ["w1", "w2"][: n + 1], "down": ["w3"], "mixed": []}}
        for n, text in enumerate(TEXTS)
    ]  # fmt: skip
    answers, _ = found(write(tmp_path, "d.jsonl", lines(rows)))
    assert {key: label for key, (label, _) in answers.items()} == {
        ("w1", TEXTS[0]): "up", ("w3", TEXTS[0]): "down",
        ("w1", TEXTS[1]): "up", ("w2", TEXTS[1]): "up", ("w3", TEXTS[1]): "down",
    }  # fmt: skip


def test_counts_that_a_column_of_totals_sums_up(tmp_path):
    header = ("", "count", "rude", "strong_language", "neither", "class", "tweet")
    rows = [(n, 3, n, 3 - n, 0, n % 2, f"{TEXTS[n % 2]} {n}") for n in range(4)]
    read = read_dataset(write(tmp_path, "c.csv", csv_of([header, *rows])), name="x")
    assert read.dataset.crowd is not None and not len(read.dataset.annotations)
    assert set(read.dataset.task.scale.labels) == {"rude", "strong_language", "neither"}
    assert any("counts per label in the columns" in note for note in read.report.notes)
    other = [(*row[:2], 7, *row[3:]) for row in rows]  # no sum: these are something else
    assert "no column was found for annotator_id" in refusal(
        write(tmp_path, "o.csv", csv_of([header, *other]))
    )[0]  # fmt: skip


def test_identifiers_of_contributors_and_of_two_workers(tmp_path):
    header = ("unique_contributor_id", "toxic score", "comment_text")
    rows = [(who, k - 1, text) for text in TEXTS for k, who in enumerate(PEOPLE)]
    path = write(tmp_path, "c.csv", csv_of([header, *rows]))
    answers, _ = found(path, mapping=parse_mapping(["label=toxic score", "text_a=comment_text"]))
    assert answers["cem", TEXTS[0]] == ("1", "") and len(answers) == 6
    header = ("rot-worker-id", "breakdown-worker-id", "rot-judgment", "action-judgment", "rot")
    rows = [(who, f"b{k}", "good", "bad", text) for text in TEXTS for k, who in enumerate(PEOPLE)]
    said, _ = refusal(write(tmp_path, "s.tsv", csv_of([header, *rows], "\t")))
    assert "may be the annotator: 'rot-worker-id' (such as 'ann'), 'breakdown-worker-id'" in said


def test_cells_merged_over_the_rows_of_an_item(tmp_path):
    book = Workbook()
    sheet = book.active
    sheet.append(["ID", "Sentence", "Annotator", "Label", "Comment"])
    for n, text in enumerate(TEXTS):
        for k, who in enumerate(PEOPLE):
            shown = [n, text] if k == 0 else [None, None]
            sheet.append([*shown, who, "xy"[(n + k) % 2], "" if k == 2 else f"{who} {n}"])
    for top in (2, 5):
        sheet.merge_cells(f"A{top}:A{top + 2}")
        sheet.merge_cells(f"B{top}:B{top + 2}")
    book.save(tmp_path / "m.xlsx")
    answers, notes = found(tmp_path / "m.xlsx")
    assert answers["cem", TEXTS[1]] == ("y", "") and answers["ben", TEXTS[0]] == ("y", "ben 0")
    assert len(answers) == 6 and "8 cells merged with the one above" in notes


def test_a_sheet_without_annotations_among_those_of_annotators_is_named(tmp_path):
    book = Workbook()
    book.active.title = "Summary"
    for row in (("Annotator", "Agreement"), ("Ann", 0.8), ("Ben", 0.7)):
        book.active.append(row)
    for who in ("Ann", "Ben"):
        sheet = book.create_sheet(who)
        sheet.append(["id", "text", "label"])
        for n, text in enumerate(TEXTS):
            sheet.append([n, text, "xy"[n]])
    book.save(tmp_path / "s.xlsx")
    said, _ = refusal(tmp_path / "s.xlsx", sheet="all", annotators=["file"])
    assert "[Summary]" in said and "delete it in a copy of the workbook" in said
