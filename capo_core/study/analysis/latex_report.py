"""The report of a study for LaTeX: methods, results, and its tables as a paper has them.

A table of the analysis has a column for each number, ends of intervals included, and the names of
the code; here an interval stands behind its number, and headers are those of the page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from capo_core.export_formats import latex_comment, latex_table
from capo_core.formatting import (
    number,
    number_interval,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
)
from capo_core.latex_text import engine_note, latex
from capo_core.provenance import BOTH, PEOPLE, SIMULATED, Provenance
from capo_core.study.analysis.attribution import AS_WRONG, LEFT_OUT
from capo_core.study.analysis.report import (
    StudyReport,
    methods_paragraph,
    sections,
    with_source_names,
)
from capo_core.study.tables import CANNOT_TELL
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.study.trial_kinds.base import ReportSection

# Who judged, for the title.
_JUDGED = {PEOPLE: "human judgments", SIMULATED: "simulated judgments",
           BOTH: "human and simulated judgments"}  # fmt: skip


def to_latex(report: StudyReport) -> str:
    """Return methods, results and all tables for LaTeX, every special character escaped."""
    who = _JUDGED.get(report.provenance.judges, "judgments")
    title = report.provenance.titled(f"{report.title}: {who}")
    source = report.provenance.dated()
    said = [*report.results, *filter(None, [report.scope])]
    results = " ".join(source.marked(sentence) for sentence in said)
    methods = methods_paragraph(report)
    return (
        latex_comment(source)
        + engine_note(title, methods, results)
        + f"\\paragraph{{{latex(title)}.}} {latex(methods)}\n"
        + f"\\paragraph{{{report.provenance.titled('Results')}.}} {latex(results)}\n"
        + "".join(f"\n{_section(each, source)}" for each in sections(report.analysis))
    )


@dataclass(frozen=True)
class _Column:
    """A column of a paper's table.

    Attributes:
        header: as on the page.
        text: of a value. interval: of its two ends. ends: the columns that have them; () for none.
    """

    header: str
    text: Callable[[float], str] = number
    interval: Callable[[float, float], str] = number_interval
    ends: tuple[str, str] = ()


_ENDS = ("low", "high")
_SHARE = {"text": percent, "interval": percent_interval}
_DIFFERENCE = {"text": points, "interval": points_interval}
_SECONDS = partial(number, digits=1)
_COLUMNS = {
    "kind": _Column("Trial kind"), "main": _Column("Judgments"), "check": _Column("Checks"),
    "mirror": _Column("Repeats"), "practice": _Column("Practice"),
    "source": _Column("Source"), "source_a": _Column("Source"), "source_b": _Column("Against"),
    "counting": _Column("“Cannot tell” counted"), "right": _Column("Right"),
    "n": _Column("n"), "judges": _Column("Judges"), "items": _Column("Items"),
    "trials": _Column("Trials"), "n_trials": _Column("Trials"), "n_votes": _Column("Votes"),
    "value": _Column("Value", ends=_ENDS), "chance": _Column("Chance", percent),
    "p_value": _Column("p, not clustered", p_value), "cannot_tell": _Column("Cannot tell", percent),
    "margin": _Column("Margin", points), "verdict": _Column("Verdict"), "note": _Column("Note"),
    "truth": _Column("Texts of"), "answer": _Column("Named"), "count": _Column("Judgments"),
    "share": _Column("Share", **_SHARE, ends=_ENDS),
    "raw_right": _Column("Raw", **_SHARE, ends=("raw_low", "raw_high")),
    "majority_right": _Column("Majority", percent),
    "weighted_right": _Column("Weighted", **_SHARE, ends=("weighted_low", "weighted_high")),
    "as_dawid_skene": _Column("Same annotator", percent), "model": _Column("Model"),
    "skill": _Column("Skill"), "strength": _Column("Strength", ends=_ENDS),
    "log_odds": _Column("Log-odds"), "odds_ratio": _Column("Odds ratio", ends=_ENDS),
    "wins": _Column("Wins"), "ties": _Column("Ties"), "losses": _Column("Losses"),
    "wins_a": _Column("Wins"), "wins_b": _Column("Losses"),
    "share_a": _Column("Preferred", **_SHARE, ends=_ENDS),
    "odds_share_a": _Column("Preferred", **_SHARE, ends=_ENDS),
    "raw_a": _Column("Preferred", **_SHARE, ends=("raw_low", "raw_high")),
    "controlled_a": _Column("With style held equal", **_SHARE, ends=_ENDS),
    "longer_a": _Column("Length ratio"), "overlap_a": _Column("Overlap difference", points),
    "raw_share_a": _Column("Raw", **_SHARE, ends=("raw_low", "raw_high")),
    "weighted_share_a": _Column("Weighted", **_SHARE, ends=("weighted_low", "weighted_high")),
    "covariate": _Column("Covariate"), "question": _Column("Question"),
    "mean": _Column("Mean", ends=_ENDS), "judge_id": _Column("Judge"),
    "attentiveness": _Column("Attentiveness", ends=_ENDS), "weight": _Column("Weight"),
    "n_ties": _Column("Ties"), "measure": _Column("Measure"), "metric": _Column("Metric"),
    "left": _Column("First", **_SHARE, ends=("left_low", "left_high")),
    "same": _Column("Repeat consistency", **_SHARE, ends=("same_low", "same_high")),
    "checks_right": _Column("Checks passed", **_SHARE, ends=("checks_low", "checks_high")),
    "seconds_median": _Column("Seconds", _SECONDS), "median_s": _Column("Median, s", _SECONDS),
    "p10_s": _Column("10th percentile, s", _SECONDS),
    "p90_s": _Column("90th percentile, s", _SECONDS),
}  # fmt: skip
# What a number is depends on the table; by the columns that stand beside it.
_OF_TABLE = (
    ({"chance", "value"}, {"value": _Column("Accuracy", **_SHARE, ends=_ENDS)}),
    ({"detectable", "value"}, {"value": _Column("Difference", **_DIFFERENCE, ends=_ENDS)}),
    ({"margin", "value"}, {"value": _Column("Difference (90 %)", **_DIFFERENCE, ends=_ENDS),
                           "p_value": _Column("p", p_value)}),
)  # fmt: skip
# In the files of the analysis, but in no table of a paper: ends by another method, and numbers that
# stand behind others.
_LEFT_OUT = {"wilson_low", "wilson_high", "se", "detectable", "why", "flipped_to_side", "n_sided",
             "n_repeats", "n_checks", "seconds_p10", "seconds_p90", "changes"}  # fmt: skip
_WORDS = {
    "krippendorff_alpha": "Krippendorff's alpha", "fleiss_kappa": "Fleiss' kappa",
    "raw_agreement": "Raw agreement", CANNOT_TELL: "cannot tell",
    AS_WRONG: "as wrong", LEFT_OUT: "left out",
    **{name: kind.name.capitalize() for name, kind in TRIAL_KINDS.items()},
}  # fmt: skip


def paper_table(frame: pd.DataFrame) -> tuple[list[str], list[list[str]], str]:
    """Return headers, cells and the alignment of a table of the analysis, as a paper has it.

    Columns without anything in them are left out, and the ends of intervals stand behind their
    numbers.
    """
    frame = with_source_names(frame)
    columns = dict(_COLUMNS)
    for there, changed in _OF_TABLE:
        if there <= set(frame):
            columns |= changed
    ends = {end for name in frame if name in columns for end in columns[name].ends}
    names = [
        name
        for name in frame
        if name not in _LEFT_OUT | ends and not (frame[name].isna() | frame[name].eq("")).all()
    ]
    made = {name: _cells(frame, name, columns.get(name, _Column(_title(name)))) for name in names}
    headers = [columns[name].header if name in columns else _title(name) for name in names]
    align = "".join("r" if pd.api.types.is_numeric_dtype(frame[name]) else "l" for name in names)
    return headers, [list(row) for row in zip(*made.values(), strict=True)], align


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _cells(frame: pd.DataFrame, name: str, column: _Column) -> list[str]:
    there = bool(column.ends) and set(column.ends) <= set(frame)
    ends = zip(*(frame[end] for end in column.ends), strict=True) if there else ()
    pairs = list(ends) or [None] * len(frame)
    return [_text(value, column, pair) for value, pair in zip(frame[name], pairs, strict=True)]


def _text(value: Any, column: _Column, ends: tuple[float, float] | None) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "not defined"
        return f"{column.text(value)} {column.interval(*ends) if ends else ''}".rstrip()
    if isinstance(value, str):
        return " ".join(_WORDS.get(value, value).split())
    return f"{value:,}"


def _section(section: ReportSection, provenance: Provenance) -> str:
    headers, rows, align = paper_table(section.table)
    return latex_table(
        headers, rows, provenance, caption=_caption(section),
        label="-".join(re.findall("[a-z]+", section.title.lower())), align=align,
    )  # fmt: skip


def _caption(section: ReportSection) -> str:
    """Return title and how to read it, with the columns called as in the table."""
    end = "" if section.title.endswith("?") else "."
    text = f"{section.title}{end} {section.caption}".strip()
    for name in sorted((name for name in _COLUMNS if "_" in name), key=len, reverse=True):
        text = re.sub(rf"\b{name}\b", _COLUMNS[name].header, text)
    return text.replace("left: share", "First: share")
