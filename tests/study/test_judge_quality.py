"""What is said of the judges: identified or not, enough or too few, weighted beside raw."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.judgments import drawn_votes, judgments, small_draft

from capo_core.errors import ConfigError, DataError
from capo_core.study.analysis.judge_quality import Prior, estimate, estimate_votes, identified
from capo_core.study.analysis.preference_pairs import PairFilter, preference_pairs
from capo_core.study.simulated_judges import (
    SimulatedJudges,
    SimulatedJudgesConfig,
    SourceEffects,
    simulate_judgments,
)

NOT = np.array([False])


def meeting(*groups, known=(), twice=()):
    """Votes in which the judges of each group meet on one text pair."""
    rows = [(j, m) for m, group in enumerate(groups) for j in group] + list(twice)
    rng = np.random.default_rng(0)
    size = 1 + max(j for j, _m in rows)
    votes = drawn_votes(rng, np.full(size, 0.5), len(groups), 1)
    judge, text_pair = (np.array(column) for column in zip(*rows, strict=True))
    truth = np.array([1.0 if m in known else np.nan for m in range(len(groups))])
    return type(votes)(
        judge, text_pair, np.ones(len(rows), dtype=bool), votes.pair, truth, votes.judges,
        votes.text_pairs, votes.pairs, np.zeros(len(rows), dtype=bool), votes.ties,
    )  # fmt: skip


@pytest.mark.parametrize(
    "votes, expected",
    [
        (meeting((0,), (1,)), [False, False]),
        (meeting((0, 1), (0, 1)), [False, False]),  # one product, two factors
        (meeting((0, 1), (1, 2)), [False, False, False]),  # a path
        (meeting((0, 1), (1, 2), (2, 0)), [True, True, True]),  # a triangle
        (meeting((0, 1, 2)), [True, True, True]),
        (meeting((0, 1), (1, 2), (2, 3), (3, 0)), [False] * 4),  # an even cycle
        (meeting((0, 1), (2,), (0,), known=(2,)), [True, True, False]),  # a check, and who meets
        (meeting((0,), (1,), twice=[(1, 1)]), [False, True]),  # a mirrored repeat
    ],
)
def test_what_is_identified(votes, expected):
    assert identified(votes, NOT).tolist() == expected


def test_a_known_mu_identifies_everybody():
    assert identified(meeting((0,), (1,)), np.array([True])).all()


def drawn(overlap, mu=0.75, judges=12, seed=1):
    rng = np.random.default_rng(seed)
    eta = rng.beta(3, 1.5, judges)
    return eta, drawn_votes(rng, eta, judges * 60 // overlap, overlap, mu)


def test_one_judge_a_pair_and_mu_unknown_it_cannot_tell():
    _eta, votes = drawn(1)
    made = estimate_votes(votes)
    assert made.basis == "nothing"
    assert set(made.judges["verdict"]) == {"cannot tell"}
    assert made.judges["attentiveness"].isna().all()
    assert (made.judges["low"] == 0).all() and (made.judges["high"] == 1).all()
    assert "product of attentiveness and (μ − ½)" in made.identified
    assert any("product" in sentence for sentence in made.sentences)
    assert made.preferences["weighted_share_a"].isna().all()
    assert np.ptp(made.judges["weight"]) < 1e-9  # all votes weigh alike


@pytest.mark.parametrize("belief", [Prior("human", "sft", 0.53), Prior("human", "sft", 0.6, 20)])
def test_mu_near_one_half_it_cannot_tell(belief):
    _eta, votes = drawn(1)
    made = estimate_votes(votes, [belief])
    assert set(made.judges["verdict"]) == {"cannot tell"}
    assert set(made.judges["why"]) == {"μ is near one half"}


def test_mu_given_it_estimates_and_says_what_that_rests_on():
    _eta, votes = drawn(1)
    made = estimate_votes(votes, [Prior("human", "sft", 0.75)])
    assert made.basis == "belief"
    assert (made.judges["verdict"] == "").any()
    assert "product" in made.identified
    turned = estimate_votes(votes, [Prior("sft", "human", 0.25)])
    pd.testing.assert_frame_equal(made.judges, turned.judges)


def test_an_uncertain_belief_gives_wider_intervals():
    _eta, votes = drawn(1)
    sure = estimate_votes(votes, [Prior("human", "sft", 0.8)]).judges
    unsure = estimate_votes(votes, [Prior("human", "sft", 0.8, 60)]).judges
    widths = [(t["high"] - t["low"]).mean() for t in (sure, unsure)]
    assert widths[1] > widths[0]
    assert (unsure["low"] <= sure["low"] + 1e-9).all()
    assert (unsure["high"] >= sure["high"] - 1e-9).all()


def test_with_overlap_it_needs_no_mu_even_where_mu_is_one_half():
    eta, votes = drawn(3, mu=0.5, judges=15)
    made = estimate_votes(votes)
    assert made.basis == "votes"
    assert (made.judges["verdict"] == "").all()
    assert np.corrcoef(made.judges["attentiveness"], eta)[0, 1] > 0.8


def test_weights_bring_the_share_nearer_to_the_truth():
    """Raw choices are pulled towards one half by who does not attend; the weighted share is not."""
    eta, votes = drawn(3, mu=0.85, judges=30)
    pair = estimate_votes(votes).preferences.iloc[0]
    assert pair["weighted_low"] < 0.85 < pair["weighted_high"]
    assert pair["raw_share_a"] == pytest.approx(0.5 + eta.mean() * 0.35, abs=0.03)
    assert pair["raw_share_a"] == votes.first.mean()


def test_too_few_votes_are_too_few_and_nobody_is_dropped():
    rows = [
        {"judge_id": f"J{j}", "trial_id": f"T{t}", "answer": "a" if (j + t) % 4 else "b"}
        for j in range(4)
        for t in range(12 if j else 5)
    ]
    rows.append({"judge_id": "J9", "trial_id": "T1", "answer": "tie", "side": ""})
    made = estimate(judgments(*rows)).judges.set_index("judge_id")
    assert list(made.index) == ["J0", "J1", "J2", "J3", "J9"]
    assert made.loc["J0", "verdict"] == made.loc["J9", "verdict"] == "too few to say"
    assert made.loc["J0", "why"].startswith("5 of the 10")
    assert made.loc["J9", "n_ties"] == 1


def test_no_comparisons_no_quality():
    assert estimate(judgments({"kind": "attribution"})) is None


@pytest.mark.parametrize("mu, strength", [(0.0, 0), (1.0, 0), (0.9, 5)])
def test_bad_beliefs_are_refused(mu, strength):
    with pytest.raises(ConfigError):
        Prior("a", "b", mu, strength)


def test_a_belief_in_what_was_never_compared_is_refused():
    with pytest.raises(ConfigError, match="never compared"):
        estimate_votes(drawn(1)[1], [Prior("human", "capo", 0.8)])


def test_it_is_json():
    made = estimate_votes(drawn(3)[1])
    told = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert len(told["judges"]) == 12


@pytest.fixture(scope="module")
def simulated():
    draft = small_draft(judges=9, comparisons=90)
    judges = SimulatedJudges.drawn(
        9, SimulatedJudgesConfig(seed=1, attentiveness=0.85, careless=0.4, doubt=0.0)
    )
    return draft, judges, simulate_judgments(draft, judges, 5, SourceEffects({"human": 1.0}))


def test_checks_and_repeats_are_counted_and_careless_judges_found(simulated):
    _draft, judges, made = simulated
    table = estimate(made.judgments).judges
    assert (table["n_checks"] == 4).all() and (table["n_repeats"] == 2).all()
    careless = judges.attentiveness < 0.4
    assert table.loc[careless, "attentiveness"].max() < table.loc[~careless, "attentiveness"].min()


def _texts(draft):
    trials = draft.trials[draft.trials["kind"] == "comparison"]
    shown = {t: (f"{t} slot a", f"{t} slot b") for t in trials["trial_id"]}
    items = zip(trials["item_id"], trials["target_annotator_id"], strict=True)
    return shown, {key: f"prompt of {key[0]}" for key in items}


def _right(pairs, better):
    chosen = pairs["chosen"].str[-1].to_numpy()
    return (chosen == better.loc[pairs["trial_id"]].to_numpy()).mean()


def test_filtering_by_quality_beats_votes_and_majority(simulated):
    draft, _judges, made = simulated
    quality = estimate(made.judgments)
    right, size = {}, {}
    for rule in ("quality", "majority", "none"):
        pairs = preference_pairs(made.judgments, quality, *_texts(draft), PairFilter(rule))
        right[rule], size[rule] = _right(pairs, made.better), len(pairs)
        assert set(pairs["chosen_source"]) | set(pairs["rejected_source"]) == {"human", "sft"}
        assert not pairs["trial_id"].str.startswith("M").any()
    assert size["none"] == 86 * 9  # every vote on the 86 trials that are no checks
    assert right["quality"] > right["majority"] > right["none"]


def test_chosen_is_the_text_of_the_preferred_source(simulated):
    draft, _judges, made = simulated
    pairs = preference_pairs(made.judgments, estimate(made.judgments), *_texts(draft))
    facts = made.judgments.drop_duplicates("trial_id").set_index("trial_id")
    assert len(pairs) > 40  # of 86 trials
    for row in pairs.itertuples():
        slot = "a" if facts.at[row.trial_id, "source_a"] == row.chosen_source else "b"
        assert row.chosen == f"{row.trial_id} slot {slot}"
        assert row.rejected != row.chosen
        assert row.prompt == f"prompt of {row.item_id}"
        assert 0.9 <= row.confidence <= 1


def test_missing_prompts_and_wrong_filters_are_refused(simulated):
    draft, _judges, made = simulated
    with pytest.raises(DataError, match="prompt of trial"):
        preference_pairs(made.judgments, estimate(made.judgments), _texts(draft)[0], {})
    with pytest.raises(ConfigError):
        PairFilter("best")
    with pytest.raises(ConfigError):
        PairFilter(confident=0.5)
