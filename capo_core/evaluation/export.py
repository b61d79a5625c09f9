"""An evaluation as files: long CSV, JSON lines, JSON, and a page that stands alone."""

from __future__ import annotations

import json
from pathlib import Path

from capo_core.errors import ConfigError
from capo_core.evaluation import report as reports
from capo_core.evaluation.html_report import to_html
from capo_core.evaluation.report import EvaluationReport
from capo_core.stability.intervals import records
from capo_core.workspace import atomic_file

KINDS = (".html", ".csv", ".jsonl", ".json")


def to_csv(report: EvaluationReport) -> str:
    """The scores as CSV, one row a source, target, measure and k; undefined numbers are empty."""
    return report.scores.to_csv(index=False, lineterminator="\n")


def to_jsonl(report: EvaluationReport) -> str:
    """One JSON object a line: the scores, then the differences; `table` says which."""
    lines = [
        json.dumps({"table": name, **row}, ensure_ascii=False, allow_nan=False)
        for name in ("scores", "differences")
        for row in records(getattr(report, name))
    ]
    return "".join(line + "\n" for line in lines)


def check_kind(path: Path) -> Path:
    """`path`, if its ending is one of `KINDS`.

    Raises:
        ConfigError: it is not.
    """
    if path.suffix.lower() not in KINDS:
        raise ConfigError(
            f"{path.name!r} does not say what to write",
            expected=f"a name that ends in {', '.join(KINDS)}",
        )
    return path


def write(report: EvaluationReport, path: Path) -> Path:
    """Write the report in the form that the path's ending names; whole or not at all.

    Raises:
        ConfigError: the ending is not one of `KINDS`.
    """
    kind = check_kind(path).suffix.lower()
    if kind == ".json":
        reports.save(report, path)
        return path
    text = {".html": to_html, ".csv": to_csv, ".jsonl": to_jsonl}[kind](report)
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    return path
