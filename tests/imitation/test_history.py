"""What of an annotator's responses is learned from, and what is left out and counted."""

import pytest
from helpers.responses import crowd_of, dataset

from capo_core.errors import ConfigError
from capo_core.imitation.prompting.prompts import PromptItem
from capo_core.imitation.prompting.responses import (
    EMPTY,
    INVALID,
    TWIN,
    Response,
    history,
    item_of,
    items_of,
    parts,
    responses,
    text_twins,
    usable_and_skipped,
)

PARTS = {"i0": "train", "i1": "train", "i2": "validation", "i3": "test"}


@pytest.fixture
def made():
    return dataset(
        [
            ("i1", "A", "neutral", "first"),  # x0
            ("i0", "A", "neutral", "second"),  # x1
            ("i0", "A", "entailment", "a second label"),  # x2
            ("i0", "B", "neutral", " \n"),  # x3
            ("i1", "B", "neutral", "judged"),  # x4
            ("i1", "B", "neutral", "unknown"),  # x5
            ("i2", "A", "neutral", "in validation"),  # x6
            ("i3", "A", "neutral", "in test"),  # x7
        ],
        parts=PARTS,
        valid={"x0": "true", "x4": "false"},
    )


def test_responses_in_the_order_of_the_data(made):
    assert [r.annotation_id for r in responses(made)] == ["x0", "x1", "x2", "x5"]
    assert [r.annotation_id for r in responses(made, annotators=["B"])] == ["x5"]
    assert [r.annotation_id for r in responses(made, split="validation")] == ["x6"]
    assert [r.annotation_id for r in responses(made, split="test")] == ["x7"]
    assert responses(made)[0] == Response("x0", "i1", "A", "neutral", "first")
    assert responses(made, annotators=[]) == []


def test_a_history_accounts_for_every_response(made):
    own = history(made, "B", least=1)
    assert [r.annotation_id for r in own.responses] == ["x5"]
    assert own.skipped == {INVALID: 1, EMPTY: 1, TWIN: 0}
    both = history(made, "A", least=2)
    assert (len(both.responses), both.n_items) == (3, 2)
    kept, left_out = usable_and_skipped(made)
    assert len(kept) + sum(map(len, left_out.values())) == 6  # the rows on i0 and i1


def test_items_are_found_by_name_and_by_part_in_order_of_use(made):
    assert item_of(made, "i2") == PromptItem("i2", "text of i2", "")
    # The items stand in the table in order of first use: i1, i0, i2, i3.
    assert [item.item_id for item in items_of(made, "train")] == ["i1", "i0"]
    with pytest.raises(ConfigError, match="no item 'i9'"):
        item_of(made, "i9")


def test_texts_that_are_tested_on_are_not_learned_from():
    rows = [(item, "A", "neutral", "said") for item in ("i0", "i1", "i2", "i3", "i4")]
    texts = {
        "i0": ("Is tea good?", "Why tea?"),
        "i1": ("Is coffee good?", "Why coffee?"),
        "i2": ("Is milk good?", "Why milk?"),
        "i3": ("why  tea", "is tea good"),  # i0 in other letters and turned round
        "i4": ("Is milk good?", "Why not milk?"),  # one text alone may be shared
    }
    parts = {"i3": "test", "i4": "validation"}
    made = dataset(rows, texts=texts, parts=parts)
    assert text_twins(made) == {"i0"}
    assert [r.item_id for r in responses(made)] == ["i1", "i2"]
    assert history(made, "A", least=1).skipped[TWIN] == 1
    # What is tested on stays whole.
    assert [r.item_id for r in responses(made, split="test")] == ["i3"]


def test_too_few_items_are_an_error_that_names_the_number():
    made = crowd_of(2)
    with pytest.raises(ConfigError, match="2 training items") as caught:
        history(made, "A")
    assert "at least 10" in str(caught.value)
    assert history(made, "A", least=2).n_items == 2
    # Two labels to one item are one item.
    rows = [("i0", "A", "neutral", "one"), ("i0", "A", "entailment", "two")]
    with pytest.raises(ConfigError, match=r"to 1 training item[^s]"):
        history(dataset(rows), "A", least=2)


def test_the_error_says_what_was_left_out():
    made = crowd_of(10, valid={"x0": "false"})
    with pytest.raises(ConfigError, match=r"9 training items.*1 judged invalid"):
        history(made, "A")
    assert history(made, "B").n_items == 10


def test_other_parts_may_hold_few(made):
    assert history(made, "A", split="test").n_items == 1
    assert history(made, "B", split="test").responses == ()


@pytest.mark.parametrize("call", [history, lambda data, who: responses(data, annotators=[who])])
def test_an_unknown_annotator_is_refused_with_some_known_ones(call):
    many = dataset([("i0", f"who{k}", "neutral", "said") for k in range(300)])
    with pytest.raises(ConfigError, match="no annotator 'nobody'") as caught:
        call(many, "nobody")
    assert "and 288 more" in str(caught.value)


def test_data_without_a_split_say_what_to_do():
    whole = crowd_of(12, parts={f"i{k}": "" for k in range(12)})
    assert parts(whole) == ()
    for call in (
        lambda: history(whole, "A"),
        lambda: responses(whole),
        lambda: items_of(whole, "test"),
    ):
        with pytest.raises(ConfigError, match="not split") as caught:
            call()
        assert "split the items" in str(caught.value)


def test_an_empty_part_and_an_unknown_one():
    made = crowd_of(12, parts={"i0": "test"})
    assert parts(made) == ("train", "test")
    with pytest.raises(ConfigError, match="no item is in the validation part"):
        responses(made, split="validation")
    with pytest.raises(ConfigError, match="no part 'dev'"):
        items_of(made, "dev")
