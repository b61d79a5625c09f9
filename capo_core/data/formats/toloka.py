"""Toloka: a TSV with one assignment in each row and prefixed columns.

`INPUT:…` was shown, `OUTPUT:…` was answered, `ASSIGNMENT:…` says who answered and whether it was
accepted; `GOLDEN:…` and `HINT:…` are the requester's own answers to control tasks.
"""

from __future__ import annotations

from capo_core.data.formats.answers import ToolAnswer, ToolExport, parsed_cell, tool_format
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.formatting import count

_WORKER, _STATUS = "ASSIGNMENT:worker_id", "ASSIGNMENT:status"
_REJECTED = {"rejected", "expired", "skipped"}


def matches(source: ImportSource) -> bool:
    """Return whether the columns are Toloka's."""
    return any(
        _WORKER in record and any(key.startswith("OUTPUT:") for key in record)
        for record in source.sample
    )


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the assignments; rejected ones are set aside."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    answers, golden = [], 0
    for row, record in records.rows:
        status = cell_text(record.get(_STATUS)).strip()
        aside = "the assignment was rejected" if status.casefold() in _REJECTED else ""
        golden += any(_part(record, "GOLDEN").values())
        texts = {name: text for name, text in _part(record, "INPUT").items() if text}
        answers.append(
            ToolAnswer(
                row,
                cell_text(record.get(_WORKER)).strip(),
                texts.pop("id", "") or texts.pop("item_id", ""),
                texts,
                {name: parsed_cell(text) for name, text in _part(record, "OUTPUT").items() if text},
                aside,
            )
        )
    notes = list(records.notes)
    if golden:
        notes.append(f"{count(golden, 'answer')} to control tasks: imported like the others")
    return ToolExport(
        answers, {}, tuple(notes), "assignments", delimiter=records.delimiter, sheet=records.sheet
    )


def _part(record: dict, prefix: str) -> dict[str, str]:
    """Return name → cell of the columns with a prefix."""
    start = f"{prefix}:"
    return {
        key.removeprefix(start): cell_text(value).strip()
        for key, value in record.items()
        if key.startswith(start)
    }


FORMAT = tool_format(
    name="toloka",
    title="Toloka",
    description="TSV of a pool of Toloka, with one assignment in each row",
    sign="columns 'INPUT:…', 'OUTPUT:…' and 'ASSIGNMENT:worker_id'",
    matches=matches,
    read=read,
)
