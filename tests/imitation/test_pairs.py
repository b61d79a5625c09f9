"""Every rule by which responses become pairs, on datasets small enough to count by hand."""

import numpy as np
import pytest
from helpers.responses import TONE, crowd_of, dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, DataError
from capo_core.imitation.pairs.build import (
    ALONE,
    BEYOND,
    DROPPED,
    NEAR_DUPLICATE,
    OTHER_LABEL,
    SAME_LABEL,
    PairsConfig,
    build_pairs,
    prove_held_out,
    similarities,
)
from capo_core.imitation.prompting.responses import EMPTY, INVALID, TWIN
from capo_core.task import PARAPHRASE, Task
from capo_core.workspace import Workspace

PLAIN = PairsConfig()


def build(rows, config=PLAIN, *, target="A", least=1, split="train", **options):
    made = dataset(rows, **options)
    return build_pairs(made, target, config, least=least, split=split)


def who_against_whom(pairs):
    columns = ("chosen_annotation_id", "rejected_annotation_id")
    return list(zip(*(pairs.frame[name] for name in columns), strict=True))


def counted(pairs):
    """What was dropped at all."""
    assert set(pairs.dropped) == set(DROPPED)
    return {reason: count for reason, count in pairs.dropped.items() if count}


THREE = [
    ("i0", "A", "neutral", "maybe somebody else"),  # x0
    ("i0", "B", "neutral", "nothing tells us"),  # x1
    ("i0", "C", "contradiction", "he was never there"),  # x2
    ("i1", "B", "neutral", "only others here"),  # x3
    ("i1", "C", "neutral", "nor does it matter"),  # x4
    ("i2", "A", "entailment", "that is so"),  # x5
    ("i2", "C", "neutral", "who knows that"),  # x6
]


def test_the_target_against_each_other():
    pairs = build(THREE)
    assert who_against_whom(pairs) == [("x0", "x1"), ("x0", "x2"), ("x5", "x6")]
    assert list(pairs.frame["item_id"]) == ["i0", "i0", "i2"]
    assert list(pairs.frame["target_annotator_id"]) == ["A"] * 3
    assert list(pairs.frame["rejected_annotator_id"]) == ["B", "C", "C"]
    assert list(pairs.frame["same_label"]) == ["true", "false", "false"]
    assert list(pairs.frame["weight"]) == [1.0] * 3
    assert counted(pairs) == {} and pairs.items_without == ()
    assert len(pairs) == 3


def test_both_responses_of_the_target_are_chosen_and_neither_is_rejected():
    rows = [
        ("i0", "A", "neutral", "may be"),  # x0
        ("i0", "B", "neutral", "unsaid"),  # x1
        ("i0", "A", "entailment", "it is so"),  # x2
        ("i0", "B", "contradiction", "never"),  # x3
    ]
    pairs = build(rows)
    assert who_against_whom(pairs) == [("x0", "x1"), ("x0", "x3"), ("x2", "x1"), ("x2", "x3")]
    # The other way round the same holds for B.
    against = build(rows, target="B")
    assert who_against_whom(against) == [("x1", "x0"), ("x1", "x2"), ("x3", "x0"), ("x3", "x2")]


def test_what_was_judged_invalid_is_neither_chosen_nor_rejected():
    pairs = build([*THREE, ("i2", "A", "neutral", "x7")], valid={"x1": "false", "x7": "false"})
    assert who_against_whom(pairs) == [("x0", "x2"), ("x5", "x6")]
    assert counted(pairs) == {INVALID: 2}
    # On an item that the target did not answer it concerns no pair.
    assert counted(build(THREE, valid={"x3": "false"})) == {}


def test_what_is_known_to_be_valid_or_not_known_is_kept():
    assert len(build(THREE, valid={"x0": "true", "x1": "unknown", "x2": "true"})) == 3


def test_empty_explanations_are_a_counted_skip():
    rows = [*THREE, ("i2", "B", "neutral", "  "), ("i2", "A", "neutral", "")]
    pairs = build(rows)
    assert len(pairs) == 3
    assert counted(pairs) == {EMPTY: 2}


def test_an_item_with_no_other_annotator_is_a_counted_skip():
    alone = [("i3", "A", "neutral", "only me"), ("i3", "A", "entailment", "me again")]
    pairs = build([*THREE, *alone])
    assert len(pairs) == 3
    assert counted(pairs) == {ALONE: 2}  # two responses
    assert pairs.items_without == ("i3",)  # on one item


def test_others_who_were_all_left_out_leave_the_item_without_pairs():
    pairs = build(THREE, valid={"x6": "false"})
    assert who_against_whom(pairs) == [("x0", "x1"), ("x0", "x2")]
    assert counted(pairs) == {INVALID: 1, ALONE: 1}
    assert pairs.items_without == ("i2",)


def test_near_duplicates_contrast_nothing_unless_the_label_differs():
    rows = [
        ("i0", "A", "neutral", "It is not mentioned."),  # x0
        ("i0", "B", "neutral", "it is  not mentioned"),  # x1: the same but for formatting
        ("i0", "C", "contradiction", "It is not mentioned."),  # x2: another label
        ("i0", "D", "neutral", "He might be somewhere"),  # x3
    ]
    pairs = build(rows)
    assert who_against_whom(pairs) == [("x0", "x2"), ("x0", "x3")]
    assert counted(pairs) == {NEAR_DUPLICATE: 1}
    assert pairs.frame["similarity"][0] == 1.0
    assert len(build(rows, PairsConfig(near_duplicate=1.01))) == 3
    # From 0 on every pair of one label is one too many.
    assert who_against_whom(build(rows, PairsConfig(near_duplicate=0.0))) == [("x0", "x2")]


def test_words_of_the_item_do_not_make_a_likeness_of_manner():
    texts = {"i0": ("The red fox sleeps.", "The fox is tired."), "i1": ("Snow.", "It snows.")}
    said = {"A": "the red fox is maybe old", "B": "a fox that is red, perhaps"}
    # On i0 "the", "red", "fox" and "is" are the item's words; on i1 none of them is.
    reduced = {
        "i0": ["something " * 4 + "maybe old", "a something that something something, perhaps"],
        "i1": list(said.values()),
    }
    for item, by_hand in reduced.items():
        rows = [(item, who, "neutral", text) for who, text in said.items()]
        expected = similarities(by_hand, [("", "")] * 2, [0], [1])
        assert build(rows, texts=texts).frame["similarity"][0] == pytest.approx(expected[0])
        assert 0 < expected[0] < 1


def test_similarity_by_hand():
    # Three texts of two words; each has 1-grams and one 2-gram, all with tf 1. idf of a term in
    # 1 of 3 texts is ln(4/2) + 1, in 2 of 3 ln(4/3) + 1.
    rare, common = np.log(4 / 2) + 1, np.log(4 / 3) + 1
    texts, inputs = ["one two", "one three", "four five"], [("", "")] * 3
    first_second, first_third, same = similarities(texts, inputs, [0, 0, 2], [1, 2, 2])
    assert first_second == pytest.approx(common**2 / (common**2 + 2 * rare**2))
    assert (first_third, same) == (0.0, 1.0)
    # What is nothing after normalisation is the same nothing.
    bare = similarities(["…", "!!", "🙂"], inputs, [0, 0, 2], [1, 2, 2])
    assert list(bare) == [1.0, 0.0, 1.0]
    assert len(similarities([], [], [], [])) == 0


def test_same_label_is_kept_dropped_or_taken_alone():
    def with_rule(rule):
        return build(THREE, PairsConfig(same_label=rule))

    assert len(with_rule("keep")) == 3
    drop, only = with_rule("drop"), with_rule("only")
    assert who_against_whom(drop) == [("x0", "x2"), ("x5", "x6")]
    assert counted(drop) == {SAME_LABEL: 1}
    assert who_against_whom(only) == [("x0", "x1")]
    assert counted(only) == {OTHER_LABEL: 2}
    assert only.items_without == ("i2",)
    # First: x0 has a response of its own label; x5 has none, and keeps the other one.
    first = with_rule("first")
    assert who_against_whom(first) == [("x0", "x1"), ("x5", "x6")]
    assert counted(first) == {OTHER_LABEL: 1} and first.items_without == ()


def test_specific_weights_follow_the_likeness_and_have_mean_one():
    rows = [
        ("i0", "A", "neutral", "we are not told about that"),
        ("i0", "B", "neutral", "we are not told about this"),  # alike: weighs little
        ("i0", "C", "neutral", "someone else perhaps"),  # nothing in common
    ]
    pairs = build(rows, PairsConfig(weights="specific"))
    similar, weight = pairs.frame["similarity"], pairs.frame["weight"]
    assert similar[1] == 0.0 and 0.2 < similar[0] < 0.9
    assert weight.mean() == pytest.approx(1.0)
    assert weight[0] / weight[1] == pytest.approx(1 - similar[0])
    assert (weight >= 0).all()


def test_weights_of_nothing_specific_are_an_error():
    rows = [("i0", "A", "neutral", "so it is"), ("i0", "B", "entailment", "So it is.")]
    assert len(build(rows)) == 1
    with pytest.raises(ConfigError, match="none is specific") as caught:
        build(rows, PairsConfig(weights="specific"))
    assert "uniform" in str(caught.value)


def test_at_most_so_many_rejected_drawn_by_seed():
    made = crowd_of(40, annotators=("A", "B", "C", "D"))

    def against(seed, limit=1, data=made):
        pairs = build_pairs(data, "A", PairsConfig(max_rejected=limit, seed=seed))
        return pairs, set(who_against_whom(pairs))

    pairs, drawn = against(0)
    assert len(pairs) == 40 and counted(pairs) == {BEYOND: 80}
    assert set(pairs.frame["rejected_annotator_id"]) == {"B", "C", "D"}
    assert against(0)[1] == drawn != against(1)[1]
    assert drawn < against(0, 2)[1]  # a larger draw goes on from the smaller
    turned = type(made)(made.name, made.task, made.items, made.annotations.iloc[::-1])
    assert against(0, data=turned)[1] == drawn
    assert counted(against(0, 3)[0]) == {}


def test_an_annotator_with_two_training_items_is_a_clear_error():
    rows = [(f"i{k}", who, "neutral", f"{who} {k}") for k in range(30) for who in ("B", "C")]
    rows += [("i0", "A", "neutral", "a"), ("i1", "A", "neutral", "b")]
    with pytest.raises(ConfigError, match="'A' has responses to 2 training items") as caught:
        build_pairs(dataset(rows), "A", PLAIN)
    assert "at least 10" in str(caught.value)
    assert len(build_pairs(dataset(rows), "B", PLAIN)) == 30 + 2


def test_no_pair_at_all_is_an_error_that_says_why():
    with pytest.raises(ConfigError, match="12 no other annotator"):
        build_pairs(crowd_of(12, annotators=("A",)), "A", PLAIN)
    made = crowd_of(12)
    with pytest.raises(ConfigError, match="12 same label"):
        build_pairs(made, "A", PairsConfig(same_label="drop"))


def test_data_without_a_split_are_a_clear_error():
    made = crowd_of(12, parts={f"i{k}": "" for k in range(12)})
    with pytest.raises(ConfigError, match="not split into parts"):
        build_pairs(made, "A", PLAIN)


def test_only_the_part_asked_for():
    made = crowd_of(14, parts={"i0": "validation", "i1": "validation", "i2": "test", "i3": ""})
    train, validation = (
        build_pairs(made, "A", PLAIN, split=part) for part in ("train", "validation")
    )
    assert set(train.frame["item_id"]) == {f"i{k}" for k in range(4, 14)}
    assert set(validation.frame["item_id"]) == {"i0", "i1"}
    assert not set(train.frame["pair_id"]) & set(validation.frame["pair_id"])
    # Nobody has to have validation items: there is only less to stop by.
    alone = crowd_of(11, annotators=("A",), parts={"i0": "validation"})
    assert len(build_pairs(alone, "A", PLAIN, split="validation")) == 0


def test_proof_that_nothing_is_tested_on():
    made = crowd_of(12, parts={"i11": "test"})
    pairs = build_pairs(made, "A", PLAIN)
    prove_held_out(pairs, made)
    # The split does not enter the fingerprint: the same pairs after another split.
    part = made.items.set_index("item_id")["split"]
    places = {"validation": "the validation part", "test": "the test part", "": "no part"}
    for where, said in places.items():
        with pytest.raises(DataError, match=f"'i3' is in {said}"):
            prove_held_out(pairs, made.with_split(part.where(part.index != "i3", where)))
    moved = made.with_split(part.where(part.index != "i5", "validation"))
    with pytest.raises(DataError, match="'i5' is in the validation part"):
        prove_held_out(build_pairs(moved, "A", PLAIN, split="validation"), moved)


def test_proof_finds_a_text_that_stands_in_both():
    texts = {"i3": ("One text", "Its second"), "i11": ("its SECOND.", "one text")}
    made = crowd_of(13, texts=texts, parts={"i0": "test"})
    pairs = build_pairs(made, "A", PLAIN)
    assert "i3" in set(pairs.frame["item_id"])
    part = made.items.set_index("item_id")["split"]
    for where in ("test", "validation"):
        moved = made.with_split(part.where(part.index != "i11", where))
        with pytest.raises(DataError, match="texts of item 'i3'"):
            prove_held_out(pairs, moved)
        without = build_pairs(moved, "A", PLAIN)
        assert "i3" not in set(without.frame["item_id"])
        # The target's response; without it those of the others concern no pair.
        assert counted(without) == {TWIN: 1}
        prove_held_out(without, moved)


def test_proof_is_of_the_same_data():
    pairs = build_pairs(crowd_of(12), "A", PLAIN)
    with pytest.raises(DataError, match="other data"):
        prove_held_out(pairs, crowd_of(13))


@pytest.mark.parametrize(
    "wrong",
    [
        {"near_duplicate": -0.1},
        {"near_duplicate": float("nan")},
        {"near_duplicate": "0.9"},
        {"same_label": "maybe"},
        {"weights": "equal"},
        {"max_rejected": 0},
        {"max_rejected": 1.5},
    ],
)
def test_settings_that_cannot_be(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PairsConfig(**wrong)


@pytest.mark.parametrize("task", [PARAPHRASE, TONE, Task("one", TONE.scale)])
def test_any_table_will_do(task):
    """One text an item, hundreds of annotators, long texts, numbers as labels, odd names."""
    labels = task.scale.labels
    rows = [
        (f"i{item}", f"who {k}", labels[k % len(labels)], f"word{k} " * (400 if k == 5 else 3))
        for item in range(10)
        for k in range(item, item + 30)
    ] + [(f"i{item}", '=A, "b"\n', labels[0], f"🙂 {item}") for item in range(10)]
    made = dataset(rows, task=task)
    pairs = build_pairs(made, '=A, "b"\n', PLAIN)
    assert len(pairs) == 10 * 30
    assert pairs.frame["rejected_annotator_id"].nunique() == 39
    prove_held_out(pairs, made)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["i0", "i1", "i2"]),
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from(["neutral", "entailment"]),
        st.sampled_from(["", "so it is", "So it is.", "not said", "unknown to us"]),
    ),
    min_size=1,
    max_size=14,
)
CONFIGS = st.builds(
    PairsConfig,
    near_duplicate=st.sampled_from([0.0, 0.5, 0.9, 2.0]),
    same_label=st.sampled_from(["keep", "first", "drop", "only"]),
    max_rejected=st.sampled_from([None, 1, 2]),
    seed=st.integers(0, 3),
)


@settings(max_examples=60, deadline=None)
@given(ROWS, CONFIGS, st.sets(st.integers(0, 13), max_size=5))
def test_every_response_and_every_candidate_is_accounted_for(rows, config, invalid):
    made = dataset(rows, valid={f"x{k}": "false" for k in invalid})
    if "A" not in made.annotators:
        return
    usable = [
        (f"x{k}", item, who)
        for k, (item, who, _, said) in enumerate(rows)
        if k not in invalid and said
    ]
    own = [(k, item) for k, item, who in usable if who == "A"]
    answered = {item for _, item in own}
    others = {item: [k for k, i, who in usable if i == item and who != "A"] for item in answered}
    candidates = {(k, other) for k, item in own for other in others[item]}
    pairs = build_pairs(made, "A", config, least=0)
    if not len(pairs):
        with pytest.raises(ConfigError, match=r"no pair is left|responses to 0 training items"):
            build_pairs(made, "A", config, least=1)
    found = who_against_whom(pairs)
    assert set(found) <= candidates and len(set(found)) == len(found)
    dropped = pairs.dropped
    of_pairs = sum(dropped[r] for r in (NEAR_DUPLICATE, SAME_LABEL, OTHER_LABEL, BEYOND))
    assert len(found) + of_pairs == len(candidates)
    assert dropped[ALONE] == sum(not others[item] for _, item in own)
    concerned = [k for k, (item, who, *_) in enumerate(rows) if who == "A" or item in answered]
    assert dropped[INVALID] == sum(k in invalid for k in concerned)
    assert dropped[EMPTY] == sum(k not in invalid and not rows[k][3] for k in concerned)
    assert set(pairs.items_without) == answered - set(pairs.frame["item_id"])
    if config.max_rejected and len(pairs):
        assert pairs.frame["chosen_annotation_id"].value_counts().max() <= config.max_rejected
    assert pairs.frame["similarity"].between(0, 1).all()


@pytest.mark.parametrize("name", ["demo-nli", "demo-paraphrase"])
def test_the_shipped_data_have_pairs_for_everyone(name, tmp_path):
    made = Catalog(Workspace(tmp_path)).load(name)
    for target in made.annotators:
        pairs = build_pairs(made, target, PLAIN)
        prove_held_out(pairs, made)
        assert len(pairs) > 500
