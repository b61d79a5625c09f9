"""Which cases a filter leaves, and in which order: on a table small enough to be read."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from capo_core.dashboard.compare.answers import COLUMNS, Answers, CaseFilter, cases, of_repetition
from capo_core.dashboard.compare.items import annotators_shown

NAN = math.nan
ROWS = [
    # source, repetition, item, label, parsed, right, given, margin
    ("icl", 1, "i1", "yes", "true", "true", "ann", 0.4),
    ("icl", 1, "i2", "no", "true", "false", "bob", -0.2),
    ("icl", 1, "i3", "", "false", "false", "nobody", NAN),
    ("capo", 1, "i1", "yes", "true", "true", "ann", 0.6),
    ("capo", 1, "i2", "yes", "true", "true", "ann", 0.1),
    ("capo", 1, "i3", "no", "true", "true", "cyd", -0.5),
    ("capo", 2, "i1", "no", "true", "false", "bob", -0.9),
    ("capo", 2, "i2", "yes", "true", "true", "ann", 0.2),
    ("capo", 2, "i3", "no", "true", "true", "ann", 0.3),
]
OWN = {("i1", "ann"): frozenset({"yes"}), ("i2", "ann"): frozenset({"yes", "no"})}


@pytest.fixture
def answers():
    names = ("source", "repetition", "item_id", "label", "parsed", "right", "given", "margin")
    frame = pd.DataFrame(ROWS, columns=list(names)).assign(target="ann", replicate="")
    frame = frame.assign(explanation="", raw_text="", problem="")[list(COLUMNS)]
    return Answers("test", ("i1", "i2", "i3"), ("icl", "capo"), frame, pd.DataFrame())


def items(answers, **wanted) -> list[str]:
    return [item for item, _ in cases(answers, CaseFilter(**wanted), OWN)]


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({}, ["i1", "i2", "i3"]),
        ({"target": "ann"}, ["i1", "i2", "i3"]),
        ({"target": "bob"}, []),
        # Any method's answer, then one method's.
        ({"outcome": "wrong"}, ["i2", "i3"]),
        ({"outcome": "wrong", "method": "capo"}, []),
        ({"outcome": "wrong", "method": "capo", "repetition": 2}, ["i1"]),
        ({"outcome": "right", "method": "icl"}, ["i1"]),
        ({"outcome": "unread"}, ["i3"]),
        ({"outcome": "own", "method": "capo"}, ["i1", "i2"]),
        ({"outcome": "other", "method": "icl"}, ["i2", "i3"]),
        ({"given": "bob"}, ["i2"]),
        ({"given": "bob", "method": "capo"}, []),
        # Labels of the target; one of two given is enough, and i3 has none.
        ({"label": "yes"}, ["i1", "i2"]),
        ({"label": "no"}, ["i2"]),
        ({"label": "no", "outcome": "right", "method": "icl"}, []),
    ],
)
def test_filters_leave_the_items_that_fit_all_of_them(answers, wanted, left):
    assert items(answers, **wanted) == left


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        # capo: 0.6, 0.1, −0.5.
        ({"order": "typical", "method": "capo"}, ["i1", "i2", "i3"]),
        ({"order": "worst", "method": "capo"}, ["i3", "i2", "i1"]),
        # icl: what has no explanation is the worst there is.
        ({"order": "worst", "method": "icl"}, ["i3", "i2", "i1"]),
        # capo's second sample: −0.9, 0.2, 0.3.
        ({"order": "typical", "method": "capo", "repetition": 2}, ["i3", "i2", "i1"]),
        # All methods: means 0.5, −0.05, (none and −0.5).
        ({"order": "worst"}, ["i3", "i2", "i1"]),
        # Different labels on i2 and i3; manners are further apart on i2 (one margin only on i3).
        ({"order": "disagree"}, ["i2", "i3", "i1"]),
    ],
)
def test_items_are_ordered_by_the_method_and_sample_shown(answers, wanted, order):
    assert items(answers, **wanted) == order


def test_a_method_with_fewer_samples_shows_its_last(answers):
    shown = of_repetition(answers, 2).groupby("source")["repetition"].unique().map(list).to_dict()
    assert shown == {"icl": [1], "capo": [2]}


def test_annotators_keep_their_places_from_case_to_case():
    rows = pd.DataFrame(
        [("cyd", "neutral", "by cyd"), ("ann", "neutral", "by ann")],
        columns=["annotator_id", "label", "explanation"],
    )
    people = pd.DataFrame(columns=["item_id", "target", "given"])
    names = ["ann", "bob", "cyd", "dee"]
    shown = annotators_shown(names, people, rows, ("i0", "bob"))
    assert [one.who for one in shown] == ["bob, the target", "ann", "cyd", "dee"]
    assert [one.explanation for one in shown] == ["", "by ann", "by cyd", ""]
    assert shown[0].told == shown[3].told == "did not annotate this item"
    crowd = [*names, *(f"w{n}" for n in range(8))]
    shown = annotators_shown(crowd, people, rows, ("i0", "ann"))
    assert [one.who for one in shown] == ["ann, the target", "cyd"]
