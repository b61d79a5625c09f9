"""Figures of a saved report as files for print, without a page.

`python -m capo_core figures` runs this module. The charts and their titles are those of the pages.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from capo_core.dashboard.compare import charts as compare
from capo_core.dashboard.stability import charts as stability
from capo_core.dashboard.ui.figure_data import figure_data
from capo_core.dashboard.ui.print_figure import BARE, MIME_TYPES, WIDTHS, caption_file, printed
from capo_core.dashboard.ui.theme import human_look, method_looks, reduction_name
from capo_core.errors import CapoError, ConfigError, DataError
from capo_core.evaluation.export import provenance_of
from capo_core.evaluation.measures.registry import find_measure
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.table import ALL
from capo_core.export_formats import csv_text
from capo_core.provenance import NAME, Provenance
from capo_core.stability.report import StabilityReport
from capo_core.workspace import atomic_file, make_folder


@dataclass(frozen=True)
class NamedFigure:
    """A figure with the name of its file, the title above it and the caption below."""

    name: str
    figure: go.Figure
    title: str
    caption: str


def of_stability(report: StabilityReport) -> Iterator[NamedFigure]:
    """Yield the figures of a stability report, for each representation."""
    ladder, controls = report.ladder.to_frame(), report.controls.to_frame()
    variance = report.variance.to_frame()
    for name in dict.fromkeys(ladder["representation"]):
        rows = ladder[ladder["representation"] == name]
        yield NamedFigure(
            f"ladder-{name}", stability.ladder(rows), stability.ladder_title(rows),
            "Attribution accuracy by number of explanations pooled.",
        )  # fmt: skip
        for k in sorted(rows["k"].unique()):
            at, beside = rows[rows["k"] == k], stability.controls_at(controls, name, int(k))
            if len(beside):
                yield NamedFigure(
                    f"controls-{name}-{k}", stability.controls(at, beside),
                    stability.controls_title(at, beside, int(k)),
                    f"Attribution accuracy of each reduction and each control, k = {k}.",
                )  # fmt: skip
        here = variance[variance["representation"] == name]
        if len(here):
            yield NamedFigure(
                f"variance-{name}",
                stability.variance(here, [reduction_name(each) for each in here["reduction"]]),
                "Variance of the representation",
                "Shares of item, annotator and residual in the variance, by reduction.",
            )


def of_evaluation(report: EvaluationReport) -> Iterator[NamedFigure]:
    """Yield the figures of an evaluation, for each view of attribution."""
    looks, human = method_looks(report.method_names), human_look(dark=False)
    table = report.scores[(report.scores["target"] == ALL) & report.scores["value"].notna()]
    labels = table[table["measure"] == "label accuracy"]
    for view in report.config.views:
        rows = table[table["measure"] == view.name]
        if rows.empty:
            continue
        name, meaning = re.sub(r"\W+", "-", view.name).strip("-"), find_measure(view.name).meaning
        yield NamedFigure(
            f"imitation-{name}", compare.imitation(rows, looks, human),
            "Attribution accuracy by number of pooled texts", meaning,
        )  # fmt: skip
        if len(labels):
            single = rows[rows["k"] == rows["k"].min()]
            yield NamedFigure(
                f"labels-and-{name}", compare.labels_and_manner(single, labels, looks, human),
                "Label accuracy vs. attribution accuracy", meaning,
            )  # fmt: skip


def read(path: Path) -> tuple[list[NamedFigure], Provenance]:
    """Return the figures of a report's JSON file, and their provenance.

    Raises:
        DataError: the file holds neither a stability report nor an evaluation.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        known = Provenance.from_dict(raw[NAME]) if NAME in raw else None
        if "ladder" in raw:
            report = StabilityReport.from_dict(raw)
            return list(of_stability(report)), known or report.provenance
        report = EvaluationReport.from_dict(raw)
        return list(of_evaluation(report)), known or provenance_of(report)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError) as error:
        lost = isinstance(error, FileNotFoundError)
        raise DataError(
            "there is no such file" if lost else "this is no report, or a damaged one",
            where=str(path),
            expected="the JSON of a stability report or of an evaluation",
            todo="write one by stability NAME --out FILE.json or evaluate … --out FILE.json",
        ) from error


def write(
    path: Path, folder: Path, kinds: list[str], widths: list[str], *, bare: bool = False
) -> list[Path]:
    """Write all figures of a report, their captions and the data behind them; return the files.

    Args:
        bare: leave title, caption and provenance out of the pictures (see `printed`).

    Raises:
        DataError: the file holds no report. ConfigError: an unknown format or width.
    """
    for given, known in ((kinds, MIME_TYPES), (widths, WIDTHS)):
        for each in given:
            if each not in known:
                raise ConfigError(f"{each!r} is not known here", expected=" or ".join(known))
    figures, provenance = read(path)
    make_folder(folder)
    files = {}
    for each in figures:
        files[f"{each.name}-data.csv"] = csv_text(figure_data(each.figure), provenance).encode()
        files[f"{each.name}-caption.txt"] = caption_file(
            each.title, each.caption, provenance
        ).encode()
        for width in widths:
            short = "" if len(widths) == 1 else f"-{width.replace(' ', '-')}"
            for kind in kinds:
                files[f"{each.name}{BARE if bare else ''}{short}.{kind}"] = printed(
                    each.figure, kind, width, title=each.title, caption=each.caption,
                    provenance=provenance, bare=bare,
                )  # fmt: skip
    written = []
    for name, content in files.items():
        with atomic_file(folder / name) as file:
            file.write(content)
        written.append(folder / name)
    return written


def main(words: list[str]) -> int:
    """Run from the command line: REPORT FOLDER KINDS WIDTHS [bare], with commas in the two."""
    report, folder, kinds, widths, *bare = words
    try:
        for path in write(
            Path(report), Path(folder), kinds.split(","), widths.split(","), bare=bool(bare)
        ):
            print(path)
    except CapoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2  # as every command ends with an error
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
