"""Labels, names, identifiers and texts that a reader cannot tell apart are the same."""

import unicodedata

import pandas as pd

from capo_core.data.alike import bare, joined_forms, same_form, same_text
from capo_core.data.importing import read_dataset
from capo_core.data.pseudonyms import pseudonyms_of

TEXTS = [f"The lamp in hall {n} is green." for n in range(6)]
VIETNAMESE = [f"Trời hôm nay đẹp quá số {n}" for n in range(6)]


def decomposed(text):
    return unicodedata.normalize("NFD", text)


def imported(path, rows, **options):
    pd.DataFrame(rows[1:], columns=rows[0]).to_csv(path, index=False)
    return read_dataset(path, name="x", **options)


def test_marks_of_direction_make_no_other_label_and_no_other_annotator(tmp_path):
    rows = [["item_id", "annotator_id", "label", "text"]]
    for n in range(6):
        rows += [[f"i{n}", "A", "نعم", TEXTS[n]], [f"i{n}", "B\u200e", "نعم\u200f", TEXTS[n]]]
        rows += [[f"i{n}", "B", "\u202bلا\u202c", TEXTS[n]]]
    result = imported(tmp_path / "marks.csv", rows)
    assert result.dataset.task.scale.labels == ("لا", "نعم")
    assert list(result.dataset.annotators) == ["A", "B"]
    assert any("18 labels, names and identifiers with invisible" in n for n in result.report.notes)


def test_texts_without_identifier_are_one_item_whatever_their_marks_and_form(tmp_path):
    for name, changed in (("nfd", decomposed), ("bidi", lambda text: f"\u202b{text}\u202c")):
        rows = [["annotator", "label", "text"]]
        for n, text in enumerate(VIETNAMESE):
            rows += [["A", "có", text], ["B", changed(("không", "có")[n % 2]), changed(text)]]
        result = imported(tmp_path / f"{name}.csv", rows)
        assert result.dataset.items["text_a"].tolist() == VIETNAMESE
        assert len(result.dataset.annotations) == 12 and len(result.dataset.task.scale.labels) == 2
        assert any("6 rows different from the item's first" in note for note in result.report.notes)


def test_identifiers_and_texts_of_other_unicode_form_are_those_of_one_item(tmp_path):
    rows = [["item_id", "annotator", "label", "text"]]
    for n, text in enumerate(VIETNAMESE):
        rows += [[f"câu-{n}", "A", "có", text]]
        rows += [[decomposed(f"câu-{n}"), "B", "không", decomposed(text)]]
    result = imported(tmp_path / "ids.csv", rows)
    assert result.dataset.items["item_id"].tolist() == [f"câu-{n}" for n in range(6)]
    assert result.dataset.annotations.groupby("item_id")["annotator_id"].nunique().eq(2).all()
    assert any(note.startswith("6 items with identifiers") for note in result.report.notes)


def test_two_files_are_joined_by_identifiers_of_other_form(tmp_path):
    head = ["item_id", "label", "text"]
    for name, change in (("anna", str), ("bert", decomposed)):
        rows = [[change(f"câu-{n}"), "có", change(text)] for n, text in enumerate(VIETNAMESE)]
        pd.DataFrame(rows, columns=head).to_csv(tmp_path / f"{name}.csv", index=False)
    files = [tmp_path / "anna.csv", tmp_path / "bert.csv"]
    found = read_dataset(files, name="x", annotators=["file"]).dataset
    assert found.items["text_a"].tolist() == VIETNAMESE and len(found.annotations) == 12


def test_joiners_inside_words_and_texts_as_written_stay(tmp_path):
    persian = "می\u200cخواهم"
    assert same_form(persian) == persian and same_form(f"{persian}\u200f") == persian
    assert same_form(persian) != same_form(persian.replace("\u200c", ""))
    assert bare("\ufeff\u200e yes\u200b ") == "yes" and bare(f"{persian}\u200d")[-1] == "\u200d"
    assert same_text("JA\u200f") == same_text("ja") and same_text("❤\ufe0f") == same_text("❤")
    assert joined_forms(["é", "e\u0301", "e", ""]) == {"e\u0301": "é"}
    rows = [["item_id", "annotator_id", "label", "explanation", "text"]]
    rows += [[n, who, "x", f"\u202bwhy {n}\u202c", f"\u202b{TEXTS[n]}\u202c"] for n in range(3)
             for who in "ab"]  # fmt: skip
    found = imported(tmp_path / "kept.csv", rows).dataset
    assert found.items["text_a"][0] == f"\u202b{TEXTS[0]}\u202c"
    assert found.annotations["explanation"][0] == "\u202bwhy 0\u202c"


def test_spellings_of_one_annotator_have_one_pseudonym():
    names = ["José", decomposed("José"), "José\u200f", "Ann"]
    assert list(pseudonyms_of(names).values()) == ["A1", "A1", "A1", "A2"]
