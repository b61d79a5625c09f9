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
    aligned,
    compute_map,
    largest_map,
    load_map,
    made_map,
)
from capo_core.dashboard.annotators import explanation_map as page
from capo_core.data.splits import assign_splits
from capo_core.errors import DataError
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


def without(data, name):
    rows = data.annotations[data.annotations["annotator_id"] != name].reset_index(drop=True)
    return replace(data, annotations=rows)


@pytest.mark.parametrize("representation", ["words", "stylometry"])
@pytest.mark.parametrize("left_out", ["nobody", "cyd"])
def test_peoples_places_by_directions_do_not_depend_on_answers(
    data, answers, representation, left_out
):
    """The second axis of two annotators is a principal component: of people's texts alone."""
    few = without(data, left_out)
    config = replace(WORDS, representation=representation)
    alone = compute_map(few, config).frame
    both = compute_map(few, config, outputs=answers).frame
    assert (both["source"] != HUMAN).sum() == 12
    pd.testing.assert_frame_equal(both[both["source"] == HUMAN], alone, check_dtype=False)


def test_maps_are_laid_on_one_another_by_the_annotators_whom_both_have():
    """Each of two maps lacks another annotator: counts alone would not tell."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(5, 2))
    points = rng.normal(size=(9, 2))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    first, second, whole = middles.copy(), middles @ turn + [3, -7], middles - 5
    first[0] = second[3] = np.nan  # three are on both
    found = aligned([points, points @ turn + [3, -7], points - 5], [first, second, whole])
    assert np.allclose(found[0], points - middles.mean(axis=0))  # the third has the most
    assert all(np.allclose(one, found[0]) for one in found[1:])
    pair = aligned([points, points @ turn + [3, -7]], [first, second])
    assert np.allclose(*pair)


def with_one_more(data, **items):
    """Return the data with annotators who each explained one item alone."""
    more = [
        {"annotation_id": f"{item}-{who}", "item_id": item, "annotator_id": who,
         "label": "neutral", "explanation": "evidently maybe never thing", "valid": "unknown"}
        for who, item in items.items()
    ]  # fmt: skip
    rows = pd.concat([data.annotations, pd.DataFrame(more)], ignore_index=True)
    return replace(data, annotations=rows)


@pytest.mark.parametrize("more", [{"dan": "i3"}, {"dan": "i3", "eve": "i40", "fay": "i11"}])
def test_an_annotator_who_is_missing_from_a_fold_does_not_misplace_the_others(data, more):
    """Where the folds' maps lie askew, an annotator's texts are spread over several heaps."""
    frame = compute_map(with_one_more(data, **more), WORDS).frame
    frame = frame[frame["annotator_id"].isin(data.annotators)]
    groups = frame.groupby("annotator_id")[["x", "y"]]
    middles = groups.mean().to_numpy()
    apart = min(np.linalg.norm(middles[a] - middles[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert groups.std().to_numpy().max() < apart / 3


def test_where_without_a_fold_one_annotator_is_left_the_map_says_so(data):
    few = data.annotations[data.annotations["annotator_id"] == "ann"]
    one = with_one_more(replace(data, annotations=few.reset_index(drop=True)), dan="i3")
    with pytest.raises(DataError, match=r"by the annotator 'ann'.*choose t-SNE"):
        compute_map(one, WORDS)


def test_neighbours_of_words_are_neighbours_on_the_t_sne_map(data):
    found = compute_map(data, replace(WORDS, method=TSNE))
    assert found.neighbours.low > 0.8


def test_a_note_says_where_answers_had_a_part_in_the_places(data, answers, found):
    config = replace(WORDS, method=TSNE)
    both = compute_map(data, config, outputs=answers)
    assert "would be others without them" in page.method_note(both)
    alone = replace(both, frame=both.frame[both.frame["source"] == HUMAN])
    assert not any("without them" in page.method_note(one) for one in (found, alone))


def test_a_map_is_kept_and_read_back_with_its_provenance(data, tmp_path):
    workspace = Workspace(tmp_path)
    assert load_map(data, WORDS, workspace) is None
    made = made_map(data, WORDS, workspace)
    again = load_map(data, WORDS, workspace)
    pd.testing.assert_frame_equal(made.frame, again.frame.astype(made.frame.dtypes))
    assert again.statement.text == made.statement.text and again.config == WORDS
    assert dict(again.provenance.details)["map"] == DISCRIMINANT
    assert ExplanationMap.from_parquet(again.to_parquet()).chance == made.chance


def test_another_split_and_another_name_have_maps_of_their_own(data, tmp_path):
    """Both are in the map's file: the points' column `split`, the provenance's `dataset`."""
    workspace = Workspace(tmp_path)
    made = made_map(data, WORDS, workspace)
    for other in (assign_splits(data, seed=5), data.named("twin")):
        assert other.fingerprint == data.fingerprint and load_map(other, WORDS, workspace) is None
        found = made_map(other, WORDS, workspace)
        split = other.items.set_index("item_id")["split"]
        assert (found.frame["split"] == found.frame["item_id"].map(split)).all()
        assert found.provenance.dataset == other.name
    assert load_map(data, WORDS, workspace).provenance.dataset == made.provenance.dataset


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
