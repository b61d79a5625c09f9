"""Numbers, dates and identifiers that a spreadsheet has changed, and signs of other scripts."""

import pytest
from helpers.field_files import csv_of

from capo_core.data.cleaning import says_nothing
from capo_core.data.importing import read_dataset
from capo_core.data.label_scales import ordinal_scale
from capo_core.data.label_sets import find_label_sets
from capo_core.data.mangled import check_mangled
from capo_core.errors import DataError
from capo_core.task import Task


def labelled(path, labels, **options):
    rows = [["item_id", "annotator", "label", "text"]]
    for n, label in enumerate(labels):
        rows += [[f"i{n}", who, f'"{label}"', f"the text number {n}"] for who in "ab"]
    path.write_text(csv_of(rows), encoding="utf-8")
    return read_dataset(path, name="x", **options).dataset


def test_thousands_with_a_comma_are_asked_about(tmp_path):
    for labels in (["500", "1,000", "2,500"], ["1,000", "2,500"], ["2", "12,500"]):
        with pytest.raises(DataError, match="or a number with decimals"):
            labelled(tmp_path / "t.csv", labels)
    scale = Task("votes", ordinal_scale("0:3000:500"))
    found = labelled(tmp_path / "t.csv", ["500", "1,000", "2,500"], task=scale)
    assert sorted(set(found.annotations["label"])) == ["1000", "2500", "500"]


def test_commas_before_decimals_stay_decimals(tmp_path):
    for labels, scale in (
        (["0,125", "1,000", "2,500"], ("0.125", "1", "2.5")),
        (["1,5", "2,250"], ("1.5", "2.25")),
        (["1.000", "2.500"], ("1", "2.5")),
        (["٢٫٥", "٣٫٥", "٤"], ("2.5", "3.5", "4")),
    ):
        assert labelled(tmp_path / "d.csv", labels).task.scale.labels == scale


@pytest.mark.parametrize(
    "labels",
    [["1-Feb", "2-Mar"], ["1-Feb", "5+"], ["01. Feb", "02. Mrz"], ["1月2日", "3月4日"], ["Feb-01"],
     ["2024-01-02T00:00:00", "2024-02-03T00:00:00"], ["1/2/2024", "3/4/2024"]],
)  # fmt: skip
def test_labels_that_became_dates_are_refused(tmp_path, labels):
    with pytest.raises(DataError, match="there are dates among the labels"):
        labelled(tmp_path / "d.csv", labels)


def test_labels_that_only_look_like_dates_are_labels():
    for labels in (["1-2", "3-4"], ["1 set", "2 set"], ["3/5", "4/5"], ["May", "June"], ["2024"],
                   ["out", "in"], ["2024-01-02", "unknown"], []):  # fmt: skip
        check_mangled(labels, "x.csv")


def test_identifiers_without_their_last_digits_are_refused(tmp_path):
    for head in (["tweet_id", "annotator"], ["item_id", "worker_id"]):
        rows = [[*head, "label", "text"]]
        for n in range(6):
            lost = ["1.23457E+18", "a"] if head[0] == "tweet_id" else [n, "1.23457E+18"]
            rows += [[*lost, "x", f"text {n}"], [lost[0], "b", "y", f"text {n}"]]
        path = tmp_path / "ids.csv"
        path.write_text(csv_of(rows), encoding="utf-8")
        with pytest.raises(DataError, match="have lost their last digits"):
            read_dataset(path, name="x")


@pytest.mark.parametrize("mark", ["；", "؛", "┋", "，", "、", "، ", "､"])
def test_label_sets_have_the_marks_of_all_scripts(mark):
    labels = {"喜悦": 3, "愤怒": 2, "悲伤": 2, f"喜悦{mark}愤怒": 2}
    assert find_label_sets(labels).sets == {f"喜悦{mark}愤怒": ("喜悦", "愤怒")}
    whole = {"喜悦": 3, f"不，其实{mark}我不知道": 1}
    assert find_label_sets(whole).sets == {}


@pytest.mark.parametrize(
    "text",
    ["无", "没有", "无。", "なし", "нет", "ninguno", "Sin comentarios.", "लागू नहीं", "لا يوجد", "?",
     "。", "－", "¿?", "keine Angabe", "Aucun commentaire", "không có", "없음", "ไม่มี",
     "=", "tidak ada", "yok", "немає", "ندارد", "নেই", "geen", "brak", "nessuno", "nenhum"],
)  # fmt: skip
def test_no_explanation_in_other_languages(text):
    assert says_nothing(text)


def test_short_explanations_in_other_languages_stay():
    for text in ("no", "नहीं", "不", "无聊", "нет, он прав", "👎", "3", "x", "没有人说话", "いいえ"):
        assert not says_nothing(text)
