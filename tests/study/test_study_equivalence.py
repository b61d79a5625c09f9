"""Equivalence to the target's own texts, with the margin of the frozen design."""

import numpy as np
import pytest
from helpers.judgments import PEOPLE, attribution, judgments
from helpers.study_designs import design, finished_run, put, simulated

from capo_core.errors import ConfigError
from capo_core.stats.clustered import share_difference
from capo_core.study.analysis.analysis import AnalysisSettings, analyse
from capo_core.study.analysis.findings import finding_sentences, study_findings
from capo_core.study.analysis.study_equivalence import (
    attribution_equivalence,
    preference_equivalence,
)
from capo_core.study.design import freeze
from capo_core.study.design.draft import draw


def attributed(n=600, human=0.6, sft=0.6, seed=0):
    rng = np.random.default_rng(seed)
    return judgments(
        *(
            attribution(f"J{k % 12}", f"{source}-{k}", "ann-1" if rng.random() < p else "ann-2",
                        source=source, item_id=f"i{k % 60}")
            for source, p in (("human", human), ("sft", sft))
            for k in range(n)
        )
    )  # fmt: skip


def test_equal_methods_are_equivalent_and_unequal_ones_are_not():
    (row,) = attribution_equivalence(attributed(), 0.1).itertuples(index=False)
    assert (row.source, row.verdict, row.n) == ("sft", "equivalent", 1200)
    assert -0.1 < row.low < row.value < row.high < 0.1 and row.p_value < 0.05
    (row,) = attribution_equivalence(attributed(sft=0.3), 0.1).itertuples(index=False)
    assert row.verdict == "different"
    (row,) = attribution_equivalence(attributed(n=40), 0.1).itertuples(index=False)
    assert row.verdict == "undecided" and row.p_value > 0.05


def test_preference_of_a_half_is_equivalent_within_the_margin():
    rng = np.random.default_rng(2)
    rows = [
        {"trial_id": f"T{k}", "judge_id": f"J{k % 12}", "item_id": f"i{k % 60}",
         "answer": str(rng.choice(["a", "b", "tie"])),
         "source_a": ("human", "sft")[k % 2], "source_b": ("sft", "human")[k % 2]}
        for k in range(900)
    ]  # fmt: skip
    (row,) = preference_equivalence(judgments(*rows), 0.1).itertuples(index=False)
    assert (row.source, row.verdict) == ("sft", "equivalent")
    assert abs(row.value) < 0.05 and -0.1 < row.low < row.high < 0.1


def test_all_alike_is_not_equivalent_for_that():
    """Four judges who are all right about few texts say little about a margin of 5 points."""
    few = attributed(n=24, human=1.0, sft=1.0)
    (row,) = attribution_equivalence(few, 0.05).itertuples(index=False)
    assert row.value == 0 and row.verdict == "undecided"


def test_to_judges_who_guess_nothing_is_equivalent():
    """Finding: of 1,200 guesses every source was equivalent to the target's own texts."""
    guesses = attributed(human=0.5, sft=0.5)
    (row,) = attribution_equivalence(guesses, 0.1, chance=0.5).itertuples(index=False)
    assert row.verdict == "not tested" and "guesses would pass as well" in row.note
    (row,) = attribution_equivalence(guesses, 0.1, chance=0.25).itertuples(index=False)
    assert row.verdict == "equivalent"
    found = analyse(guesses, PEOPLE[:2], AnalysisSettings(draws=10, equivalence_margin=0.1))
    assert found.equivalence["verdict"].tolist() == ["not tested"]
    said = " ".join(finding_sentences(study_findings(found)))
    assert "equivalent to" not in said and "so that guesses would pass as well" in said


def test_without_a_margin_nothing_is_tested_and_nothing_claimed():
    assert attribution_equivalence(attributed(n=40), 0.0).empty
    found = analyse(attributed(n=40), PEOPLE, AnalysisSettings(draws=10))
    assert found.equivalence.empty and found.preference_equivalence.empty


def test_differences_of_shares_that_are_all_alike_have_a_width():
    judge, item = np.arange(24) % 4, np.arange(24) % 8
    right, wrong = np.ones(24), np.zeros(24)
    apart = share_difference(right, judge, item, wrong, judge, item)
    assert apart.value == 1 and 0.6 < apart.low < 1 == apart.high and "alike" in apart.note
    same = share_difference(right, judge, item, right, judge, item)
    assert same.value == 0 and same.low < -0.1 and same.high > 0.1


def test_the_margin_is_frozen_with_the_design_and_none_leaves_the_hash_as_it_was(workspace):
    world = put(workspace, simulated())
    sources = {"human": "human", "sft": [finished_run(workspace, world)]}
    plain = design(world, sources=sources, kinds=("comparison",), trials_per_judge=12)
    assert "equivalence_margin" not in plain.to_dict()
    without = freeze.parts_of(draw(workspace, plain))
    again = freeze.parts_of(draw(workspace, plain.with_changes(equivalence_margin=0.0)))
    assert again == without
    margin = plain.with_changes(equivalence_margin=0.1)
    assert margin.to_dict()["equivalence_margin"] == 0.1
    changed = freeze.parts_of(draw(workspace, margin))
    assert changed["design"] != without["design"]
    assert {**changed, "design": ""} == {**without, "design": ""}
    with pytest.raises(ConfigError):
        plain.with_changes(equivalence_margin=0.6)
