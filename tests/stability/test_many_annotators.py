"""Thousands of annotators with a few explanations, annotators without a common item, and ranks."""

import json

import numpy as np
import pytest
from helpers.corpora import dataset

from capo_core.stability import attribution, controls
from capo_core.stability.config import StabilityConfig
from capo_core.stability.corpus import build_corpus, partition
from capo_core.stability.ladder import shared_items
from capo_core.stability.report import StabilityReport, compute_report
from capo_core.stability.variance import PairDistances
from capo_core.stats.agreement import MOST_PAIRS, agreement
from capo_core.task import NLI

E, N, C = NLI.scale.labels
WORDS = ("the", "a", "says", "that", "nobody", "because", "holds", "clear", "reason", "it")


def few_of_many(annotators, each, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(annotators * each):
        said = " ".join(rng.choice(WORDS, 8))
        rows.append((f"i{number // 3}", f"w{number % annotators}", said, (E, N, C)[number % 3]))
    return dataset(rows)


def words_only(**settings):
    given = {"representations": ("words",), "reductions": ("none",), "pool": (1, 2), "seeds": 1,
             "permutations": 20, "draws": 20, "controls": False}  # fmt: skip
    return StabilityConfig(**{**given, **settings})


def test_thousands_with_two_each_are_shown_and_not_attributed():
    data = few_of_many(1200, 2)
    report, evidence = compute_report(data, words_only())
    # Nobody is compared with everybody; `benchmarks/bench_many_annotators.py` times it.
    assert report.ladder.frame.empty and not evidence.scores
    assert "0 of 1,200 annotators have at least 10 explanations" in report.headline
    assert "median 2, most 2" in report.headline
    assert report.counts["attributed"] == 0 and len(report.profiles) == 1200
    alpha = report.agreement.frame.iloc[0]
    assert alpha["measure"] == "krippendorff_alpha" and alpha["n_items"] == 800
    raw = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    again = StabilityReport.from_dict(raw)
    assert again.headline == report.headline


def test_annotators_below_the_minimum_are_shown_and_not_attributed():
    rng = np.random.default_rng(1)
    rows = [
        (f"i{item}", who, f"{opener} {' '.join(rng.choice(WORDS, 5))}", (E, N, C)[item % 3])
        for item in range(30)
        for who, opener in (("ann", "i guess"), ("ben", "clearly"))
    ]
    rows += [(f"i{item}", "casual", "because so", E) for item in range(4)]
    report, _ = compute_report(dataset(rows), words_only(min_explanations=5))
    assert report.counts["attributed"] == 2
    assert report.ladder.frame["chance"].iloc[0] == 0.5
    assert {card.annotator_id for card in report.profiles} == {"ann", "ben", "casual"}
    said = [one.text for one in report.statements if one.topic == "coverage"]
    assert said == [
        "1 of 3 annotators has fewer than 5 explanations and is not attributed (setting “Minimum "
        "explanations”); label use and agreement include them."
    ]
    three, _ = compute_report(dataset(rows), words_only(min_explanations=4))
    assert three.counts["attributed"] == 3


def test_items_with_one_annotator_each_have_no_p_value():
    rng = np.random.default_rng(2)
    rows = [
        (f"i{item}", who, f"{who} {' '.join(rng.choice(WORDS, 6))}", (E, N)[item % 2])
        for item in range(40)
        for who in (("ann", "ben")[item % 2],)
    ]
    data = dataset(rows)
    assert shared_items(build_corpus(data)) == 0
    report, _ = compute_report(data, words_only(permutations=50))
    ladder = report.ladder.frame
    assert ladder["p_value"].isna().all() and (ladder["n_shared"] == 0).all()
    texts = {one.topic: one.text for one in report.statements}
    assert "no permutation null and no p-value" in texts["confound"]
    assert "confounded" in texts["headline"] and "null" not in texts
    # A few common items bring the null back, on these alone.
    rows += [(f"i{item}", "ben", "the text is so", E) for item in range(0, 8, 2)]
    some, _ = compute_report(dataset(rows), words_only(permutations=50))
    texts = {one.topic: one.text for one in some.statements}
    assert "Only 4 of 40 items" in texts["confound"]
    assert some.ladder.frame["p_value"].notna().any()


def test_rank_and_top_five_beside_accuracy():
    rng = np.random.default_rng(3)
    names = [f"w{number:02}" for number in range(24)]
    data = dataset([(f"i{item}", who, "text", E) for item in range(20) for who in names])
    corpus = build_corpus(data)
    part = partition(corpus, folds=5, groupings=2, seed=0)
    scores = rng.normal(size=(len(corpus), 24)).astype(np.float32)
    own = scores[np.arange(len(corpus)), corpus.annotator]
    rank = (scores > own[:, None]).sum(axis=1) + 1
    point = attribution.pool([scores], corpus, [part], 1)
    assert point.accuracy == pytest.approx((rank == 1).mean())
    assert point.top[0] == pytest.approx((rank <= 5).mean())
    assert point.rank[0] == pytest.approx(rank.mean(), rel=1e-3)  # ties within 1e-4
    half = 1.96 * rank.std() / np.sqrt(len(rank))
    assert point.rank[2] - point.rank[1] == pytest.approx(2 * half, rel=0.05)
    flat = attribution.pool([np.zeros_like(scores)], corpus, [part], 1)
    assert flat.top[0] == pytest.approx(5 / 24) and flat.rank[0] == pytest.approx(12.5)
    few = build_corpus(data, least=1)
    assert len(few.annotators) == 24
    four = dataset([(f"i{item}", who, "text", E) for item in range(20) for who in names[:4]])
    corpus = build_corpus(four)
    part = partition(corpus, folds=5, groupings=1, seed=0)
    assert attribution.pool([np.zeros((80, 4))], corpus, [part], 1).rank is None


def test_a_crowd_on_an_item_costs_no_square():
    crowd = dataset([("i0", f"w{n}", "so", E) for n in range(400)] + [("i1", "w0", "so", E)])
    pairs = controls.same_label_pairs(build_corpus(crowd))
    assert len(pairs) == 400 * controls._ALL_PAIRS // 2
    assert len(np.unique(np.sort(pairs, axis=1), axis=0)) == len(pairs)
    found = agreement(crowd, draws=20)
    assert len(found.kappa) == MOST_PAIRS
    assert f"{400 * 399 // 2 - MOST_PAIRS:,} further pairs" in found.left_out
    assert found.left_out in set(found.to_frame()["note"])
    json.dumps(found.to_dict(), allow_nan=False)


def test_items_drawn_up_to_the_maximum():
    corpus = build_corpus(few_of_many(30, 12), least=1, most=90, seed=4)
    assert len(corpus) == 90 and np.bincount(corpus.item).max() == 3
    assert len(corpus.item_ids) == 30
    again = build_corpus(few_of_many(30, 12), least=1, most=90, seed=4)
    assert corpus.texts == again.texts


@pytest.mark.parametrize("annotators", [10, 80])
def test_pairs_of_cells_of_many_annotators_are_those_of_few(annotators):
    """Sums over pairs by products of rows equal the definition, pair by pair."""
    rng = np.random.default_rng(annotators)
    cells = np.array([(i, a) for i in range(40) for a in rng.choice(annotators, 5, replace=False)])
    values = rng.normal(size=(len(cells), 3))
    items, who = cells.T
    weights = rng.exponential(size=(2, 40))
    found = PairDistances.of(values, items, who).means(weights)
    first, second = np.triu_indices(len(cells), 1)
    half = ((values[first] - values[second]) ** 2).sum(axis=1) / 2
    same_item, same_annotator = items[first] == items[second], who[first] == who[second]
    kinds = (same_item, same_annotator & ~same_item, ~same_item & ~same_annotator)
    for draw, w in enumerate(weights):
        for kind, chosen in enumerate(kinds):
            mass = np.where(same_item, w[items[first]], w[items[first]] * w[items[second]])
            expected = (half * mass)[chosen].sum() / mass[chosen].sum()
            assert found[kind, draw] == pytest.approx(expected)


def test_no_operator_is_made_for_a_null_that_no_annotator_count_allows(monkeypatch):
    data = few_of_many(60, 12)
    # Of 60 annotators, some have no explanation among the 120 that the null may use.
    config = words_only(null_rows=120, pool=(1, 2))
    made = []
    real = attribution.operators

    def counted(features, part):
        made.append(len(part.fold))
        return real(features, part)

    monkeypatch.setattr(attribution, "operators", counted)
    report, _ = compute_report(data, config)
    assert made == [720]  # of all explanations, for the ladder itself
    assert report.ladder.frame["k"].tolist() == [1, 2]
    assert report.ladder.frame["null_mean"].isna().all()
    made.clear()
    full, _ = compute_report(data, words_only(null_rows=720, pool=(1, 2)))
    assert np.isfinite(full.ladder.frame["null_mean"].astype(float)).all()
    kept = ["k", "accuracy", "n_groups", "top5", "mean_rank"]
    assert full.ladder.frame[kept].equals(report.ladder.frame[kept])
