"""The number of judges that is enough, or why none is; what is read before a study is frozen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.study_designs import small_design, small_draft

from capo_core.study.design import planner
from capo_core.study.design.enough_judges import MOST_JUDGES, enough_judges, numbers_of_judges
from capo_core.study.design.freeze_review import contrast, missing_consent, review
from capo_core.study.scope import scope_sentence


class Items:
    """Items that suffice for so many judges."""

    def __init__(self, judges: int) -> None:
        self.judges = judges

    def may_suffice(self, judges: int) -> bool:
        return judges <= 2 * self.judges

    def suffices(self, judges: int) -> bool:
        return judges <= self.judges


def needed(judges: int, items: int, **assumed: float):
    config = small_design(
        kinds=("comparison",), judges=judges, trials_per_judge=12, judgments_per_trial=3
    )
    plans = planner.plans(config, 4, simulations=200, **assumed)
    return enough_judges(config, plans, Items(items), simulations=200)[0]


def test_the_least_number_with_the_usual_power_is_found():
    found = needed(6, MOST_JUDGES)
    assert found.judges is not None and 6 < found.judges < MOST_JUDGES
    assert found.power.share >= planner.USUAL_POWER
    fewer = planner.over_judges(found.plan.numbers, [found.judges // 2], simulations=200)
    assert fewer[0].lowest_power < planner.USUAL_POWER
    assert f"takes {found.judges} judges instead of 6" in found.sentence
    many = needed(60, MOST_JUDGES)
    assert many.judges == found.judges
    assert f"{found.judges} would do" in many.sentence


def test_items_that_do_not_suffice_are_the_reason():
    found = needed(6, 9)
    assert (found.judges, found.most, found.short) == (None, 9, True)
    assert found.power.share < planner.USUAL_POWER
    assert "the items suffice for 9 judges" in found.sentence


def test_a_difference_that_is_too_small_is_the_reason():
    found = needed(6, MOST_JUDGES, expected=0.51)
    assert (found.judges, found.most, found.short) == (None, MOST_JUDGES, False)
    assert f"None up to {MOST_JUDGES} judges" in found.sentence and "close" in found.sentence
    assert "chance itself" in needed(6, MOST_JUDGES, expected=0.5).sentence


def test_numbers_of_judges_come_out_even():
    config = small_design(
        kinds=("comparison",), judges=6, trials_per_judge=2, judgments_per_trial=3
    )
    assert numbers_of_judges(config, 12) == [3, 6, 9, 12]


def test_what_a_study_holds_for_is_said_where_it_is_not_everybody():
    everybody = ["A", "B", "C"]
    assert scope_sentence([], everybody) == scope_sentence(everybody, everybody) == ""
    assert "for A alone" in scope_sentence(["A"], everybody)
    assert "the other 2 annotators" in scope_sentence(["A"], everybody)
    assert "2 of 3 annotators (A and B)" in scope_sentence(["B", "A"], everybody)
    assert "the other annotator." in scope_sentence(["A"], ["A", "B"])


@pytest.fixture(scope="module")
def draft():
    config = small_design(
        kinds=("attribution", "comparison"), judges=3, trials_per_judge=6, judgments_per_trial=3
    )
    return small_draft(config, 60)


def test_the_review_has_all_that_cannot_be_changed_later(draft):
    plans = planner.plans(draft.config, 4, draft, simulations=50)
    found = review(draft, plans, {"name": 2}, more=["No password."])
    facts = dict(found.facts)
    assert {"Contrast", "Trials", "Judges", "Equivalence margin"} <= set(facts)
    assert facts["Judges"].startswith("3, with")
    assert {"Power, attribution", "Power, comparison"} <= set(facts)
    assert facts["Equivalence margin"] == "none"
    said = " ".join(found.warnings)
    assert "name in 2 texts" in said and "more likely miss" in said
    assert "consent page" in said and found.warnings[-1] == "No password."
    assert found.title == draft.config.called
    assert missing_consent(draft.config.with_changes(consent="All of it.")) == []


def test_the_review_says_where_nothing_could_show_that_judges_tell_texts_apart(draft):
    def warned(**changes):
        kinds = {"equivalence_margin": 0.1, "judgments_per_trial": 1, "repeats_share": 0.0}
        config = draft.config.with_changes(**(kinds | {"checks_share": 0.0} | changes))
        return "tell texts apart" in " ".join(
            review(replace(draft, config=config), [], {}).warnings
        )

    assert warned()
    assert not warned(checks_share=0.3) and not warned(judgments_per_trial=3)
    assert not warned(equivalence_margin=0.0)


def test_the_contrast_names_the_sources(draft):
    two = draft.config.with_changes(
        kinds=("attribution", "comparison"), sources={"capo": ["r1"], "sft": ["r2"]}
    )
    assert contrast(two) == (
        "CAPO and SFT against chance and each other (attribution); CAPO against SFT (comparison)"
    )
