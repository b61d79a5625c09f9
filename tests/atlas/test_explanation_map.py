"""The map of explanations: it shows annotators who differ, and nothing where nobody does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.comparisons import world

from capo_core.atlas.explanation_map import (
    DISCRIMINANT,
    TSNE,
    ExplanationMap,
    MapConfig,
    compute_map,
    largest_map,
    load_map,
    made_map,
)
from capo_core.dashboard.annotators import explanation_map as page
from capo_core.evaluation.streams import HUMAN, MethodOutputs
from capo_core.task import LabelScale
from capo_core.workspace import Workspace

WORDS = MapConfig(representation="words", reduction="none")
ITEMS = 72  # with 3 annotators 216 texts; a label is one of three


@pytest.fixture(scope="module")
def data():
    return world(items=ITEMS)


@pytest.fixture(scope="module")
def answers(data):
    rows = [
        {"target_annotator_id": "ann", "item_id": item, "sample": "0", "label": "neutral",
         "explanation": "maybe perhaps possibly conceivably"}
        for item in data.items["item_id"][-12:]
    ]  # fmt: skip
    return [MethodOutputs("sft", "seed 0", pd.DataFrame(rows), "run-1")]


@pytest.fixture(scope="module")
def found(data, answers):
    return compute_map(data, WORDS, outputs=answers)


def test_annotators_with_words_of_their_own_lie_apart(found):
    assert found.neighbours.low > 0.9 and found.chance == pytest.approx(1 / 3, abs=0.01)
    assert "that is above chance" in found.statement.text


def test_an_answer_lies_with_those_whose_words_it_has(found):
    """The method imitates ann in bob's words."""
    frame = found.frame
    assert (frame["source"] != HUMAN).sum() == 12
    middle = frame[frame["source"] == HUMAN].groupby("annotator_id")[["x", "y"]].mean()
    answer = frame.loc[frame["source"] == "sft", ["x", "y"]].mean()
    assert ((middle - answer) ** 2).sum(axis=1).idxmin() == "bob"


def test_annotators_who_do_not_differ_are_not_parted(data):
    """Fitted and drawn on the same texts, directions would part them: there are more n-grams than
    texts."""
    rng = np.random.default_rng(0)
    words = [f"word{n}" for n in range(60)]
    texts = [" ".join(rng.choice(words, 6)) for _ in range(len(data.annotations))]
    same = replace(data, annotations=data.annotations.assign(explanation=texts))
    found = compute_map(same, WORDS)
    assert found.neighbours.low <= found.chance <= found.neighbours.high
    assert "not significantly different from chance" in found.statement.text


def test_two_annotators_have_one_direction_and_a_second_of_nobody(data):
    two = data.annotations[data.annotations["annotator_id"] != "cyd"].reset_index(drop=True)
    frame = compute_map(replace(data, annotations=two), WORDS).frame
    assert np.isfinite(frame[["x", "y"]]).all(axis=None)
    means = frame.groupby("annotator_id")["x"].agg(["mean", "std"])
    assert abs(means["mean"].diff().iloc[-1]) > 3 * means["std"].max()


def test_neighbours_of_words_are_neighbours_on_the_t_sne_map(data):
    found = compute_map(data, replace(WORDS, method=TSNE))
    assert found.neighbours.low > 0.8


def test_a_map_is_kept_and_read_back_with_its_provenance(data, tmp_path):
    workspace = Workspace(tmp_path)
    assert load_map(data, WORDS, workspace) is None
    made = made_map(data, WORDS, workspace)
    again = load_map(data, WORDS, workspace)
    pd.testing.assert_frame_equal(made.frame, again.frame.astype(made.frame.dtypes))
    assert again.statement.text == made.statement.text and again.config == WORDS
    assert dict(again.provenance.details)["map"] == DISCRIMINANT
    assert ExplanationMap.from_parquet(again.to_parquet()).chance == made.chance


def test_the_map_of_all_explanations_goes_before_that_of_some(data, tmp_path):
    workspace, few = Workspace(tmp_path), replace(WORDS, most=80)
    assert largest_map(data, few, workspace) is None
    drawn = made_map(data, few, workspace)
    assert len(largest_map(data, few, workspace).frame) == len(drawn.frame) <= 80
    everything = made_map(data, replace(WORDS, most=0), workspace)
    assert len(largest_map(data, few, workspace).frame) == len(everything.frame) > 80


def test_the_figure_has_a_colour_for_each_group_and_a_density_above_the_most(
    found, data, monkeypatch
):
    drawn = page.figure(found.frame, "annotator_id", data, dark=False)
    assert [(one.name, len(one.x)) for one in drawn.data] == [
        ("ann", ITEMS + 12), ("bob", ITEMS), ("cyd", ITEMS)
    ]  # fmt: skip
    methods = page.figure(found.frame, "source", data, dark=False)
    assert [len(one.x) for one in methods.data] == [3 * ITEMS, 12]
    monkeypatch.setattr(page, "MOST_POINTS", 50)
    # A round cloud: texts of these annotators lie in three heaps, whose lines may coincide.
    places = np.random.default_rng(0).normal(size=(len(found.frame), 2))
    cloud = found.frame.assign(x=places[:, 0], y=places[:, 1])
    dense = page.figure(cloud, "label", data, dark=False)
    assert [one.name for one in dense.data[-4:]] == ["density"] * 4
    assert sum(len(one.x) for one in dense.data[:-4]) == 50
    # Lines that enclose more of all points lie around those that enclose fewer.
    widths = [np.nanmax(one.x) - np.nanmin(one.x) for one in dense.data[-4:]]
    assert widths == sorted(widths, reverse=True) and widths[0] > widths[-1] > 0
    assert page.amount_notes(found, data) == [
        f"Points: 50 of {len(found.frame):,}, drawn at random. Lines: they enclose the densest "
        "25, 50, 75 and 90 % of all points."
    ]
    monkeypatch.setattr(page, "MOST_POINTS", 1000)
    few = replace(found, config=replace(found.config, most=2 * ITEMS))
    assert page.amount_notes(few, data) == []  # it has all of them
    few = replace(few, frame=found.frame[found.frame["annotator_id"] != "cyd"])
    assert page.amount_notes(few, data)[0].startswith(
        f"The map has {2 * ITEMS:,} of {3 * ITEMS:,} explanations: whole items drawn at random."
    )


def test_a_scale_of_eleven_labels_has_eleven_looks(found, data):
    labels = tuple(map(str, range(-5, 6)))
    frame = found.frame.iloc[:11].assign(label=list(labels))
    scaled = replace(data, task=replace(data.task, scale=LabelScale(labels, True)), annotations=data
                     .annotations.assign(label="0"))  # fmt: skip
    drawn = page.figure(frame, "label", scaled, dark=False).data
    assert len({(one.marker.color, one.marker.symbol) for one in drawn}) == 11
