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
from capo_core.study.analysis.telling_apart import telling_apart
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


def test_own_texts_on_two_items_show_no_equivalence():
    """Finding: 2 items by 40 judges beside 50 items by 2, all right, were equivalent (p .004)."""
    rows = judgments(
        *(
            attribution(f"J{judge}", f"{source}-{item}-{judge}", "ann-1", source=source,
                        item_id=f"i{item}")
            for source, items, judges in (("human", 2, 40), ("sft", 50, 2))
            for item in range(items)
            for judge in range(judges)
        )
    )  # fmt: skip
    (row,) = attribution_equivalence(rows, 0.1).itertuples(index=False)
    assert row.verdict == "not tested" and "too few" in row.note


def compared(
    seed=0,
    attention=0.9,
    pairs=60,
    judges=12,
    per_pair=6,
    checks=0,
    repeats=0,
    ties=0.0,
    sources=("human", "sft"),
    strength=0.5,
    start=0,
):
    """Comparisons of two sources by judges who attend with this probability, else press a key; the
    first source's text is the better one with probability `strength`. Checks come on top, and the
    first `repeats` trials again."""
    rng = np.random.default_rng(seed)
    rows = []

    def answer(better):
        if rng.random() < ties:
            return "tie"
        return better if rng.random() < attention else str(rng.choice(["a", "b"]))

    for k in range(start, start + pairs + checks):
        check = k >= start + pairs
        slots = ("human", "other_human") if check else sources
        better = "a" if check or rng.random() < strength else "b"
        for j in rng.choice(judges, judges if check else per_pair, replace=False):
            told = {"trial_id": f"T{k}", "judge_id": f"J{j:02}", "item_id": f"i{k}",
                    "source_a": slots[0], "source_b": slots[1]}  # fmt: skip
            rows.append(told | {"answer": answer(better)})
            if check:
                rows[-1] |= {"purpose": "check", "truth": "a"}
            elif k < start + repeats:
                again = {"trial_id": f"M{k}", "purpose": "mirror", "mirror_of": f"T{k}"}
                rows.append(told | again | {"answer": answer(better)})
    return rows


HELD = {
    "nothing": {"per_pair": 1},
    "checks": {"per_pair": 1, "checks": 4},
    "repeats": {"per_pair": 1, "repeats": 120},
    "shared": {},
    "all": {"checks": 4, "repeats": 20},
}
ENOUGH = {"nothing": 700, "checks": 700, "repeats": 700, "shared": 150, "all": 150}


def equivalence(rows, margin=0.1):
    (row,) = preference_equivalence(judgments(*rows), margin).itertuples(index=False)
    return row


@pytest.mark.parametrize("held", HELD)
def test_to_attentive_judges_two_equal_sources_are_equivalent(held):
    row = equivalence(compared(2, pairs=ENOUGH[held], **HELD[held]))
    if held == "nothing":
        assert row.verdict == "not tested" and "judges who guess would give the same" in row.note
        return
    assert (row.source, row.verdict) == ("sft", "equivalent")
    assert abs(row.value) < 0.08 and -0.1 < row.low < row.high < 0.1
    assert (
        row.note.startswith("these judges tell texts apart: ") and "against guesses p" in row.note
    )


@pytest.mark.parametrize("held", HELD)
def test_by_judges_at_random_no_source_is_equivalent(held):
    """Finding: judges who press keys at random choose each text in half of the trials, and that was
    called equivalent."""
    told = 0
    for seed in range(12):
        row = equivalence(compared(seed, attention=0.0, pairs=ENOUGH[held], **HELD[held]))
        told += row.verdict == "equivalent"
        assert abs(row.value) < 0.1
    assert told == 0


def test_by_judges_who_guess_with_ties_or_by_side_no_source_is_equivalent():
    rows = compared(5, attention=0.0, ties=0.5, pairs=300, checks=4, repeats=60)
    assert equivalence(rows).verdict == "not tested"
    only = [row | {"answer": "tie"} for row in rows]
    assert equivalence(only).verdict == "not tested"
    # Always the left one: stored slots are random, repeats have their sides turned.
    rng = np.random.default_rng(6)
    left = {row["trial_id"]: str(rng.choice(["a", "b"])) for row in rows}
    turned = {"a": "b", "b": "a"}
    sided = []
    for row in rows:
        first = left[row.get("mirror_of") or row["trial_id"]]
        as_stored = row["judge_id"] < "J06" and not row.get("mirror_of")
        sided.append(row | {"answer": first if as_stored else turned[first]})
    assert equivalence(sided).verdict == "not tested"


def test_judges_who_hardly_attend_show_no_more_than_the_margin():
    """With so many answers that they are told from guesses, but by them nothing is beyond 10
    points: a text that is always better would be chosen in 57.5 %."""
    rows = compared(3, attention=0.15, pairs=150, judges=40, per_pair=40)
    found = telling_apart(judgments(*rows), 0.1)
    assert found.evidence[0].p_value <= 0.001 and found.shown is None
    assert equivalence(rows).verdict == "not tested"


def test_whom_another_annotators_texts_would_fool_no_source_is_equivalent():
    """Judges who agree with each other, but take another annotator's texts for the target's."""
    rows = compared(4, pairs=150)
    assert equivalence(rows).verdict == "equivalent"
    fooled = rows + compared(5, pairs=150, sources=("human", "other_human"), start=500)
    found = preference_equivalence(judgments(*fooled), 0.1).set_index("source")["verdict"]
    assert set(found) == {"not tested"}
    known = compared(5, pairs=150, sources=("human", "other_human"), strength=0.85, start=500)
    found = preference_equivalence(judgments(*rows, *known), 0.1).set_index("source")["verdict"]
    assert found.to_dict() == {"other_human": "different", "sft": "equivalent"}


def test_a_preference_without_exception_shows_that_judges_tell_texts_apart():
    """Finding: with one exception it did, without any the study was said to hold no preference."""
    always = [
        {"trial_id": f"T{k}", "judge_id": f"J{k % 5}", "item_id": f"i{k}", "source_a": "human",
         "source_b": "other_human", "answer": "a"}
        for k in range(20)
    ]  # fmt: skip
    found = telling_apart(judgments(*always), 0.1)
    assert found.evidence[0].p_value == 2 * 0.5**20 and found.evidence[0].apart == 0.5
    assert "100\u00a0% of 20 judgments" in found.words and found.shown is not None
    few = telling_apart(judgments(*always[:6]), 0.1)
    assert few.evidence[0].p_value == 2 * 0.5**6 and few.shown is None
    ties = [row | {"answer": "tie"} for row in always]
    assert telling_apart(judgments(*ties), 0.1).evidence == ()


def test_practice_is_no_evidence_and_its_ties_take_none_away():
    rows = compared(2, pairs=60, repeats=20)
    ties = [
        row | {"trial_id": f"P{k}", "purpose": "practice", "answer": "tie"}
        for k, row in enumerate(rows[:200])
    ]
    assert telling_apart(judgments(*rows, *ties), 0.1) == telling_apart(judgments(*rows), 0.1)


def test_sentences_call_nothing_equivalent_by_guesses_and_say_what_shows_it():
    made = AnalysisSettings(draws=10, equivalence_margin=0.1)

    def said(rows):
        found = analyse(judgments(*rows), PEOPLE, made)
        return " ".join(finding_sentences(study_findings(found))).replace("\u00a0", " ")

    guessed = said(compared(0, attention=0.0, pairs=150, checks=4))
    assert "equivalent to" not in guessed and "indistinguishable" not in guessed
    assert "no test against the margin of ±10 points" in guessed
    assert "judges who guess would give the same" in guessed
    told = said(compared(2, pairs=150, checks=4))
    assert "SFT is equivalent to the target's own texts in preference" in told
    assert "these judges tell texts apart: " in told


def test_all_alike_is_not_equivalent_for_that():
    """Four judges who are all right about few texts say little about a margin of 5 points."""
    few = attributed(n=24, human=1.0, sft=1.0)
    (row,) = attribution_equivalence(few, 0.05).itertuples(index=False)
    assert row.value == 0 and row.verdict == "undecided"


def test_to_judges_who_guess_nothing_is_equivalent():
    """Finding: of 1,200 guesses every source was equivalent to the target's own texts."""
    guesses = attributed(human=0.5, sft=0.5)
    (row,) = attribution_equivalence(guesses, 0.1, chance=0.5).itertuples(index=False)
    assert row.verdict == "not tested" and "judges who guess would" in row.note
    (row,) = attribution_equivalence(guesses, 0.1, chance=0.25).itertuples(index=False)
    assert row.verdict == "equivalent"
    found = analyse(guesses, PEOPLE[:2], AnalysisSettings(draws=10, equivalence_margin=0.1))
    assert found.equivalence["verdict"].tolist() == ["not tested"]
    said = " ".join(finding_sentences(study_findings(found)))
    assert "equivalent to" not in said and "judges who guess would give the same" in said


def test_of_studies_of_guessed_attributions_none_has_an_equivalent_source():
    for seed in range(20):
        guesses = attributed(human=1 / 3, sft=1 / 3, seed=seed)
        (row,) = attribution_equivalence(guesses, 0.1, chance=1 / 3).itertuples(index=False)
        assert row.verdict != "equivalent", seed


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
