"""Titles, comments and several header rows: what is read, what is noted, what is set aside."""

import openpyxl
import pytest

from capo_core.data.importing import read_dataset
from capo_core.data.readers.header import find_header

LONG = ["doc_id,coder,rating,why,text", "d1,kim,agree,clear,One.", "d1,lee,disagree,no proof,One.",
        "d2,kim,agree,so,Two.", "d2,lee,agree,fine,Two."]  # fmt: skip


def read(tmp_path, lines, **options):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = read_dataset(path, name="x", **options)
    report = result.report
    assert report.rows_read == report.rows_kept + len(report.rejected)
    return result


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        (["# exported on 3 May by us"], 1),
        (["# exported on 3 May, by us", "# version 2"], 2),
        (["Our study of agreement"], 1),
        (["Our study of agreement,,,,", ",,,,", "Date,3 May,,,"], 2),
        (["#", "Coded data;final", ""], 2),
    ],
)
def test_titles_and_comments_above_the_header_are_noted(tmp_path, above, lines):
    found = read(tmp_path, [*above, *LONG])
    assert list(found.dataset.annotators) == ["kim", "lee"]
    assert found.report.rows_read == found.report.rows_kept == 4
    words = "line" if lines == 1 else "lines"
    assert any(note.startswith(f"{lines} {words} above the header") for note in found.report.notes)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_the_delimiter_is_found_behind_a_title(tmp_path, delimiter):
    lines = ["Coded by two people, in May", *(line.replace(",", delimiter) for line in LONG)]
    found = read(tmp_path, lines)
    assert found.report.delimiter == delimiter and found.report.rows_kept == 4


def test_a_header_that_begins_with_a_hash_is_one(tmp_path):
    found = read(tmp_path, ["#" + LONG[0], *LONG[1:]])
    assert sorted(found.dataset.items["item_id"]) == ["d1", "d2"]
    assert found.report.rows_kept == 4


SURVEY = [
    "StartDate,ResponseId,worker_id,item_id,sentence,answer,reason",
    "Start Date,Response ID,Your Prolific ID,nr,Sentence,Is it true?,Why do you think so?",
]
IDS = ",".join(f'"{{""ImportId"":""{name}""}}"' for name in "abcdefg")
ANSWERS = ["2025-01-01,R1,w1,s1,One.,yes,a", "2025-01-01,R2,w2,s1,One.,no,b"]


@pytest.mark.parametrize(("second", "aside"), [([SURVEY[1], IDS], 2), ([IDS], 1), ([SURVEY[1]], 1)])
def test_further_header_rows_of_surveys_are_set_aside(tmp_path, second, aside):
    found = read(tmp_path, [SURVEY[0], *second, *ANSWERS])
    assert list(found.dataset.annotators) == ["w1", "w2"]
    assert found.dataset.task.scale.labels == ("no", "yes")
    assert found.report.rows_read == 2 + aside
    assert all("header row" in reason for reason in found.report.reasons())


def test_a_header_that_is_repeated_is_set_aside(tmp_path):
    found = read(tmp_path, [*LONG[:3], LONG[0], *LONG[3:]])
    assert found.report.reasons() == {"the header again": 1}
    assert found.report.rejected["row"].tolist() == [4]
    assert found.report.rows_kept == 4


CELLS = ["1,One.,yes,a,no,b", "2,Two.,no,c,,"]
PIVOT = ["1,One.,yes,no,a,b", "2,Two.,no,,c,"]


@pytest.mark.parametrize(
    "lines",
    [
        [",,kim,,lee,", "nr,text,label,reason,label,reason", *CELLS],
        ["nr,text,kim,kim,lee,lee", ",,label,reason,label,reason", *CELLS],
        ["Annotation study", ",,kim,,lee,", "id,text,Label,Why,Label,Why", *CELLS],
        [",,label,,reason,", "id,text,kim,lee,kim,lee", *PIVOT],
        [",,label,label,reason,reason", ",annotator,kim,lee,kim,lee", "id,text,,,,", *PIVOT],
    ],
)  # fmt: skip
def test_two_header_rows_of_annotators_and_roles_are_joined(tmp_path, lines):
    found = read(tmp_path, lines)
    rows = found.dataset.annotations[["item_id", "annotator_id", "label", "explanation"]]
    assert sorted(rows.itertuples(index=False, name=None)) == [
        ("1", "kim", "yes", "a"), ("1", "lee", "no", "b"), ("2", "kim", "no", "c"),
    ]  # fmt: skip
    assert found.dataset.items["text_a"].tolist() == ["One.", "Two."]
    assert any("rows; they are joined" in note for note in found.report.notes)


def test_excel_sheets_with_a_title_and_merged_cells(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"] = "Annotations of the pilot"
    sheet.merge_cells("A1:F1")
    sheet["C3"], sheet["E3"] = "kim", "lee"
    sheet.merge_cells("C3:D3")
    sheet.append(["id", "text", "label", "reason", "label", "reason"])
    sheet.append([1, "One.", "yes", "a", "no", "b"])
    book.save(tmp_path / "t.xlsx")
    found = read_dataset(tmp_path / "t.xlsx", name="x")
    assert sorted(found.dataset.annotations["annotator_id"]) == ["kim", "lee"]
    assert found.report.rows_read == 2


@pytest.mark.parametrize(
    "records",
    [
        [["a", "b"], ["1", "2"]],
        [["text"], ["One."]],
        [["w", "", "z"], ["1", "2", "3"], ["label", "label", "x"]],
        [["text", "label", "label"], ["One.", "yes", "no"], ["Two.", "yes", "yes"]],
        [["id", "label", "", ""], ["1", "yes", "no", "yes"], ["2", "no", "no", "yes"]],
        [["q", "x"], ["Title only", ""], ["3", "4"]],
    ],
)
def test_plain_headers_stay_what_they_are(records):
    header = find_header(records)
    assert (header.names, header.first, header.aside) == (
        [name for n, name in enumerate(records[0]) if any(records[0][n:])], 1, {},
    )  # fmt: skip
    assert header.notes == ()
