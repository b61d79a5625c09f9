"""Where distributions lie in the pictures, and that texts from data stay texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from capo_core.dashboard.distributions import charts, item_data, summary
from capo_core.dashboard.distributions.item_data import BARS, PLANE, TERNARY
from capo_core.dashboard.distributions.items import Card, cards_html
from capo_core.dashboard.ui.theme import Look, human_look, looks
from capo_core.distributions.wording import source_name
from capo_core.task import NLI, LabelScale

NASTY = '<script>alert("1")</script>'
ORDINAL = LabelScale.between(-2, 2)
LOOK = Look("#123456", "circle", "solid")


def test_the_picture_follows_the_scale():
    assert item_data.kind_of(NLI.scale) == TERNARY
    assert item_data.kind_of(ORDINAL) == PLANE
    assert item_data.kind_of(LabelScale(("no", "yes"))) == BARS
    assert item_data.kind_of(LabelScale(("1", "2", "3"), ordinal=True)) == PLANE


def test_one_sure_label_is_a_corner_and_all_alike_the_centre():
    at = item_data.places(np.vstack([np.eye(3), np.full((1, 3), 1 / 3)]), NLI.scale)
    np.testing.assert_allclose(at[:3], item_data.CORNERS)
    np.testing.assert_allclose(at[3], item_data.CORNERS.mean(axis=0))
    sides = [np.linalg.norm(at[a] - at[b]) for a, b in ((0, 1), (1, 2), (2, 0))]
    np.testing.assert_allclose(sides, 1.0)  # or the picture would be crooked


def test_mean_and_spread_of_an_ordinal_scale():
    half = np.array([[0.5, 0, 0, 0, 0.5], [0, 0, 0, 1.0, 0]])
    # Answers −2 and 2: mean 0, standard deviation 2; a sure 1: mean 1, spread 0.
    np.testing.assert_allclose(item_data.places(half, ORDINAL), [[0, 2], [1, 0]])


def test_items_at_one_place_are_one_point_that_opens_the_farthest():
    at = np.array([[0, 0], [0, 0], [1, 0.5]])
    rows = item_data.heaps(at, ["a", "b", "c"], np.array([0.1, 0.9, 0.5]))
    found = {row.item_id: row.n for row in rows.itertuples()}
    assert found == {"b": 2, "c": 1}


def test_steps_end_at_one():
    np.testing.assert_allclose(item_data.steps(np.array([0.2, 0.3, 0.5])), [0.2, 0.5, 1])


def test_mean_shares_with_an_interval_around_them():
    shares = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
    mean, low, high = item_data.mean_shares(shares)
    np.testing.assert_allclose(mean, [0.75, 0.25])
    assert (low < mean).all() and (mean < high).all()


def test_an_arrow_for_each_item_that_moves():
    figure = charts.triangle(NLI.scale)
    before = len(figure.data)
    start = np.array([[0.0, 0.0], [0.5, 0.5]])
    charts.arrows(figure, start, np.array([[1.0, 0.0], [0.5, 0.5]]), "#000")
    assert len(figure.data) == before + 1
    line = figure.data[-1]
    assert [x for x in line.x if x == x] == [0.0, 1.0]  # the second item stays where it is
    assert line.marker.angleref == "previous" and list(line.marker.size) == [0, 8, 0]


def test_points_carry_their_item():
    figure = charts.plane(ORDINAL)
    charts.points(
        figure, np.array([[0.0, 1.0]]), ["item <b>"], np.array([0.3]), name="a", look=LOOK
    )
    item, told = figure.data[-1].customdata[0]
    assert item == "item <b>" and "<b>" not in told


def test_labels_in_pictures_are_escaped():
    scale = LabelScale((NASTY, "b", "c"))
    shown = charts.triangle(scale).to_json()
    assert "<script" not in shown
    mean = np.full(3, 1 / 3)
    figure = charts.bars(scale, [(NASTY, LOOK, mean, mean, mean)])
    assert "<script" not in str(figure.to_dict())


def test_the_map_has_a_ring_around_the_open_item():
    frame = pd.DataFrame(
        {"item_id": ["a", "b"], "entropy_against": [0.1, 0.6], "JSD": [0.2, np.nan]}
    )
    figure = charts.map_of_disagreement(frame, "JSD", LOOK, "a", "#fff", 1.1)
    assert list(figure.data[0].x) == [0.1] and list(figure.data[1].x) == [0.1]
    assert len(charts.map_of_disagreement(frame, "JSD", LOOK, "b", "#fff", 1.1).data) == 1


def test_cumulated_answers_begin_at_nothing_and_end_at_all():
    value = item_data.steps(np.array([0.1, 0.2, 0.3, 0.4, 0.0]))
    said = [("crowd", LOOK, value, value, value), ("a", LOOK, value, value - 0.05, value)]
    figure = charts.cumulated(ORDINAL, said, "crowd")
    np.testing.assert_allclose(figure.data[0].y, [0, 0.1, 0.3, 0.6, 1.0, 1.0])
    assert list(figure.data[0].x) == [-2.5, -2, -1, 0, 1, 2]
    assert figure.data[0].customdata[2] == "30\u00a0%"
    assert figure.data[1].customdata[2] == "30\u00a0% [25–30]"
    assert figure.data[0].line.width > figure.data[1].line.width


@pytest.mark.parametrize("ordinal", [False, True])
def test_cards_escape_what_comes_from_data(ordinal):
    html = cards_html(
        [Card(NASTY, LOOK, NASTY, [0.25, 0.75]), Card("other", LOOK, "", None)],
        [NASTY, "b"], ordinal=ordinal,
    )  # fmt: skip
    assert "<script" not in html and "--share:25.0%" in html
    assert "no distribution for this item" in html


def test_colours_are_those_of_the_house_and_do_not_depend_on_what_is_shown():
    names = [
        "crowd",
        "annotators",
        "annotator ann",
        "annotator bob",
        "capo team",
        "a file",
        "uniform",
    ]
    people = ("ann", "bob")
    found = summary.source_looks(names, people)
    assert found["annotator bob"] == looks(people)["bob"]
    assert found["crowd"] == human_look(dark=False)
    assert found["capo team"].color == "#CF3A75"
    others = [found[name].color for name in names if name != "crowd"]
    assert len(set(others)) == len(others)
    assert summary.source_looks(names, people, dark=True)["crowd"] != found["crowd"]
    assert source_name("capo team") == "CAPO team"
    assert source_name("humans × zero_shot A") == "humans × Zero-shot A"
