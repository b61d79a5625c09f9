"""Habits that set a target apart, and how far methods have them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.comparisons import world

from capo_core.dashboard.compare.answers import COLUMNS, MOST, Answers, manner
from capo_core.evaluation.streams import HUMAN
from capo_core.text import stylometry


@pytest.fixture(scope="module")
def dataset():
    """ann ends every explanation with a question mark and says twice as much as the others."""
    made = world(held_out=6)
    rows = made.annotations
    louder = rows["explanation"] + " " + rows["explanation"] + "?"
    told = rows["explanation"].where(rows["annotator_id"] != "ann", louder)
    return replace(made, annotations=rows.assign(explanation=told))


@pytest.fixture(scope="module")
def answers(dataset):
    """ "copy" writes as ann does, "shy" as bob, "mute" nothing."""
    items = tuple(dataset.items.loc[dataset.items["split"] == "test", "item_id"])
    said = dataset.annotations.set_index(["item_id", "annotator_id"])["explanation"]
    rows = [
        (source, item, said[item, who] if who else " ")
        for source, who in (("copy", "ann"), ("shy", "bob"), ("mute", ""))
        for item in items
    ]
    frame = pd.DataFrame(rows, columns=["source", "item_id", "explanation"]).assign(target="ann")
    frame = frame.reindex(columns=list(COLUMNS), fill_value="")
    return Answers("test", items, ("copy", "shy", "mute"), frame, pd.DataFrame())


def test_a_copy_has_all_the_habits_of_its_target(dataset, answers):
    found = manner(dataset, answers, "ann")
    assert 0 < len(found.features) <= MOST
    np.testing.assert_allclose(found.scaled["copy"], found.scaled[HUMAN])
    assert found.n == {HUMAN: 6, "copy": 6, "shy": 6}  # who wrote nothing has no manner


def test_the_most_telling_habit_comes_first(dataset, answers):
    found = manner(dataset, answers, "ann")
    distance = np.abs(found.scaled[HUMAN])
    assert (np.diff(distance) <= 1e-12).all()
    assert np.abs(found.scaled["shy"] - found.scaled[HUMAN])[0] > 1


def test_numbers_are_means_of_the_features_themselves(dataset, answers):
    found = manner(dataset, answers, "ann")
    texts = answers.frame[answers.frame["source"] == "shy"]
    by_id = dataset.items.set_index("item_id")
    inputs = [(by_id.at[i, "text_a"].lower(), by_id.at[i, "text_b"].lower())
              for i in texts["item_id"]]  # fmt: skip
    table = stylometry.features(list(texts["explanation"]), inputs)
    np.testing.assert_allclose(found.means["shy"], table[list(found.features)].mean())
    assert found.texts == tuple(stylometry.describe(name) for name in found.features)


def test_without_texts_of_the_target_there_is_no_habit(dataset, answers):
    quiet = dataset.annotations.assign(
        explanation=dataset.annotations["explanation"].where(
            dataset.annotations["annotator_id"] != "ann", ""
        )
    )
    found = manner(replace(dataset, annotations=quiet), answers, "ann")
    assert found.features == () and HUMAN not in found.n


def test_intervals_take_texts_on_one_item_together(dataset, answers):
    """Every answer twice, as two samples would give: more texts, no more items."""
    frame = pd.concat([answers.frame, answers.frame], ignore_index=True)
    once, twice = (
        manner(dataset, replace(answers, frame=each), "ann") for each in (answers.frame, frame)
    )
    assert twice.n["shy"] == 2 * once.n["shy"] == 12
    np.testing.assert_allclose(twice.errors["shy"], once.errors["shy"])
    place = once.texts.index("length, characters")
    said = answers.frame[answers.frame["source"] == "shy"]["explanation"].str.len()
    assert once.errors["shy"][place] == pytest.approx(1.96 * said.std() / np.sqrt(6), rel=1e-3)
