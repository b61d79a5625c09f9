"""An evaluation as files: long CSV, JSON lines, JSON, and a self-contained HTML report.

The report has no script and loads nothing from outside; its templates are in `templates/`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from capo_core import formatting
from capo_core.errors import ConfigError
from capo_core.evaluation.cells import (
    BOLD,
    NO_BOLD,
    interval_cell,
    score_cells,
    value_text,
)
from capo_core.evaluation.claims import clearly_nearest
from capo_core.evaluation.eyes import eye_in_words
from capo_core.evaluation.human_distance import DISTANCE
from capo_core.evaluation.measures.registry import (
    DIRECTIONS,
    Family,
    Measure,
    families_by_interest,
    find_measure,
)
from capo_core.evaluation.referee.tables import referee_tables
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER
from capo_core.evaluation.summary import statements, titled
from capo_core.evaluation.table import ALL
from capo_core.export_formats import (
    csv_text,
    html_foot,
    html_head,
    json_document,
    json_lines,
    latex_table,
)
from capo_core.imitation.prompting.prompts import method_name
from capo_core.provenance import Provenance, kind_of
from capo_core.run_folder import RunFolder, made_by
from capo_core.stats.intervals import json_rows
from capo_core.templates import render
from capo_core.workspace import atomic_file

# Of the figure, in pixels: names on the left, the axis, numbers on the right, one row.
_LEFT, _WIDTH, _RIGHT, _ROW = 190, 560, 86, 26  # on the right “over 99 %” has its place
_NUMBERS = ("value", "95 % interval", "n", "over seeds", "floor", "ceiling")


def provenance_of(report: EvaluationReport, runs: Iterable[RunFolder] = ()) -> Provenance:
    """Return the provenance of a report's exports.

    Args:
        runs: generations that were scored, for the names of models and the seeds.
    """
    made = made_by(runs)
    seeds = {*made["seeds"], report.config.seed}
    return Provenance(
        report.dataset,
        report.fingerprint,
        kind_of(report.simulated),
        models=made["models"],
        seeds=tuple(sorted(seeds)),
        n=(("item", report.n_items), ("annotator", len(report.annotators)),
           ("method", len(report.method_names))),
        details=(("split", report.split), *made["details"]),
    )  # fmt: skip


def to_html(report: EvaluationReport, provenance: Provenance | None = None) -> str:
    """Return the report as one HTML page."""
    provenance = provenance or provenance_of(report)
    title = f"How near do imitations come to their targets? {report.dataset}"
    return render(
        "evaluation/report.html.j2",
        title=provenance.titled(title),
        head=html_head(provenance),
        foot=html_foot(provenance),
        n_items=report.n_items,
        split=report.split,
        n_annotators=len(report.annotators),
        simulated=report.simulated,
        fingerprint=report.fingerprint[:12],
        statements=[provenance.marked(titled(s)) for s in statements(report)],
        by_annotator=[
            {
                "target": target,
                "statements": [provenance.marked(titled(s)) for s in statements(report, target)],
            }
            for target in imitated(report)
        ]
        if len(imitated(report)) > 1
        else [],
        averaged=averaged_text(report),
        bold=BOLD,
        figure=attribution_figure(report),
        families=[
            _family(report, family)
            for family in families_by_interest()
            if (report.scores["family"] == family.name).any()
        ],
        distances=_distances(report),
        contrasts=_contrasts(report),
        differences=_differences(report),
        confusion=_confusion(report),
        tests=referee_tables(report),
        methods_text=report.methods.get("text", ""),
        methods_latex=report.methods.get("latex", ""),
    )


def interval_figure(blocks: Sequence[tuple[str, pd.DataFrame]]) -> str:
    """Return a self-contained SVG of intervals on a common axis from 0 to 1.

    Args:
        blocks: titles with rows of source, value, low, high, floor, ceiling and chance, all shares.
            Floor, ceiling and chance are drawn in each row as short lines: they belong to its k.
    """
    y, drawn = 34, []
    for title, rows in blocks:
        block = {"y": y, "title": title, "rows": []}
        for row in rows.itertuples():
            y += _ROW
            block["rows"].append(_figure_row(row, y))
        y += int(1.5 * _ROW)
        drawn.append(block)
    return render(
        "evaluation/intervals.svg.j2",
        label="Share given to the target, with 95 % intervals; floor, ceiling and chance as lines",
        width=_LEFT + _WIDTH + _RIGHT,
        height=y,
        bottom=y - _ROW,
        right=_LEFT + _WIDTH + 12,
        axis=[(_at(share), f"{100 * share:.0f}") for share in (0, 0.25, 0.5, 0.75, 1)],
        blocks=drawn,
    )


def _at(share: float) -> float:
    return round(_LEFT + _WIDTH * share, 1)


def _figure_row(row: Any, y: int) -> dict[str, Any]:
    marks = [
        {"x": _at(share), "dash": dash, "title": f"{name} {formatting.percent(share)}"}
        for name, dash in (("floor", ""), ("ceiling", ""), ("chance", "3 3"))
        if not math.isnan(share := getattr(row, name))
    ]
    return {
        "y": y, "middle": y - 4, "name": method_name(row.source), "marks": marks,
        "low": _at(row.low), "high": _at(row.high), "x": _at(row.value),
        "shown": formatting.percent(row.value),
    }  # fmt: skip


def attribution_figure(report: EvaluationReport) -> dict[str, Any] | None:
    """Draw attribution in the main view, one row per method and k, with reference values."""
    name = report.config.views[0].name
    table = report.scores
    mine = table[
        (table["measure"] == name)
        & (table["target"] == ALL)
        & table["value"].notna()
        & ~table["source"].isin([HUMAN, OTHER])
    ]
    blocks = [(formatting.count(int(k), "explanation"), rows) for k, rows in mine.groupby("k")]
    if not blocks:
        return None
    return {"meaning": find_measure(name).meaning, "svg": Markup(interval_figure(blocks))}


def _family(report: EvaluationReport, family: Family) -> dict[str, Any]:
    """Return all tables of a family."""
    rows = report.scores[report.scores["family"] == family.name]
    measures = []
    for name in dict.fromkeys(rows["measure"]):
        about = find_measure(name)
        of_measure = rows[rows["measure"] == name]
        by_target = of_measure[of_measure["target"] != ALL]
        measures.append(
            {
                "about": about,
                "better": DIRECTIONS[about.better],
                "overall": _table(report, of_measure[of_measure["target"] == ALL], about),
                "by_target": _table(report, by_target, about, targets=True)
                if len(by_target)
                else None,
            }
        )
    return {"heading": family.heading, "measures": measures}


def _table(
    report: EvaluationReport, rows: pd.DataFrame, about: Measure, *, targets: bool = False
) -> dict[str, Any]:
    pooled = (rows["k"] > 0).any()
    names = ["source", *(["target"] if targets else []), *(["k"] if pooled else [])]
    bold = {
        (k, target): clearly_nearest(report, about.name, k, target)
        for k, target in dict.fromkeys(zip(rows["k"], rows["target"], strict=True))
    }
    return {
        "names": names,
        "numbers": (*_NUMBERS, about.of.chance_name),
        "rows": [
            {
                "names": [
                    source_name(row.source) if name == "source" else getattr(row, name)
                    for name in names
                ],
                "bold": bold[row.k, row.target] == row.source,
                "undefined": row.note if math.isnan(row.value) else "",
                "numbers": _number_cells(row, about),
            }
            for row in rows.itertuples()
        ],
    }


def _number_cells(row: Any, about: Measure) -> list[str]:
    return [
        value_text(row.value, about),
        interval_cell(row.low, row.high, about),
        f"{row.n:,}",
        ""
        if math.isnan(row.seed_spread)
        else f"± {formatting.number(row.seed_spread, about.decimals)}",
        *(
            "" if math.isnan(value) else value_text(value, about)
            for value in (row.floor, row.ceiling, row.chance)
        ),
    ]


_SOURCES = {
    HUMAN: "target's own (ceiling)",
    OTHER: "another annotator (floor)",
    GUESS: "chance or most frequent label",
}


def source_name(source: str) -> str:
    """Return a source's name in reports and in the terminal."""
    return _SOURCES.get(source) or method_name(source)


def imitated(report: EvaluationReport) -> list[str]:
    """Return the annotators whom a method imitates."""
    methods = [s for s in report.sources if s.name in report.method_names]
    return [name for name in report.annotators if any(name in s.targets for s in methods)]


def averaged_text(report: EvaluationReport) -> str:
    """Return what the scores without an annotator's name are of."""
    if not report.targets:
        return "No annotator is imitated by every method: there are no means over annotators."
    if len(report.targets) == 1:
        return f"Scores are of annotator {report.targets[0]}."
    return f"Scores are means over the annotators {formatting.listed(report.targets)}."


def _differences(report: EvaluationReport) -> list[dict[str, Any]]:
    rows = report.differences[report.differences["target"] == ALL]
    return [
        {
            "names": [*_pair(row), row.measure, row.k or ""],
            "numbers": [
                formatting.signed(row.value, find_measure(row.measure).decimals),
                interval_cell(row.low, row.high, find_measure(row.measure)),
                f"{row.n:,}",
                formatting.p_value(row.p),
                formatting.p_value(row.p_holm),
                formatting.number(row.detectable, find_measure(row.measure).decimals),
            ],
            "verdict": row.verdict,
        }
        for row in rows.itertuples()
    ]


def _pair(row: Any) -> list[str]:
    return [source_name(row.source), source_name(row.against)]


def _distances(report: EvaluationReport) -> list[dict[str, Any]]:
    rows = report.human_distance.distances
    return [
        {
            "names": [method_name(row.source), row.measure, row.k],
            "numbers": [
                value_text(row.value, find_measure(row.measure)),
                value_text(row.human, find_measure(row.measure)),
                _spanned(row.gap, row.gap_low, row.gap_high, sign=True),
                _spanned(row.distance, row.distance_low, row.distance_high),
            ],
            "level": row.level,
        }
        for row in rows[rows["target"] == ALL].itertuples()
    ]


def _spanned(value: float, low: float, high: float, *, sign: bool = False) -> str:
    shown = formatting.signed(value) if sign else formatting.number(value)
    return f"{shown} {formatting.number_interval(low, high, apart=sign)}".strip()


def _contrasts(report: EvaluationReport) -> list[dict[str, Any]]:
    rows = report.human_distance.contrasts
    rows = rows[(rows["target"] == ALL) & (rows["quantity"] == DISTANCE)]
    return [
        {
            "names": [*_pair(row), row.measure, row.k],
            "numbers": [
                _spanned(row.value, row.low, row.high, sign=True),
                formatting.p_value(row.p),
                formatting.p_value(row.p_holm),
            ],
            "verdict": row.verdict,
        }
        for row in rows.itertuples()
    ]


def _confusion(report: EvaluationReport) -> dict[str, Any] | None:
    rows = report.confusion[report.confusion["view"] == report.config.views[0].name]
    if not len(rows):
        return None
    names = list(dict.fromkeys(rows["attributed"]))
    matrices = []
    for source, of_source in rows.groupby("source", sort=False):
        lines = []
        for target, cells in of_source.groupby("target", sort=False):
            shares = cells.set_index("attributed")["share"]
            shown = [
                {
                    "shade": f"{0.6 * shares[name]:.2f}",
                    "percent": formatting.percent(shares[name]).removesuffix(formatting.PERCENT),
                }
                for name in names
            ]
            lines.append({"target": target, "cells": shown, "n": int(cells["n"].iloc[0])})
        matrices.append({"source": source_name(source), "rows": lines})
    return {"names": names, "matrices": matrices}


FILE_TYPES = (".html", ".csv", ".jsonl", ".json", ".tex")
# Measures of a paper's table beside attribution, in order.
_OF_TABLE = ("label accuracy", "kappa", "style distance")


@dataclass(frozen=True)
class MainScores:
    """The scores that a paper shows of an evaluation, as text.

    Attributes:
        columns: titles of the columns after the sources'.
        rows: methods, then people and chance, then the numbers of cases; the first cell is a name.
        bold: (row, column) of cells in bold, the column counted from the name.
        headers: of the columns on two lines: the view that columns share, or "", and the rest.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bold: frozenset[tuple[int, int]]
    headers: tuple[tuple[str, str], ...]


def main_scores(report: EvaluationReport) -> MainScores:
    """Return a row for each method, people below.

    Columns are label accuracy, kappa, style distance, and attribution in the first two views, of
    single texts and of the most that were pooled, each with its interval; bold as on the page.
    """
    there = set(report.scores.loc[report.scores["target"] == ALL, "measure"])
    columns = [(name, 0) for name in _OF_TABLE if name in there]
    for view in report.config.views[:2]:
        pools = report.scores.loc[
            (report.scores["measure"] == view.name) & report.scores["value"].notna(), "k"
        ]
        columns += [(view.name, k) for k in sorted({pools.min(), pools.max()}) if k == k]
    cells = [score_cells(report, name, int(k)) for name, k in columns]
    sources = [*report.method_names, HUMAN, OTHER, GUESS]
    rows = [(source_name(each), *(cell.values[each] for cell in cells)) for each in sources]
    rows.append(("n", *(cell.n for cell in cells)))
    bold = {
        (sources.index(cell.bold), place)
        for place, cell in enumerate(cells, 1)
        if cell.bold in sources
    }
    titles = tuple(_column_title(name, int(k)) for name, k in columns)
    headers = tuple(_header(name, int(k)) for name, k in columns)
    return MainScores(titles, tuple(rows), frozenset(bold), headers)


def _column_title(measure: str, k: int) -> str:
    """Return the title of a column; of attribution with the classifier's representation, since two
    stand side by side."""
    title = find_measure(measure).header(k)
    return f"{title}, by {eye_in_words(measure)}" if k else title


def _header(measure: str, k: int) -> tuple[str, str]:
    """Return the header of a column on two lines, as `MainScores.headers`."""
    if not k:
        return "", _column_title(measure, k)
    about = find_measure(measure)
    return f"{about.screen_title()}, by {eye_in_words(measure)}", f"k = {k}"


def to_latex(report: EvaluationReport, provenance: Provenance | None = None) -> str:
    """Return the main scores as a LaTeX table (see `main_scores`)."""
    main = main_scores(report)
    caption = (
        f"Imitation of annotators on the {report.n_items:,} {report.split} items of "
        f"{report.dataset}, with 95 % intervals. {averaged_text(report)} "
        f"{BOLD if main.bold else NO_BOLD}"
    )
    return latex_table(
        ["Method", *main.headers], main.rows, provenance or provenance_of(report),
        caption=caption, label="imitation", bold=main.bold,
    )  # fmt: skip


def to_csv(report: EvaluationReport, provenance: Provenance | None = None) -> str:
    """Return the scores as CSV, one row per source, target, measure and k; undefined values are
    empty.
    """
    return csv_text(report.scores, provenance or provenance_of(report))


def to_json(report: EvaluationReport, provenance: Provenance | None = None) -> str:
    """Return the whole report as JSON, which `report.load` reads."""
    return json_document(report.to_dict(), provenance or provenance_of(report))


def to_jsonl(report: EvaluationReport, provenance: Provenance | None = None) -> str:
    """Return JSON lines: scores, differences, distances, contrasts; `table` names the table."""
    away = report.human_distance
    tables = {
        "scores": report.scores,
        "differences": report.differences,
        "distances": away.distances,
        "contrasts": away.contrasts,
    }
    rows = ({"table": name, **row} for name, table in tables.items() for row in json_rows(table))
    return json_lines(rows, provenance or provenance_of(report))


def check_file_type(path: Path) -> Path:
    """Return `path` if its extension is a supported file type.

    Raises:
        ConfigError: the extension is not one of `FILE_TYPES`.
    """
    if path.suffix.lower() not in FILE_TYPES:
        raise ConfigError(
            f"{path.name!r} has no supported file extension",
            expected=f"a name that ends in {', '.join(FILE_TYPES)}",
        )
    return path


def write(report: EvaluationReport, path: Path, provenance: Provenance | None = None) -> Path:
    """Write the report in the format of the path's extension; atomic.

    Args:
        provenance: by default that of the report alone.

    Raises:
        ConfigError: the extension is not one of `FILE_TYPES`.
    """
    kind = check_file_type(path).suffix.lower()
    writers = {".html": to_html, ".csv": to_csv, ".jsonl": to_jsonl, ".json": to_json,
               ".tex": to_latex}  # fmt: skip
    text = writers[kind](report, provenance)
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    return path
