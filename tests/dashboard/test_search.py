"""Filters of the item browser."""

from __future__ import annotations

import pandas as pd
import pytest

from capo_core.dashboard.ui.item_html import Filter, answers, item_ids, matches
from capo_core.dataset import Dataset
from capo_core.task import NLI


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    items = pd.DataFrame(
        [("i1", "A dog runs", "It moves"), ("i2", "A cat sleeps", ""), ("i3", "Rain", "Wet")],
        columns=["item_id", "text_a", "text_b"],
    ).assign(split="")
    rows = [
        ("i1", "10", "entailment", "Running is moving"),
        ("i1", "2", "neutral", "maybe it isn't clear"),
        ("i2", "2", "neutral", "no dog is mentioned"),
        ("i3", "10", "contradiction", ""),
        ("i3", "10", "neutral", "or not clear"),
    ]
    annotations = pd.DataFrame(rows, columns=["item_id", "annotator_id", "label", "explanation"])
    annotations = annotations.assign(
        annotation_id=[f"a{n}" for n in range(len(rows))], valid="unknown"
    )
    return Dataset("t", NLI, items, annotations)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), ["i1", "i2", "i3"]),
        (Filter(annotator_id="10"), ["i1", "i3"]),
        (Filter(label="neutral"), ["i1", "i2", "i3"]),
        (Filter(label="neutral", annotator_id="2"), ["i1", "i2"]),
        (Filter("clear"), ["i1", "i3"]),
        (Filter("isn’t clear"), ["i1"]),
        # "dog" stands in the text of i1 and in an explanation of i2.
        (Filter("dog"), ["i1", "i2"]),
        # In i1 only annotator 10 is asked for; the item's text still finds it.
        (Filter("dog", annotator_id="10"), ["i1"]),
        (Filter("dog", annotator_id="10", label="neutral"), []),
        (Filter(disagreement=True), ["i1", "i3"]),
        (Filter("nowhere"), []),
        (Filter(".*"), []),
    ],
)
def test_a_filter_leaves_the_right_items(dataset, wanted, expected):
    assert item_ids(dataset, wanted) == expected


def test_matches_are_annotations_that_pass_everything(dataset):
    found = matches(dataset, Filter("clear", "2", "neutral"))
    assert found["annotation_id"].tolist() == ["a1"]


def test_answers_stand_in_the_order_of_the_annotators(dataset):
    assert [answer.annotator_id for answer in answers(dataset, "i1")] == ["2", "10"]
