"""Scales that are inferred, and labels that are brought onto a scale."""

import pytest

from capo_core.data.label_scales import nominal_scale, ordinal_scale, resolve_labels, whole_number
from capo_core.errors import ConfigError
from capo_core.task import NLI, PARAPHRASE, LabelScale, Task

PAIR = ("premise", "hypothesis")
QUESTIONS = ("question 1", "question 2")
NONE = ("", "")


def test_nli_is_recognised_by_its_labels():
    assert resolve_labels(["neutral", "entailment"], None, NONE, "x").task == NLI


def test_neutral_alone_is_nli_only_with_a_premise():
    assert resolve_labels(["neutral"], None, NONE, "x").task != NLI
    assert resolve_labels(["neutral"], None, PAIR, "x").task == NLI


def test_letters_are_nli_only_where_unmistakable():
    found = resolve_labels(["e", "n", "c"], None, NONE, "x")
    assert found.task == NLI
    assert found.table == {"e": "entailment", "n": "neutral", "c": "contradiction"}
    assert any("e → entailment" in note for note in found.notes)
    assert resolve_labels(["n", "y"], None, PAIR, "x").task.scale.labels == ("n", "y")
    assert resolve_labels(["e", "n"], None, NONE, "x").task != NLI
    assert resolve_labels(["e", "n"], None, PAIR, "x").task == NLI


def test_0_1_2_are_nli_only_if_the_user_says_so():
    found = resolve_labels(["0", "1", "2"], None, PAIR, "x")
    assert found.task.scale == LabelScale.between(0, 2)
    assert any("give the task nli" in note for note in found.notes)
    found = resolve_labels(["0", "2"], NLI, PAIR, "x")
    assert found.table == {"0": "entailment", "2": "contradiction"}
    assert any("0 → entailment" in note for note in found.notes)
    # With anything else among them the meaning is not clear, and nothing is mapped.
    assert resolve_labels(["0", "1", "2", "3"], NLI, PAIR, "x").table == {}


def test_paraphrase_is_recognised_by_questions_and_negative_numbers():
    assert resolve_labels(["-3", "5"], None, QUESTIONS, "x").task == PARAPHRASE
    assert resolve_labels(["-3", "5"], None, NONE, "x").task.scale == LabelScale.between(-3, 5)
    assert resolve_labels(["3", "5"], None, QUESTIONS, "x").task.scale == LabelScale.between(3, 5)
    assert resolve_labels(["-3", "6"], None, QUESTIONS, "x").task.scale == LabelScale.between(-3, 6)


def test_whole_numbers_make_an_ordinal_scale_with_gaps_filled():
    found = resolve_labels(["4.0", "1", "+2"], None, NONE, "x")
    assert found.task.scale == LabelScale(("1", "2", "3", "4"), ordinal=True)
    assert found.table == {"4.0": "4", "1": "1", "+2": "2"}


def test_years_do_not_make_a_scale_of_every_year():
    found = resolve_labels(["1", "1999"], None, NONE, "x")
    assert found.task.scale == LabelScale(("1", "1999"), ordinal=True)
    (note,) = found.notes
    assert "the numbers 1, 1999 as found" in note and "1 to 1999" not in note


def test_words_make_a_nominal_scale_in_alphabetical_order():
    # Not in the order of rows: the same data in another order are the same data.
    assert resolve_labels(["yes", "No", "maybe"], None, NONE, "x").task.scale.labels == (
        "maybe",
        "No",
        "yes",
    )


def test_case_is_forgiven_only_where_it_is_clear():
    task = Task("t", LabelScale(("a", "A", "b")))
    assert resolve_labels(["A", "B"], task, NONE, "x").table == {"A": "A", "B": "b"}


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", "3"), ("-3", "-3"), ("+3", "3"), ("−3", "-3"), ("3.0", "3"), ("-0", "0"), ("٣", "3")]
    + [(text, None) for text in ("3.5", "", "-", "1e3", "three", "1,5", "9" * 12)],
)
def test_a_whole_number_is_read_in_every_spelling_and_nothing_else(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["5", "5:1", "1:1", "a:b", "1:2:3", ""])
def test_ordinal_scales_that_are_refused(text):
    with pytest.raises(ConfigError, match="is not understood"):
        ordinal_scale(text)


def test_scales_from_text():
    assert ordinal_scale("-1:1").labels == ("-1", "0", "1")
    assert nominal_scale("b, a").labels == ("b", "a")
    with pytest.raises(ConfigError):
        nominal_scale("a,,b")
