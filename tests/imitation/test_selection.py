"""Examples for a prompt: seeded, never the item itself, the nearest next to the question."""

import numpy as np
import pytest
from helpers.responses import crowd_of, dataset

from capo_core.errors import ConfigError
from capo_core.imitation.prompting.examples import ExamplePool
from capo_core.imitation.prompting.prompts import PromptItem
from capo_core.imitation.prompting.responses import item_of, items_of

OUTSIDE = PromptItem("new", "an item from elsewhere")


def choose_examples(dataset, annotator, item, n, **settings):
    """`n` examples for one item."""
    return ExamplePool(dataset, annotator, **settings).choose(n, item)


def ids(examples):
    return [example.item.item_id for example in examples]


def by_number(texts):
    """An embedding in the plane: "text of i<k>" points to the angle k degrees."""
    angle = np.radians([float(text.split("i")[-1]) for text in texts])
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_random_examples_are_the_same_for_all_items_of_a_run():
    made = crowd_of(30, parts={"i28": "test", "i29": "test"})
    chosen = [choose_examples(made, "A", item, 5, seed=0) for item in items_of(made, "test")]
    assert chosen[0] == chosen[1]
    assert len(set(ids(chosen[0]))) == 5
    assert all(example.explanation.startswith("Aword") for example in chosen[0])
    assert not {"i28", "i29"} & set(ids(chosen[0]))


def test_the_seed_decides_and_the_order_of_rows_does_not():
    made = crowd_of(30)
    first = choose_examples(made, "A", OUTSIDE, 5, seed=0)
    assert first == choose_examples(made, "A", OUTSIDE, 5, seed=0)
    assert first != choose_examples(made, "A", OUTSIDE, 5, seed=1)
    turned = type(made)(made.name, made.task, made.items.iloc[::-1], made.annotations.iloc[::-1])
    assert choose_examples(turned, "A", OUTSIDE, 5, seed=0) == first
    # More examples begin with the fewer: what n adds can be seen.
    assert choose_examples(made, "A", OUTSIDE, 9, seed=0)[:5] == first


def test_every_response_can_be_drawn():
    made = crowd_of(10)
    drawn = {ids(choose_examples(made, "A", OUTSIDE, 1, seed=seed))[0] for seed in range(200)}
    assert drawn == {f"i{k}" for k in range(10)}  # 10 · 0.9^200 < 1e-8 misses one by chance


@pytest.mark.parametrize("how", ["random", "nearest"])
def test_an_item_is_never_its_own_example(how):
    made = crowd_of(12, texts={"i7": ("TEXT of i3.", "")})  # i7 asks what i3 asks
    pool = ExamplePool(made, "A", how=how, embed=lambda texts: by_number(["i1"] * len(texts)))
    chosen = ids(pool.choose(10, item_of(made, "i3")))
    assert sorted(chosen) == sorted(f"i{k}" for k in range(12) if k not in (3, 7))
    with pytest.raises(ConfigError, match="has 10 examples, fewer than 11"):
        pool.choose(11, item_of(made, "i3"))


def test_the_nearest_stands_last():
    made = crowd_of(40, parts={"i20": "test"})
    pool = ExamplePool(made, "A", how="nearest", embed=by_number)
    # Around 20 degrees: 19 and 21 are nearest, then 18 and 22, 17 and 23.
    chosen = ids(pool.choose(6, item_of(made, "i20")))
    assert [set(chosen[k : k + 2]) for k in (0, 2, 4)] == [
        {"i17", "i23"}, {"i18", "i22"}, {"i19", "i21"},
    ]  # fmt: skip
    assert chosen == ids(
        choose_examples(made, "A", item_of(made, "i20"), 6, how="nearest", seed=0, embed=by_number)
    )


def test_the_history_is_embedded_once():
    made, calls = crowd_of(12, parts={"i0": "test", "i1": "test"}), []

    def embed(texts):
        calls.append(len(texts))
        return by_number(texts)

    pool = ExamplePool(made, "A", how="nearest", embed=embed)
    for item in items_of(made, "test"):
        pool.choose(3, item)
    assert sorted(calls) == [1, 1, 10]


def test_an_item_answered_twice_is_shown_once():
    rows = [(f"i{k}", "A", label, "so") for k in range(5) for label in ("neutral", "entailment")]
    pool = ExamplePool(dataset(rows), "A")
    assert len(pool) == 5
    assert len(set(ids(pool.choose(5)))) == 5


def test_for_a_profile_there_is_no_item():
    made = crowd_of(12)
    assert len(ExamplePool(made, "A").choose(12)) == 12
    with pytest.raises(ConfigError, match="the nearest examples need an item"):
        ExamplePool(made, "A", how="nearest", embed=by_number).choose(3)


def test_settings_that_cannot_be():
    made = crowd_of(12)
    with pytest.raises(ConfigError, match="'best'"):
        ExamplePool(made, "A", how="best")
    with pytest.raises(ConfigError, match="needs embeddings"):
        ExamplePool(made, "A", how="nearest")
    with pytest.raises(ConfigError, match="0 examples"):
        ExamplePool(made, "A").choose(0)
    with pytest.raises(ConfigError, match="at most 12"):
        ExamplePool(made, "A").choose(13)
    with pytest.raises(ConfigError, match="no annotator"):
        ExamplePool(made, "nobody")
