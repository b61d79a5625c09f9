"""Text measures against rouge-score and scipy, and on texts whose scores can be said beforehand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score import rouge_scorer
from scipy.spatial.distance import jensenshannon

from capo_core.data.splits import assign_splits
from capo_core.evaluation.measures import diversity, explanations, style
from capo_core.evaluation.measures.explanations import rouge_l
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, held_out_items, human_streams
from capo_core.evaluation.table import TableConfig
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import tokens

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=7)


def made_up_vectors(texts):
    """Unit vectors by counts of five letters; equal texts have cosine 1."""
    rows = np.array([[tokens(t).count(letter) + 1e-3 for letter in "abcde"] for t in texts])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


EMBEDDER = Embedder(encode=made_up_vectors)


def stream(texts, target="A", item=None):
    item = np.arange(len(texts)) if item is None else np.asarray(item)
    return Stream("m", target, "", item, ("",) * len(texts), tuple(texts))


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(task="nli", items=200, annotators=3, style=1.5, seed=7))
    return assign_splits(made.dataset, seed=1)


SENTENCE = st.text(alphabet="ab c-D'_1.", max_size=40) | st.text(max_size=40)


@given(SENTENCE, SENTENCE)
@settings(max_examples=200, deadline=None)
def test_rouge_l_equals_the_library_on_ascii(one, other):
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    one, other = (text.encode("ascii", "ignore").decode() for text in (one, other))
    assert rouge_l(one, other) == pytest.approx(scorer.score(other, one)["rougeL"].fmeasure)


@given(WORDS, WORDS)
def test_rouge_l_counts_the_longest_common_subsequence(one, other):
    def subsequences(words):
        return {
            chosen for n in range(len(words) + 1) for chosen in itertools.combinations(words, n)
        }

    longest = max(len(chosen) for chosen in subsequences(one) & subsequences(other))
    expected = 2 * longest / (len(one) + len(other)) if one and other else 0.0
    assert rouge_l(" ".join(one), " ".join(other)) == expected


def test_words_of_any_language_count():
    assert rouge_l("Это не ясно", "это совсем не ясно") == pytest.approx(2 * 3 / 7)
    assert rouge_l("...", "clear") == 0


def test_texts_against_the_targets_own():
    own = [("a b c",), ("a a", "b"), (), ("c d",)]
    found = stream(["a b c", "b", "x", ""])
    # The third item has no text of the target; an empty explanation has nothing in common.
    rouge = explanations.rouge_score(found, own)
    assert rouge.value == pytest.approx((1 + 1 + 0) / 3) and rouge.n == 3
    similar = explanations.embedding_similarity(found, own, EMBEDDER)
    assert similar.value == pytest.approx(2 / 3, abs=1e-5)
    # Written 3 + 1 + 0 words; wanted 3, the mean of 2 and 1, and 2.
    assert explanations.length_ratio(found, own).value == pytest.approx(4 / 6.5)
    assert explanations.rouge_score(found, [()] * 4) is None
    assert explanations.length_ratio(found, [()] * 4) is None


def test_influence_of_the_length_ratio_is_its_derivative():
    rng = np.random.default_rng(0)
    own = [(" ".join("a" * n),) for n in rng.integers(1, 9, 12)]
    said = [" ".join("b" * n) for n in rng.integers(0, 12, 12)]
    found = explanations.length_ratio(stream(said), own)
    written, wanted = (np.array([len(t.split()) for t in side]) for side in (said, sum(own, ())))
    for i in range(12):
        weights = np.ones(12)
        weights[i] += 1e-6
        moved = (weights * written).sum() / (weights * wanted).sum()
        assert found.influence[0, i] == pytest.approx((moved - found.value) / 1e-6, abs=1e-4)
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)
    assert found.weight.sum() == pytest.approx(1)


@given(
    st.lists(st.integers(0, 9), min_size=5, max_size=5).filter(any),
    st.lists(st.integers(0, 9), min_size=5, max_size=5).filter(any),
)
def test_divergence_equals_scipy(p, q):
    one, other = np.array([p]) / sum(p), np.array(q) / sum(q)
    found = style.divergence(one, other, np.array([0]))[0, 0]
    # scipy gives the distance, its square root.
    assert found == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-9)


def test_style_distance_is_that_of_scipy_averaged_over_features(world):
    ids = held_out_items(world)
    space = style.style_space(world)
    one = next(s for s in human_streams(world, ids) if s.source == OTHER)
    table = style.stream_features(one, space, ids)
    filled = space.one_hot(table)
    ends = [*space.starts[1:], filled.shape[1]]
    expected = [
        jensenshannon(filled[:, a:b].sum(axis=0), space.own[one.target][a:b], base=2) ** 2
        for a, b in zip(space.starts, ends, strict=True)
    ]
    assert len(expected) == len(space.features) > 30
    assert style.style_distance(one, space, ids).value == pytest.approx(np.nanmean(expected))


def test_bins_come_from_training_texts_and_part_binary_features(world):
    space = style.style_space(world)
    assert sum(name.startswith("word_") for name in space.features) > 10
    for name, edges in zip(space.features, space.edges, strict=True):
        assert len(edges) <= style.BINS
        if name.startswith("word_"):
            table = pd.DataFrame({n: [0.0, 100.0] for n in space.features})
            at = space.one_hot(table)
            start = space.starts[space.features.index(name)]
            assert at[0, start] == 1 and at[1, start] == 0
    for shares in space.own.values():
        assert np.add.reduceat(shares, space.starts) == pytest.approx(np.ones(len(space.features)))


def test_own_held_out_texts_are_nearer_in_style_than_anybody_elses(world):
    ids = held_out_items(world)
    space = style.style_space(world)
    found = {}
    for one in human_streams(world, ids):
        found.setdefault((one.source, one.target), []).append(
            style.style_distance(one, space, ids).value
        )
    for target in world.annotators:
        assert found[HUMAN, target][0] < min(found[OTHER, target])


def test_distinct_2_by_hand_and_in_groups():
    found = diversity.grouped_distinct_2(stream(["a b c", "a b"]), n_items=2, k=2)
    assert found.value == pytest.approx(2 / 3)
    same = diversity.grouped_distinct_2(stream(["a b c"] * 8), n_items=8, k=4)
    assert same.value == pytest.approx(2 / 8)
    other = diversity.grouped_distinct_2(
        stream([f"w{i} v{i} u{i}" for i in range(8)]), n_items=8, k=4
    )
    assert other.value == 1.0
    assert diversity.grouped_distinct_2(stream(["a b", ""]), n_items=2, k=2) is None


def test_self_similarity_is_the_mean_over_pairs():
    texts = ["a b", "b b c", "d", "a e e"]
    vectors = made_up_vectors(texts)
    expected = np.mean(
        [vectors[i] @ vectors[j] for i, j in itertools.combinations(range(len(texts)), 2)]
    )
    found = diversity.self_similarity(stream([*texts, ""]), EMBEDDER, n_items=5)
    assert found.value == pytest.approx(float(expected), abs=1e-6) and found.n == 4
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)
    assert found.weight.sum() == pytest.approx(1)
    assert diversity.self_similarity(stream(["a", ""]), EMBEDDER, n_items=2) is None


def test_influence_of_self_similarity_is_its_derivative():
    """Of Σ_i≠j w_i w_j cos(i, j) / Σ_i≠j w_i w_j, when one item's weight grows."""
    texts = ["a b", "b b c", "d", "a e e", "c d e"]
    cosines = made_up_vectors(texts).astype(float)
    cosines = cosines @ cosines.T
    np.fill_diagonal(cosines, 0)
    found = diversity.self_similarity(stream(texts), EMBEDDER, n_items=5)
    for i in range(5):
        weights = np.ones(5)
        weights[i] += 1e-6
        pairs = np.outer(weights, weights) * (1 - np.eye(5))
        moved = (pairs * cosines).sum() / pairs.sum()
        assert found.influence[0, i] == pytest.approx((moved - found.value) / 1e-6, abs=1e-4)


def test_distinct_1_and_3_count_their_own_runs():
    texts = stream(["a b c a", "a b c d"])
    found = diversity.grouped_distinct_1(texts, n_items=2, k=2)
    assert found.value == pytest.approx(4 / 8)
    found = diversity.grouped_distinct_3(texts, n_items=2, k=2)
    assert found.value == pytest.approx(3 / 4)  # a b c twice, b c a, b c d
    assert diversity.grouped_distinct_3(stream(["a b", "c"]), n_items=2, k=2) is None


def test_self_overlap_is_the_mean_rouge_2_of_pairs():
    found = diversity.self_overlap(stream(["a b c", "a b d", "e f"]), n_items=3)
    assert found.value == pytest.approx((2 * 1 / 4 + 0 + 0) / 3)
    same = diversity.self_overlap(stream(["a b c"] * 4), n_items=4)
    assert same.value == pytest.approx(1) and same.error == pytest.approx(0)
    assert diversity.self_overlap(stream(["a b", ""]), n_items=2) is None
    single = diversity.self_overlap(stream(["a", "a"]), n_items=2)
    assert single.value == 0  # a single word has no pair


def test_influence_of_self_overlap_is_its_derivative():
    """A jackknife: without an item the mean over pairs moves by its influence, to first order."""
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(list("abcde"), 6)) for _ in range(60)]
    whole = diversity.self_overlap(stream(texts), n_items=60)
    without = [
        diversity.self_overlap(stream([*texts[:n], "", *texts[n + 1 :]]), n_items=60).value
        for n in range(60)
    ]
    moved = (whole.value - np.array(without)) * 59 / 60
    np.testing.assert_allclose(whole.influence[0], moved, atol=2e-4)


def test_words_per_explanation_leave_empty_ones_out():
    found = diversity.explanation_length(stream(["one two", "", "one two three four."]), n_items=3)
    assert (found.value, found.n) == (3.0, 2)
    assert diversity.explanation_length(stream([""]), n_items=1) is None


def test_near_duplicates_are_found_and_the_threshold_decides():
    training = ["the premise does not mention a dog", "it is the same question"]
    texts = stream(["The premise does not mention a cat.", "It is the same question!", "no idea"])
    share = {
        limit: diversity.near_duplicates(texts, training, limit, n_items=3).value
        for limit in (0.8, 0.99, 1.0)
    }
    assert share == {0.8: pytest.approx(2 / 3), 0.99: pytest.approx(1 / 3),
                     1.0: pytest.approx(1 / 3)}  # fmt: skip
    assert diversity.near_duplicates(texts, [], 0.9, n_items=3) is None


def test_the_threshold_is_a_setting_that_stays_out_of_former_configurations():
    assert "duplicate" not in TableConfig().to_dict()
    config = TableConfig(duplicate=0.8)
    assert TableConfig.from_dict(config.to_dict()) == config
