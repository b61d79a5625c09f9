"""Splits: item-disjoint, exact, seeded, identical items together."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capo_core.data.splits import PARTS, assign_splits, largest_remainder
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.task import NLI


def dataset(texts):
    ids = [f"i{n}" for n in range(len(texts))]
    items = pd.DataFrame({"item_id": ids, "text_a": texts, "text_b": "", "split": ""})
    annotations = pd.DataFrame(
        {
            "annotation_id": ids,
            "item_id": ids,
            "annotator_id": "A",
            "label": "neutral",
            "explanation": "",
            "valid": "unknown",
        }
    )
    return Dataset("x", NLI, items, annotations)


def counts(split):
    return [int((split.items["split"] == part).sum()) for part in PARTS]


def test_500_items_are_split_as_in_the_paper():
    assert counts(assign_splits(dataset([f"t{n}" for n in range(500)]))) == [300, 100, 100]


@pytest.mark.parametrize(
    ("total", "shares", "expected"),
    [
        (7, (0.6, 0.2, 0.2), [4, 2, 1]),  # 4.2, 1.4, 1.4: the one left goes to the first .4
        (1, (0.6, 0.2, 0.2), [1, 0, 0]),  # .6, .2, .2
        (10, (0.0, 0.5, 0.5), [0, 5, 5]),
        (500, (0.6, 0.2, 0.2), [300, 100, 100]),
        (3, (1.0, 0.0, 0.0), [3, 0, 0]),
    ],
)
def test_parts_sum_to_the_whole_by_largest_remainder(total, shares, expected):
    assert largest_remainder(total, shares) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(0, 5))
def test_identical_items_stay_together_and_none_is_left_out(numbers, seed):
    split = assign_splits(dataset([f"t{n}" for n in numbers]), seed=seed)
    assert split.items.groupby("text_a")["split"].nunique().eq(1).all()
    assert sum(counts(split)) == len(numbers)
    if len(set(numbers)) == len(numbers):
        assert counts(split) == largest_remainder(len(numbers), (0.6, 0.2, 0.2))


def test_the_order_of_rows_does_not_matter_and_the_seed_does():
    first = dataset([f"t{n}" for n in range(50)])
    turned = Dataset("x", NLI, first.items[::-1], first.annotations)
    by_item = assign_splits(first, seed=3).items.set_index("item_id")["split"]
    assert by_item.sort_index().equals(
        assign_splits(turned, seed=3).items.set_index("item_id")["split"].sort_index()
    )
    assert not by_item.equals(assign_splits(first, seed=4).items.set_index("item_id")["split"])
    assert assign_splits(first).fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "shares", [(0.6, 0.2), (0.6, 0.2, 0.3), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ConfigError, match="cannot be used"):
        assign_splits(dataset(["a"]), shares)
