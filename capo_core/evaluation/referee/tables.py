"""Test tables as text: the same cells on the page, in the HTML report and on the command line."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from capo_core.evaluation.cells import NO_VALUE
from capo_core.evaluation.measures.registry import find_measure
from capo_core.evaluation.referee.answers import LABELS, LIKELIHOOD, SIMILARITIES
from capo_core.evaluation.referee.equivalence import ALPHA
from capo_core.evaluation.referee.statistics import NOT_FIXED
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.table import ALL
from capo_core.formatting import capitalised, number, number_interval, p_value, signed
from capo_core.imitation.prompting.prompts import method_name
from capo_core.stats.equivalence import EQUIVALENT

_ALL_NAME = "all"


@dataclass(frozen=True)
class RefereeTable:
    """One table of tests.

    Attributes:
        name: of its frame in `RefereeStatistics`; title, meaning: above it.
        columns: header → what it shows, for a help text.
        rows: cells as text, in the order of the columns.
        frame: the numbers behind them.
    """

    name: str
    title: str
    meaning: str
    columns: dict[str, str]
    rows: tuple[tuple[str, ...], ...]
    frame: pd.DataFrame

    def text_frame(self) -> pd.DataFrame:
        """Return the cells as a table."""
        return pd.DataFrame(list(self.rows), columns=list(self.columns), dtype=str)


def referee_tables(report: EvaluationReport, target: str = ALL) -> list[RefereeTable]:
    """Return the tables that the report has.

    Args:
        target: one annotator, or `ALL`: the rows over all of them with those of each annotator.
    """
    tests = report.referee if target == ALL else report.referee.of_target(target)
    made = [make(tests) for make in (_replacement, _personal, _equivalence, _measures, _pairs)]
    return [table for table in made if table.rows]


def _table(
    name: str, title: str, meaning: str, frame: pd.DataFrame,
    columns: dict[str, tuple[str, Callable[[Any], str]]],
) -> RefereeTable:  # fmt: skip
    rows = tuple(
        tuple(cell(row) for _, cell in columns.values()) for row in frame.itertuples(index=False)
    )
    return RefereeTable(
        name, title, meaning, {header: about for header, (about, _) in columns.items()}, rows, frame
    )


def _value(value: float, digits: int = 2) -> str:
    return NO_VALUE if math.isnan(value) else number(value, digits)


def _with_ends(value: float, low: float, high: float, *, sign: bool = False) -> str:
    if math.isnan(value):
        return NO_VALUE
    shown = signed(value) if sign else number(value)
    return f"{shown} {number_interval(low, high, apart=sign)}".rstrip()


def _never(row: Any) -> bool:
    """Return whether not even the largest possible difference would be found."""
    # Of labels on a scale a difference is in its units, and can be above 1.
    return row.detectable == 1 or (row.similarity != LABELS and row.detectable > 1)


def _p(value: float) -> str:
    return NO_VALUE if math.isnan(value) else p_value(value)


def _who(row: Any) -> str:
    return _ALL_NAME if row.target == ALL else row.target


def _similarity(row: Any) -> str:
    return SIMILARITIES[row.similarity]


def measure_title(name: str, k: int = 0) -> str:
    """Return a measure as it is called in a table: "Attributed to target, 1 text (words,
    mask_input)"."""
    if name == ALPHA:
        return "Krippendorff's α of the group"
    about = find_measure(name)
    title = about.title.format(variant=about.variant) or capitalised(name)
    header = about.header(k) if k else title
    return f"{header} ({about.variant})" if about.variant and about.variant not in title else header


# Why the test of replacement has no form by likelihood (docs/methods-referee.md), where there are
# adapters that one could expect it from.
NO_REPLACEMENT_BY_LIKELIHOOD = (
    " There is no such test by likelihood: under the other annotators' adapters, texts of their "
    "base model are likelier than people's, whomever they imitate. By likelihood only the personal "
    "form is made."
)


def _replacement(tests: Any) -> RefereeTable:
    by_likelihood = (tests.personal["similarity"] == LIKELIHOOD).any()
    return _table(
        "replacement",
        "Alternative annotator test",
        "May the imitation stand in for its annotator? On each item it is compared with the "
        "annotator by similarity to the other annotators' answers; it may be worse by "
        f"ε = {tests.epsilon:g} ({tests.annotator_kind} annotators). One-sided t-test over items, "
        "adjusted over annotators (Benjamini–Yekutieli); the test is passed where the imitation "
        "may stand in for half of the annotators. Calderon, Reichart & Dror (2025)."
        + (NO_REPLACEMENT_BY_LIKELIHOOD if by_likelihood else ""),
        tests.replacement,
        {
            "Compared by": ("What similarity is of.", _similarity),
            "Method": ("", lambda row: method_name(row.source)),
            "Annotator": ("Who is replaced.", _who),
            "Advantage ρ": (
                "Share of items on which the imitation is at least as similar to the others as the "
                "annotator (average advantage probability), with its 95 % interval.",
                lambda row: _with_ends(row.advantage, row.low, row.high),
            ),
            "Annotator's own": (
                "The same share of the annotator against the imitation.",
                lambda row: _value(row.person),
            ),
            "n": ("Items; over annotators, answers.", lambda row: f"{row.n:,}"),
            "p (BY)": ("Adjusted over annotators.", lambda row: _p(row.p_by)),
            "Won ω": (
                "Annotators for whom the imitation may stand in, of those tested.",
                lambda row: f"{row.won}/{row.tested}" if row.target == ALL else "",
            ),
            "Result": ("", lambda row: row.verdict),
            "Note": ("", lambda row: row.note),
        },
    )


def _personal(tests: Any) -> RefereeTable:
    return _table(
        "personal",
        "Prediction of the annotator, against the best other annotator",
        "Does the imitation predict its annotator's answers better than any other annotator does? "
        "Better than all others is needed (sign-flip tests over items; intersection-union, "
        "adjusted over annotators by Benjamini–Yekutieli).",
        tests.personal,
        {
            "Compared by": ("What similarity is of.", _similarity),
            "Method": ("", lambda row: method_name(row.source)),
            "Annotator": ("Who is predicted.", _who),
            "Best other": (
                "The other annotator who is most similar; where the imitation is worse, the one "
                "whom that is surest of.",
                lambda row: row.against,
            ),
            "Imitation": ("Mean similarity to the annotator.", lambda row: _value(row.method)),
            "Other": ("The same of the best other.", lambda row: _value(row.person)),
            "Difference": (
                "Imitation minus best other, with its 95 % interval.",
                lambda row: _with_ends(row.value, row.low, row.high, sign=True),
            ),
            "n": ("Items; over annotators, answers.", lambda row: f"{row.n:,}"),
            "p (BY)": ("Adjusted over annotators.", lambda row: _p(row.p_by)),
            "Detectable": (
                "Smallest difference from one annotator that these items show with 80 % power; "
                "“>1” where they would show none of any size.",
                lambda row: ">1" if _never(row) else _value(row.detectable),
            ),
            "Better": (
                "Annotators who are predicted better than by any other.",
                lambda row: f"{row.better}/{row.tested}" if row.target == ALL else "",
            ),
            "Result": ("", lambda row: row.verdict),
            "Note": ("", lambda row: row.note),
        },
    )


def _equivalence(tests: Any) -> RefereeTable:
    fixed = tests.margins_fixed
    margin = "a margin that was fixed in the configuration" if fixed else f"a {NOT_FIXED}"
    claim = (
        "Only what is equivalent here may be called indistinguishable from the human."
        if fixed
        else "Nothing here may be called indistinguishable from the human."
    )
    within = {} if fixed else {EQUIVALENT: "within the margin"}
    return _table(
        "equivalence",
        "Equivalence with the human",
        f"Two one-sided tests of method minus human within {margin}; over annotators, each whom "
        "all methods imitate must be equivalent, and the one who is furthest from it is shown. "
        f"p-values are Holm-adjusted over methods. {claim}",
        tests.equivalence,
        {
            "Measure": ("", lambda row: measure_title(row.measure, row.k)),
            "Method": ("", lambda row: method_name(row.source)),
            "Annotator": ("Who is imitated.", _who),
            "Value": ("Of the method.", lambda row: _value(row.method)),
            "Human": (
                "Of the annotator's own answers (α: of all annotators).",
                lambda row: _value(row.human),
            ),
            "Difference (90 % CI)": (
                "Method minus human, with its 90 % interval, which two one-sided tests at 5 % are "
                "read from.",
                lambda row: _with_ends(row.value, row.low, row.high, sign=True),
            ),
            "Margin": ("On both sides of 0.", lambda row: f"±{row.margin:g}"),
            "n": ("Items.", lambda row: f"{row.n:,}"),
            "p (Holm)": (
                "Small where the two are equivalent; adjusted over methods.",
                lambda row: _p(row.p_holm),
            ),
            "Result": ("", lambda row: within.get(row.verdict, row.verdict)),
            "Note": ("", lambda row: row.note),
        },
    )


def _measures(tests: Any) -> RefereeTable:
    return _table(
        "measures",
        "Measures of imitation",
        "A measure is worth as much as it tells the targets' own held-out texts (ceiling) from "
        "other annotators' (floor).",
        tests.measures,
        {
            "Measure": ("", lambda row: measure_title(row.measure, row.k)),
            "Ceiling": (
                "The targets' own held-out texts.",
                lambda row: _with_ends(row.ceiling, row.ceiling_low, row.ceiling_high),
            ),
            "Floor": (
                "Other annotators' texts.",
                lambda row: _with_ends(row.floor, row.floor_low, row.floor_high),
            ),
            "Ceiling − floor": (
                "Paired by item, with its 95 % interval.",
                lambda row: _with_ends(row.apart, row.apart_low, row.apart_high, sign=True),
            ),
            "Tells apart": (
                "Whether the interval excludes 0 and a test by item finds a difference (p ≤ .05); "
                "undecided below six items.",
                lambda row: row.tells_apart,
            ),
            "n": ("Answers.", lambda row: f"{row.n:,}"),
            "First by point estimate": (
                "The method nearest to the human; of measures without a ceiling, the highest.",
                lambda row: method_name(row.nearest) if row.nearest else NO_VALUE,
            ),
            "Note": ("", lambda row: row.note),
        },
    )


def _pairs(tests: Any) -> RefereeTable:
    return _table(
        "measure_pairs",
        "Do the measures agree?",
        "Over items: mean rank correlation (Spearman) within one method and annotator, with its "
        "95 % interval over items. Over methods: Kendall's τ of their orders.",
        tests.measure_pairs,
        {
            "One": ("", lambda row: measure_title(row.one)),
            "Other": ("", lambda row: measure_title(row.other)),
            "Correlation over items": (
                "",
                lambda row: _with_ends(row.correlation, row.low, row.high),
            ),
            "n items": ("", lambda row: f"{row.n:,}"),
            "τ over methods": ("", lambda row: _value(row.tau)),
            "n methods": ("", lambda row: f"{row.methods}"),
            "Note": ("", lambda row: row.note),
        },
    )
