"""The simulator: same seed, same data; nothing planted at strength 0, what was planted else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from capo_core.errors import CapoError
from capo_core.simulation.annotators import (
    COMMON_STYLE,
    GRAMMAR,
    annotator_ids,
    sample_annotators,
    style_of,
)
from capo_core.simulation.simulate import SimulationConfig, filled_cells, simulate
from capo_core.task import NLI, PARAPHRASE
from capo_core.text.tokens import normalise, tokens, words


def said_by_tokens(texts: pd.Series) -> pd.Series:
    """Normalised texts as tokens with a space around each, to look for phrases in."""
    return texts.map(lambda text: f" {' '.join(tokens(normalise(text)))} ")


@pytest.fixture(scope="module", params=["nli", "paraphrase"])
def simulation(request):
    return simulate(SimulationConfig(task=request.param, items=300, seed=5, crowd=100))


def test_tables_are_valid_and_complete(simulation):
    # Dataset checks keys, references and the label scale on construction; here: that it is full.
    dataset = simulation.dataset
    assert dataset.task == {"nli": NLI, "paraphrase": PARAPHRASE}[simulation.config.task]
    assert dataset.simulated
    assert "imulated" in dataset.origin
    assert len(dataset.annotations) == 4 * 300  # coverage 1, one label each
    assert (dataset.annotations["explanation"] != "").all()
    assert (dataset.annotations["valid"] == "unknown").all()
    assert set(simulation.relations) == set(dataset.items["item_id"])


def test_every_place_of_the_grammar_is_filled(simulation):
    for text in simulation.dataset.annotations["explanation"]:
        assert not set("{}<>|#") & set(text), text
        assert "  " not in text.strip()


def test_crowd_adds_up(simulation):
    crowd = simulation.dataset.crowd
    assert (crowd.groupby("item_id")["count"].sum() == 100).all()
    assert len(crowd) == 300 * len(simulation.dataset.task.scale.labels)


def test_same_seed_same_data_other_seed_other_data(simulation):
    config = simulation.config
    assert simulate(config).dataset.fingerprint == simulation.dataset.fingerprint
    other = simulate(replace(config, seed=6)).dataset
    assert other.fingerprint != simulation.dataset.fingerprint


def test_strengths_change_neither_items_nor_labels(simulation):
    # So that data sets of different manner differ in manner and nothing else.
    none = simulate(replace(simulation.config, style=0.0, content=0.0)).dataset
    pd.testing.assert_frame_equal(none.items, simulation.dataset.items)
    assert (none.annotations["label"] == simulation.dataset.annotations["label"]).all()
    assert (none.annotations["explanation"] != simulation.dataset.annotations["explanation"]).any()


def test_manner_0_is_one_and_the_same_object_for_everybody():
    for spec in sample_annotators(5, seed=1):
        assert style_of(spec, 0.0) is COMMON_STYLE
        assert style_of(spec, 1.0).bounds != COMMON_STYLE.bounds


def test_manner_0_plants_nothing():
    # Exchangeable annotators: the number of explanations with a phrase is the same for A and B up
    # to chance. 2,000 explanations each; labels too must come from one distribution (label_bias
    # 0). Two counts of the same rate p differ by less than 5 · sqrt(2 · 2000 · p(1 − p)) except
    # with probability 6e-7, and the rates of 60 phrases are looked at.
    simulation = simulate(SimulationConfig(items=2000, annotators=2, style=0, label_bias=0, seed=3))
    assert simulation.ground_truth.empty
    frame = simulation.dataset.annotations
    said = said_by_tokens(frame["explanation"])
    strong = simulate(SimulationConfig(items=10, annotators=2, style=2, seed=3)).ground_truth
    seen = 0
    for phrase in strong["phrase"].head(60):
        found = said.str.contains(f" {phrase} ", regex=False)
        a, b = (found[frame["annotator_id"] == who] for who in "AB")
        p = (a.mean() + b.mean()) / 2
        seen += p > 0
        assert abs(a.sum() - b.sum()) <= 5 * np.sqrt(2 * 2000 * p * (1 - p)) + 1, phrase
    assert seen > 30  # else the test could not fail


def test_label_bias_0_gives_everybody_the_same_shares_and_1_does_not():
    # Under one distribution, chi-square with (4 − 1)(3 − 1) = 6 degrees of freedom is below 32.9
    # with probability 0.99999; items are shared, which makes it smaller still. With bias the
    # expected value is far above for 2,000 labels each.
    def chi2(label_bias: float) -> float:
        frame = simulate(
            SimulationConfig(items=2000, label_bias=label_bias, seed=4)
        ).dataset.annotations
        table = pd.crosstab(frame["annotator_id"], frame["label"]).to_numpy()
        expected = table.sum(0) * table.sum(1)[:, None] / table.sum()
        return float(((table - expected) ** 2 / expected).sum())

    assert chi2(0.0) < 32.9
    assert chi2(1.0) > 100


@pytest.mark.parametrize("task", ["nli", "paraphrase"])
def test_planted_rates_come_out(task):
    # The rates are expectations from 3,000 fresh draws; the data are 1,500 explanations by each.
    # Their difference has a standard error of sqrt(p(1 − p)(1/1500 + 1/3000)); five of those, and
    # 0.01 for items that are shared within the fresh draws. Among some 200 rows none may break it.
    simulation = simulate(SimulationConfig(task=task, items=1500, seed=9))
    planted = simulation.ground_truth
    assert len(planted) > 50
    assert set(planted["annotator_id"]) == {"A", "B", "C", "D"}
    assert (planted["rate"] > planted["rate_others"]).all()
    frame = simulation.dataset.annotations
    said = said_by_tokens(frame["explanation"])
    for row in planted.itertuples():
        own = frame["annotator_id"] == row.annotator_id
        found = said.str.contains(f" {row.phrase} ", regex=False)
        for share, rate, n in (
            (found[own].mean(), row.rate, 1500),
            (found[~own].mean(), row.rate_others, 4500),
        ):
            bound = 5 * np.sqrt(max(rate * (1 - rate), 0.001) * (1 / n + 1 / 3000)) + 0.01
            assert abs(share - rate) < bound, row


def test_manner_scales_what_is_planted():
    # The largest gap of rates must grow with the strength, for the same annotators.
    gaps = []
    for manner in (0.5, 2.0):
        planted = simulate(SimulationConfig(items=50, style=manner, seed=2)).ground_truth
        gaps.append((planted["rate"] - planted["rate_others"]).nlargest(20).mean())
    assert gaps[0] * 2 < gaps[1]


def test_content_scales_the_share_of_the_items_words():
    shares = []
    for content in (0.0, 0.5, 1.0, 2.0):
        dataset = simulate(SimulationConfig(items=300, content=content, seed=2)).dataset
        frame = dataset.annotations.merge(dataset.items, on="item_id")
        counts = [
            (sum(w in inputs for w in said), len(said))
            for row in frame.itertuples()
            for inputs in [set(words(row.text_a)) | set(words(row.text_b))]
            for said in [words(row.explanation)]
        ]
        shares.append(sum(a for a, _ in counts) / sum(b for _, b in counts))
    # At 0 only function words coincide ("the", "is"); real annotators lie near one half (VariErr
    # .48), which is what content 1 is for.
    assert shares == sorted(shares)
    assert shares[0] < 0.2 and 0.4 < shares[2] < 0.56


def test_annotators_from_a_seed_differ_and_do_not_depend_on_how_many():
    ten = sample_annotators(10, seed=7)
    assert sample_annotators(4, seed=7) == ten[:4]
    assert sample_annotators(4, seed=8) != ten[:4]
    biases = {spec.label_bias for spec in ten}
    assert len(biases) == len({tuple(spec.tilts["term.context"]) for spec in ten}) == 10
    assert all(len(spec.tilts["neg.does"]) == 2 for spec in ten)  # "doesn't", "does not"


def test_annotators_can_be_given():
    specs = sample_annotators(2, seed=[1, 2], ids=("Ada", "Ben"))
    dataset = simulate(SimulationConfig(items=10, specs=specs)).dataset
    assert dataset.annotators == ("Ada", "Ben")


def test_annotator_ids_sort_as_they_are_numbered():
    assert annotator_ids(3) == ("A", "B", "C")
    assert annotator_ids(100)[0] == "A001"
    assert list(annotator_ids(100)) == sorted(annotator_ids(100))


def test_gaps_come_together_as_in_real_data():
    # Coverage 0.93: a share 4 · 0.07 = .28 of items is gappy, and there each of four annotators is
    # present with probability 3/4, all four with .316: complete items .72 + .28 · .316 = .809.
    filled = filled_cells(20_000, 4, 0.93, seed=0)
    assert abs(filled.mean() - 0.93) < 5 * np.sqrt(0.93 * 0.07 * 2 / 80_000) + 0.002
    assert abs(filled.all(axis=1).mean() - 0.809) < 5 * np.sqrt(0.809 * 0.191 / 20_000)
    assert filled.any(axis=1).all()
    sparse = filled_cells(5000, 100, 0.04, seed=0)
    # 500,000 cells at .04, and items left bare (.96^100 = .017) get one each.
    assert abs(sparse.sum() - 500_000 * 0.04 - 5000 * 0.96**100) < 5 * np.sqrt(500_000 * 0.04)


def test_irregularities_are_as_frequent_as_asked():
    dataset = simulate(
        SimulationConfig(
            items=1000, second_labels=0.1, empty=0.05, validity=True, coverage=0.9, seed=1
        )
    ).dataset
    frame = dataset.annotations
    cells = frame.groupby(["item_id", "annotator_id"])["label"]
    doubles = (cells.size() == 2).mean()
    n = cells.ngroups
    assert abs(doubles - 0.1) < 5 * np.sqrt(0.1 * 0.9 / n)
    assert (cells.nunique() == cells.size()).all()  # the second label is another one
    assert abs((frame["explanation"] == "").mean() - 0.05) < 5 * np.sqrt(0.05 * 0.95 / len(frame))
    # Invalid labels are above all those that few people would give: VariErr has 15 % of them.
    assert 0.03 < (frame["valid"] == "false").mean() < 0.2
    assert set(frame["valid"]) == {"true", "false"}


@pytest.mark.parametrize(
    "bad",
    [
        {"task": "poetry"},
        {"items": 0},
        {"annotators": 0},
        {"style": -1},
        {"style": float("nan")},
        {"content": 2.5},
        {"coverage": 0},
        {"coverage": 1.01},
        {"seed": -1},
        {"specs": ()},
        {"specs": sample_annotators(2, seed=1, ids=("A", "A"))},
    ],
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(CapoError):
        SimulationConfig(**bad)


def test_progress_is_told_and_can_stop():
    heard = []
    simulate(SimulationConfig(items=2500), lambda what, share: heard.append(share))
    assert heard == [0.0, 0.4, 0.8, 1.0]

    class Enough(Exception):
        pass

    def stop(what, share):
        raise Enough

    with pytest.raises(Enough):
        simulate(SimulationConfig(items=10), stop)


def test_every_rule_has_a_facet_and_every_option_a_chance():
    manner = style_of(sample_annotators(1, seed=3)[0], 1.0)
    for name, rule in GRAMMAR.rules.items():
        assert rule.weights and min(rule.weights) > 0
        assert manner.bounds[name][-1] == pytest.approx(1.0)
        assert len(manner.bounds[name]) == len(rule.options)
