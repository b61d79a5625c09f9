"""Attribution of human texts is the ladder's; probabilities; who is taken for whom."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from capo_core.data.splits import assign_splits
from capo_core.evaluation.measures.attribution import (
    NOBODY,
    View,
    attributed,
    confusion,
    fit_slope,
    pooled_accuracy,
    pooled_probability,
    pooled_slope,
    training_rows,
)
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, held_out_items, human_streams
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.stability.attribution import held_out_scores
from capo_core.stability.corpus import Partition, build_corpus
from capo_core.text.embeddings import Embedder
from capo_core.text.representations import Representer, Texts

WORDS = View("words", "mask_input")


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(task="nli", items=250, annotators=3, style=1.2, seed=5))
    return assign_splits(made.dataset, seed=1)


@pytest.fixture(scope="module")
def scored(world):
    ids = held_out_items(world)
    streams = [s for s in human_streams(world, ids) if s.source == HUMAN]
    return streams, attributed(world, ids, streams, WORDS, Embedder(), folds=5)


def test_copies_have_the_very_scores_of_their_originals(world, scored):
    """Two BLAS threads made them differ by 1e-8, and a copy of the target stood at p = .42."""
    streams, _found = scored
    copied = [replace(stream, source="copy") for stream in streams]
    with threadpool_limits(2):
        found = attributed(world, held_out_items(world), [*streams, *copied], WORDS, Embedder())
    for original, copy in zip(found.streams[:3], found.streams[3:], strict=True):
        assert len(original) and np.array_equal(original, copy)


def test_an_item_asked_for_twice_or_learned_from_has_its_own_texts(world, scored):
    """The scores of a text do not depend on which other items are asked for."""
    streams, _found = scored
    ids = held_out_items(world)
    first = replace(
        streams[0], item=streams[0].item[:3], labels=streams[0].labels[:3],
        explanations=streams[0].explanations[:3],
    )  # fmt: skip
    learned = world.items.loc[world.items["split"] == "train", "item_id"].iloc[0]
    asked = (learned, *(ids[n] for n in first.item), ids[first.item[0]])
    moved = replace(first, item=np.arange(1, 1 + len(first)))
    alone = attributed(world, tuple(asked[1:4]), [replace(first, item=np.arange(3))], WORDS,
                       Embedder())  # fmt: skip
    again = attributed(world, asked, [moved], WORDS, Embedder())
    np.testing.assert_allclose(again.streams[0], alone.streams[0], atol=1e-9)


def test_human_held_out_text_gets_the_scores_of_the_ladders_classifier(world, scored):
    """The ladder's own code, given one fold whose tested side is the test split."""
    split = world.items.set_index("item_id")["split"]
    use = world.annotations[world.annotations["item_id"].map(split).isin(["train", "test"])]
    corpus = build_corpus(replace(world, annotations=use))
    texts = Texts(corpus.texts, corpus.item, corpus.text_a, corpus.text_b)
    features = Representer(texts, Embedder()).features("words", "mask_input")
    side = np.array([split[corpus.item_ids[i]] == "test" for i in corpus.item])
    fold = np.where(side, 0, 1)
    part = Partition(fold, side, (), np.zeros(0), 1)
    expected = held_out_scores(features, corpus, part)
    streams, found = scored
    ids = held_out_items(world)
    for number, (stream, scores) in enumerate(zip(streams, found.streams, strict=True)):
        rows = [
            np.flatnonzero(
                side & (corpus.annotator == number) & (corpus.item == corpus.item_ids.index(ids[i]))
            )[0]
            for i in stream.item
        ]
        assert scores == pytest.approx(expected[rows], abs=2e-3)
        share = pooled_accuracy(scores, stream.item, number, 1, n_items=len(ids)).value
        assert share == pytest.approx(np.mean(expected[rows].argmax(axis=1) == number))


def test_training_texts_are_scored_without_their_item(world, scored):
    """Scores of texts that trained themselves would be far too sure."""
    _, found = scored
    own = found.train[np.arange(len(found.author)), found.author]
    held = np.concatenate([s[:, number] for number, s in enumerate(found.streams)])
    assert len(found.train) == len(training_rows(world))
    assert own.mean() == pytest.approx(held.mean(), abs=0.25)
    right = np.mean(found.train.argmax(axis=1) == found.author)
    assert 1 / 3 < right < 1


def test_the_slope_is_the_one_that_made_the_labels():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(6000, 4))
    chance = softmax(2.5 * scores, axis=1)
    author = np.array([rng.choice(4, p=row) for row in chance])
    assert fit_slope(scores, author) == pytest.approx(2.5, rel=0.1)


def test_probabilities_are_right_as_often_as_they_say(world, scored):
    streams, found = scored
    for k in (1, 4):
        slope = pooled_slope(found.train, found.author, k)
        for number, (stream, scores) in enumerate(zip(streams, found.streams, strict=True)):
            settings = {"n_items": len(held_out_items(world))}
            share = pooled_accuracy(scores, stream.item, number, k, **settings)
            mean = pooled_probability(scores, stream.item, number, k, slope, **settings)
            assert 1 / 3 < mean.value < 1
            assert mean.value == pytest.approx(share.value, abs=0.2)
    assert pooled_slope(found.train, found.author, 10_000) is None


def test_probability_of_a_group_by_hand_and_of_silence():
    scores = np.array([[1.0, 0.0], [0.5, 1.0], [0.0, 0.0]])
    found = pooled_probability(scores, np.arange(3), 0, 1, 2.0, n_items=3)
    expected = [1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(1.0)), 0.0]
    assert found.value == pytest.approx(np.mean(expected))
    both = pooled_probability(scores[:2], np.arange(2), 0, 2, 2.0, n_items=2)
    assert both.value == pytest.approx(1 / (1 + np.exp(-2.0 * 0.5)))
    assert pooled_probability(scores, np.arange(3), 0, 4, 2.0, n_items=3) is None


def test_confusion_adds_up_and_knows_nobody():
    streams = [
        Stream("m", "A", "0", np.arange(2), ("", ""), ("x", "")),
        Stream("m", "A", "1", np.arange(2), ("", ""), ("x", "y")),
        Stream("m", "B", "0", np.arange(0), (), ()),
    ]
    scores = [
        np.array([[0.0, 1.0], [0.0, 0.0]]),
        np.array([[2.0, 1.0], [1.0, 1.0]]),
        np.zeros((0, 2)),
    ]
    table = confusion(streams, scores, ("A", "B"), "view")
    shares = table.set_index("attributed")["share"]
    # First sample: half to B, half to nobody; second: one to A, the other shared.
    assert shares.to_dict() == pytest.approx({"A": 0.375, "B": 0.375, NOBODY: 0.25})
    assert set(table["n"]) == {4} and set(table["target"]) == {"A"}


def test_diagonal_of_the_human_confusion_is_the_ceiling(world, scored):
    streams, found = scored
    table = confusion(streams, found.streams, world.annotators, WORDS.name)
    assert isinstance(table, pd.DataFrame)
    for number, target in enumerate(world.annotators):
        own = table[(table["target"] == target) & (table["attributed"] == target)]["share"].item()
        stream, scores = streams[number], found.streams[number]
        ids = held_out_items(world)
        expected = pooled_accuracy(scores, stream.item, number, 1, n_items=len(ids)).value
        assert own == pytest.approx(expected)
    assert OTHER not in set(table["source"])
