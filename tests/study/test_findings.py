"""What a study may claim: no order that its interval does not carry, no likeness untested."""

import math
import os
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from helpers.false_sentences import same_ends
from helpers.judgments import PEOPLE, attribution, judgments
from hypothesis import given, settings
from hypothesis import strategies as st

from capo_core.formatting import percent
from capo_core.stats.clustered import ALIKE
from capo_core.stats.equivalence import DIFFERENT, EQUIVALENT, UNDECIDED
from capo_core.study.analysis import findings as f
from capo_core.study.analysis.analysis import AnalysisSettings, analyse
from capo_core.study.analysis.attribution import ACCURACY, AS_WRONG, DIFFERENCES
from capo_core.study.analysis.findings import finding_sentences, study_findings
from capo_core.study.analysis.latex_report import to_latex
from capo_core.study.analysis.preferences import REASONING_MEANS, WINS
from capo_core.study.analysis.report import StudyFacts, StudyReport, to_markdown
from capo_core.study.analysis.study_equivalence import EQUIVALENCE
from capo_core.study.analysis.style_control import STYLE_PAIRS
from capo_core.study.source_names import inside, source_name

TABLES = int(os.environ.get("CAPO_TABLES", 0))
SOURCES = ("capo", "human", "other_human", "sft", "zero_shot-2")
ORDER = re.compile(
    r"(?<!not )significantly (above|below|more|less|preferred)|(was|were) preferred to"
)

share = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0, 0.504, 0.4996, 1 / 3])
count = st.integers(1, 900) | st.just(1)
notes = st.sampled_from(["few", "few", ALIKE])


@st.composite
def interval(draw, value: float, low: float = 0.0, high: float = 1.0):
    """An interval around a value, none, one without width, or one that ends at the reference."""
    if draw(st.integers(0, 5)) == 0:
        return math.nan, math.nan
    below, above = draw(st.floats(0, 0.4)), draw(st.floats(0, 0.4))
    ends = max(low, value - below), min(high, value + above)
    return draw(st.sampled_from([ends, (value, value), (min(0.5, value), max(0.5, value))]))


def frame(columns, rows):
    other = {"detectable": math.nan, "p_value": math.nan}
    return pd.DataFrame(
        [[row.get(name, other.get(name, "")) for name in columns] for row in rows], columns=columns
    )


@st.composite
def studies(draw):
    """Tables of a study as `analyse` gives them: missing sources, ties, n of 1, no intervals."""
    sources = draw(st.lists(st.sampled_from(SOURCES), unique=True, max_size=5))
    chance = draw(st.sampled_from([1 / 2, 1 / 3, 1 / 4]))
    alike = draw(st.none() | share)  # everything equal
    accuracy, differences, wins, style, ratings, equal, choice = [], [], [], [], [], [], []
    for name in sources:
        value = draw(share) if alike is None else alike
        low, high = draw(interval(value))
        accuracy.append({"source": name, "counting": AS_WRONG, "n": draw(count), "value": value,
                         "low": low, "high": high, "chance": chance,
                         "note": draw(notes)})  # fmt: skip
        mean = draw(st.floats(1, 5))
        ratings.append({"source": name, "n": draw(count), "mean": mean, "low": mean, "high": mean})
    margin = draw(st.sampled_from([0.0, 0.1]))
    for k, one in enumerate(sorted(sources)):
        for two in sorted(sources)[k + 1 :]:
            gap = draw(st.floats(-1, 1)) if alike is None else 0.0
            low, high = draw(interval(gap, -1, 1))
            differences.append({"source_a": one, "source_b": two, "counting": AS_WRONG,
                                "value": gap, "low": low, "high": high, "n": draw(count),
                                "note": draw(notes), "p_value": draw(share)})  # fmt: skip
            value = draw(share) if alike is None else 0.5
            low, high = draw(interval(value))
            wins.append({"source_a": one, "source_b": two, "n": draw(count), "share_a": value,
                         "ties": draw(st.integers(0, 1)), "low": low, "high": high,
                         "note": draw(notes)})  # fmt: skip
            value = draw(share)
            low, high = draw(interval(value))
            style.append({"source_a": one, "source_b": two, "n": wins[-1]["n"],
                          "controlled_a": value, "low": low, "high": high,
                          "note": "few"})  # fmt: skip
            if margin and "human" in (one, two):
                p = draw(st.floats(0, 1) | st.just(math.nan))
                verdict = EQUIVALENT if p <= 0.05 else draw(st.sampled_from([DIFFERENT, UNDECIDED]))
                row = {"source": one if two == "human" else two, "value": gap, "low": gap - 0.05,
                       "high": gap + 0.05, "margin": margin, "p_value": p, "n": draw(count),
                       "verdict": verdict, "note": "few"}  # fmt: skip
                equal.append(row)
                choice.append(row | {"n": draw(count)})
    return SimpleNamespace(
        accuracy=frame(ACCURACY, accuracy),
        differences=frame(DIFFERENCES, differences),
        wins=frame(WINS, wins),
        style=SimpleNamespace(pairs=frame(STYLE_PAIRS, style)) if draw(st.booleans()) else None,
        reasoning=frame(REASONING_MEANS, ratings if draw(st.booleans()) else []),
        equivalence=frame(EQUIVALENCE, equal),
        preference_equivalence=frame(EQUIVALENCE, choice),
    )


@settings(max_examples=max(150, TABLES), deadline=None)
@given(studies())
def test_no_sentence_claims_what_its_interval_does_not_carry(study):
    found = study_findings(study)
    said = finding_sentences(found)
    for one in found:
        if one.claim in (f.EQUAL_ATTRIBUTED, f.EQUAL_CHOSEN, f.RATED):
            continue
        assert math.isnan(one.p_value) == (one.note != ALIKE)
        near, far = one.reference - f.SMALLEST, one.reference + f.SMALLEST
        wide = one.high - one.low >= f.SMALLEST  # never of NaN
        wide = wide and not one.p_value > 0.05  # of answers all alike
        beyond = wide and (one.low > far or one.high < near)
        assert (one.verdict in (f.ABOVE, f.BELOW)) == beyond
    decided = {
        claim: [one for one in found if one.claim == claim and one.verdict in (f.ABOVE, f.BELOW)]
        for claim in {one.claim for one in found}
    }
    for line in said:
        low = line.lower()
        if "equivalent to" in low or "indistinguishable" in low:
            assert "two one-sided tests, margin" in low
            assert any(one.verdict == EQUIVALENT and one.p_value <= 0.05 for one in found)
        if "was preferred to" in low or "were preferred to" in low:
            assert decided.get(f.PREFERRED)
        if low.startswith("attributed correctly significantly"):
            assert decided.get(f.APART)
        for verdict in ("above", "below"):
            if low.startswith(f"significantly {verdict} chance: "):
                named = {inside(one.source) for one in decided[f.ATTRIBUTED]
                         if one.verdict == verdict}  # fmt: skip
                for other in map(inside, SOURCES):
                    listed = re.search(rf"(: |, |and ){re.escape(other)}(,| and|\.)", line)
                    assert bool(listed) == (other in named)
        assert not same_ends(line), line
        assert "nan" not in low and "none" not in low.replace("in none of", "")
    denied = ("is significantly above chance.", "was one significantly preferred.")
    claimed = [line for line in said if not any(words in line for words in denied)]
    assert not any(ORDER.search(line) for line in claimed) or any(decided.values())


@settings(max_examples=max(100, TABLES), deadline=None)
@given(studies())
def test_each_finding_alone_says_nothing_it_must_not_and_its_numbers_whole(study):
    for one in study_findings(study):
        if one.claim == f.STYLE:
            continue  # told beside the raw preference
        said = " ".join(finding_sentences([one])).lower()
        if one.claim in (f.APART, f.ATTRIBUTED, f.PREFERRED):
            said = said.replace("no source is significantly above chance", "")
        for word in one.must_not:
            assert word not in said, (one, said)
        if one.claim in (f.ATTRIBUTED, f.PREFERRED):
            assert percent(one.value) in said
            assert f"of {one.n:,} judgment" in said
            assert ("counting half" in said) == (one.ties > 0)
        if one.verdict in (f.ABOVE, f.BELOW):
            # The printed end of the interval lies on the side that is claimed.
            ends = re.search(r"\[([−\d.]+)(?:–|, )\+?([−\d.]+)\]", said.replace("+", ""))
            low, high = (float(end.replace("−", "-")) for end in ends.groups())
            near = low if one.verdict == f.ABOVE else high
            reference = 100 * one.reference
            assert (near > reference) if one.verdict == f.ABOVE else (near < reference), said


def test_the_same_sentences_in_report_paragraph_and_json():
    rows = [
        attribution(f"J{k % 4}", f"{source}{k}", "ann-1" if k % 5 else "ann-2", source=source)
        for source in ("human", "sft")
        for k in range(40)
    ]
    rows += [
        {"judge_id": f"J{k % 4}", "trial_id": f"C{k}", "item_id": f"i{k % 10}",
         "answer": "a" if k % 4 else "b"}
        for k in range(40)
    ]  # fmt: skip
    report = StudyReport(
        analyse(judgments(*rows), PEOPLE, AnalysisSettings(draws=20)), StudyFacts()
    )
    for line in report.results:
        plain = line.replace("\u00a0", " ")
        assert plain.replace("[", "\\[").replace("]", "\\]") in to_markdown(report).replace(
            "\u00a0", " "
        )
    assert len(report.to_dict()["results"]) == len(report.results)
    assert "Judges attributed texts correctly for the target's own texts in 80" in to_latex(report)
    claims = [one.claim for one in report.findings]
    assert claims == [f.ATTRIBUTED] * 2 + [f.APART, f.PREFERRED, f.STYLE]
    assert "no proof of likeness" in " ".join(report.results)


def finding(claim=f.PREFERRED, value=0.6, low=0.5, high=0.7, verdict=None, n=40, **more):
    reference = {f.PREFERRED: 0.5, f.STYLE: 0.5, f.ATTRIBUTED: 0.25}.get(claim, 0.0)
    verdict = verdict or f.verdict_of(low, high, reference)
    given = {"source": "capo", "against": "human", "reference": reference} | more
    return f.StudyFinding(claim, value=value, low=low, high=high, n=n, verdict=verdict, **given)


def test_an_interval_that_would_round_onto_the_reference_has_a_decimal():
    (line, *_rest) = finding_sentences([finding(low=0.5004)])
    assert line.startswith("CAPO was preferred to the target's own texts in 60")
    assert line.endswith("[50.04–70.00] of 40 judgments.")
    (line, *_rest) = finding_sentences([finding(low=0.49)])
    assert line.startswith(
        "No significant preference between CAPO and the target's own texts (CAPO"
    )


def test_higher_than_the_human_is_not_called_closer():
    (line,) = finding_sentences([finding(f.APART, 0.2, 0.1, 0.3)])
    assert "which is no closer imitation" in line and "+20 points [+10, +30], 40 judgments" in line


@pytest.mark.parametrize(
    "verdict, words",
    [
        (EQUIVALENT, "CAPO is equivalent to the target's own texts in attribution accuracy"),
        (UNDECIDED, "neither shown to be as the target's own texts nor beyond the margin"),
        (DIFFERENT, "by more than the margin"),
    ],
)
def test_equivalence_names_test_margin_and_when_it_was_fixed(verdict, words):
    one = finding(f.EQUAL_ATTRIBUTED, 0.01, -0.06, 0.08, verdict, reference=0.1, p_value=0.02)
    (line,) = finding_sentences([one])
    assert words in line
    assert "two one-sided tests, margin ±10 points, fixed before the freeze" in line
    assert "90\u00a0% interval [−6, +8] of 40 judgments, equivalence p = 0.020" in line
    (draft,) = finding_sentences([one], frozen=False)
    assert "of the draft, which is not frozen" in draft and "before the freeze" not in draft


def test_style_that_turns_a_preference_is_told_beside_it():
    raw = finding(low=0.55)
    same = finding(f.STYLE, 0.58, 0.52, 0.64)
    lines = finding_sentences([raw, same])
    assert lines[1].endswith("58\u00a0% [52–64], and that is significant.")
    turned = finding(f.STYLE, 0.56, 0.4, 0.7, source="human", against="capo")
    lines = finding_sentences([raw, turned])
    assert "the other way round than without, not significantly more than half" in lines[1]


@pytest.mark.parametrize("n, decided", [(4, False), (5, False), (6, True)])
def test_a_few_unanimous_judgments_are_no_preference(n, decided):
    """Formerly 4 of 4 "was preferred … in 100 % [51–100]"; the exact p is .125."""
    rows = [
        {"judge_id": f"J{k}", "trial_id": f"C{k}", "item_id": f"i{k}", "answer": "a",
         "source_a": "capo", "source_b": "sft"}
        for k in range(n)
    ]  # fmt: skip
    study = analyse(judgments(*rows), PEOPLE, AnalysisSettings(draws=20))
    (one,) = (one for one in study_findings(study) if one.claim == f.PREFERRED)
    assert one.low > 0.5 and one.p_value == pytest.approx(2 * 0.5**n)
    assert one.verdict == (f.ABOVE if decided else f.UNDECIDED)
    (line,) = (x for x in finding_sentences([one]) if "CAPO" in x)
    assert ("was preferred" in line) == decided == ("exact test" not in line)
    assert decided or "taken as independent, exact test p = 0." in line


@pytest.mark.parametrize("n, p, decided", [(3, 0.1, False), (6, 1 / 462, True)])
def test_three_against_three_are_no_difference(n, p, decided):
    """Formerly "significantly less often than the target's own texts"; Fisher's p is .1."""
    rows = [
        attribution(f"J{k}", f"{source}{k}", "ann-1" if source == "human" else "ann-2",
                    source=source)
        for source in ("human", "sft")
        for k in range(n)
    ]  # fmt: skip
    study = analyse(judgments(*rows), PEOPLE, AnalysisSettings(draws=20))
    found = {one.claim: one for one in study_findings(study)}
    one = found[f.APART]
    assert (one.value, one.p_value) == (-1, pytest.approx(p)) and one.high < 0
    assert one.verdict == (f.BELOW if decided else f.UNDECIDED)
    said = " ".join(finding_sentences([one]))
    assert ("significantly less often" in said) == decided == ("exact test" not in said)
    table = study.differences
    assert (table["p_value"].notna() == (table["note"] == ALIKE)).all()


def test_names_of_sources():
    assert source_name("zero_shot-2") == "Zero-shot-2"
    assert source_name("sft (Qwen3-4B)") == "SFT (Qwen3-4B)"
    assert inside("human") == "the target's own texts" and inside("my-method") == "my-method"
