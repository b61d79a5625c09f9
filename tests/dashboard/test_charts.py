"""Charts have the titles their numbers give, and nothing from data becomes markup in them."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from helpers.provenance import OF_NOBODY

from capo_core.dashboard.annotators import charts
from capo_core.dashboard.stability import charts as stability_charts
from capo_core.dashboard.ui.charts import blank
from capo_core.dashboard.ui.exports import figure_page
from capo_core.dashboard.ui.theme import looks
from capo_core.stability.label_use import LabelUse


@pytest.fixture
def rows() -> pd.DataFrame:
    """Two reductions at k = 1, 4, 16, as a ladder has them."""
    found = []
    for reduction, accuracies in (("none", (0.52, 0.75, 0.96)), ("mask_input", (0.6, 0.86, 0.997))):
        for k, accuracy in zip((1, 4, 16), accuracies, strict=True):
            found.append(
                ("embedding", reduction, k, accuracy, accuracy - 0.02, min(1.0, accuracy + 0.02))
            )
    names = ["representation", "reduction", "k", "accuracy", "low", "high"]
    return pd.DataFrame(found, columns=names).assign(
        chance=0.25, null_mean=0.25, null_high=0.28, p_value=0.001, n_items=500, n_groups=100
    )


def test_the_title_of_the_ladder_names_one_reduction_with_its_intervals(rows):
    """A range over reductions, "52 to 60 %", would read as an interval."""
    assert stability_charts.ladder_title(rows, "mask_input") == (
        "Sentence embedding, input words masked: 60\u00a0% [58–62] from 1 explanation, "
        "over 99\u00a0% [98–100] from 16 pooled"
    )
    assert stability_charts.ladder_title(rows) == stability_charts.ladder_title(rows, "mask_input")
    one = rows[(rows["reduction"] == "none") & (rows["k"] == 4)]
    assert stability_charts.ladder_title(one, "none") == (
        "Sentence embedding, whole text: 75\u00a0% [73–77] from 4 explanations"
    )


def test_a_point_of_the_ladder_knows_what_it_stands_for(rows):
    figure = stability_charts.ladder(rows, ("mask_input", 4))
    lines = {trace.name: trace for trace in figure.data if trace.customdata is not None}
    masked = lines["Input words masked"]
    assert [list(point[:2]) for point in masked.customdata] == [
        ["mask_input", 1],
        ["mask_input", 4],
        ["mask_input", 16],
    ]
    # The chosen point is larger than the others.
    assert masked.marker.size[1] > masked.marker.size[0]


def test_the_axis_of_low_accuracies_ends_where_they_do(rows):
    """Of 120 annotators a few percent are far above chance: up to 1 they would lie flat."""
    assert stability_charts.ladder(rows).layout.yaxis.range[1] > 1
    many = rows.assign(chance=1 / 120, null_high=0.01, null_mean=0.008)
    many = many.assign(**{name: rows[name] / 10 for name in ("accuracy", "low", "high")})
    figure = stability_charts.ladder(many)
    assert 0.1 <= figure.layout.yaxis.range[1] < 0.15 and len(figure.layout.yaxis.tickvals) > 3
    controls = stability_charts.controls(many[many["k"] == 4], many.iloc[:1].assign(name="one"))
    assert list(controls.layout.xaxis.tickvals)[-1] < 0.15


def test_a_ladder_without_a_null_is_drawn_without_its_band(rows):
    bare = rows.assign(null_mean=np.nan, null_high=np.nan, p_value=np.nan)
    names = [trace.name for trace in stability_charts.ladder(bare).data]
    assert "Permutation null (95 %)" not in names


def test_controls_are_those_of_the_view_and_those_without_text(rows):
    base = rows[rows["k"] == 1].iloc[[0]]
    controls = pd.concat(
        [
            base.assign(control="shuffled", accuracy=0.25),
            base.assign(control="shuffled", reduction="mask_input", accuracy=0.26),
            base.assign(control="random_mask", representation="words", accuracy=0.6),
            base.assign(control="label", representation="label", accuracy=0.3),
            base.assign(control="same_label", accuracy=0.9, chance=0.5),
        ]
    )
    found = stability_charts.controls_at(controls, "embedding", 1)
    ladder_rows = rows[rows["k"] == 1]
    assert list(stability_charts.controls(ladder_rows, found).layout.xaxis.ticktext) == [
        "0\u00a0%",
        "50\u00a0%",
        "100\u00a0%",
    ]
    low = [frame.assign(accuracy=0.25, low=0.2, high=0.31, chance=0.001, null_high=0.01)
           for frame in (ladder_rows, found)]  # fmt: skip
    assert list(stability_charts.controls(*low).layout.xaxis.ticktext) == [
        "0\u00a0%",
        "10\u00a0%",
        "20\u00a0%",
        "30\u00a0%",
    ]
    assert found["control"].tolist() == ["label", "shuffled"]
    assert found["accuracy"].tolist() == [0.3, 0.26]
    title = stability_charts.controls_title(rows[rows["k"] == 1], found, 1)
    assert title == "At k = 1, the best reduction is significantly above every control"
    # What contains the explanation and a leak is no control, however high it is.
    leaking = pd.concat([found, found.iloc[[0]].assign(control="item_centred", high=1.0)])
    assert stability_charts.controls_title(rows[rows["k"] == 1], leaking, 1) == title
    # By their intervals, and not by the numbers alone.
    near = found.assign(accuracy=0.59, low=0.57, high=0.61)
    title = stability_charts.controls_title(rows[rows["k"] == 1], near, 1)
    assert title.startswith("At k = 1, the best reduction is not significantly above every control")


def test_a_negative_component_has_no_bar(rows):
    shares = pd.DataFrame({"item": [-0.01], "annotator": [0.02], "residual": [0.99], "n_items": 9})
    shares = shares.assign(annotator_low=0.011, annotator_high=0.034)
    figure = stability_charts.variance(shares, ["Whole text"])
    assert figure.data[0].x[0] == 0
    assert figure.data[0].customdata[0][0] == -0.01


def test_the_annotators_share_has_its_number_however_narrow_and_the_rest_explains_nothing():
    shares = pd.DataFrame(
        {"item": [0.477, 0.12], "annotator": [0.012, 0.036], "residual": [0.511, 0.844],
         "annotator_low": [0.009, np.nan], "annotator_high": [0.015, np.nan], "n_items": 395}
    )  # fmt: skip
    shares = shares.assign(item_low=[0.45, 0.1], item_high=[0.5, np.nan])
    figure = stability_charts.variance(shares, ["Whole text", "Input words masked"])
    beside = [(one.y, one.text) for one in figure.layout.annotations]
    assert beside[:2] == [
        ("Whole text", "1.2\u00a0% [0.9–1.5]"), ("Input words masked", "3.6\u00a0%"),
    ]  # fmt: skip
    assert "Annotator" in beside[2][1]
    # One unit: the numbers of the bars and of the axis are percentages.
    assert figure.data[0].text == ("47.7\u00a0% [45.0–50.0]", "12.0\u00a0%")
    assert figure.layout.xaxis.ticktext[-1] == "100\u00a0%"
    assert [trace.name for trace in figure.data][-1] == "Unexplained (interaction and noise)"


def test_an_axis_of_label_use_covers_everything_that_is_drawn():
    # The others' share is higher than the annotator's interval, and so is the second annotator's.
    one = [
        LabelUse("no", 5, 0.3, 0.2, 0.4, 0.54, True),
        LabelUse("yes", 5, 0.7, 0.5, 0.8, 0.4, True),
    ]
    two = [
        LabelUse("no", 9, 0.9, 0.8, 0.95, 0.3, True),
        LabelUse("yes", 1, 0.1, 0.0, 0.2, 0.7, True),
    ]
    look = looks(["a", "b"])
    alone = charts.label_use(one, "a", look["a"])
    both = charts.label_use_of_two(one, two, "a", "b", look)
    assert alone.layout.yaxis.range[1] > 0.54 and both.layout.yaxis.range[1] > 0.95


def test_names_from_data_are_no_markup_in_pictures():
    name = '<a href="javascript:x">&"'
    use = [LabelUse(name, 1, 0.5, 0.4, 0.6, 0.5, False)]
    look = looks([name])[name]
    phrases = pd.DataFrame(
        {"phrase": [name], "rate": [0.2], "rate_others": [0.1], "z": [3.0], "count": [5],
         "count_others": [5], "n": [25], "n_others": [50]}
    )  # fmt: skip
    counts = pd.DataFrame([[1]], index=[name], columns=[name])
    for figure in (
        charts.label_use(use, name, look),
        charts.phrase_rates(phrases, look, name),
        charts.confusion(counts, name, name, dark=False),
    ):
        layout = json.dumps(json.loads(figure.to_json())["layout"])
        assert "<a" not in layout
        assert not any("<a" in (trace.name or "") for trace in figure.data)


@pytest.mark.parametrize("rows", [1, 2, 12])
def test_the_rows_of_a_chart_of_phrases_have_room(rows):
    phrases = pd.DataFrame(
        {"phrase": [f"p{n}" for n in range(rows)], "rate": 0.2, "rate_others": 0.1, "z": 3.0,
         "count": 5, "count_others": 5, "n": 25, "n_others": 50}
    )  # fmt: skip
    layout = charts.phrase_rates(phrases, looks(["a"])["a"], "a").layout
    drawn = layout.height - layout.margin.t - layout.margin.b - 30  # the axis title moves it up
    low, high = layout.yaxis.range
    assert drawn / (high - low) >= 14 and low < -0.5 and high > rows - 0.5


@pytest.mark.parametrize("runs", [0, 30])
def test_a_saved_figure_has_its_provenance_below_and_inside(runs):
    source = OF_NOBODY.but(details=tuple((f"run{n}", "<b>x</b>") for n in range(runs)))
    figure = blank(300)
    page = figure_page(figure, "f", source)
    layout = json.loads(re.search(r'Plotly\.newPlot\(\s*"[^"]+",\s*\[.*?\],\s*(\{.*?\}),\s*\{"',
                                  page, re.S).group(1))  # fmt: skip
    title = layout["title"]
    lines = title["text"].split("<br>")
    assert "dataset=made | data=simulated" in title["text"] and "<b>" not in title["text"]
    band = title["y"] * layout["height"]
    assert 13 * len(lines) < band < 13 * len(lines) + 20  # all lines have room, below the axis
    assert layout["height"] - 300 == layout["margin"]["b"] - 44 > band
    assert layout["meta"]["data"] == "simulated" and figure.layout.height == 300
    assert "<title>f (simulated data)</title>" in page
