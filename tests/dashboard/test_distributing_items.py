"""The item browser of distributions, and differences without what looks at pairs of items."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.distribution_sources import judgments, source

from capo_core.dashboard.distributions import item_data
from capo_core.dashboard.distributions.item_data import Wanted
from capo_core.distributions.compare import CompareConfig, compare
from capo_core.distributions.judgments import Judgments
from capo_core.task import NLI

CROWD = [[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.5, 0.3]]
MODEL = [[0.0, 1, 0], [0.5, 0.5, 0]]  # on the first two items only


@pytest.fixture
def made() -> Judgments:
    return judgments(
        source("crowd", CROWD), source("model", MODEL),
        said=[("i2", "humans", 0, "neutral", "A needle, surely.")],
    )  # fmt: skip


@pytest.fixture
def frame(made) -> pd.DataFrame:
    per_item = compare(made, CompareConfig(draws=100)).per_item
    return item_data.on_items(made.source("crowd"), made.source("model"), per_item)


def found(made, frame, measure="TVD", **wanted) -> list[str]:
    return item_data.found(made, frame, Wanted(**wanted), measure)


def test_items_without_a_value_are_there_and_stand_last(made, frame):
    # TVD of the first item is 1, of the second 0; the model lacks the third.
    assert found(made, frame) == ["i0", "i1", "i2"]
    assert found(made, frame, order="near") == ["i1", "i0", "i2"]
    assert found(made, frame, order="data") == ["i0", "i1", "i2"]


def test_the_first_item_shown_is_one_that_most_sources_have(made):
    """The model lacks the third item; a second source has the second item alone."""
    sources = [made.source("model"), source("other", MODEL[1:], items=["i1"])]
    assert item_data.fullest(["i2", "i0", "i1"], sources) == "i1"
    assert item_data.fullest(["i2", "i0", "i1"], sources[:1]) == "i0"  # in the order of the list
    assert item_data.fullest([], sources) == ""


def test_the_most_disputed_is_the_one_of_greatest_entropy(made, frame):
    # Entropies: 0, ln 2 = 0.69, and 1.03 for the third; of the items that both have.
    assert found(made, frame, order="disputed")[0] == "i1"


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"label": "entailment"}, ["i0", "i1"]),  # the second item has two most frequent labels
        ({"label": "contradiction"}, []),
        ({"agreement": "same"}, ["i1"]),
        ({"agreement": "other"}, ["i0"]),  # the third cannot be told
        ({"phrase": "needle"}, ["i2"]),  # in an explanation
        ({"phrase": "a of i1"}, ["i1"]),  # in the item's text
        ({"phrase": "nowhere"}, []),
    ],
    ids=lambda value: str(value),
)
def test_filters_leave_the_items_that_fit_all_of_them(made, frame, wanted, left):
    assert found(made, frame, order="data", **wanted) == left


def test_halves_by_dispute():
    frame = pd.DataFrame({"entropy_against": np.arange(20) / 20, "TVD": [0.1] * 10 + [0.5] * 10})
    calm, torn = item_data.halves(frame, "TVD").itertuples()
    assert (calm.value, torn.value) == pytest.approx((0.1, 0.5))
    assert (calm.n, torn.n) == (10, 10)
    assert item_data.halves(frame.assign(entropy_against=0.5), "TVD") is None
    assert item_data.halves(frame.head(9), "TVD") is None


def test_the_download_has_every_item_of_every_source(made):
    per_item = compare(made, CompareConfig(draws=100)).per_item
    table = item_data.long_table(made, per_item)
    assert list(table["source"]) == ["crowd"] * 3 + ["model"] * 2
    shares = table[[f"share {label}" for label in NLI.scale.labels]].to_numpy()
    np.testing.assert_allclose(shares, [*CROWD, *MODEL])
    assert table["TVD"].isna().tolist() == [True] * 3 + [False] * 2
    assert table["text_a"].iloc[0] == "A of i0"
