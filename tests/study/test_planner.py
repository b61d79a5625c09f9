"""The planner's intervals hold what they claim, and its minutes are words over speed."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.study_designs import small_design, small_draft
from scipy.special import expit
from scipy.stats import t as student

from capo_core.errors import ConfigError
from capo_core.formatting import percent, percent_interval
from capo_core.stats.clustered import MIN_CLUSTERS
from capo_core.study.design import freeze_review, planner
from capo_core.study.design.planner import (
    ReadingPace,
    card_words,
    minutes_per_judge,
    words_per_trial,
)

NUMBERS = planner.PlanInputs("attribution", 20, 12, 3, choices=4)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.9])
def test_the_mean_over_judges_and_trials_is_the_share_asked_for(share):
    a = planner.intercept(share, 0.5, 0.8)
    effects = np.random.default_rng(0).normal(scale=np.hypot(0.5, 0.8), size=200_000)
    # The standard error of the mean is at most 0.5/√200000 = 0.0011.
    assert expit(a + effects).mean() == pytest.approx(share, abs=0.004)


def test_without_effects_the_width_is_that_of_independent_judgments():
    numbers = planner.PlanInputs("comparison", 20, 12, 3, expected=0.6, judge_sd=0, trial_sd=0)
    made = planner.plan(numbers, simulations=600)
    assert (made.judgments, made.trials) == (240, 80)
    # 2·t·√(p(1−p)/N); the two-way variance never falls below either part, so it is a bit wider.
    least = 2 * student.ppf(0.975, 79) * np.sqrt(0.6 * 0.4 / 240)
    assert 0.95 * least < made.width < 1.35 * least


@pytest.mark.parametrize(("judges", "share"), [(10, 0.25), (20, 0.6), (40, 0.9)])
def test_intervals_hold_the_truth(judges, share):
    rng = np.random.default_rng(1)
    cross = planner.crossing(rng, judges, 12, 3)
    found = planner.simulate(rng, cross, (share,), judge_sd=0.5, trial_sd=0.8, simulations=1000)
    # Of 1000 at 95 %: 0.95 ± 3·0.007; few judges may cost two points.
    assert 0.91 <= found.covers(share) / 1000 <= 0.975
    assert found.estimate.mean() == pytest.approx(share, abs=0.01)


def test_methods_that_are_alike_are_seldom_told_apart():
    numbers = planner.PlanInputs("attribution", 20, 12, 3, expected=0.4, other=0.4)
    assert planner.plan(numbers, simulations=1000).between.share <= 0.07


def test_more_judges_see_more():
    few, many = planner.over_judges(NUMBERS, [6, 7, 24], simulations=400)[::2]
    assert many.width < few.width / 1.5  # four times the judgments: about half as wide
    assert many.between.share > few.between.share
    assert many.against_chance.share > 0.99


def test_a_number_of_judges_that_does_not_come_out_even_is_left_out():
    numbers = planner.PlanInputs("attribution", 6, 10, 3)  # 10·J must be a multiple of 3
    found = planner.over_judges(numbers, range(1, 10), simulations=10)
    assert [plan.numbers.judges for plan in found] == [3, 6, 9]


def test_chance_is_by_kind():
    assert NUMBERS.chance == 0.25
    assert planner.PlanInputs("comparison", 4, 4, 2).chance == 0.5
    plan = planner.plan(planner.PlanInputs("reasoning", 4, 4, 2), simulations=20)
    assert plan.against_chance is None and "no chance level" in " ".join(plan.sentences)


def test_the_seed_decides():
    one, two, other = (planner.plan(NUMBERS, simulations=50, seed=s) for s in (1, 1, 2))
    assert one == two and one != other


def test_every_share_has_n_and_an_interval():
    plan = planner.plan(NUMBERS, simulations=50)
    said = " ".join(plan.sentences)
    assert "50 simulated studies" in said and "chance (25\u00a0%)" in said
    for power in (plan.coverage, plan.against_chance, plan.between):
        assert 0 <= power.low <= power.share <= power.high <= 1
        assert f"{percent(power.share)} {percent_interval(power.low, power.high)}" in said


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "guess"}, {"judges": 1}, {"judgments_per_trial": 30}, {"expected": 1.0},
        {"other": 0.0}, {"judge_sd": -1}, {"trials_per_judge": 3}, {"choices": 1}, {"hand": -1},
    ],
)  # fmt: skip
def test_numbers_that_mean_nothing_are_refused(changes):
    with pytest.raises(ConfigError):
        planner.PlanInputs(**{"kind": "attribution", "judges": 4, "hand": 6,
                           "judgments_per_trial": 2, **changes})  # fmt: skip


def test_minutes_are_words_over_speed_and_seconds():
    # 400 words at 200 a minute and 30 trials of 8 s: 2 + 4 minutes.
    assert ReadingPace().minutes(400, 30) == pytest.approx(6)
    with pytest.raises(ConfigError):
        ReadingPace(words_per_minute=0)


def test_words_are_those_on_the_screen():
    config = small_design(
        kinds=("attribution", "comparison"), judges=2, trials_per_judge=2, judgments_per_trial=2,
        practice=0, checks_share=0.0, repeats_share=0.0, pool=2,
    )  # fmt: skip
    draft = small_draft(config, 12)
    # A text: "fact i7", "claim i7" (2 words each), "neutral", "she thinks of i7" (4).
    # A card: two examples of 2 + 2 + 1 + 4 words; four cards.
    assert card_words(draft) == dict.fromkeys(("ann", "bob", "cy", "dee"), 18)
    kinds = draft.trials.set_index("trial_id")["kind"]
    found = words_per_trial(draft, ReadingPace(card_share=0.5))
    # A pool: two items and texts, half of four cards; a comparison: one item, two texts, half
    # of the target's card.
    expected = {"attribution": 2 * (4 + 5) + 36, "comparison": 4 + 2 * 5 + 9}
    assert {kinds[name]: words for name, words in found.items()} == expected
    # A judge: two trials of each kind, and all cards once.
    pace = ReadingPace(card_share=0.5, words_per_minute=100, decision_s=6)
    read = 2 * sum(expected.values()) + 4 * 18
    minutes = minutes_per_judge(draft, pace)
    assert minutes.to_dict() == pytest.approx(dict.fromkeys(("J01", "J02"), read / 100 + 4 * 0.1))


def test_a_design_is_planned_kind_by_kind():
    config = small_design(
        kinds=("attribution", "comparison"), judges=6, trials_per_judge=6, judgments_per_trial=3
    )
    plans = planner.plans(config, 4, small_draft(config, 60), simulations=20, other=0.2)
    assert [(p.numbers.kind, p.numbers.hand, p.numbers.chance) for p in plans] == [
        ("attribution", 6, 0.25),  # one source: human
        ("comparison", 6, 0.5),  # one pair
    ]
    assert plans[0].numbers.other == 0.2
    assert plans[0].numbers.trials_per_judge == config.total_per_judge


def test_a_design_that_would_more_likely_miss_is_warned_of():
    """Finding: with three judges the planner said power 0 % and offered the draft as usual."""
    few = planner.plan(planner.PlanInputs("attribution", 3, 4, 3, choices=4), simulations=200)
    assert few.against_chance.share < 0.5 and few.between.share < 0.5
    against, between = few.warnings
    assert f"{100 * few.against_chance.share:.0f}" in against and "a true share of 50" in against
    assert "between 50" in between
    many = planner.plan(planner.PlanInputs("attribution", 30, 20, 3, choices=4), simulations=200)
    assert many.warnings == () and many.to_dict()["warnings"] == ()
    ratings = planner.plan(planner.PlanInputs("comparison", 3, 4, 3, expected=0.55), simulations=50)
    assert len(ratings.warnings) == 1


def test_so_few_judges_that_the_analysis_has_no_interval_are_warned_of():
    few = planner.plan(planner.PlanInputs("comparison", 2, 4, 2), simulations=20)
    (warning,) = few.warnings
    assert warning.startswith("With 2 judges the analysis has no interval over judges")
    assert planner.too_few(MIN_CLUSTERS) == ""


@pytest.mark.parametrize(
    ("numbers", "few"),
    [
        (planner.PlanInputs("attribution", 2, 8, 2, choices=4), "2 judges"),
        (planner.PlanInputs("comparison", 2, 8, 1, expected=0.9), "2 judges"),
        (planner.PlanInputs("reasoning", 6, 1, 3), "2 trials"),
        # Sources take turns: of six judges, two see this one.
        (planner.PlanInputs("attribution", 6, 0, 1, strata=3, extra=1), "2 judges"),
    ],
)
def test_a_plan_states_no_interval_and_no_power_that_the_analysis_will_not_have(numbers, few):
    """Finding: with two judges the plan quoted the width of an interval and a power."""
    made = planner.plan(numbers, simulations=20)
    said = " ".join(made.sentences)
    assert few in made.too_few and made.too_few in said and made.warnings == (made.too_few,)
    assert "wide" not in said and "Power" not in said and "coverage" not in said
    assert made.coverage is None and np.isnan(made.width) and made.lowest_power == 0
    assert few in freeze_review.power_words(made) and "[" not in freeze_review.power_words(made)
