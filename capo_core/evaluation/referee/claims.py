"""Findings of the tests, and their sentences: replacement, personal form, equivalence, power and
the agreement of measures.

"Indistinguishable from the human" is said in one place, by an equivalence test within a margin
fixed before there were results; no other finding may say it (`claims.NO_EQUIVALENCE`), nor this one
of a margin that was chosen for the evaluation (`runs.margins`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from capo_core.evaluation.eyes import eye_in_words, typing_kept
from capo_core.evaluation.measures.registry import LIKELIHOOD, find_measure
from capo_core.evaluation.referee import equivalence
from capo_core.evaluation.referee.answers import SIMILARITIES
from capo_core.evaluation.referee.personal import BETTER, FEW_IN_COMMON, WORSE
from capo_core.evaluation.referee.replacement import PASSED, STANDS_IN
from capo_core.evaluation.referee.statistics import NOT_FIXED, RefereeStatistics
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.statement_parts import n_text
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER
from capo_core.evaluation.table import ALL, TableConfig
from capo_core.findings import DECIDED, UNDECIDED, UNDEFINED, ComparisonSet, Finding
from capo_core.formatting import (
    MOST_NAMES,
    Named,
    Statement,
    capitalised,
    count,
    number,
    number_interval,
    points,
    span,
)
from capo_core.stats.alternative_annotator import EPSILONS, MIN_ITEMS
from capo_core.stats.equivalence import DIFFERENT, EQUIVALENT, INSENSITIVE
from capo_core.stats.equivalence import MIN_ITEMS as TOST_ITEMS
from capo_core.stats.significance import FEWEST

REPLACEMENT, PERSONAL, EQUIVALENCE = "replacement", "personal", "equivalence"
DETECTABLE, MEASURES = "detectable", "measures"
CLAIMS = (REPLACEMENT, PERSONAL, EQUIVALENCE, DETECTABLE, MEASURES)
ATTRIBUTION = "attribution"  # the family of what the classifier says
UNTESTED, NOT_DEFINED, ALONE = "not tested", "not defined", "alone"
_NO_PROOF = ("equivalent to", "indistinguishable", "identical", "human-level", "as good as")


def referee_findings(report: EvaluationReport, target: str = ALL) -> list[Finding]:
    """Return what the tests show, over all annotators or of one."""
    made = (
        replacement(report, target),
        personal(report, target),
        equivalent(report, target),
        detectable(report, target),
        measures(report) if target == ALL else None,
    )
    return [one for one in made if one is not None]


def _compared(report: EvaluationReport, target: str, table: pd.DataFrame) -> ComparisonSet:
    targets = report.targets if target == ALL else (target,)
    sources = tuple(dict.fromkeys(table["source"]))
    return ComparisonSet(targets, report.n_items, sources=sources)


def replacement(report: EvaluationReport, target: str) -> Finding | None:
    """Return for how many annotators each method may stand in (alternative annotator test)."""
    table = report.referee.replacement
    table = table[table["target"] == target]
    if table.empty:
        return None
    compared, values = _compared(report, target, table), _settings(report)
    tested = table[table["tested"] > 0]
    if tested.empty:
        return Finding(
            REPLACEMENT, UNDEFINED, values, int(table["n"].max()), "answers", None, compared,
            f"no annotator has {MIN_ITEMS} items that others answered too", _NO_PROOF,
        )  # fmt: skip
    values["parts"] = [
        {
            "similarity": SIMILARITIES[name],
            "methods": [_replaced(report, row, target) for row in of.itertuples()],
        }
        for name, of in tested.groupby("similarity", sort=False)
    ]
    shown = any(
        one["verdict"] in (PASSED, STANDS_IN) for part in values["parts"] for one in part["methods"]
    )
    return Finding(
        REPLACEMENT, DECIDED if shown else UNDECIDED, values, int(tested["n"].max()), "answers",
        None, compared, "" if shown else "no method passes", _NO_PROOF,
    )  # fmt: skip


def _replaced(report: EvaluationReport, row: Any, target: str) -> dict[str, Any]:
    """Return what a row of the test says; where it rests on one annotator, that one's row."""
    who = target
    if target == ALL and row.tested == 1:
        table = report.referee.replacement
        mine = (table["similarity"] == row.similarity) & (table["source"] == row.source)
        table = table[mine & (table["tested"] == 1) & table["target"].isin(report.targets)]
        row = next(table.itertuples(), row)
        who = row.target
    return {
        "method": Named("method", row.source), "won": int(row.won), "tested": int(row.tested),
        "rho": row.advantage, "low": row.low, "high": row.high, "verdict": row.verdict,
        "n": int(row.n), "who": [] if who == ALL else [Named("annotator", who)],
    }  # fmt: skip


def _settings(report: EvaluationReport) -> dict[str, Any]:
    return {"epsilon": report.referee.epsilon, "kind": report.referee.annotator_kind}


def personal(report: EvaluationReport, target: str) -> Finding | None:
    """Return for how many annotators an imitation predicts them better than any other does."""
    table = report.referee.personal
    single = table[table["target"].isin(report.targets if target == ALL else (target,))]
    left_out = bool(single["note"].astype(str).str.contains(FEW_IN_COMMON, regex=False).any())
    table = table[(table["target"] == target) & (table["tested"] > 0)]
    if table.empty:
        return None
    parts = []
    for name, of in table.groupby("similarity", sort=False):
        rows = [
            {
                "method": Named("method", row.source), "better": int(row.better),
                "tested": int(row.tested), "value": row.value, "low": row.low, "high": row.high,
                "verdict": row.verdict, "n": int(row.n),
            }
            for row in of.itertuples()
        ]  # fmt: skip
        parts.append({"similarity": SIMILARITIES[name], "methods": rows})
    shown = bool((table["better"] > 0).any() or table["verdict"].isin([BETTER, WORSE]).any())
    return Finding(
        PERSONAL, DECIDED if shown else UNDECIDED, {"parts": parts, "left_out": left_out},
        int(table["n"].max()), "answers", None, _compared(report, target, table),
        "" if shown else "no difference from the best other annotator is significant", _NO_PROOF,
    )  # fmt: skip


def main_measures(config: TableConfig) -> list[tuple[str, int]]:
    """Return (measure, k) that equivalence is stated of: single explanations and labels."""
    k = min(config.pool)
    return [
        *((view.name, k) for view in config.views),
        (f"{LIKELIHOOD} attribution", k), ("label consistency", 0), (equivalence.ALPHA, 0),
    ]  # fmt: skip


def equivalent(report: EvaluationReport, target: str) -> Finding | None:
    """Return which methods are indistinguishable from the human, by the main measures."""
    table = report.referee.equivalence
    table = table[table["target"] == target]
    main = main_measures(report.config)
    table = table[[(row.measure, row.k) in main for row in table.itertuples()]]
    if table.empty:
        return None
    parts = []
    for (name, _), of in table.groupby(["measure", "k"], sort=False):
        methods: dict[str, list[Named]] = {verdict: [] for verdict in _VERDICTS}
        for row in of.itertuples():
            methods[_verdict(row)].append(Named("method", row.source))
        parts.append({
            "measure": measure_in_words(str(name)),
            "margin": float(of["margin"].iloc[0]),
            "alpha": name == equivalence.ALPHA,
            "n": n_text(of["n"]),
            **methods,
        })  # fmt: skip
    shown = (table["verdict"] != "undecided").any()
    must_not = ("identical", "human-level", "as good as")
    fixed = report.referee.margins_fixed
    if not (fixed and (table["verdict"] == EQUIVALENT).any()):
        must_not += ("indistinguishable",)
    return Finding(
        EQUIVALENCE, DECIDED if shown else UNDECIDED, {"parts": parts, "fixed": fixed},
        int(table["n"].max()), "items", None, _compared(report, target, table),
        "" if shown else "neither equivalence nor a difference beyond the margin is shown",
        must_not,
    )  # fmt: skip


def _verdict(row) -> str:
    """Return the verdict of a row: undecided is what was tested, and what was not has a reason."""
    if not (math.isnan(row.p) and row.verdict == "undecided"):
        return row.verdict
    if row.n == 0 and row.measure == equivalence.ALPHA:
        return ALONE
    if row.n < TOST_ITEMS:
        return UNTESTED
    return INSENSITIVE if INSENSITIVE in row.note else NOT_DEFINED


def detectable(report: EvaluationReport, target: str) -> Finding | None:
    """Return the smallest differences between methods that these items could show."""
    rows = report.differences
    rows = rows[(rows["target"] == target) & ~rows["against"].isin([HUMAN, OTHER, GUESS])]
    rows = rows[rows["detectable"].notna()]
    name, k = report.config.views[0].name, min(report.config.pool)
    parts = []
    for measure, pooled, what in (
        (name, k, f"attribution of {count(k, 'explanation')}"),
        ("label accuracy", 0, "label accuracy"),
    ):
        mine = rows[(rows["measure"] == measure) & (rows["k"] == pooled)]
        never = mine["detectable"] >= 1  # not even a difference of 100 points
        for of in (mine[~never], mine[never]):
            if len(of):
                parts.append({
                    "what": what, "low": of["detectable"].min(), "high": of["detectable"].max(),
                    "many": len(of), "n": int(of["n"].min()),
                })  # fmt: skip
    if not parts:
        return None
    compared = _compared(report, target, rows)
    return Finding(
        DETECTABLE, DECIDED, {"parts": parts}, max(one["n"] for one in parts), "answers", None,
        compared, must_not=_NO_PROOF,
    )  # fmt: skip


def measures(report: EvaluationReport) -> Finding | None:
    """Return which method each measure of imitation puts first, and how they correlate over items.

    None for fewer than two measures or methods. Undecided where they name different methods: then
    it is a warning.
    """
    table, pairs = report.referee.measures, report.referee.measure_pairs
    named = table[table["nearest"] != ""]
    if len(named) < 2 or not len(pairs) or pairs["methods"].max() < 2:
        return None
    by_method: dict[str, list[str]] = {}
    for row in named.itertuples():
        by_method.setdefault(row.nearest, []).append(measure_in_words(row.measure))
    known = pairs[pairs["correlation"].notna()]
    values = {
        "winners": [
            {"method": Named("method", method), "measures": names}
            for method, names in by_method.items()
        ],
        "many": len(named),
        "of": len(table),
        "low": float(known["correlation"].min()) if len(known) else math.nan,
        "high": float(known["correlation"].max()) if len(known) else math.nan,
        "pairs": len(known),
        "items": int(known["n"].max()) if len(known) else 0,
    }
    agree = len(by_method) == 1
    compared = ComparisonSet(report.targets, report.n_items, sources=report.method_names)
    return Finding(
        MEASURES, DECIDED if agree else UNDECIDED, values, len(named), "measures", None, compared,
        "" if agree else "measures name different methods",
        (*_NO_PROOF, "is nearest", "best", "wins", "outperforms"),
    )  # fmt: skip


def measure_in_words(name: str) -> str:
    """Return a measure within a sentence: "attribution (word n-grams)", "ROUGE-L"."""
    if name == equivalence.ALPHA:
        return "Krippendorff's α of all annotators' labels"
    about = find_measure(name)
    if about.family == ATTRIBUTION:
        habits = ", typing habits kept" if typing_kept(about.variant) else ""
        return f"attribution ({eye_in_words(name)}{habits})"
    return name


def _part(template: str, **values: Any) -> Statement:
    return Statement("part", template, values)


def _replacement(finding: Finding) -> Statement:
    values = finding.values
    head = (
        "Alternative annotator test (ε = {epsilon:number}, {kind} annotators; p-values adjusted by "
        "Benjamini–Yekutieli)"
    )
    if finding.verdict == UNDEFINED:
        return Statement(REPLACEMENT, head + ": not tested, {reason}.",
                         {**values, "reason": finding.reason})  # fmt: skip
    parts = [
        _part(f"{one['similarity']}: {{methods}}",
              methods=[_in_place(method) for method in one["methods"]])
        for one in values["parts"]
    ]  # fmt: skip
    what = (
        "whether the imitation may stand in for the annotator"
        if all(method["who"] for one in values["parts"] for method in one["methods"])
        else "annotators for whom the imitation may stand in"
    )
    return Statement(
        REPLACEMENT, head + f": {what}. {{parts:apart}}.",
        {"epsilon": values["epsilon"], "kind": values["kind"], "parts": parts},
    )  # fmt: skip


def _in_place(method: Mapping[str, Any]) -> Statement:
    """Return "CAPO 3 of 4 (passed; …)"; of one annotator "CAPO stands in for A (…)"."""
    numbers = "ρ = {rho:number} {interval}, n = {n:,}"
    if method["who"]:
        verdict = "stands in" if method["verdict"] == STANDS_IN else "not shown to stand in"
        row = f"{{method}} {verdict} for {{who}} ({numbers})"
    else:
        few = "; 2 tested, one decides" if method["tested"] == 2 else ""
        row = f"{{method}} {{won}} of {{tested}} ({{verdict}}{few}; {numbers})"
    return _part(row, **method, interval=_ends(method))


def _ends(row: Mapping[str, Any]) -> str:
    return number_interval(row["low"], row["high"])


def _personal(finding: Finding) -> Statement:
    single = len(finding.compared.targets) == 1
    parts = []
    for one in finding.values["parts"]:
        if single:
            rows = [_part("{method} {verdict} (n = {n:,})", **method) for method in one["methods"]]
        else:
            rows = [
                _part("{method} for {better} of {tested} (n = {n:,})", **method)
                for method in one["methods"]
                if method["better"]
            ]
        parts.append(
            _part(f"{one['similarity']}: {{methods}}", methods=rows)
            if rows
            else _part(f"{one['similarity']}: none")
        )
    what = (
        "Prediction of the annotator against the best other annotator"
        if single
        else "Imitations that predict their annotator significantly better than every other "
        "annotator does"
    )
    end = (
        f" Annotators with fewer than {FEWEST} items in common with that one are not compared."
        if finding.values.get("left_out")
        else ""
    )
    return Statement(PERSONAL, what + ". {parts:apart}." + end, {"parts": parts})


_VERDICTS = {
    EQUIVALENT: "statistically indistinguishable from the human: {names}",
    DIFFERENT: "further away than the margin: {names}",
    "undecided": "undecided: {names}",
    UNTESTED: f"not tested, for want of {TOST_ITEMS} items: {{names}}",
    ALONE: "not tested, since nobody else labelled these items: {names}",
    INSENSITIVE: f"not tested, since {INSENSITIVE}: {{names}}",
    NOT_DEFINED: "not tested, since it is not defined here: {names}",
}


def _equivalence(finding: Finding) -> Statement:
    fixed = finding.values.get("fixed", True)
    verdicts = _VERDICTS if fixed else {**_VERDICTS, EQUIVALENT: "within the margin: {names}"}
    parts = []
    for one in finding.values["parts"]:
        margin = "±{margin:number}" if one["alpha"] else "±{margin:points}"
        said = [_part(words, names=one[verdict]) for verdict, words in verdicts.items()
                if one[verdict]]  # fmt: skip
        parts.append(
            _part(f"{{measure}} ({margin}, {{n}}): {{said:apart}}", n=one["n"],
                  measure=capitalised(one["measure"]), margin=one["margin"], said=said)
        )  # fmt: skip
    targets = finding.compared.targets
    whom, of = "", {}
    if len(targets) > MOST_NAMES:
        whom, of = "for each of {many} annotators, ", {"many": len(targets)}
    elif len(targets) > 1:
        named = [Named("annotator", name) for name in targets]
        whom, of = "for each of {targets}, ", {"targets": named}
    return Statement(
        EQUIVALENCE,
        (
            f"Equivalence with the human {whom}within the margins of the configuration"
            if fixed
            else f"Difference from the human {whom}within a {NOT_FIXED}"
        )
        + " (two one-sided tests, Holm-adjusted over methods). {parts}.",
        {"parts": _sentences(parts), **of},
    )


def _sentences(parts: Sequence[Statement]) -> Statement:
    """Return parts as sentences of their own: they have semicolons within."""
    names = [f"part{n}" for n in range(len(parts))]
    return Statement(
        "part", ". ".join(f"{{{name}}}" for name in names), dict(zip(names, parts, strict=True))
    )


def _detectable(finding: Finding) -> Statement:
    parts, none = [], []
    for one in finding.values["parts"]:
        if one["low"] >= 1:
            none.append(_part("{what} ({many:count comparison}, n = {n:,})", **one))
            continue
        first, last = (points(one[end]) for end in ("low", "high"))
        size = span([first.split(" ")[0], last.split(" ")[0]])
        unit = last.split(" ")[1]
        parts.append(_part("{size} {unit} in {what} ({many:count comparison}, n = {n:,})",
                           size=size, unit=unit, **one))  # fmt: skip
    said = []
    if parts:
        said.append(
            "A difference between two methods is found with 80 % power from {parts} on; an "
            "undecided comparison says nothing about smaller ones."
        )
    if none:
        said.append(
            "Too few items to find a difference of any size with 80 % power: {none}; an undecided "
            "comparison says nothing there."
        )
    return Statement(DETECTABLE, " ".join(said), {"parts": parts, "none": none})


def _measures(finding: Finding) -> Statement:
    values = finding.values
    rest: dict[str, Any] = {}
    end = ""
    if values["pairs"]:
        ends = [number(values[name]) for name in ("low", "high")]
        rest = {"span": span(ends), "items": values["items"]}
        end = " Over items their rank correlation is {span} (n = {items:,})."
    if finding.decided:
        method = values["winners"][0]["method"]
        every = values["of"] == values["many"]
        which = "all {many}" if every else "{many} of {of}"
        others = "" if every else "; no single method is first by the others"
        return Statement(
            MEASURES,
            f"By their point estimates {which} measures of imitation put {{method}} first{others}."
            + end,
            {"many": values["many"], "of": values["of"], "method": method, **rest},
        )
    parts = [_part("{method} by {measures}", **one) for one in values["winners"]]
    return Statement(
        MEASURES,
        "By their point estimates, measures of imitation put different methods first: "
        "{parts:apart}." + end,
        {"parts": parts, **rest},
    )


RENDERERS: Mapping[str, Callable[[Finding], Statement]] = {
    REPLACEMENT: _replacement,
    PERSONAL: _personal,
    EQUIVALENCE: _equivalence,
    DETECTABLE: _detectable,
    MEASURES: _measures,
}


def tests_in_words(config: TableConfig, tests: RefereeStatistics, compared: bool) -> list[str]:
    """Return how the tests were made, for the methods paragraph; only those that were.

    Args:
        compared: have differences between methods a smallest detectable one?
    """
    found = []
    if (tests.replacement["tested"] > 0).any():
        found.append(
            "Alternative annotator test (Calderon et al. 2025): an imitation against the annotator "
            "in whose place it stands, by similarity to the others' answers, "
            f"ε = {EPSILONS[config.annotator_kind]:g} ({config.annotator_kind} annotators), "
            "one-sided t-tests over items adjusted over annotators by Benjamini and Yekutieli."
        )
    if (tests.personal["tested"] > 0).any():
        found.append(
            "Personal form: an imitation against every other annotator, by similarity to its own "
            "annotator's answers, as an intersection-union of sign-flip tests."
        )
    if tests.equivalence["p"].notna().any():
        found.append(
            f"Equivalence with the human: two one-sided tests within ±{100 * config.margin:g} "
            f"points (α of the group: ±{config.alpha_margin:g}, paired bootstrap over items), for "
            "every annotator whom all methods imitate, Holm-corrected over methods."
            + ("" if tests.margins_fixed else f" It is a {NOT_FIXED}.")
        )
    if compared:
        found.append(
            "The smallest detectable difference is at 80 % power at the first step of Holm's "
            "correction."
        )
    return found
