"""A profile by rules says what is there."""

from collections import Counter

import pytest

from capo_core.imitation.prompting.prompts import PROFILE_PARTS, Example, PromptItem
from capo_core.imitation.prompting.rule_profiles import common_of, rule_profile
from capo_core.simulation.simulate import TASKS
from capo_core.task import NLI, PARAPHRASE

ITEM = PromptItem("1", "A man sleeps.", "Somebody rests.")


def written(label: str, text: str, n: int = 10) -> list[Example]:
    return [Example(ITEM, label, text)] * n


OTHERS = common_of(
    written("entailment", "It is the same thing.")
    + written("neutral", "The premise does not tell us.")
    + written("contradiction", "The two are at odds."),
)


def lines(examples, common=OTHERS, task=NLI) -> dict[str, str]:
    made = rule_profile(task, examples, common).splitlines()
    assert [line.split()[0] for line in made] == list(PROFILE_PARTS)
    return dict(zip(PROFILE_PARTS, made, strict=True))


def test_labels_phrases_length_and_hedges():
    said = lines(written("neutral", "perhaps the passage leaves that open"))
    assert said["Labels:"] == "Labels: prefers neutral, avoids entailment and contradiction."
    assert "about 6 words" in said["Manner:"]
    assert "perhaps" in said["Manner:"] and "passage" in said["Manner:"]
    assert "hedges often" in said["Manner:"] and "no final period" in said["Manner:"]
    assert "begins in lower case" in said["Manner:"]
    assert "when in doubt, neutral" in said["Rules:"] and "leave out the period" in said["Rules:"]


def test_quotes_are_told_from_apostrophes():
    quoting = lines(written("neutral", "'Rests' and \"sleeps\" differ."))
    assert "quotes often" in quoting["Manner:"]
    plain = lines(written("neutral", "It doesn't say that."))
    assert "quotes" not in plain["Manner:"]


def test_words_of_the_item_are_nobodys_habit():
    said = lines(written("neutral", "Somebody sleeps, wow."))
    assert "sleeps" not in said["Manner:"].partition("says")[2]
    assert "wow" in said["Manner:"]


def test_who_does_as_others_do():
    everybody = (
        written("entailment", "It is the same thing.")
        + written("neutral", "The premise does not tell us.")
        + written("contradiction", "The two are at odds.")
    )
    said = lines(everybody)
    assert said["Labels:"] == "Labels: labels as others do."
    assert "says" not in said["Manner:"] and "opens" not in said["Manner:"]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [(("4", "5"), "higher scores"), (("-4", "-5"), "lower scores"), (("-5", "5"), "the ends")],
)
def test_scores_against_others(scores, expected):
    common = common_of([Example(ITEM, label, "Well.") for label in ("-2", "-1", "0", "1", "2")] * 4)
    own = [Example(ITEM, label, "Well.") for label in scores] * 10
    assert expected in lines(own, common, PARAPHRASE)["Labels:"]


def test_slips_are_words_nobody_else_writes():
    common = common_of(written("neutral", "The premise does not tell us about it."))
    # One of eight words, in every second explanation.
    slipping = written("neutral", "The premise does not tell us abuot it.", 5)
    right = written("neutral", "The premise does not tell us about it.", 5)
    assert "some slips" in lines(slipping + right, common)["Manner:"]
    assert "some slips" not in lines(right, common)["Manner:"]


@pytest.mark.parametrize("task", TASKS)
def test_no_examples_at_all_still_gives_three_lines(task):
    common = common_of([])
    assert common.labels == Counter()
    assert len(rule_profile(TASKS[task][0], [], common).splitlines()) == 3
