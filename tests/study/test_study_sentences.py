"""Sentences of unusual studies: nothing is said that was not asked, tested or computed."""

import itertools
import re

import numpy as np
import pytest
from helpers.judgments import PEOPLE, attribution, judgments

from capo_core.provenance import BOTH, SIMULATED, Provenance
from capo_core.provenance import PEOPLE as HUMANS
from capo_core.stats.clustered import PAIRED, share_difference
from capo_core.study.analysis import findings as f
from capo_core.study.analysis.analysis import AnalysisSettings, analyse
from capo_core.study.analysis.latex_report import to_latex
from capo_core.study.analysis.report import (
    StudyFacts,
    StudyReport,
    methods_paragraph,
    to_markdown,
)
from capo_core.study.analysis.study_equivalence import attribution_equivalence
from capo_core.study.trial_kinds import TRIAL_KINDS

METHODS = ("human", "sft", "capo", "icl", "zero_shot")


def attributed(judges, items, sources=("human", "sft"), share=0.6, truths=PEOPLE):
    """Attributions of which `share` (one number, or one a source) is right."""
    rng = np.random.default_rng(0)
    rows = []
    for j, source, k in itertools.product(range(judges), sources, range(items)):
        truth = truths[k % len(truths)]
        right = rng.random() < (share[source] if isinstance(share, dict) else share)
        named = truth if right else PEOPLE[(PEOPLE.index(truth) + 1) % len(PEOPLE)]
        rows.append(
            attribution(f"J{j}", f"{source}{k}", named, truth, source=source, item_id=f"i{k}")
        )
    return rows


def compared(judges, items, pair=("human", "sft"), answer="", **more):
    rng = np.random.default_rng(1)
    return [
        {"judge_id": f"J{j}", "trial_id": f"C{'-'.join(pair)}{k}", "item_id": f"i{k}",
         "source_a": pair[0], "source_b": pair[1],
         "answer": answer or ("a" if rng.random() < 0.8 else "b")} | more
        for j, k in itertools.product(range(judges), range(items))
    ]  # fmt: skip


def rated(judges, items, answer=""):
    rng = np.random.default_rng(2)
    return [
        {"judge_id": f"J{j}", "trial_id": f"R{k}", "item_id": f"i{k}", "kind": "reasoning",
         "source": "sft", "source_a": "sft", "source_b": "human",
         "answer": answer or str(rng.integers(1, 6))}
        for j, k in itertools.product(range(judges), range(items))
    ]  # fmt: skip


CHECKS = compared(4, 6, ("human", "other_human"), purpose="check", truth="a")
STUDIES = {
    "one judge": attributed(1, 12) + compared(1, 12),
    "one target": attributed(4, 12, truths=PEOPLE[:1]),
    "checks alone": CHECKS,
    "all checks failed": [row | {"answer": "b"} for row in CHECKS] + compared(4, 10),
    "all ties": compared(4, 10, answer="tie"),
    "never lost": compared(4, 10, answer="a"),
    "one judgment of each kind": attributed(1, 1, ("sft",)) + compared(1, 1) + rated(1, 1),
    "all right": attributed(4, 10, share=1.0),
    "same answers to both": [
        attribution(f"J{j}", f"{s}{k}", PEOPLE[0], PEOPLE[k % 3], source=s, item_id=f"i{k}")
        for j, s, k in itertools.product(range(4), ("human", "sft"), range(10))
    ],
    "overshoot": attributed(6, 12, share={"human": 0.4, "sft": 1.0}),
    "never compared with each other": [
        *compared(4, 8), *compared(4, 8, ("zero_shot", "other_human"))
    ],
    "ratings alone": rated(4, 8),
    "ratings all equal": rated(4, 8, "3"),
    "ten pairs": [
        row for pair in itertools.combinations(METHODS, 2) for row in compared(6, 8, pair)
    ],
    "five sources": attributed(
        5, 10, METHODS, {"human": 0.8, "sft": 0.6, "capo": 0.7, "icl": 0.5, "zero_shot": 0.34}
    ),
}  # fmt: skip


def reported(rows, margin=0.0, provenance=None) -> StudyReport:
    made = AnalysisSettings(draws=5, equivalence_margin=margin)
    return StudyReport(
        analyse(judgments(*rows), PEOPLE, made),
        StudyFacts(equivalence_margin=margin),
        provenance or Provenance("d", "f", HUMANS, judges=HUMANS),
    )


@pytest.mark.parametrize("name", STUDIES)
def test_an_unusual_study_is_told_as_it_is(name):
    report = reported(STUDIES[name], 0.0 if name in ("one target", "ten pairs") else 0.1)
    found, said, how = report.findings, report.results, methods_paragraph(report)
    assert said, "a study says what came out, or why nothing did"
    everything = " ".join([*said, *report.analysis.sentences[:1], how]).replace("\u00a0", " ")
    assert "nan" not in everything and "  " not in everything
    if report.analysis.judges:
        assert not re.search(r"\b0 (judge|judgment|attention|swapped|trial)", everything)
    else:
        assert said == [line for line in said if line.startswith("No judgment counts")]
        assert how.startswith("No judgment counts in a result.")
    # What is not there is not described.
    mine = [one for one in found if one.claim not in (*f.EQUAL, f.STYLE)]
    told = [one for one in mine if one.verdict != f.UNDEFINED]
    alike = [one for one in told if one.note.startswith("all answers alike")]
    assert ("clustered by judge and item" in how) == (len(told) > len(alike))
    assert ("taken as independent" in how) == bool(alike)
    assert all("taken as independent" in " ".join(said) for _ in alike)
    tested = [one for one in found if one.claim in f.EQUAL and one.verdict != f.UNDEFINED]
    assert ("two one-sided tests" in how) == bool(tested)
    fit = report.analysis.preference
    finite = fit is not None and fit.strengths["strength"].notna().any()
    assert ("Bradley-Terry" in how) == finite
    # Where nothing can be said against chance, nothing is.
    chance = [one for one in told if one.claim == f.ATTRIBUTED]
    assert ("is significantly above chance" in " ".join(said)) == (
        bool(chance) and all(one.verdict != f.ABOVE for one in chance)
    )
    # What is not significant says what could have been found; nothing impossible is promised.
    for one in told:
        if one.claim in (f.APART, f.PREFERRED) and one.verdict == f.UNDECIDED and not one.note:
            (line,) = f.finding_sentences([one])[:1]
            assert "with 80" in line and one.detectable > (one.high - one.low) / 2
    assert not re.search(r"; 1\d\d points would", everything)
    for low, high in re.findall(r"\[([−+\d.]+)(?:–|, )([−+\d.]+)\]", " ".join(said)):
        assert low != high, said
    # Several comparisons of which one is called significant are said to be several.
    several = any(
        len(of := [one for one in told if one.claim == claim]) > 1
        and any(one.verdict in (f.ABOVE, f.BELOW) for one in of)
        for claim in (f.ATTRIBUTED, f.APART, f.PREFERRED)
    )
    assert ("not adjusted for" in " ".join(said)) >= several
    for line in said:
        plain = line.replace("\u00a0", " ").replace("[", "\\[").replace("]", "\\]")
        assert plain in to_markdown(report).replace("\u00a0", " ")


def test_a_preference_without_style_control_is_not_said_to_be_lost_by_it():
    said = " ".join(reported(STUDIES["ten pairs"]).results)
    assert "In" in said and "pairs of sources one was significantly preferred" in said
    assert "length and overlap" not in said  # all texts are equally long: nothing was computed


def test_two_sources_that_never_differ_have_no_interval_without_width():
    hit, judge, item = np.tile([1.0, 0.0], 20), np.repeat(np.arange(4), 10), np.tile(range(10), 4)
    found = share_difference(hit, judge, item, hit, judge, item)
    assert np.isnan([found.low, found.high]).all() and found.note == PAIRED
    assert np.isnan(found.detectable)
    assert found.degrees == 3  # of four judges, though nothing varies between them
    report = reported(STUDIES["same answers to both"], 0.1)
    (equal,) = [one for one in report.findings if one.claim in f.EQUAL]
    assert equal.verdict == f.UNDEFINED and "who guess" in equal.note  # one in three is right
    (row,) = attribution_equivalence(judgments(*STUDIES["same answers to both"]), 0.1).itertuples()
    assert row.verdict == "undecided"  # 4 judges × 10 items that agree are not enough


def test_ties_that_count_half_are_not_texts_that_were_chosen():
    """Finding: "the target's own texts chosen in 50 % of 40 judgments" of forty ties."""
    said = " ".join(reported(STUDIES["all ties"]).results).replace("\u00a0", " ")
    assert "chosen in 50 % of 40 judgments, 40 ties counting half" in said
    assert "tie" not in " ".join(reported(STUDIES["never lost"]).results)


@pytest.mark.parametrize("name", STUDIES)
def test_no_sentence_has_the_key_of_a_source(name):
    """Notes and remarks name sources as the results do: "SFT", "another annotator's texts"."""
    report = reported(STUDIES[name])
    a, kinds = report.analysis, set(report.analysis.counts["kind"])
    said = [*report.results, *a.sentences, methods_paragraph(report)]
    said += [one.note for one in report.findings]
    said += [r for k in kinds for r in TRIAL_KINDS[k].remarks(a.results[k])]
    said += [a.quality.why_not_weighted] if a.quality is not None else []
    for line in said:
        assert not re.search(r"\b(sft|capo|icl|zero_shot|other_human)\b|human never", line), line


@pytest.mark.parametrize("name", ["five sources", "ten pairs", "ratings alone"])
def test_tables_of_a_report_name_sources_as_its_sentences_do(name):
    report = reported(STUDIES[name])
    marked, latex = to_markdown(report), to_latex(report)
    assert "| SFT |" in marked and "SFT & " in latex
    assert not re.search(r"\| (human|sft|capo|icl|zero\\_shot|other\\_human) \|", marked)
    assert not re.search(r"(^|& )(human|sft|capo|icl|zero\\_shot) &", latex, re.M)


def test_a_source_that_never_lost_is_not_said_to_be_much_better():
    """One judgment cannot say how large a difference is."""
    for rows in (compared(1, 1, answer="a"), STUDIES["never lost"]):
        note = reported(rows).analysis.preference.note
        assert "SFT never won against the others; the target's own texts never lost" in note
        assert "large" not in note and "sets no limit to the difference" in note


@pytest.mark.parametrize(
    "judges, title",
    [(HUMANS, "human judgments"), (SIMULATED, "simulated judgments (simulated judges)"),
     (BOTH, "human and simulated judgments (partly simulated judges)"), ("", "judgments")],
)  # fmt: skip
def test_the_title_says_who_judged(judges, title):
    report = reported(compared(3, 4), provenance=Provenance("d", "f", HUMANS, judges=judges))
    assert f"\\paragraph{{s: {title}.}}" in to_latex(report)
    paragraph = methods_paragraph(report)
    assert ("no person judged" in paragraph) == (judges == SIMULATED)
    assert ("Some of the judges are simulated" in paragraph) == (judges == BOTH)
