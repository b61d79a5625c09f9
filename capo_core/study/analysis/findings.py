"""Findings of a study: what its numbers carry, and the one wording of it.

Each claim is computed once (`study_findings`) and worded once (`finding_sentences`); page, HTML,
Markdown, LaTeX and command line read these and nothing else. An order is claimed only where the
95 % interval, clustered by judge and item, leaves the reference out; equivalence only by two
one-sided tests against a margin that is part of the frozen design.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from capo_core.formatting import (
    count,
    interval,
    listed,
    p_statement,
    percent,
    points,
    signed,
    with_interval,
)
from capo_core.stats.clustered import ALIKE
from capo_core.stats.equivalence import DIFFERENT, EQUIVALENT
from capo_core.stats.intervals import json_value
from capo_core.stats.significance import SIGNIFICANCE_LEVEL
from capo_core.study.analysis.analysis import StudyAnalysis
from capo_core.study.analysis.attribution import AS_WRONG
from capo_core.study.source_names import inside, source_name
from capo_core.study.tables import HUMAN, OTHER_HUMAN

ABOVE, BELOW, UNDECIDED, UNDEFINED = "above", "below", "undecided", "undefined"
CHANCE = "chance"
# Claims.
ATTRIBUTED = "attribution accuracy against chance"
APART = "attribution accuracy against the target's own texts"
PREFERRED = "preference"
STYLE = "preference with style held equal"
EQUAL_ATTRIBUTED = "equivalence to the target's own texts in attribution accuracy"
EQUAL_CHOSEN = "equivalence to the target's own texts in preference"
EQUAL = (EQUAL_ATTRIBUTED, EQUAL_CHOSEN)
RATED = "mean rating"
# Words that a sentence must not have, by verdict; `tests/study/test_findings.py` holds them to it.
NO_ORDER = ("significantly above", "significantly below", "significantly more",
            "significantly less", "was preferred", "were preferred")  # fmt: skip
NO_EQUALITY = ("indistinguishable", "equivalent")
SMALLEST = 1e-4  # what can be printed
MOST_PAIRS = 2  # pairs of sources with a sentence each; more are counted, and stand in the table


@dataclass(frozen=True)
class StudyFinding:
    """One claim with its numbers.

    Attributes:
        claim: ATTRIBUTED, APART, PREFERRED, STYLE, one of EQUAL, or RATED.
        source: what the claim is about. against: what it is compared with: another source, or
            CHANCE; "" where with nothing.
        value: of the claim: a share, a difference of shares, or a mean. low, high: its interval,
            of 95 % (EQUAL: 90 %); NaN where there is none.
        reference: the value that makes no difference: chance, ½ or 0; of EQUAL the margin.
        n: judgments. verdict: ABOVE, BELOW, UNDECIDED or UNDEFINED; of EQUAL EQUIVALENT, DIFFERENT,
            UNDECIDED or UNDEFINED.
        p_value: of EQUAL; of ATTRIBUTED, APART and PREFERRED that of the exact test where the
            interval takes judgments as independent, else NaN.
        note: why it is undefined, what the interval rests on, or of EQUIVALENT what shows that the
            judges tell something apart.
        detectable: of APART and PREFERRED, the smallest difference from the reference that these
            judges and items find with 80 % power; NaN where it is not known.
        ties: of PREFERRED, how many of the judgments are ties; each counts half in `value`.
    """

    claim: str
    source: str
    against: str
    value: float
    low: float
    high: float
    reference: float
    n: int
    verdict: str
    p_value: float = math.nan
    note: str = ""
    detectable: float = math.nan
    ties: int = 0

    @property
    def must_not(self) -> tuple[str, ...]:
        """Return what no sentence about this finding alone may say."""
        if self.claim in EQUAL:
            return () if self.verdict == EQUIVALENT else NO_EQUALITY
        return NO_EQUALITY + (() if self.verdict in (ABOVE, BELOW) else NO_ORDER)

    def to_dict(self) -> dict[str, Any]:
        return {field.name: json_value(getattr(self, field.name)) for field in fields(self)}


def verdict_of(low: float, high: float, reference: float, exact: float = math.nan) -> str:
    """Return ABOVE or BELOW where the interval leaves `reference` out, else UNDECIDED; UNDEFINED
    without an interval. Less than a hundredth of a point away is on it, and an interval without
    width decides nothing.

    Args:
        exact: p of the exact test, where the interval is one of answers all alike, which is too
            narrow for a few of them: above .05 nothing is decided. NaN where it is not.

    >>> verdict_of(0.51, 0.7, 0.5), verdict_of(0.5, 0.7, 0.5), verdict_of(math.nan, 0.7, 0.5)
    ('above', 'undecided', 'undefined')
    """
    if math.isnan(low) or math.isnan(high):
        return UNDEFINED
    if high - low < SMALLEST or exact > SIGNIFICANCE_LEVEL:
        return UNDECIDED
    if low > reference + SMALLEST:
        return ABOVE
    return BELOW if high < reference - SMALLEST else UNDECIDED


def study_findings(analysis: StudyAnalysis) -> tuple[StudyFinding, ...]:
    """Return every claim of a study, in the order to read."""
    found: list[StudyFinding] = []
    if len(analysis.accuracy):
        found += [_attributed(row) for row in _rows(analysis.accuracy, counting=AS_WRONG)]
        found += [_apart(row) for row in _rows(analysis.differences, counting=AS_WRONG)
                  if HUMAN in (row.source_a, row.source_b)]  # fmt: skip
    found += [_preferred(row) for row in analysis.wins.itertuples(index=False)]
    if analysis.style is not None:
        found += [_style(row) for row in analysis.style.pairs.itertuples(index=False)]
    for claim, table in zip(
        EQUAL, (analysis.equivalence, analysis.preference_equivalence), strict=True
    ):
        found += [_equal(claim, row) for row in table.itertuples(index=False)]
    found += [_rated(row) for row in analysis.reasoning.itertuples(index=False)]
    return tuple(found)


def _rows(frame: pd.DataFrame, **values: Any) -> Iterable[Any]:
    for name, value in values.items():
        frame = frame[frame[name] == value]
    return frame.itertuples(index=False)


def _exact(note: str, value: float, n: int, reference: float) -> float:
    """Return p of the exact binomial test of a share, two-sided, where its answers are all alike;
    else NaN."""
    if note != ALIKE:
        return math.nan
    return float(binomtest(round(value * n), n, reference).pvalue)


def _attributed(row) -> StudyFinding:
    p = _exact(row.note, row.value, row.n, row.chance)
    return StudyFinding(ATTRIBUTED, row.source, CHANCE, row.value, row.low, row.high, row.chance,
                        row.n, verdict_of(row.low, row.high, row.chance, p), p,
                        row.note)  # fmt: skip


def _apart(row) -> StudyFinding:
    """Return another source less the target's own texts."""
    value, low, high, source = row.value, row.low, row.high, row.source_a
    if row.source_a == HUMAN:
        value, low, high, source = -value, -high, -low, row.source_b
    p = row.p_value if row.note == ALIKE else math.nan
    return StudyFinding(APART, source, HUMAN, value, low, high, 0.0, row.n,
                        verdict_of(low, high, 0.0, p), p, row.note,
                        detectable=row.detectable)  # fmt: skip


def _preferred(row) -> StudyFinding:
    found = _chosen_more(PREFERRED, row, row.share_a)
    return replace(found, detectable=row.detectable, ties=int(row.ties))


def _style(row) -> StudyFinding:
    return _chosen_more(STYLE, row, row.controlled_a)


def _chosen_more(claim: str, row, value: float) -> StudyFinding:
    """Return a preference, told of the source that was chosen more often."""
    source, against, low, high = row.source_a, row.source_b, row.low, row.high
    if value < 0.5:
        source, against, value, low, high = against, source, 1 - value, 1 - high, 1 - low
    p = _exact(row.note, value, row.n, 0.5)
    return StudyFinding(claim, source, against, value, low, high, 0.5, row.n,
                        verdict_of(low, high, 0.5, p), p, row.note)  # fmt: skip


def _equal(claim: str, row) -> StudyFinding:
    return StudyFinding(claim, row.source, HUMAN, row.value, row.low, row.high, row.margin, row.n,
                        UNDEFINED if math.isnan(row.p_value) else row.verdict, row.p_value,
                        row.note)  # fmt: skip


def _rated(row) -> StudyFinding:
    return StudyFinding(RATED, row.source, "", row.mean, row.low, row.high, math.nan, row.n,
                        UNDEFINED if math.isnan(row.low) else UNDECIDED, note=row.note)  # fmt: skip


def finding_sentences(findings: Sequence[StudyFinding], *, frozen: bool = True) -> list[str]:
    """Return the findings in sentences, each number with its n and interval.

    Args:
        frozen: was the design, and with it an equivalence margin, frozen before judging?
    """
    by_claim = {
        claim: [one for one in findings if one.claim == claim]
        for claim in (ATTRIBUTED, APART, PREFERRED, STYLE, *EQUAL, RATED)
    }
    return [
        *_attribution_words(by_claim[ATTRIBUTED]),
        *_apart_words(by_claim[APART]),
        *_preference_words(by_claim[PREFERRED], by_claim[STYLE]),
        *(line for claim in EQUAL for line in _equal_words(by_claim[claim], frozen)),
        *_without_margin(findings),
        *_unadjusted(by_claim),
        *_rating_words(by_claim[RATED]),
    ]


def _attribution_words(found: list[StudyFinding]) -> list[str]:
    if not found:
        return []
    chance = percent(found[0].reference)
    told = listed([f"{inside(one.source)} in {share_words(one)}" for one in found])
    words = [f"Judges attributed texts correctly for {told} (chance {chance})."]
    tested = [one for one in found if one.verdict != UNDEFINED]
    if tested and all(one.verdict != ABOVE for one in tested):
        some = "" if len(tested) == len(found) else " with an interval"
        words.append(f"No source{some} is significantly above chance.")
    for verdict, said in (
        (ABOVE, "Significantly above chance"),
        (BELOW, "Significantly below chance"),
        (UNDECIDED, "Not significantly different from chance"),
    ):
        names = [inside(one.source) for one in found if one.verdict == verdict]
        if names:
            words.append(f"{said}: {listed(names)}.")
    return words + _without_interval(found, "so that nothing is said against chance")


def _apart_words(found: list[StudyFinding]) -> list[str]:
    words = []
    for verdict, said in (
        (BELOW, "Attributed correctly significantly less often than the target's own texts"),
        (ABOVE, "Attributed correctly significantly more often than the target's own texts, which "
                "is no closer imitation"),
        (UNDECIDED, "No significant difference from the target's own texts"),
    ):  # fmt: skip
        these = [one for one in found if one.verdict == verdict]
        if these:
            told = listed(
                [f"{inside(one.source)} ({points_words(one)}{_found_from(one)})" for one in these]
            )
            words.append(f"{said}: {told}.")
    return words + _without_interval(
        found, "so that nothing is said of the difference from the target's own texts"
    )


def _without_interval(found: list[StudyFinding], so: str) -> list[str]:
    """Return, for each reason, which findings have no interval."""
    reasons: dict[str, list[str]] = {}
    for one in found:
        if one.verdict == UNDEFINED:
            reasons.setdefault(one.note, []).append(inside(one.source))
    return [
        f"Without an interval, {so}: {listed(names)}{f' ({why})' if why else ''}."
        for why, names in reasons.items()
    ]


def _preference_words(found: list[StudyFinding], style: list[StudyFinding]) -> list[str]:
    """Return a sentence for each of a few pairs of sources, else one about all of them."""
    held = {frozenset((one.source, one.against)): one for one in style}
    if len(found) <= MOST_PAIRS:
        words = []
        for one in found:
            words.append(f"{_preference(one)}.")
            equal = held.get(frozenset((one.source, one.against)))
            if equal is not None and equal.verdict != UNDEFINED:  # why not stands in the table
                words.append(_style_words(one, equal))
        return words
    told = [one for one in found if one.verdict in (ABOVE, BELOW)]
    without = sum(one.verdict == UNDEFINED for one in found)
    undefined = f" {count(without, 'pair')} without an interval." if without else ""
    if not told:
        return [
            f"In none of {len(found)} pairs of sources was one significantly preferred.{undefined}"
        ]
    shown = f": {'; '.join(_preference(one, inside) for one in told[:MOST_PAIRS])}"
    more = f"; and {len(told) - MOST_PAIRS} more" if len(told) > MOST_PAIRS else ""
    words = [
        f"In {len(told)} of {len(found)} pairs of sources one was significantly preferred"
        f"{shown}{more}.{undefined}"
    ]
    checked = [(one, held.get(frozenset((one.source, one.against)))) for one in told]
    checked = [
        (one, equal) for one, equal in checked if equal is not None and equal.verdict != UNDEFINED
    ]  # why the others have none stands in the table
    if checked:
        stay = sum(_same_side(one, equal) and equal.verdict == ABOVE for one, equal in checked)
        words.append(
            f"With length and overlap with the input held equal, {stay} of "
            f"{'these' if len(checked) == len(told) else 'the'} {count(len(checked), 'preference')}"
            f"{'' if len(checked) == len(told) else ' where that could be computed'} "
            f"{'is' if stay == 1 else 'are'} still significant."
        )
    return words


def _preference(one: StudyFinding, first: Callable[[str], str] = source_name) -> str:
    if one.verdict == ABOVE:
        were = "were" if one.source in (HUMAN, OTHER_HUMAN) else "was"
        return (
            f"{first(one.source)} {were} preferred to {inside(one.against)} in {share_words(one)}"
        )
    chosen = f"{inside(one.source)} chosen in {share_words(one)}"
    pair = f"between {inside(one.source)} and {inside(one.against)}"
    if one.verdict == UNDEFINED:
        return f"No interval for the preference {pair} ({chosen}: {one.note})"
    return (
        f"No significant preference {pair} ({chosen}; 50\u00a0% is no difference{_found_from(one)})"
    )


def _found_from(one: StudyFinding) -> str:
    """Return what these judges and items could find, for a difference that is not significant."""
    if one.verdict != UNDECIDED or math.isnan(one.detectable):
        return ""
    most = 1.0 if one.claim == APART else 0.5
    if one.detectable >= most:
        return "; no difference of any size would be found with 80\u00a0% power"
    return f"; {points(one.detectable)} would be found with 80\u00a0% power"


def _style_words(raw: StudyFinding, equal: StudyFinding) -> str:
    lead = "With length and overlap with the input held equal,"
    says = (
        "and that is significant" if equal.verdict == ABOVE else "not significantly more than half"
    )
    turned = "" if _same_side(raw, equal) else ", the other way round than without"
    return (
        f"{lead} {inside(equal.source)} would be chosen over {inside(equal.against)} in "
        f"{percent(equal.value)} {interval_words(equal)}{turned}, {says}."
    )


def _same_side(raw: StudyFinding, equal: StudyFinding) -> bool:
    return raw.source == equal.source


def _equal_words(found: list[StudyFinding], frozen: bool) -> list[str]:
    fixed = "fixed before the freeze" if frozen else "of the draft, which is not frozen"
    words = []
    for one in found:
        what = "attribution accuracy" if one.claim == EQUAL_ATTRIBUTED else "preference"
        margin = f"±{points(one.reference)}, {fixed}"
        if one.verdict == UNDEFINED:
            words.append(
                f"{source_name(one.source)} and the target's own texts in {what}: no test against "
                f"the margin of {margin}: {one.note}."
            )
            continue
        tested = (
            f"(two one-sided tests, margin {margin}: {points_of(one.value)}, 90\u00a0% interval "
            f"{points_interval(one)} of {count(one.n, 'judgment')}, equivalence "
            f"{p_statement(one.p_value)}"
            + (f"; {one.note}" if one.verdict == EQUIVALENT and one.note else "")
            + ")"
        )
        said = {
            EQUIVALENT: f"equivalent to the target's own texts in {what}",
            DIFFERENT: f"different from the target's own texts in {what} by more than the margin",
        }.get(
            one.verdict,
            f"in {what} neither shown to be as the target's own texts nor beyond the margin",
        )
        were = "are" if one.source in (HUMAN, OTHER_HUMAN) else "is"
        words.append(f"{source_name(one.source)} {were} {said} {tested}.")
    return words


def _without_margin(findings: Sequence[StudyFinding]) -> list[str]:
    """Return the warning that no significant difference is no equality, where no margin is set."""
    open_ = any(
        one.verdict == UNDECIDED
        and (one.claim == APART or (one.claim == PREFERRED and HUMAN in (one.source, one.against)))
        for one in findings
    )
    if not open_ or any(one.claim in EQUAL for one in findings):
        return []
    return [
        "No significant difference from the target's own texts is no proof of likeness: this study "
        "has no equivalence margin, which is set before the freeze."
    ]


def _unadjusted(by_claim: dict[str, list[StudyFinding]]) -> list[str]:
    """Return the warning that intervals of several comparisons are each by itself, where one of
    them is called significant."""
    many = [
        f"{count(len(tested), 'comparison')} {what}"
        for claim, what in (
            (ATTRIBUTED, "with chance"),
            (APART, "with the target's own texts"),
            (PREFERRED, "of two sources"),
        )
        if len(tested := [one for one in by_claim[claim] if one.verdict != UNDEFINED]) > 1
        and any(one.verdict in (ABOVE, BELOW) for one in tested)
    ]
    equal = [one for claim in EQUAL for one in by_claim[claim] if one.verdict != UNDEFINED]
    words = []
    if len(equal) > 1 and any(one.verdict == EQUIVALENT for one in equal):
        words.append(
            f"The {len(equal)} tests of equivalence are each at 5\u00a0%, not adjusted for their "
            "number."
        )
    if many:
        words.append(
            f"“Significant” is by each 95\u00a0% interval alone, not adjusted for {listed(many)}: "
            "of 20 comparisons without a difference, one is expected to be called significant."
        )
    return words


def _rating_words(found: list[StudyFinding]) -> list[str]:
    told = [
        f"{inside(one.source)} {with_interval(one.value, one.low, one.high)}"
        + f" ({count(one.n, 'rating')}"
        + (f"; {one.note}" if math.isnan(one.low) and one.note else "")
        + ")"
        for one in found
    ]
    return [f"Mean reasoning rating (1 to 5): {listed(told)}."] if told else []


def share_words(one: StudyFinding) -> str:
    """Return "66 % [58–73] of 120 judgments", with ", 8 ties counting half" where there are ties;
    without an interval where there is none."""
    parts = (percent(one.value), interval_words(one), f"of {_judgments(one)}")
    ties = f", {count(one.ties, 'tie')} counting half" if one.ties else ""
    return " ".join(filter(None, parts)) + ties


def _judgments(one: StudyFinding) -> str:
    """Return "120 judgments", and where the interval cannot be clustered what it takes them for,
    with the exact test if that decides nothing."""
    if one.note != ALIKE:
        return count(one.n, "judgment")
    exact = f", exact test {p_statement(one.p_value)}" if one.p_value > SIGNIFICANCE_LEVEL else ""
    return f"{count(one.n, 'judgment')} taken as independent{exact}"


def interval_words(one: StudyFinding) -> str:
    """Return the interval in percent, "[58–73]"; "" without one.

    Where an end that leaves the reference out would round onto it, both ends have a decimal: what
    is said of them can be read off.
    """
    if math.isnan(one.low) or math.isnan(one.high):
        return ""
    digits = 0
    if one.verdict in (ABOVE, BELOW):
        near = one.low if one.verdict == ABOVE else one.high
        digits = next((k for k in (0, 1, 2) if _rounded(near, k) != _rounded(one.reference, k)), 2)
    return interval(one.low, one.high, _rounded, digits)


def _rounded(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f}"


def points_words(one: StudyFinding) -> str:
    """Return "−12 points [−20, −4], 240 judgments"."""
    ends = points_interval(one)
    return f"{points_of(one.value)}{' ' + ends if ends else ''}, {_judgments(one)}"


def points_of(difference: float, digits: int = 0) -> str:
    """Return a difference of shares with its sign: "+12 points", "−1 point"."""
    unit = points(abs(difference), digits).split(" ")[1]
    return f"{signed(100 * difference, digits)} {unit}"


def points_interval(one: StudyFinding) -> str:
    """Return "[−20, −4]", in percentage points, with decimals as `interval_words`."""
    if math.isnan(one.low) or math.isnan(one.high):
        return ""
    digits = 0
    if one.verdict in (ABOVE, BELOW):
        near = one.low if one.verdict == ABOVE else one.high
        digits = next((k for k in (0, 1, 2) if float(_rounded(near, k)) != 0), 2)
    return interval(
        one.low, one.high, lambda end, places: signed(100 * end, places), digits, comma=True
    )
