"""Balance holds for every design that is drawn; where it cannot, it is said what can."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest
from helpers.study_designs import (
    ANNOTATORS,
    seen_by_judge,
    small_dataset,
    small_design,
    small_draft,
    strata_of,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from capo_core.errors import ConfigError
from capo_core.study.config import StudyConfig
from capo_core.study.design import balance_report, planner, sources
from capo_core.study.design.balance import balance_sides, deal, lay_out, sizes
from capo_core.study.design.sources import AvailableTexts, SourceText
from capo_core.study.fixes import DesignError

FEW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@st.composite
def designs(draw):
    """Designs whose numbers come out even."""
    kinds = draw(
        st.lists(
            st.sampled_from(["attribution", "comparison", "reasoning"]),
            min_size=1, max_size=3, unique=True,
        )
    )  # fmt: skip
    methods = [f"method{n}" for n in range(draw(st.integers(0, 2)))]
    named = {"human": "human", "other_human": "other_human"} | dict.fromkeys(methods, "a-run")
    annotators = draw(st.integers(2, 4))
    config = StudyConfig(
        "study", "handmade", tuple(kinds), named, judges=200, judgments_per_trial=1,
        trials_per_judge=1, pool=draw(st.integers(1, 3)), card_examples=2,
        practice=draw(st.integers(0, 2)), seed=draw(st.integers(0, 10_000)),
        targets=ANNOTATORS[: draw(st.integers(1, annotators))],
        repeats_share=draw(st.sampled_from([0.0, 0.1, 0.3])),
        checks_share=draw(st.sampled_from([0.0, 0.1, 0.3])), cap=500,
    )  # fmt: skip
    per = int(np.lcm.reduce([len(config.strata_of(kind)) for kind in kinds]))
    times = draw(st.integers(1, 3))
    r = draw(st.integers(1, 4))
    judges = draw(st.integers(r, 8))
    config = config.with_changes(trials_per_judge=per * times, judges=judges, judgments_per_trial=r)
    try:
        sizes(config)
    except ConfigError:
        assume(False)
    return config, annotators


def items_for_one_layer(config: StudyConfig) -> int:
    width = {"attribution": config.pool, "comparison": 1, "reasoning": 2}
    main = config.judges * config.trials_per_judge // config.judgments_per_trial
    each = main + config.checks + config.practice
    return sum(each * width[kind] for kind in config.kinds)


@FEW
@given(designs())
def test_every_design_with_enough_items_is_balanced(made):
    config, annotators = made
    draft = small_draft(config, items_for_one_layer(config), annotators)
    sources_are_equally_often(config, draft)
    repeats_are_turned_and_lie_far_apart(config, draft)
    checks_are_spread_and_practice_comes_first(config, draft)
    sides_and_cards_are_balanced(config, annotators, draft)


def sources_are_equally_often(config, draft):
    main = seen_by_judge(draft)
    assert len(main) == config.judges
    # Every judge sees every source, and every pair of sources, equally often.
    for trials in main.values():
        seen = Counter(map(strata_of, trials))
        for kind in config.kinds:
            of_kind = {what: n for what, n in seen.items() if what[0] == kind}
            assert len(of_kind) == len(config.strata_of(kind))
            assert set(of_kind.values()) == {config.trials_per_judge // len(of_kind)}
    # Every main trial has equally many judges.
    judges_of = Counter(trial["trial"] for trials in main.values() for trial in trials)
    assert set(judges_of.values()) == {config.judgments_per_trial}
    # What the report counts is what stands there.
    report = balance_report.count_balance(draft)
    assert report.per_trial.equal and report.items_twice == 0 and report.left <= 1
    if config.repeats:
        assert report.repeat_gap >= config.trials_per_judge // 3
    assert all(spread.equal for spread in report.per_source.values())
    assert all(spread.equal for spread in report.per_judge.values())


@settings(FEW, max_examples=12)  # many of them are drawn for one that fits
@given(designs(), st.sampled_from([0.0, 0.2]), st.integers(20, 80))
def test_no_judge_meets_an_item_twice_whatever_the_items(made, gaps, items):
    config, annotators = made
    try:
        draft = small_draft(config, items, annotators, gaps)
    except ConfigError as error:
        assert "item" in str(error) or "texts" in str(error)
        assume(False)
    for trials in seen_by_judge(draft, ("main", "check", "practice")).values():
        by_trial = [set(trial["items"]) for trial in trials]
        assert sum(map(len, by_trial)) == len(set().union(*by_trial))


def repeats_are_turned_and_lie_far_apart(config, draft):
    for trials in seen_by_judge(draft, ("main", "mirror")).values():
        place = {trial["trial"]: index for index, trial in enumerate(trials)}
        own = {trial["trial"]: trial for trial in trials}
        again = [trial for trial in trials if trial["purpose"] == "mirror"]
        assert Counter(t["kind"] for t in again) == Counter(
            {kind: config.repeats for kind in config.kinds if config.repeats}
        )
        for trial in again:
            first = own[trial["mirror_of"]]
            assert first["sources"] == trial["sources"] and first["items"] == trial["items"]
            gap = place[trial["trial"]] - place[first["trial"]]
            assert gap >= config.trials_per_judge // 3
            if trial["kind"] == "comparison":
                assert trial["order"]["slots"] == first["order"]["slots"][::-1]


def checks_are_spread_and_practice_comes_first(config, draft):
    everything = ("practice", "main", "check", "mirror")
    for trials in seen_by_judge(draft, everything).values():
        assert [t["position"] for t in trials] == list(range(1, len(trials) + 1))
        assert len(trials) == config.total_per_judge <= config.cap
        first = config.practice * len(config.kinds)
        assert all((t["purpose"] == "practice") == (i < first) for i, t in enumerate(trials))
        for kind in config.kinds:
            own = [t["purpose"] for t in trials[first:] if t["kind"] == kind]
            places = [i for i, purpose in enumerate(own) if purpose == "check"]
            assert len(places) == config.checks
            # One in each of as many equal stretches of the judge's trials of this kind.
            assert [int(i * len(places) / len(own)) for i in places] == list(range(len(places)))


def sides_and_cards_are_balanced(config, annotators, draft):
    tops = Counter()
    for trials in seen_by_judge(draft).values():
        left: Counter = Counter()
        for trial in trials:
            order = trial["order"]
            assert sorted(order["slots"]) == list(range(len(trial["sources"])))
            if trial["kind"] == "comparison":
                names = tuple(sorted(trial["sources"]))
                left[names] += 1 if trial["sources"][order["slots"][0]] == names[0] else -1
                assert len(order["cards"]) == 1
        assert all(abs(lean) <= 1 for lean in left.values())
        assert abs(sum(left.values())) <= max(1, len(left))
        cards = {tuple(t["order"]["cards"]) for t in trials if t["kind"] == "attribution"}
        assert len(cards) == ("attribution" in config.kinds)
        for one in cards:
            assert sorted(one) == sorted(ANNOTATORS[:annotators])
            tops[one[0]] += 1
    if tops:  # a card stands first for equally many judges, up to one
        assert max(tops.values()) - min(tops[a] for a in ANNOTATORS[:annotators]) <= 1


def test_stored_slots_do_not_stand_for_sources():
    config = small_design(
        kinds=("comparison",), judges=8, trials_per_judge=24, judgments_per_trial=2
    )
    draft = small_draft(config, 120)
    first = draft.sealed[(draft.sealed["slot"] == 0) & (draft.sealed["purpose"] == "main")]
    human = int((first["source"] == "human").sum())
    # 96 trials, each with human in slot 0 with probability ½: outside 30…66 once in 6000 seeds.
    assert len(first) == 96 and 30 <= human <= 66
    assert draft.trials["trial_id"].is_monotonic_increasing
    assert draft.texts["text_id"].is_monotonic_increasing


def test_the_seed_decides_everything_and_nothing_else():
    config = small_design(kinds=("attribution", "comparison"), judges=4, trials_per_judge=6)
    config = config.with_changes(judgments_per_trial=2)
    one, two = small_draft(config, 60), small_draft(config, 60)
    for name in ("trials", "texts", "assignments", "sealed", "cards", "feedback"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
    other = small_draft(config.with_changes(seed=1), 60)
    assert set(one.trials["trial_id"]).isdisjoint(other.trials["trial_id"])


def test_few_items_are_used_again_in_other_layers_under_other_sources():
    # 6 judges × 12 trials / 2 = 36 trials; 20 items (beside checks and practice) hold 18 at most
    # in a layer of 3 judges, 12 in one of 2: a layer needs 6 trials a judge.
    config = small_design(
        kinds=("comparison",), judges=6, trials_per_judge=12, judgments_per_trial=2,
        practice=0, checks_share=0.0,
    )  # fmt: skip
    draft = small_draft(config, 20)
    assert balance_report.count_balance(draft).items_twice == 0
    uses = defaultdict(set)
    for trials in seen_by_judge(draft).values():
        for trial in trials:
            uses[trial["items"][0]].add(trial["trial"])
    assert len(uses) <= 20 and max(map(len, uses.values())) > 1
    assert any("layers" in note for note in draft.notes)


@pytest.mark.parametrize(
    ("changes", "said", "fits"),
    [
        # Three pairs of three sources: 10 is no multiple of 3.
        ({"trials_per_judge": 10}, "3 pairs of sources", "Trials per judge and kind: 9"),
        ({"trials_per_judge": 10}, "3 pairs", "Incomplete blocks: yes, Judges per trial: 2"),
        ({"trials_per_judge": 10}, "3 pairs", "Compare only with: the target's own texts"),
        # 3 of each pair and 4 judgments: 4 must divide 3·J.
        ({"judges": 6, "judgments_per_trial": 4}, "multiple of 4", "Judges: 8"),
        ({"judges": 2, "judgments_per_trial": 3}, "there are 2", "Judges: 3"),
    ],
)
def test_numbers_that_do_not_fit_say_which_do(changes, said, fits):
    settings_ = {
        "kinds": ("comparison",), "judges": 6, "trials_per_judge": 9, "judgments_per_trial": 3,
        "sources": {"human": "human", "other_human": "other_human", "sft": "a-run"}, **changes,
    }  # fmt: skip
    with pytest.raises(ConfigError) as error:
        sizes(small_design(**settings_))
    assert said in str(error.value) and fits in str(error.value)


@pytest.mark.parametrize(("trials", "judges", "r"), [(10, 6, 2), (4, 9, 3), (2, 6, 2)])
def test_incomplete_blocks_are_equal_over_all_judges(trials, judges, r):
    named = {"human": "human", "other_human": "other_human", "sft": "a-run"}
    config = small_design(
        kinds=("comparison",), sources=named, judges=judges, trials_per_judge=trials,
        judgments_per_trial=r, practice=0, checks_share=0.0,
    )  # fmt: skip
    with pytest.raises(DesignError) as error:
        sizes(config)
    settings_ = [dict(each.settings) for each in error.value.changes]
    assert {"incomplete": True} in settings_
    for each in settings_:
        sizes(config.with_changes(**each))  # every change mends it
    draft = small_draft(config.with_changes(incomplete=True), 40)
    report = balance_report.count_balance(draft)
    assert report.per_judge["main"] == balance_report.CountRange(trials, trials)
    assert report.per_trial == balance_report.CountRange(r, r) and report.items_twice == 0
    seen = Counter()
    for judge, shown in seen_by_judge(draft).items():
        own = Counter(strata_of(trial) for trial in shown)
        assert set(own.values()) <= {trials // 3, trials // 3 + 1}, judge
        seen += own
    assert set(seen.values()) == {judges * trials // 3}
    (plan,) = planner.plans(config.with_changes(incomplete=True), 4, draft, simulations=20)
    assert plan.judgments == judges * trials // 3
    # Two trials of a pair are too few for an interval, and the plan says so.
    assert bool(plan.too_few) == (plan.trials == 2) == (trials == 2)
    assert np.isnan(plan.width) if plan.too_few else 0 < plan.width <= 1


def test_a_reference_leaves_the_pairs_it_is_in():
    named = {"human": "human", "other_human": "other_human", "sft": "a-run"}
    config = small_design(kinds=("attribution", "comparison"), sources=named, reference="human")
    assert [s.sources for s in config.strata_of("comparison")] == [
        ("human", "other_human"), ("human", "sft"),
    ]  # fmt: skip
    assert len(config.strata_of("attribution")) == 2
    plain = small_design(sources=named).to_dict()
    assert "reference" not in plain and "incomplete" not in plain, "former designs keep their hash"
    assert StudyConfig.from_dict(config.to_dict()) == config
    with pytest.raises(DesignError, match="none of the study's"):
        small_design(sources=named, reference="capo")


def test_annotators_without_a_run_are_named_and_left_out_by_a_change():
    with pytest.raises(DesignError, match="no run of SFT imitates annotator 'D'") as error:
        sources._check_targets(("A", "C", "D"), {"sft": {"A", "C"}, "capo": set("ACD")})
    assert [dict(each.settings) for each in error.value.changes] == [{"targets": ("A", "C")}]
    with pytest.raises(DesignError, match="run the missing ones"):
        sources._check_targets(("A", "D"), {"sft": {"A"}, "capo": {"D"}})


def test_too_few_items_say_how_many_trials_there_can_be():
    # 4 judges see every trial: 10 trials a judge are 10 items; 9 are left of 10 beside one check.
    config = small_design(
        sources={"human": "human"}, judges=4, trials_per_judge=10, judgments_per_trial=4,
        practice=0, repeats_share=0.0,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="Trials per judge and kind: 9"):
        small_draft(config, 10)
    assert balance_report.count_balance(small_draft(config, 11)).items_twice == 0


def test_a_source_with_too_few_texts_is_named():
    config = small_design(
        sources={"human": "human", "sft": "a-run"}, judges=2, trials_per_judge=20,
        judgments_per_trial=2, practice=0, checks_share=0.0,
    )  # fmt: skip
    dataset = small_dataset(30)
    people = sources.collect_human_texts(dataset, config, "test")
    texts = dict(people.texts)
    for item in people.items[:6]:  # 10 of each source and judge are wanted: sft has 6
        for target in people.targets:
            texts["sft", target, item] = (
                SourceText("neutral", f"s {target} {item}", target, "a-run"),
            )
    with pytest.raises(ConfigError, match="attribution of sft") as error:
        lay_out(config, AvailableTexts(people.items, people.targets, texts, ()))
    assert "Trials per judge and kind: 12" in str(error.value)  # 6 of each
    assert {"trials_per_judge": 12} in [dict(each.settings) for each in error.value.changes]


@given(
    st.integers(1, 12), st.integers(1, 8), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99)
)
@FEW
def test_hands_are_dealt_evenly(judges, hand, each, groups, seed):
    assume(judges * hand % each == 0 and each <= judges)
    n = judges * hand // each
    group = [i % groups for i in range(n)]
    hands = deal(np.random.default_rng(seed), group, judges, hand, each)
    assert all(len(set(one)) == hand for one in hands)
    assert Counter(trial for one in hands for trial in one) == Counter(
        dict.fromkeys(range(n), each)
    )
    if n % groups == 0 and hand % groups == 0:
        assert all(
            set(Counter(group[i] for i in one).values()) == {hand // groups} for one in hands
        )


def test_hands_that_do_not_come_out_even_are_refused():
    with pytest.raises(ConfigError, match="cannot be dealt"):
        deal(np.random.default_rng(0), [0, 0, 0], judges=2, hand=2, each=2)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9), st.integers(-1, 1), st.integers(0, 9))
@FEW
def test_sides_are_halves_and_make_up_for_others(before, lean, seed):
    right = balance_sides(np.random.default_rng(seed), np.array(before), lean)
    balance = int((~right).sum() - right.sum())
    assert abs(balance) == len(before) % 2
    if lean and len(before) % 2:
        assert balance == -lean
    # None that stood left oftener is kept left while one that stood left less is turned.
    kept, sent = np.array(before)[~right], np.array(before)[right]
    assert not len(kept) or not len(sent) or kept.max() <= sent.min()
