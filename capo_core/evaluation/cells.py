"""Numbers of an evaluation as text, with ceiling, floor and chance beside the methods.

The one place where a score becomes a cell: the page, the HTML report and the command line print the
same digits, and set the same cells in bold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from capo_core.evaluation.claims import clearly_nearest
from capo_core.evaluation.measures.registry import HIGHER, Measure, find_measure
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER
from capo_core.evaluation.table import ALL
from capo_core.formatting import number, number_interval

NO_VALUE = "—"
BOLD = (
    "Bold: significantly better than every other method on the same items, and not beyond the "
    "human's own value (paired tests, Holm-adjusted p ≤ .05; where the human's value is the aim, "
    "better is nearer to it)."
)
NO_BOLD = (
    "Nothing is in bold: no method is significantly better than every other on the same items "
    "without being beyond the human's own value (paired tests, Holm-adjusted)."
)


@dataclass(frozen=True)
class ScoreCells:
    """Cells of one measure at one k, for one annotator or their mean.

    Attributes:
        values: source → "0.62 [0.55–0.69]"; methods, then `HUMAN`, `OTHER` and `GUESS` (chance).
        n: what was counted, "36" or "12–36" where methods differ; bold: the method in bold, or "".
    """

    measure: str
    k: int
    values: dict[str, str]
    n: str
    bold: str


def score_cells(report: EvaluationReport, measure: str, k: int, target: str = ALL) -> ScoreCells:
    """Return the cells of a measure; `NO_VALUE` where a source has none."""
    about = find_measure(measure)
    rows = {
        source: report.row(source, measure, k, target)
        for source in (*report.method_names, HUMAN, OTHER)
    }
    values = {source: score_text(row, about) for source, row in rows.items()}
    floor_source = about.of.floor_source
    if floor_source != OTHER:  # not another annotator's answers: the measure's help says what
        floor = next((row["floor"] for row in rows.values() if row is not None), math.nan)
        values[OTHER] = value_text(floor, about)
        if values[OTHER] != NO_VALUE:
            values[OTHER] += f" ({floor_source})"
    chance = next((row["chance"] for row in rows.values() if row is not None), math.nan)
    values[GUESS] = value_text(chance, about)
    counts = [
        int(rows[name]["n"])
        for name in report.method_names
        if rows[name] is not None and pd.notna(rows[name]["value"])
    ]
    low, high = min(counts, default=0), max(counts, default=0)
    n = NO_VALUE if not counts else f"{low:,}" if low == high else f"{low:,}–{high:,}"
    return ScoreCells(measure, k, values, n, clearly_nearest(report, measure, k, target))


def score_text(row: Any, about: Measure) -> str:
    """Return "0.62 [0.55–0.69]"; `NO_VALUE` where the measure is undefined.

    Args:
        row: a row of `report.SCORES`, or None.
    """
    if row is None or pd.isna(row["value"]):
        return NO_VALUE
    interval = interval_cell(row["low"], row["high"], about)
    return f"{value_text(row['value'], about)} {interval}".strip()


def value_text(value: float, about: Measure) -> str:
    """Return a score in the decimals of its measure; `NO_VALUE` where it is undefined.

    A share that is not 0 or 1 is not rounded to it: ">0.99", "<0.01".
    """
    if value is None or math.isnan(value):
        return NO_VALUE
    text = number(value, about.decimals)
    if about.of.attribution or about.better == HIGHER:
        value, step = round(float(value), 12), 10.0**-about.decimals
        if value < 1 and float(text.replace("−", "-")) == 1:
            return f">{1 - step:.{about.decimals}f}"
        if value > 0 and float(text.replace("−", "-")) == 0:
            return f"<{step:.{about.decimals}f}"
    return text


def interval_cell(low: float, high: float, about: Measure) -> str:
    """Return "[0.55–0.69]", "[−0.10 to 0.20]"; "" where there is no interval."""
    return number_interval(low, high, about.decimals)
