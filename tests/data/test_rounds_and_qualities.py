"""Wide tables of rounds and of qualities, and empty columns with usual names; all made up."""

import pytest
from helpers.field_files import csv_of, found, write

from capo_core.data.columns import parse_mapping
from capo_core.errors import DataError

WHY = "Because it says so in the text."
TEXTS = ("The lamp is green.", "A dog runs today.", "Two people drink tea.", "It rains a lot.")


def wide(names):
    return csv_of([["id", "text", *names],
                   *([n, text, *["xy"[(n + k) % 2] for k in range(len(names))]]
                     for n, text in enumerate(TEXTS))])  # fmt: skip


def rows(names, *cells):
    """Return a table of two annotators, whose further columns have these cells in every row."""
    people = [[n, text, who, label, *cells] for n, text in enumerate(TEXTS)
              for who, label in (("ann", "x"), ("ben", "y" if n % 2 else "x"))]  # fmt: skip
    return csv_of([["id", "text", "annotator", "label", *names], *people])


@pytest.mark.parametrize(
    "names",
    [
        ["label_anna_pre", "label_anna_post", "label_ben_pre", "label_ben_post"],
        ["rating_anna_t1", "rating_anna_t2", "rating_ben_t1", "rating_ben_t2"],
        ["label_before", "label_after"],
        ["label_round1_anna", "label_round2_anna"],
    ],
)
def test_rounds_of_one_person_are_asked_about(tmp_path, names):
    path = write(tmp_path, "x.csv", wide(names))
    with pytest.raises(DataError, match="several rounds of the same people") as asked:
        found(path)
    option = asked.value.option.removeprefix("--map ")
    answers, _ = found(path, mapping=parse_mapping(option.strip('"').split('" "')))
    assert len(answers) == len(TEXTS) * option.count("label:")
    assert not {who for who, _ in answers} & {"anna_pre", "anna_post", "anna_t1", "before"}


@pytest.mark.parametrize(
    "names",
    [["label_t1", "label_t2"], ["label_r1", "label_r2"], ["label_anna", "label_ben"],
     ["label_joy", "label_ben"], ["label_expert_1", "label_expert_2"]],
)  # fmt: skip
def test_people_are_neither_rounds_nor_qualities(tmp_path, names):
    answers, _ = found(write(tmp_path, "x.csv", wide(names)))
    assert {who for who, _ in answers} == {name.removeprefix("label_") for name in names}


@pytest.mark.parametrize(
    "names",
    [["label_fluency", "label_adequacy", "label_style"],
     ["fluency_score", "adequacy_score", "fluency_comment", "adequacy_comment"],
     ["toxicity_rating", "politeness_rating"]],
)  # fmt: skip
def test_qualities_are_no_annotators(tmp_path, names):
    path = write(tmp_path, "x.csv", wide(names))
    with pytest.raises(DataError, match="may be qualities") as asked:
        found(path)
    assert f'"label={names[0]}" --annotator NAME' in asked.value.option
    mapping = parse_mapping([f"label={names[0]}"])
    answers, _ = found(path, mapping=mapping, annotators=["eva"])
    assert {who for who, _ in answers} == {"eva"} and len(answers) == len(TEXTS)


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        (["reason", "comment"], ["", WHY]),
        (["comment", "why did you choose this label"], ["", WHY]),
        (["reason", "justification_text"], ["lexical", WHY]),  # categories
    ],
)
def test_explanations_are_the_filled_column_of_sentences(tmp_path, names, cells):
    answers, _ = found(write(tmp_path, "x.csv", rows(names, *cells)))
    assert len(answers) == 8 and {why for _, why in answers.values()} == {WHY}


def test_an_empty_column_does_not_stand_for_annotator_or_text(tmp_path):
    table = rows(["annotator_id", "premise"], "", "")
    answers, _ = found(write(tmp_path, "x.csv", table))
    assert {who for who, _ in answers} == {"ann", "ben"} and len(answers) == 8
    assert {text for _, text in answers} == set(TEXTS)


def test_an_empty_column_of_explanations_is_still_one(tmp_path):
    answers, notes = found(write(tmp_path, "x.csv", rows(["comment"], "")))
    assert {why for _, why in answers.values()} == {""} and "explanation: 'comment'" in notes
