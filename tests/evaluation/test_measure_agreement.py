"""Agreement of measures over items and methods: planted correlations, ties, disagreement."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from capo_core.evaluation.human_distance import HumanDistance, SeedScores, human_distance
from capo_core.evaluation.measure_agreement import measure_agreement
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL
from capo_core.stats.bootstrap import mean

WORDS = "attribution (words, mask_input)"
PROBABILITY = "probability (words, mask_input)"
ROUGE = "ROUGE-L"
TARGETS = ("A", "B")


def table(values, items):
    """Scores and parts from (source, measure, k) → target → one value an item."""
    parts, rows = {}, []
    for (source, name, k), by_target in values.items():
        single = {
            target: item_mean(np.asarray(column, dtype=float), np.arange(items), n_items=items,
                              share=False)
            for target, column in by_target.items()
        }  # fmt: skip
        for target, score in (*single.items(), (ALL, mean(list(single.values())))):
            parts[source, target, name, k] = score
    for (source, target, name, k), score in parts.items():
        ceiling = parts.get((HUMAN, target, name, k))
        rows.append((source, target, name, k, score.value,
                     ceiling.value if ceiling else np.nan))  # fmt: skip
    scores = pd.DataFrame(rows, columns=["source", "target", "measure", "k", "value", "ceiling"])
    seeds = [SeedScores(parts, tuple(map(str, range(items))))]
    away = human_distance(seeds, [(WORDS, 1)], [], draws=50)
    return measure_agreement(scores, parts, away, 1)


def test_methods_without_a_common_annotator_have_no_order():
    """Finding: "measures put different methods first" of methods for different annotators."""
    rng = np.random.default_rng(0)
    found = table(
        {("sft", ROUGE, 0): {"A": rng.random(20)}, ("capo", ROUGE, 0): {"B": rng.random(20)},
         ("sft", WORDS, 1): {"A": np.ones(20)}, ("capo", WORDS, 1): {"B": np.zeros(20)}},
        20,
    )  # fmt: skip
    assert found.measures["nearest"].tolist() == ["", ""]
    assert found.pairs["methods"].tolist() == [0] and found.pairs["tau"].isna().all()


def both(make):
    return {target: make() for target in TARGETS}


def world(rng, items=120, noise=0.5, better="sft"):
    """Probability by words and ROUGE-L share a part of their variation over items."""
    values, hidden = {}, {}
    for source, level in (("sft", 0.5), ("capo", 0.6)):
        shared = both(lambda: rng.random(items))
        hidden[source] = shared
        values[source, PROBABILITY, 1] = {
            t: level * (shared[t] + noise * rng.random(items)) for t in TARGETS
        }
        high = 1.0 if source == better else 0.8
        values[source, ROUGE, 0] = {
            t: high * (shared[t] + noise * rng.random(items)) for t in TARGETS
        }
        hit = 0.75 if source == "capo" else 0.5
        values[source, WORDS, 1] = both(lambda hit=hit: rng.random(items) < hit)
    values[HUMAN, WORDS, 1] = both(lambda: rng.random(items) < 0.8)
    values[OTHER, WORDS, 1] = both(lambda: rng.random(items) < 0.1)
    values[OTHER, ROUGE, 0] = both(lambda: rng.random(items) / 3)
    return values, items


def test_correlation_over_items_is_the_mean_of_spearmans_within_method_and_target():
    values, items = world(np.random.default_rng(0))
    found = table(values, items).pairs.iloc[0]
    expected = np.mean([
        spearmanr(values[s, PROBABILITY, 1][t], values[s, ROUGE, 0][t]).statistic
        for s in ("sft", "capo") for t in TARGETS
    ])  # fmt: skip
    assert found.correlation == pytest.approx(expected, abs=1e-9)
    assert found.low < found.correlation < found.high and found.n == items
    assert 0.5 < found.correlation < 1


def test_the_interval_holds_the_correlation_of_many_items():
    truth = table(*world(np.random.default_rng(1), items=3000)).pairs.iloc[0].correlation
    held = 0
    for seed in range(30):
        row = table(*world(np.random.default_rng(seed), items=60)).pairs.iloc[0]
        held += row.low <= truth <= row.high
    assert held >= 26


def test_independent_measures_do_not_correlate():
    values, items = world(np.random.default_rng(2), items=200)
    rng = np.random.default_rng(3)
    for source in ("sft", "capo"):
        values[source, ROUGE, 0] = both(lambda: rng.random(items))
    row = table(values, items).pairs.iloc[0]
    assert row.low < 0 < row.high


def test_different_winners_and_the_same_one():
    differ = table(*world(np.random.default_rng(4), better="sft"))
    assert differ.measures.set_index("measure")["nearest"].to_dict() == {
        WORDS: "capo",
        ROUGE: "sft",
    }
    assert differ.pairs.iloc[0].tau == -1
    same = table(*world(np.random.default_rng(4), better="capo"))
    assert set(same.measures["nearest"]) == {"capo"} and same.pairs.iloc[0].tau == 1


def test_ceiling_floor_and_whether_they_are_told_apart():
    measures = table(*world(np.random.default_rng(5))).measures.set_index("measure")
    words = measures.loc[WORDS]
    assert words.apart == pytest.approx(words.ceiling - words.floor)
    assert words.tells_apart == "yes" and words.apart_low > 0.5
    assert measures.loc[ROUGE].tells_apart == "undecided" and measures.loc[ROUGE].note


def test_a_measure_that_cannot_tell_people_apart_says_so():
    values, items = world(np.random.default_rng(6), items=40)
    values[OTHER, WORDS, 1] = values[HUMAN, WORDS, 1]
    assert table(values, items).measures.set_index("measure").loc[WORDS].tells_apart == "undecided"


@pytest.mark.parametrize(("items", "told"), [(2, "undecided"), (5, "undecided"), (6, "yes")])
def test_few_items_tell_nothing_apart_whatever_their_interval(items, told):
    """Finding: of two texts attributed rightly and two of others wrongly the interval of shares
    leaves 0 out, and the measure was said to tell people apart."""
    parts = {
        (source, ALL, WORDS, 1): item_mean(np.full(items, hit), np.arange(items), n_items=items)
        for source, hit in ((HUMAN, 1.0), (OTHER, 0.0), ("capo", 0.5))
    }
    rows = [(source, ALL, WORDS, 1, part.value, 1.0) for (source, *_), part in parts.items()]
    scores = pd.DataFrame(rows, columns=["source", "target", "measure", "k", "value", "ceiling"])
    (row,) = measure_agreement(scores, parts, HumanDistance(), 1).measures.itertuples()
    assert row.apart == 1 and row.apart_low > 0 and row.tells_apart == told


def test_equal_values_and_few_items_have_no_correlation_but_a_reason():
    values, items = world(np.random.default_rng(7), items=30)
    for source in ("sft", "capo"):
        values[source, ROUGE, 0] = both(lambda: np.full(items, 0.5))
    row = table(values, items).pairs.iloc[0]
    assert np.isnan(row.correlation) and "alike" in row.note and np.isnan(row.tau)
    few = table(*world(np.random.default_rng(8), items=5)).pairs.iloc[0]
    assert np.isnan(few.correlation) and "fewer than" in few.note


def test_methods_that_tie_have_no_winner():
    values, items = world(np.random.default_rng(9))
    for name, k in ((ROUGE, 0), (WORDS, 1), (PROBABILITY, 1)):
        values["capo", name, k] = values["sft", name, k]
    found = table(values, items)
    assert (found.measures["nearest"] == "").all()
