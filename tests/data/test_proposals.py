"""What the import form shows of columns and proposes for them, and what a dataset lacks."""

import pandas as pd
import pytest

from capo_core.dashboard.data.form_words import in_form_words
from capo_core.dashboard.data.mapping_form import doubts, possible_columns
from capo_core.data.columns import guess_mapping, lacking_roles
from capo_core.data.importing import read_dataset
from capo_core.data.proposals import (
    consequences,
    prefixed_columns,
    sample_values,
    with_proposed_columns,
)
from capo_core.data.splits import split_problems
from capo_core.errors import DataError


def test_values_beside_a_field():
    cells = pd.Series(["a" * 40, "b", "", "a" * 40, "c", "d"])
    assert sample_values(cells) == f"{'a' * 27}… (4 values, 1 empty)"
    assert sample_values(cells[1:3]) == "b (1 value, 1 empty)"
    assert sample_values(pd.Series(list("abcd"))) == "a · b · c … (4 values)"
    assert sample_values(pd.Series(["", " "])) == "empty"
    assert sample_values(pd.Series(["x\n y"])) == "x y (1 value)"


def frame(columns, rows=6):
    return pd.DataFrame({name: [make(n) for n in range(rows)] for name, make in columns.items()})


def why(who):
    return lambda n: f"{who} thinks that number {n} is clear"


def test_a_prefix_of_several_columns_is_an_annotator():
    table = frame({
        "Text": lambda n: f"t{n}",
        "P1: Urteil": lambda n: "ja" if n % 2 else "nein", "P1: Kommentar": why("one"),
        "P2: Urteil": lambda n: "ja", "P2: Kommentar": why("two"),
    })  # fmt: skip
    found = prefixed_columns(table, {"Text"})
    assert [(one.annotator_id, one.label, one.explanation) for one in found] == [
        ("P1", "P1: Urteil", "P1: Kommentar"),
        ("P2", "P2: Urteil", "P2: Kommentar"),
    ]


@pytest.mark.parametrize(
    "columns",
    [
        {"P1: a": lambda n: "x", "note": why("n")},  # one prefix
        {"P1: a": lambda n: "x", "P1: b": lambda n: "y", "P2: a": lambda n: "x",
         "P2: b": lambda n: "z"},  # two columns may be the label
        {"P1: a": lambda n: "x", "P2: b": lambda n: "x"},  # nothing in common
        {"P1: a": why("one"), "P2: a": why("two")},  # no label
    ],
)  # fmt: skip
def test_other_tables_with_colons_are_left_alone(columns):
    assert prefixed_columns(frame(columns, 20), set()) == ()


def test_columns_without_a_usual_name_are_proposed_by_their_values():
    table = frame({
        "Nummer": str, "Statement": lambda n: f"The council will raise the tax {n}.",
        "Coder": lambda n: "ab"[n % 2], "Urteil (am Ende)": lambda n: "ja" if n % 3 else "nein",
        "Freitext": why("one"), "Time (s)": str,
    })  # fmt: skip
    found = with_proposed_columns(guess_mapping(table), table)
    assert (found.annotator_id, found.label, found.explanation, found.text_a, found.text_b) == (
        "Coder", "Urteil (am Ende)", "Freitext", "Statement", "",
    )  # fmt: skip
    wide = guess_mapping(frame({"Nr": str, "text": why("t"), "label_a": lambda n: "x",
                                "label_b": lambda n: "y"}))  # fmt: skip
    assert with_proposed_columns(wide, frame({"Nr": str, "text": why("t")})).item_id == "Nr"
    two = table.assign(Notiz=table["Freitext"])  # nothing says which of them it is
    assert with_proposed_columns(guess_mapping(two), two).explanation == ""
    given = guess_mapping(frame({"item_id": str, "annotator": str, "label": str, "text": why("t"),
                                 "reason": why("r"), "other": why("o")}))  # fmt: skip
    assert with_proposed_columns(given, table.assign(other="")) == given


def test_remarks_in_names_and_numbers_of_questions_are_understood():
    mapping = guess_mapping(frame({
        "Q. Nr": str, "premise": why("p"),
        "P1: verdict": lambda n: "yes", "P1: comment (free text)": why("one"),
        "P2: verdict": lambda n: "no", "P2: comment (free text)": why("two"),
    }))  # fmt: skip
    assert mapping.item_id == "Q. Nr"
    assert [(one.annotator_id, one.explanation) for one in mapping.annotators] == [
        ("P1", "P1: comment (free text)"),
        ("P2", "P2: comment (free text)"),
    ]


def dataset(tmp_path, rows, header="item_id,annotator_id,label,explanation,text_a,split"):
    path = tmp_path / "votes.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return read_dataset(path, name="v").dataset


def test_what_a_dataset_cannot_be_used_for(tmp_path):
    sound = ["1,a,yes,so,T,train", "1,b,no,why,T,train", "2,a,yes,so,U,test",
             "2,b,no,so,U,test"]  # fmt: skip
    good = dataset(tmp_path, sound)
    assert consequences(good) == []
    assert split_problems(good) == [
        "Without validation items training cannot choose its best step."
    ]
    none = dataset(tmp_path, [row.replace("so", "").replace("why", "") for row in sound])
    assert "stability and imitation will not work" in consequences(none)[0]
    assert split_problems(none) == []  # no split would help
    some = dataset(tmp_path, [row.replace("why", "") for row in sound])
    assert consequences(some) == [
        "1 of 4 annotations (25\u00a0%) has no explanation; stability and imitation use the others."
    ]
    alone = dataset(tmp_path, sound[::2])
    assert any(each.startswith("One annotator") for each in consequences(alone))
    apart = dataset(tmp_path, [sound[0], sound[3]])
    assert any("No item has two annotators" in each for each in consequences(apart))
    bare = dataset(tmp_path, ["1,a,yes,so", "1,b,no,so", "2,a,no,so"],
                   "item_id,annotator_id,label,explanation")  # fmt: skip
    assert any(each.startswith("No texts") for each in consequences(bare))


def test_errors_are_told_in_the_words_of_the_form():
    error = in_form_words(
        DataError("no column was found for text_a", expected="columns item_id, annotator_id",
                  todo="choose the column for text_a", option="--map text_a=COLUMN")
    )  # fmt: skip
    assert str(error) == (
        "no column was found for First text. Expected: columns Item, Annotator. What to do: choose "
        "the column for First text."
    )
    assert isinstance(error, DataError) and error.option == "--map text_a=COLUMN"


def test_the_form_names_the_columns_that_may_be_missing_roles_and_the_place_of_questions():
    table = frame({
        "item_id": str, "rater": lambda n: "ab"[n % 2], "toxic": lambda n: "yes" if n % 3 else "no",
        "text": why("t"),
    })  # fmt: skip
    mapping = guess_mapping(table)
    said = possible_columns(table, mapping, lacking_roles(mapping))
    assert said == " Possible by their values: Label – toxic."
    error = in_form_words(DataError("2 questions could be the label: 'a', 'b'", todo="choose one"))
    assert "Choose label, explanation and texts" in str(error)


def test_errors_name_the_field_of_the_form_that_answers_them():
    for option, field in (
        ("--label-sets each, or --label-sets set", "Several labels in a cell"),
        ("--annotator NAME, or --annotator file", "Annotator of rows that name nobody"),
    ):
        error = in_form_words(DataError("what", todo="say which", option=option))
        assert error.todo == f"say which (above, in “{field}”)"
    assert in_form_words(DataError("what", todo="look", option="--map label=x")).todo == "look"


def test_the_form_doubts_a_label_of_the_item_and_a_document_s_identifier():
    answers = frame(
        {"id": lambda n: f"t{n // 3}", "text": lambda n: f"s{n // 3}", "stance": lambda n: "pro",
         "coder": lambda n: "abc"[n % 3], "quality": lambda n: ("low", "high")[n % 2]},
        rows=18,
    )  # fmt: skip
    (said,) = doubts(guess_mapping(answers), answers)
    assert said.startswith("'stance' is the same for all annotators of each item")
    assert said.endswith("Is this what you mean?") and "--" not in said
    assert doubts(guess_mapping(answers.rename(columns={"stance": "x"})), answers) == []
