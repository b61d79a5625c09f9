"""Which columns are guessed, and what a correction does."""

import pandas as pd
import pytest

from capo_core.data.columns import (
    AnnotatorColumns,
    ColumnMapping,
    guess_mapping,
    parse_mapping,
    require_roles,
)
from capo_core.errors import ConfigError, DataError


def table(*names, rows=2):
    return pd.DataFrame({name: [f"{name} {i}" for i in range(rows)] for name in names})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["item_id", "annotator_id", "label", "explanation", "text_a", "text_b", "split"],
            {"item_id": "item_id", "text_a": "text_a", "text_b": "text_b", "split": "split"},
        ),
        (
            ["task", "worker", "label", "text"],  # crowd-kit's names
            {"item_id": "task", "annotator_id": "worker", "label": "label", "text_a": "text"},
        ),
        (
            ["pairID", "Annotator", "Rating", "Rationale", "Question 1", "Question 2"],
            {
                "item_id": "pairID",
                "annotator_id": "Annotator",
                "label": "Rating",
                "explanation": "Rationale",
                "text_a": "Question 1",
                "text_b": "Question 2",
            },
        ),
        (
            ["uid", "workerId", "answer", "reason", "premise", "hypothesis"],
            {"item_id": "uid", "annotator_id": "workerId", "label": "answer", "text_a": "premise"},
        ),
        (
            ["uid", "annotator", "label", "context", "statement"],
            {"text_a": "context", "text_b": "statement", "explanation": ""},
        ),
    ],
)
def test_long_form_is_guessed(names, expected):
    found = guess_mapping(table(*names))
    assert not found.wide
    assert {role: getattr(found, role) for role in expected} == expected


@pytest.mark.parametrize(
    ("names", "annotators"),
    [
        (
            ["label_A1", "explanation_A1", "label_A2", "explanation_A2"],
            [("A1", "label_A1", "explanation_A1"), ("A2", "label_A2", "explanation_A2")],
        ),
        (
            ["anna label", "anna reason", "bert label"],
            [("anna", "anna label", "anna reason"), ("bert", "bert label", "")],
        ),
        (
            ["label1", "label2", "reason1", "reason2"],
            [("1", "label1", "reason1"), ("2", "label2", "reason2")],
        ),
        (
            ["Ann1", "Ann2", "Ann1_explanation"],
            [("Ann1", "Ann1", "Ann1_explanation"), ("Ann2", "Ann2", "")],
        ),
        (["Rater 1", "Rater 2"], [("Rater 1", "Rater 1", ""), ("Rater 2", "Rater 2", "")]),
    ],
)
def test_wide_form_is_guessed(names, annotators):
    found = guess_mapping(table("id", "premise", *names))
    assert found.item_id == "id"
    assert found.text_a == "premise"
    assert [(a.annotator_id, a.label, a.explanation) for a in found.annotators] == annotators


def test_a_label_of_the_whole_item_does_not_make_a_table_long():
    found = guess_mapping(table("id", "premise", "label", "label_A", "label_B"))
    assert [one.annotator_id for one in found.annotators] == ["A", "B"]
    assert found.label == ""


def test_a_bare_id_is_the_annotation_where_each_row_has_its_own():
    frame = pd.DataFrame(
        {"id": ["1", "2", "3"], "text": ["a", "a", "b"], "annotator": ["x", "y", "x"], "label": "n"}
    )
    found = guess_mapping(frame)
    assert (found.item_id, found.annotation_id) == ("", "id")
    # …and the item where it repeats
    found = guess_mapping(frame.assign(id=["1", "1", "2"]))
    assert (found.item_id, found.annotation_id) == ("id", "")


def test_what_the_user_says_stays_and_the_rest_is_guessed():
    frame = table("item_id", "annotator", "label", "verdict", "reason", "text")
    found = guess_mapping(frame, parse_mapping(["label=verdict", "explanation="]))
    assert (found.label, found.explanation, found.annotator_id) == ("verdict", "", "annotator")


def test_wide_form_can_be_said():
    found = parse_mapping(["text_a=t", "label:Ada=l 1", "explanation:Ada=w=1", "label:Bo=l 2"])
    assert found.text_a == "t"
    assert found.annotators == (
        AnnotatorColumns("Ada", "l 1", "w=1"),
        AnnotatorColumns("Bo", "l 2"),
    )
    assert ColumnMapping.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    "pair", ["label", "colour=x", "text_a:Ada=x", "annotators=x", "=x", ":Ada=x"]
)
def test_a_mapping_that_is_not_understood_is_refused(pair):
    with pytest.raises(ConfigError, match="is not understood"):
        parse_mapping([pair])


def test_a_role_said_twice_is_refused():
    with pytest.raises(ConfigError, match="two columns are given"):
        parse_mapping(["label=a", "label=b"])


def test_a_wide_annotator_without_label_is_named():
    frame = table("text", "why Ada")
    with pytest.raises(DataError, match="label of Ada"):
        require_roles(
            guess_mapping(frame, parse_mapping(["explanation:Ada=why Ada"])), frame, "x.csv"
        )
