"""Distance from the human reference: planted gaps, coverage, seeds with splits of their own."""

import numpy as np
import pytest
from helpers.evaluation_tables import copies, only_row

from capo_core.data.splits import assign_splits
from capo_core.errors import ConfigError
from capo_core.evaluation.claims import of_eyes
from capo_core.evaluation.compute import seed_scores
from capo_core.evaluation.eyes import EyeComparison, RankAgreement, compare_eyes
from capo_core.evaluation.human_distance import (
    AT_LEVEL,
    DISTANCE,
    OVERSHOOT,
    UNDERSHOOT,
    VALUE,
    SeedScores,
    human_distance,
    with_verdicts,
)
from capo_core.evaluation.measures.attribution import View, item_mean
from capo_core.evaluation.measures.labels import macro_f1
from capo_core.evaluation.streams import HUMAN, Stream, held_out_items
from capo_core.evaluation.summary import worded
from capo_core.evaluation.table import ALL, TableConfig, differences
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.stats.bootstrap import mean
from capo_core.task import NLI

WORDS = ("attribution (words, mask_input)", 1)
MEANING = ("attribution (embedding, mask_input)", 1)
TARGETS = ("A", "B")


def seed_of(rates, rng, *, items=200, measure=WORDS, first=0, shared=0.0):
    """One seed: source → target → share of hits; with `shared` all sources hit the same items."""
    luck = rng.random(items)
    parts = {}
    for source, by_target in rates.items():
        for target, rate in by_target.items():
            own = np.where(rng.random(items) < shared, luck, rng.random(items))
            hits = (own < rate).astype(float)
            parts[source, target, *measure] = item_mean(hits, np.arange(items), n_items=items)
    return SeedScores(parts, tuple(f"i{n}" for n in range(first, first + items)))


def both(rate):
    return dict.fromkeys(TARGETS, rate)


def test_planted_gaps_are_found_and_named():
    rng = np.random.default_rng(0)
    rates = {HUMAN: both(0.8), "sft": both(0.78), "capo": both(0.99), "zero": both(0.1)}
    seeds = [seed_of(rates, rng, items=400) for _ in range(3)]
    found = human_distance(seeds, [WORDS], [("capo", "sft"), ("zero", "sft")])
    overall = found.distances[found.distances["target"] == ALL].set_index("source")
    assert overall["level"].to_dict() == {"sft": AT_LEVEL, "capo": OVERSHOOT, "zero": UNDERSHOOT}
    assert overall.at["capo", "gap"] == pytest.approx(0.19, abs=0.03)
    assert overall.at["zero", "gap"] == pytest.approx(-0.7, abs=0.03)
    assert overall.at["zero", "distance"] == pytest.approx(0.7, abs=0.03)
    assert (overall["seeds"] == 3).all() and (overall["n"] == 400).all()
    assert list(found.nearest(*WORDS)["source"]) == ["sft", "capo", "zero"]
    capo = {
        q: only_row(found.contrasts, source="capo", target=ALL, quantity=q)
        for q in (VALUE, DISTANCE)
    }
    # Attributed more often, and further away: the highest is not the nearest.
    assert (capo[VALUE].verdict, capo[DISTANCE].verdict) == ("higher", "further")


def test_too_much_for_one_and_too_little_for_another_do_not_cancel():
    rng = np.random.default_rng(1)
    rates = {HUMAN: both(0.6), "uneven": {"A": 0.9, "B": 0.3}, "even": both(0.6)}
    found = human_distance([seed_of(rates, rng, items=400)], [WORDS], [("even", "uneven")])
    row = only_row(found.distances, source="uneven", target=ALL)
    assert abs(row.gap) < 0.07 and row.level == AT_LEVEL
    assert row.distance == pytest.approx(0.3, abs=0.05)
    targets = found.distances[found.distances["source"] == "uneven"].set_index("target")["level"]
    assert (targets["A"], targets["B"]) == (OVERSHOOT, UNDERSHOOT)
    assert only_row(found.contrasts, target=ALL, quantity=DISTANCE).verdict == "nearer"


def test_the_gap_is_averaged_over_seeds_before_its_size_is_taken():
    """Seeds that stray to both sides are noise around the human's level, not a distance."""
    items = 50

    def scores(value):
        return item_mean(np.full(items, value), np.arange(items), n_items=items, share=False)

    def seed(value):
        return SeedScores(
            {(HUMAN, "A", *WORDS): scores(0.5), ("m", "A", *WORDS): scores(value)},
            tuple(map(str, range(items))),
        )

    row = only_row(human_distance([seed(0.6), seed(0.4)], [WORDS], []).distances, target="A")
    assert row.distance == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("own_items", [False, True], ids=["one split", "a split for each seed"])
def test_intervals_hold_the_truth(own_items):
    """Planted: capo .10 beyond the human, sft at its level; 95 % intervals over 250 worlds."""
    rng = np.random.default_rng(2)
    rates = {HUMAN: both(0.7), "sft": both(0.7), "capo": both(0.8)}
    held = {"gap": 0, "difference": 0, "distance": 0}
    worlds = 250
    for _ in range(worlds):
        seeds = [
            seed_of(rates, rng, items=100, shared=0.5, first=50 * number * own_items)
            for number in range(2)
        ]
        found = human_distance(seeds, [WORDS], [("capo", "sft")], draws=300)
        row = only_row(found.distances, source="capo", target=ALL)
        held["gap"] += row.gap_low <= 0.1 <= row.gap_high
        held["distance"] += row.distance_low <= 0.1 <= row.distance_high
        apart = only_row(found.contrasts, target=ALL, quantity=VALUE)
        held["difference"] += apart.low <= 0.1 <= apart.high
    assert all(0.91 <= count / worlds <= 0.99 for count in held.values()), held


def test_a_method_at_the_humans_level_is_rarely_called_distant():
    rng = np.random.default_rng(3)
    rates = {HUMAN: both(0.7), "copy": both(0.7), "other": both(0.7)}
    false = {"level": 0, "contrast": 0}
    for _ in range(200):
        found = human_distance([seed_of(rates, rng, items=100)], [WORDS], [("copy", "other")],
                               draws=300)  # fmt: skip
        false["level"] += only_row(found.distances, source="copy", target=ALL).level != AT_LEVEL
        false["contrast"] += only_row(found.contrasts, target=ALL, quantity=DISTANCE).p <= 0.05
    assert false["level"] <= 0.1 * 200 and false["contrast"] <= 0.1 * 200


def test_the_same_answers_differ_by_nothing_and_pairing_narrows():
    rng = np.random.default_rng(4)
    seed = seed_of({HUMAN: both(0.7), "one": both(0.8)}, rng)
    parts = dict(seed.parts) | {("two", t, *WORDS): seed.parts["one", t, *WORDS] for t in TARGETS}
    found = human_distance([SeedScores(parts, seed.item_ids)], [WORDS], [("one", "two")])
    for quantity in (VALUE, DISTANCE):
        row = only_row(found.contrasts, target=ALL, quantity=quantity)
        assert (row.value, row.low, row.high, row.p) == (0, 0, 0, 1)


def test_all_right_still_has_an_interval():
    rng = np.random.default_rng(5)
    seed = seed_of({HUMAN: both(0.9), "all": both(1.1)}, rng, items=40)
    row = only_row(human_distance([seed], [WORDS], []).distances, target="A")
    assert row.value == 1.0 and 0.85 < row.low < 0.999 and row.high == 1.0


def test_holm_is_over_the_whole_table_and_targets_apart():
    rng = np.random.default_rng(6)
    rates = {HUMAN: both(0.8), "a": both(0.8), "b": both(0.7), "c": both(0.75)}
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    seeds = [seed_of(rates, rng)]
    whole = human_distance(seeds, [WORDS], pairs).contrasts
    overall = whole[whole["target"] == ALL]
    smallest = overall.loc[overall["p"].idxmin()]
    assert smallest.p_holm == pytest.approx(min(1, 6 * smallest.p))  # 3 pairs × 2 quantities
    single = whole[whole["target"] != ALL]
    least = single.loc[single["p"].idxmin()]
    assert least.p_holm == pytest.approx(min(1, 12 * least.p))
    each = human_distance(seeds, [WORDS], pairs, family=("measure", "k", "quantity")).contrasts
    assert each[each["target"] == ALL]["p_holm"].min() == pytest.approx(min(1, 3 * smallest.p))


def test_labels_are_compared_by_value_only():
    rng = np.random.default_rng(7)
    seed = seed_of({"sft": both(0.6), "capo": both(0.3)}, rng, measure=("label accuracy", 0))
    found = human_distance([seed], [], [("capo", "sft")], plain=[("label accuracy", 0)])
    assert len(found.distances) == 0
    row = only_row(found.contrasts, target=ALL)
    assert (row.quantity, row.verdict) == (VALUE, "lower")


def test_what_cannot_be_paired_is_refused():
    stream = Stream("m", "A", "", np.arange(4), ("neutral",) * 4, ("",) * 4)
    score = macro_f1(stream, [frozenset({"neutral"})] * 4, NLI.scale)
    seed = SeedScores({("m", "A", "macro-F1", 0): score}, ("1", "2", "3", "4"))
    with pytest.raises(ConfigError, match="no average over items"):
        human_distance([seed], [("macro-F1", 0)], [])
    with pytest.raises(ConfigError, match="no scores"):
        human_distance([], [WORDS], [])


def eyes(words, meaning, items=400):
    rng = np.random.default_rng(8)
    first = seed_of({HUMAN: both(0.8), **words}, rng, items=items)
    second = seed_of({HUMAN: both(0.8), **meaning}, rng, items=items, measure=MEANING)
    seed = SeedScores({**first.parts, **second.parts}, first.item_ids)
    return compare_eyes(human_distance([seed], [WORDS, MEANING], [("sft", "capo")]), 1)


def test_eyes_that_name_different_methods_are_a_warning():
    split = eyes({"sft": both(0.8), "capo": both(0.99)}, {"sft": both(0.3), "capo": both(0.78)})
    assert split.differ and split.significant
    assert split.nearest == {WORDS[0]: "sft", MEANING[0]: "capo"}
    assert split.agreements[0].tau == -1
    text = worded(of_eyes(split, TARGETS, 400)).text
    assert "sft by word n-grams and capo by the sentence embedding" in text
    assert "τ of their orders −1.00, 2 methods" in text


def test_eyes_that_agree_are_none():
    same = eyes({"sft": both(0.8), "capo": both(0.99)}, {"sft": both(0.78), "capo": both(0.95)})
    assert not same.differ and same.agreements[0].tau == 1
    assert of_eyes(same, TARGETS, 400) is None


def test_an_eye_that_puts_several_first_names_nobody():
    """Formerly "SFT by word n-grams and CAPO by the sentence embedding", where words had a tie."""
    parts = {
        (source, target, *measure): item_mean(
            (np.arange(400) < count).astype(float), np.arange(400), n_items=400
        )
        for measure, by_source in {
            WORDS: {HUMAN: 320, "sft": 312, "capo": 312},
            MEANING: {HUMAN: 320, "sft": 200, "capo": 312},
        }.items()
        for source, count in by_source.items()
        for target in TARGETS
    }
    seed = SeedScores(parts, tuple(f"i{n}" for n in range(400)))
    tied = compare_eyes(human_distance([seed], [WORDS, MEANING], [("sft", "capo")]), 1)
    assert tied.nearest == {MEANING[0]: "capo"}
    assert not tied.differ and not tied.significant
    assert of_eyes(tied, TARGETS, 400) is None
    opposed = EyeComparison(
        1, ("a", "b", "c"), {}, (RankAgreement(WORDS[0], MEANING[0], -0.5),), True, False
    )
    text = worded(of_eyes(opposed, TARGETS, 400)).text
    assert "none of them names one method as nearest" in text and "by point estimates" in text


def test_a_difference_within_noise_is_called_so():
    rng = np.random.default_rng(10)
    hits = {
        WORDS: {HUMAN: 32, "sft": 32, "capo": 30},
        MEANING: {HUMAN: 32, "sft": 30, "capo": 32},
    }
    parts = {
        (source, target, *measure): item_mean(
            (rng.permutation(40) < count).astype(float), np.arange(40), n_items=40
        )
        for measure, by_source in hits.items()
        for source, count in by_source.items()
        for target in TARGETS
    }
    seed = SeedScores(parts, tuple(f"i{n}" for n in range(40)))
    close = compare_eyes(human_distance([seed], [WORDS, MEANING], [("sft", "capo")]), 1)
    assert close.differ and not close.significant
    assert "None of these differences is significant" in worded(of_eyes(close, TARGETS, 40)).text


def test_one_eye_is_no_comparison():
    rng = np.random.default_rng(9)
    seed = seed_of({HUMAN: both(0.8), "sft": both(0.8), "capo": both(0.9)}, rng)
    assert compare_eyes(human_distance([seed], [WORDS], []), 1) is None


def test_an_experiment_is_scored_seed_by_seed_and_compared():
    """Two seeds with splits of their own; one method copies the target, another somebody else."""
    made = simulate(SimulationConfig(items=120, annotators=3, style=1.5, seed=3)).dataset
    seeds = []
    for number in range(2):
        data = assign_splits(made, (0.5, 0.1, 0.4), seed=number)
        ids = held_out_items(data)
        copy = copies(data, ids, "copy", lambda target: target)
        other = copies(data, ids, "other", {"A": "B", "B": "C", "C": "A"}.get)
        config = TableConfig(views=(View(),), pool=(1, 4), families=("labels", "attribution"))
        seeds.append(seed_scores(data, ids, [*copy, *other], config))
    names = [(View().name, k) for k in (1, 4)]
    found = human_distance(seeds, names, [("copy", "other")], plain=[("label accuracy", 0)])
    overall = found.distances[found.distances["target"] == ALL]
    assert set(overall["seeds"]) == {2} and (overall["n"] > 48).all()  # items of either split
    near = overall[overall["source"] == "copy"]
    assert (near["distance"] == 0).all() and (near["level"] == AT_LEVEL).all()
    assert (overall[overall["source"] == "other"]["level"] == UNDERSHOOT).all()
    rows = found.contrasts[found.contrasts["target"] == ALL].set_index(["measure", "k", "quantity"])
    assert rows.loc[(View().name, 1, DISTANCE), "verdict"] == "nearer"
    assert rows.loc[("label accuracy", 0, VALUE), "verdict"] == "higher"


def test_methods_on_either_side_of_the_human_differ_and_none_is_better():
    rng = np.random.default_rng(11)
    rates = {HUMAN: both(0.7), "under": both(0.5), "beyond": both(0.9), "near": both(0.7)}
    seed = seed_of(rates, rng, items=400)
    pairs = [("under", "beyond"), ("near", "beyond"), ("beyond", "near")]
    parts = dict(seed.parts) | {
        (source, ALL, *WORDS): mean([seed.parts[source, t, *WORDS] for t in TARGETS])
        for source in rates
    }
    plain = differences(parts, [*pairs, ("beyond", HUMAN)])
    found = with_verdicts(plain, human_distance([seed], [WORDS], pairs))
    verdicts = found[found["target"] == ALL].set_index(["source", "against"])["verdict"].to_dict()
    assert verdicts == {
        ("under", "beyond"): "differs",
        ("near", "beyond"): "better",
        ("beyond", "near"): "worse",
        ("beyond", HUMAN): "worse",
    }
