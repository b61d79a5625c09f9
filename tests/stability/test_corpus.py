"""Folds and groups: what must never be together, and what must not be parted."""

import numpy as np
import pytest
from helpers.simulated_annotators import world

from capo_core.errors import DataError
from capo_core.stability.corpus import build_corpus, group_slices, partition


def corpus_of(items=40, least=1, **options):
    return build_corpus(world(lambda i, a: f"text {i} by {a}", items=items, **options), least=least)


@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_tested_once_and_never_with_its_item_in_training(seed):
    corpus = corpus_of()
    part = partition(corpus, folds=5, groupings=2, seed=seed)
    tested = np.zeros(len(corpus), dtype=int)
    for fold in range(5):
        train, test = part.split(fold)
        tested[test] += 1
        assert not set(corpus.item[train]) & set(corpus.item[test])
        assert not set(corpus.block[train]) & set(corpus.block[test])
    assert (tested == 1).all()


def test_items_that_share_a_text_stay_together():
    data = world(lambda i, a: f"text {i} by {a}")
    items = data.items.copy()
    items.loc[3, "text_a"] = items.loc[7, "text_a"].upper()  # equal once normalised
    items.loc[9, "text_b"] = items.loc[3, "text_b"]  # 9 – 3 – 7: joined by way of 3
    corpus = build_corpus(type(data)("shared", data.task, items, data.annotations))
    block = {corpus.item_ids[i]: b for i, b in zip(corpus.item, corpus.block, strict=True)}
    assert block["i3"] == block["i7"] == block["i9"] != block["i4"]
    assert len(set(block.values())) == 40 - 2


def test_a_question_common_to_all_items_does_not_join_them():
    data = world(lambda i, a: f"text {i} by {a}")
    items = data.items.assign(text_a="is this comment rude?")
    corpus = build_corpus(type(data)("common", data.task, items, data.annotations))
    assert len(set(corpus.block)) == 40


def test_groups_hold_one_annotator_distinct_items_one_fold():
    corpus = corpus_of(items=53)
    part = partition(corpus, folds=5, groupings=3, seed=1)
    for order in part.orders:
        for k in (1, 2, 4, 7):
            first, run = group_slices(part.starts, k)
            seen = set()
            for begin, number in zip(first, run, strict=True):
                rows = order[begin : begin + k]
                assert set(corpus.annotator[rows]) == {number % 4}
                assert set(part.fold[rows]) == {number // 4}
                assert len(set(corpus.item[rows])) == k
                assert not seen & set(rows)
                seen |= set(rows)
            # All but what does not fill a group, in each fold and for each annotator.
            sizes = np.bincount(part.fold * 4 + corpus.annotator, minlength=20)
            assert len(first) == (sizes // k).sum()


def test_of_two_labels_by_one_annotator_one_is_tested():
    data = world(lambda i, a: f"text {i} by {a}")
    again = data.annotations.iloc[:20].copy()
    again["annotation_id"] += "-2"
    again["explanation"] += " once more"
    rows = __import__("pandas").concat([data.annotations, again], ignore_index=True)
    corpus = build_corpus(type(data)("twice", data.task, data.items, rows))
    drawn = []
    for seed in range(8):
        part = partition(corpus, folds=5, groupings=1, seed=seed)
        assert part.tested.sum() == 160
        cells = corpus.item[part.tested] * 4 + corpus.annotator[part.tested]
        assert len(set(cells)) == 160
        assert set(part.orders[0]) == set(np.flatnonzero(part.tested))
        drawn.append(part.tested[160:].mean())
    # Each of 20 pairs by a fair coin, 8 times: mean one half, standard error 0.04.
    assert 0.3 < np.mean(drawn) < 0.7


def test_too_few_items_are_refused_in_words():
    with pytest.raises(DataError, match="3 separate items cannot be divided into 5 folds"):
        partition(corpus_of(items=3), folds=5, groupings=1, seed=0)


@pytest.mark.parametrize(
    ("annotators", "items", "word"), [("A", 40, "1 annotator"), ("AB", 1, "1 item")]
)
def test_nothing_to_tell_apart_is_refused_in_words(annotators, items, word):
    with pytest.raises(DataError, match=word):
        corpus_of(annotators=annotators, items=items)


def test_the_refusal_counts_those_who_explain_not_those_who_explain_enough():
    with pytest.raises(DataError, match="2 annotators with explanations on 3 items") as raised:
        corpus_of(annotators="AB", items=3, least=10)
    assert "10 or more by each" in str(raised.value)
