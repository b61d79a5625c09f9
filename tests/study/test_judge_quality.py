"""What is said of the judges: identified or not, enough or too few, weighted beside raw."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.judgments import drawn_votes, judgments, small_draft
from helpers.provenance import PLACE

from capo_core.errors import ConfigError, DataError, StudyError
from capo_core.study.analysis.judge_quality import (
    Prior,
    estimate,
    estimate_votes,
    identified,
    weighted_shares,
)
from capo_core.study.analysis.preference_pairs import (
    RULES,
    PairFilter,
    as_jsonl,
    preference_pairs,
    selection_words,
    trial_votes,
)
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
    for rule in RULES:
        pairs = preference_pairs(made.judgments, quality, *_texts(draft), PairFilter(rule))
        right[rule], size[rule] = _right(pairs, made.better), len(pairs)
        assert set(pairs["chosen_source"]) | set(pairs["rejected_source"]) == {"human", "sft"}
        assert not pairs["trial_id"].str.startswith("M").any()
        assert set(pairs["rule"]) == {rule}
    assert size["none"] == 86 * 9  # every vote on the 86 trials that are no checks
    assert right["quality"] > right["majority"] > right["none"]


def test_chosen_is_the_text_of_the_preferred_source(simulated):
    draft, _judges, made = simulated
    by_quality = PairFilter("quality")
    pairs = preference_pairs(made.judgments, estimate(made.judgments), *_texts(draft), by_quality)
    facts = made.judgments.drop_duplicates("trial_id").set_index("trial_id")
    assert len(pairs) > 40  # of 86 trials
    for row in pairs.itertuples():
        slot = "a" if facts.at[row.trial_id, "source_a"] == row.chosen_source else "b"
        assert row.chosen == f"{row.trial_id} slot {slot}"
        assert row.rejected != row.chosen
        assert row.prompt == f"prompt of {row.item_id}"
        assert 0.9 <= row.confidence <= 1
        assert row.votes_chosen > row.votes_rejected
        assert row.n_votes == row.votes_chosen + row.votes_rejected == 9


def answered(**trials):
    """One row an answer: T1="aab" is three judges' answers to T1, "=" is a tie."""
    return judgments(
        *(
            {"judge_id": f"J{j}", "trial_id": trial, "answer": "tie" if answer == "=" else answer}
            for trial, answers in trials.items()
            for j, answer in enumerate(answers)
        )
    )


def chosen(frame, chosen_by):
    shown = {name: (f"{name} a", f"{name} b") for name in frame["trial_id"]}
    return preference_pairs(frame, estimate(frame), shown, {("i1", "ann-1"): "p"}, chosen_by)


def test_a_majority_needs_its_votes_and_more_than_half_of_all_answers():
    frame = answered(T1="aab", T2="ab", T3="aab=", T4="bbb", T5="aa", T6="a==", T7="===", T8="aa=b")
    pairs = chosen(frame, PairFilter()).set_index("trial_id")
    assert list(pairs.index) == ["T1", "T4"]  # T3, T8: two of four; T5, T6: too few votes
    assert pairs.loc["T4", "chosen"] == "T4 b"
    assert pairs[["n_votes", "votes_chosen", "votes_rejected", "ties"]].values.tolist() == [
        [3, 2, 1, 0], [3, 3, 0, 0]
    ]  # fmt: skip
    assert pairs["confidence"].isna().all()  # a share of votes is no probability
    fewer = chosen(frame, PairFilter(min_votes=1))
    assert list(fewer["trial_id"]) == ["T1", "T4", "T5"]
    words = selection_words(frame, chosen(frame, PairFilter()), PairFilter())
    assert words[0].startswith("2 pairs from 8 text pairs; left out: 4 with fewer than 3 votes, 2 ")


def test_repeats_and_checks_are_no_votes():
    frame = answered(T1="ab", T2="aaa")
    more = judgments(
        {"judge_id": "J0", "trial_id": "M1", "purpose": "mirror", "mirror_of": "T1"},
        *({"judge_id": f"J{j}", "trial_id": "C1", "purpose": "check", "truth": "a"}
          for j in range(3)),
    )  # fmt: skip
    pairs = chosen(pd.concat([frame, more]), PairFilter(min_votes=1))
    assert list(pairs["trial_id"]) == ["T2"]
    assert pairs["n_votes"].tolist() == [3]


def test_judges_who_press_keys_at_random_make_no_weighted_pair():
    """Finding: three judges at random, of whom nothing can be said, and every pair passed 90 %."""
    rng = np.random.default_rng(3)
    few = answered(**{f"T{k}": "".join(rng.choice(["a", "b"], 3)) for k in range(6)})
    assert set(estimate(few).judges["verdict"]) == {"too few to say"}
    with pytest.raises(StudyError, match="6 of the 10 votes") as refused:
        chosen(few, PairFilter("quality"))
    assert "by majority" in refused.value.todo
    many = answered(**{f"T{k}": "".join(rng.choice(["a", "b"], 3)) for k in range(200)})
    quality = estimate(many)
    assert quality.agreement.pairs == 600 and quality.agreement.is_chance
    with pytest.raises(StudyError, match="not agree significantly more than coins would"):
        chosen(many, PairFilter("quality"))
    assert "not agree significantly more than coins would" in " ".join(quality.sentences)
    assert quality.to_dict()["not_weighted"]
    (share,) = quality.preferences.itertuples(index=False)
    assert np.isnan(share.weighted_share_a) and share.note.startswith("too few to say: ")
    assert share.raw_low < 0.5 < share.raw_high


def test_mu_that_nobody_knows_is_refused_and_a_given_one_is_not(simulated):
    _eta, votes = drawn(1)
    assert "nothing identifies it" in estimate_votes(votes).why_not_weighted
    given = estimate_votes(drawn(1, judges=30)[1], [Prior("human", "sft", 0.9)])
    assert given.given == (Prior("human", "sft", 0.9),)
    _draft, _judges, made = simulated
    assert estimate(made.judgments).why_not_weighted == ""


def test_even_votes_are_no_pair_whatever_the_weights(simulated):
    _draft, _judges, made = simulated
    frame = made.judgments
    mine = frame[(frame["kind"] == "comparison") & frame["judge_id"].isin(["J01", "J02"])]
    quality = estimate(frame)
    even = trial_votes(mine)
    even = even[even["votes_a"] == even["votes_b"]]["trial_id"]
    assert len(even) > 5
    pairs = preference_pairs(mine, quality, *_texts(_draft), PairFilter("quality", confident=0.51))
    assert not set(pairs["trial_id"]) & set(even)


def test_missing_prompts_and_wrong_filters_are_refused(simulated):
    draft, _judges, made = simulated
    with pytest.raises(DataError, match="prompt of trial"):
        preference_pairs(made.judgments, estimate(made.judgments), _texts(draft)[0], {})
    with pytest.raises(ConfigError):
        PairFilter("best")
    with pytest.raises(ConfigError):
        PairFilter(confident=0.5)
    with pytest.raises(ConfigError):
        PairFilter(min_votes=0)


def test_the_file_of_pairs_is_json_with_null_where_no_confidence_is_known():
    lines = as_jsonl(chosen(answered(T1="aab"), PairFilter()), PLACE).splitlines()
    row = json.loads(lines[0], parse_constant=pytest.fail)
    assert row["confidence"] is None and row["votes_chosen"] == 2 and row["rule"] == "majority"


def test_a_weighted_share_of_unknown_error_is_too_few_to_say(monkeypatch):
    """Formerly a share without an interval: in 1 to 2 % of studies of six judges."""
    from capo_core.study.analysis import judge_quality

    _eta, votes = drawn(3)
    assert 0 < judge_quality.weighted_shares(votes).iloc[0]["weighted_share_a"] < 1
    monkeypatch.setattr(
        judge_quality, "_variances",
        lambda votes, fit, held, prior, mu_prior: (np.full(len(votes.judges) + 1, np.nan), None),
    )  # fmt: skip
    share = judge_quality.weighted_shares(votes).iloc[0]
    assert np.isnan(share["weighted_share_a"]) and np.isnan(share["weighted_low"])
    assert share["note"].startswith("too few to say: these votes do not tell μ")


def unanimous(n: int, judges: int):
    """Judges who all prefer the first source in each of n text pairs."""
    votes = drawn_votes(np.random.default_rng(0), np.ones(judges), n, judges)
    return replace(votes, first=np.ones(votes.n, dtype=bool))


def test_the_interval_of_a_lopsided_weighted_share_has_its_prior():
    """Formerly .984 [.0000–1.0000] where the raw share was 1.00 [.989–1.000]."""
    share = weighted_shares(unanimous(60, 6)).iloc[0]
    assert share["raw_low"] > 0.98
    assert share["weighted_share_a"] == pytest.approx(0.984, abs=0.002)
    assert share["weighted_low"] == pytest.approx(0.894, abs=0.003)
    assert share["weighted_high"] == pytest.approx(0.998, abs=0.002)
    # A belief worth 80 comparisons is information like any other.
    _eta, votes = drawn(3)
    wide, narrow = (
        weighted_shares(votes, beliefs).iloc[0]
        for beliefs in ((), (Prior("human", "sft", 0.75, 800),))
    )
    assert narrow["weighted_high"] - narrow["weighted_low"] < 0.65 * (
        wide["weighted_high"] - wide["weighted_low"]
    )


def test_a_weighted_share_that_fits_almost_any_mu_is_too_few_to_say(monkeypatch):
    from capo_core.study.analysis import judge_quality

    _eta, votes = drawn(3)
    quality = judge_quality.estimate_votes(votes)
    (share,) = quality.preferences.itertuples(index=False)
    assert quality.why_not_weighted == "" and share.note == ""
    monkeypatch.setattr(
        judge_quality, "_variances",
        lambda votes, fit, held, prior, mu_prior: (np.full(len(votes.judges) + 1, 0.3), None),
    )  # fmt: skip
    share = judge_quality.weighted_shares(votes).iloc[0]
    assert np.isnan(share["weighted_share_a"]) and np.isnan(share["weighted_low"])
    assert share["note"] == "too few to say: these votes fit almost any μ"
    unknown = replace(quality, preferences=judge_quality.weighted_shares(votes))
    assert "μ of" in unknown.why_not_weighted and "cannot be estimated" in unknown.why_not_weighted
