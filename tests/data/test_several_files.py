"""Several files, one dataset: by annotator, by sheet, by part; joined by item, nothing guessed."""

import json

import openpyxl
import pytest
from helpers import tool_exports as tools
from helpers.tool_exports import TEXTS, Given, found

from capo_core.data.importing import read_dataset
from capo_core.errors import ConfigError, DataError

ANSWERS = [
    Given(item, who, (label,), f"{who} on {item}")
    for item, label in enumerate(("joy", "anger", "none"))
    for who in ("ann", "ben")
]


def told(answers=ANSWERS):
    return sorted((each.text, each.who, each.labels[0], each.why) for each in answers)


def rows_of(who, answers=ANSWERS):
    return [{"item_id": each.item, "text": each.text, "label": each.labels[0], "reason": each.why}
            for each in answers if each.who == who]  # fmt: skip


def write(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "names", [("ann.csv", "ben.csv"), ("votes_ann_v2.csv", "votes_ben_v2.csv")]
)
def test_the_annotator_is_the_part_in_which_the_files_names_differ(tmp_path, names):
    for name, who in zip(names, ("ann", "ben"), strict=True):
        write(tmp_path, name, tools.table(rows_of(who)))
    read = read_dataset(tmp_path, name="x", annotators=["file"])
    assert found(read) == told()
    assert read.report.rows_read == read.report.rows_kept == len(ANSWERS)
    paths = [tmp_path / name for name in names]
    assert found(read_dataset(paths, name="x", annotators=["ann", "ben"])) == told()


def test_annotators_are_asked_for_and_counted(tmp_path):
    paths = [write(tmp_path, f"{who}.csv", tools.table(rows_of(who))) for who in ("ann", "ben")]
    with pytest.raises(DataError, match="no column that says who wrote them"):
        read_dataset(paths, name="x")
    with pytest.raises(DataError, match="files of 2 datasets"):
        read_dataset(tmp_path, name="x")
    with pytest.raises(ConfigError, match="3 annotators for 2 files"):
        read_dataset(paths, name="x", annotators=["a", "b", "c"])


def test_an_annotator_in_the_rows_counts_more_than_the_file(tmp_path):
    rows = [{**row, "annotator": "cem"} for row in rows_of("ann")]
    path = write(tmp_path, "ann.csv", tools.table(rows))
    assert read_dataset(path, name="x", annotators=["file"]).dataset.annotators == ("cem",)


def test_all_sheets_of_a_workbook_are_files(tmp_path):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for who in ("ann", "ben"):
        sheet = book.create_sheet(who)
        rows = rows_of(who)
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append(list(row.values()))
    book.create_sheet("empty")
    book.save(tmp_path / "votes.xlsx")
    read = read_dataset(tmp_path / "votes.xlsx", name="x", sheet="all", annotators=["file"])
    assert found(read) == told()
    parts = openpyxl.load_workbook(tmp_path / "votes.xlsx")
    for name, sheet in zip(("train", "test"), parts.worksheets, strict=False):
        sheet.title = name
    parts.save(tmp_path / "parts.xlsx")
    read = read_dataset(tmp_path / "parts.xlsx", name="x", sheet="all", annotators=["ann", "ben"])
    assert found(read) == told()
    assert set(read.dataset.items["split"]) == {"train"}  # the items are in both: the first
    assert any("in more than one split" in note for note in read.report.notes)


def test_a_folder_of_doccano_files_is_one_dataset(tmp_path):
    for who in ("ann", "ben"):
        write(tmp_path, *tools.doccano_user(ANSWERS, who))
    read = read_dataset(tmp_path, name="x")
    assert found(read) == told()
    assert any("3 items in more than one file: joined" in note for note in read.report.notes)


def test_potato_folders_with_a_file_of_texts(tmp_path):
    for who in ("ann", "ben"):
        write(tmp_path / "out" / who, *tools.potato_state(ANSWERS, who))
    items = write(tmp_path, "items.csv", tools.table(
        [{"id": f"item_{n}", "text": text} for n, text in enumerate(TEXTS)]
    ))  # fmt: skip
    read = read_dataset(tmp_path / "out", name="x")
    assert read.dataset.annotators == ("ann", "ben")
    assert any("identifiers are used in its place" in note for note in read.report.notes)
    read = read_dataset([tmp_path / "out", items], name="x")
    assert found(read) == told()
    assert any("texts of 3 items" in note for note in read.report.notes)
    assert not any("in its place" in note for note in read.report.notes)


def test_prodigy_files_without_identifiers_share_their_items(tmp_path):
    for who in ("ann", "ben"):
        own = sorted((each for each in ANSWERS if each.who == who), key=lambda each: each.item)
        own = own[::-1] if who == "ben" else own
        rows = [json.loads(line) for line in tools.prodigy(own)[1].splitlines()]
        for row in rows:
            for key in ("_input_hash", "_annotator_id", "_session_id"):
                del row[key]
        write(tmp_path, f"{who}.jsonl", tools.lines(rows))
    read = read_dataset(tmp_path, name="x", annotators=["file"])
    assert found(read) == told()
    assert len(read.dataset.items) == 3


def test_lewidi_parts_keep_their_splits(tmp_path):
    for part, item in (("train", 0), ("dev", 1), ("test", 2)):
        own = [each for each in ANSWERS if each.item == item]
        value = json.loads(tools.lewidi_2023(own)[1])
        value[str(item)]["split"] = part
        write(tmp_path, f"HS_{part}.json", json.dumps(value))
    read = read_dataset(tmp_path, name="x")
    parts = dict(zip(read.dataset.items["item_id"], read.dataset.items["split"], strict=True))
    assert parts == {"0": "train", "1": "validation", "2": "test"}
    assert len(read.dataset.annotations) == len(ANSWERS)
