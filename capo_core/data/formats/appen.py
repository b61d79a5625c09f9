"""Appen (formerly CrowdFlower and Figure Eight): the full report, with one judgment in each row.

`_unit_id` is the item, `_worker_id` who judged, `_tainted` whether the worker failed the test
questions, `_golden` whether the item is one of these; `…_gold` columns hold the requester's own
answers. What was shown and what was answered are columns beside each other.
"""

from __future__ import annotations

from typing import Any

from capo_core.data.formats.answers import ToolAnswer, ToolExport, tool_format
from capo_core.data.formats.base import ReadOptions
from capo_core.data.formats.label_studio import shown_apart
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows


def matches(source: ImportSource) -> bool:
    """Return whether the columns are those of a full report."""
    return any({"_unit_id", "_worker_id"} <= set(record) for record in source.sample)


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the judgments; those of failed workers and of test questions are set aside."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    answers = []
    for row, record in records.rows:
        aside = ""
        if _is_true(record.get("_golden")):
            aside = "a test question of Appen (_golden)"
        elif _is_true(record.get("_tainted")):
            aside = "the worker failed Appen's test questions (_tainted)"
        given = {
            name: _checked(cell_text(value).strip())
            for name, value in record.items()
            if not name.startswith(("_", "orig__")) and not name.endswith(("_gold", "_gold_reason"))
        }
        answers.append(
            ToolAnswer(
                row,
                cell_text(record.get("_worker_id")).strip(),
                cell_text(record.get("_unit_id")).strip(),
                {},
                given,
                aside,
            )
        )
    return ToolExport(
        shown_apart(answers), {}, records.notes, "judgments",
        delimiter=records.delimiter, sheet=records.sheet,
    )  # fmt: skip


def _checked(cell: str) -> str | list[str]:
    """Return the labels of checkboxes, which stand below each other; any other cell as it is."""
    parts = cell.split("\n")
    return parts if len(parts) > 1 and all(len(part.split()) <= 3 for part in parts) else cell


def _is_true(value: Any) -> bool:
    return cell_text(value).strip().casefold() in ("true", "1", "yes")


FORMAT = tool_format(
    name="appen",
    title="Appen",
    description="CSV of Appen's (CrowdFlower's, Figure Eight's) full report, with one judgment in "
    "each row",
    sign="the columns '_unit_id' and '_worker_id'",
    matches=matches,
    read=read,
)
