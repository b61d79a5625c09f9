"""All annotators: of many the highest and the lowest, and those searched for."""

import pandas as pd
import pytest
from helpers.pages import make

from capo_core.dashboard.annotators import charts
from capo_core.dashboard.annotators.overview import measured, top_and_bottom
from capo_core.stability.annotator_profiles import annotator_profiles


def rows(n):
    values = pd.DataFrame({"annotator_id": [f"w{i}" for i in range(n)], "value": range(n)})
    return values.assign(low=values["value"], high=values["value"], n=5)


def test_of_many_the_ends_and_the_searched_are_shown_with_what_is_left_out():
    shown = top_and_bottom(rows(872), 2, ["w400", "w871"])
    assert shown["annotator_id"].tolist() == ["w871", "w870", "w400", "w1", "w0"]
    assert shown["rank"].tolist() == [1, 2, 472, 871, 872]
    assert shown["skipped"].tolist() == [0, 0, 469, 398, 0]
    assert len(shown) + shown["skipped"].sum() == 872
    figure = charts.ranked(shown, "Words", 435.5, share=False)
    assert list(figure.layout.yaxis.ticktext)[-2:] == ["… 469 more …", "… 398 more …"]
    assert len(set(figure.layout.yaxis.tickvals)) == 7


@pytest.mark.parametrize("n", [1, 5, 6])
def test_of_few_all_are_shown(n):
    shown = top_and_bottom(rows(n), 2)
    assert len(shown) == n and not shown["skipped"].any()


def test_measures_are_those_of_the_profiles():
    dataset = make("mine", items=20)
    profiles = annotator_profiles(dataset)
    sizes = measured(profiles, "annotations").set_index("annotator_id")["value"].to_dict()
    assert sizes == dataset.annotations["annotator_id"].value_counts().to_dict()
    label = dataset.task.scale.labels[0]
    shares = measured(profiles, f"label:{label}").set_index("annotator_id")
    own = dataset.annotations[dataset.annotations["annotator_id"] == "ann"]["label"]
    assert shares.at["ann", "value"] == pytest.approx((own == label).mean())
    assert (shares["low"] <= shares["value"]).all() and (shares["value"] <= shares["high"]).all()
