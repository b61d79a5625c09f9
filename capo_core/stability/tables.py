"""The ladder as a table of text: a row for each reduction and control, a column for each k.

The terminal prints it, and a paper takes it as LaTeX; both have the same digits.
"""

from __future__ import annotations

from capo_core.export_formats import latex_table
from capo_core.formatting import (
    count,
    number,
    number_interval,
)
from capo_core.provenance import Provenance
from capo_core.stability.controls import control_title
from capo_core.stability.report import StabilityReport
from capo_core.text.reductions import reduction_title
from capo_core.text.representations import representation_title

FIXED = ("label", "length", "input", "others_mean")  # controls that use no reduction
TOO_FEW = "too few"


def ladder_table(report: StabilityReport) -> tuple[list[str], list[list[str]]]:
    """Return names of columns and rows: representation, reduction, and accuracy with its interval
    at each k; `TOO_FEW` where there are not enough explanations."""
    ladder, controls = report.ladder.to_frame(), report.controls.to_frame()
    pools = sorted(ladder["k"].unique())
    fixed = controls[controls["control"].isin(FIXED)]
    fixed = fixed.assign(
        representation=[control_title(name) for name in fixed["control"]], reduction="(control)"
    )
    rows = []
    for frame in (ladder, fixed):
        for (representation, reduction), of in frame.groupby(
            ["representation", "reduction"], sort=False
        ):
            cells = {row.k: _cell(row.accuracy, row.low, row.high) for row in of.itertuples()}
            rows.append([representation_title(representation), reduction_title(reduction),
                         *(cells.get(k, TOO_FEW) for k in pools)])  # fmt: skip
    return ["Representation", "Reduction", *(f"k = {k}" for k in pools)], rows


def ladder_note(report: StabilityReport) -> str:
    """Return chance, n and permutations of the table in one sentence; "" for an empty table."""
    ladder = report.ladder.to_frame()
    if ladder.empty:
        return ""
    null = count(report.config.permutations, "permutation")
    if not ladder["p_value"].notna().any():
        null = "no permutation null"
        null += f", since it {reason}" if (reason := null_reason(report)) else ""
    chance = float(ladder["chance"].iloc[0])
    return (
        f"Chance {number(chance, 2 if chance >= 0.01 else 4)}; intervals 95 %, over "
        f"{count(int(ladder['n_items'].max()), 'item')}; "
        f"{null}."
    )


def null_reason(report: StabilityReport) -> str:
    """Return why a null that was asked for is on no point of the ladder, to follow "it".

    "" where there is one, where none was asked for, and where no items are shared.
    """
    ladder = report.ladder.to_frame()
    if ladder.empty or ladder["p_value"].notna().any() or not report.config.permutations:
        return ""
    if "n_shared" not in ladder or not ladder["n_shared"].fillna(0).max() > 0:
        return ""
    annotators = round(1 / float(ladder["chance"].iloc[0]))
    return (
        f"rests on at most {report.config.null_rows:,} explanations, too few of some of the "
        f"{count(annotators, 'annotator')}"
    )


def ladder_latex(report: StabilityReport, provenance: Provenance | None = None) -> str:
    """Return the ladder as a LaTeX table."""
    names, rows = ladder_table(report)
    caption = (
        f"Share of explanations of {report.dataset} attributed to their author, by the number k "
        f"of explanations pooled. {ladder_note(report)}"
    )
    return latex_table(
        names, rows, provenance or report.provenance, caption=caption, label="ladder",
        align="ll" + "r" * (len(names) - 2),
    )  # fmt: skip


def _cell(value: float, low: float, high: float) -> str:
    return f"{number(value)} {number_interval(low, high)}".rstrip()
