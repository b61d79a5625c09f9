"""Reading a file into a dataset, with a report in which every row is imported or rejected."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from capo_core.data.columns import ColumnMapping
from capo_core.data.formats.base import AnnotatorDetails, ReadOptions
from capo_core.data.formats.registry import AUTO, format_of
from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.readers.table import open_source
from capo_core.data.rejected_rows import RejectedRows
from capo_core.data.splits import assign_splits
from capo_core.data.validation import assemble
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.progress import Progress, silent
from capo_core.task import Task
from capo_core.workspace import safe_name


@dataclass(frozen=True)
class ImportReport:
    """The outcome of an import.

    Attributes:
        source: the file's name.
        format: name of the format (see `formats.registry`).
        encoding, delimiter, sheet: as found; "" if the kind of file has none.
        unit: what a row is: "rows", "cells" (wide form), "explanations", "annotations".
        rows_read, rows_kept: rows_read = rows_kept + len(rejected).
        rejected: row (place in the file), column, reason, text.
        notes: what was guessed, filled in or changed, in sentences.
        mapping: role → column, as used; None for formats that need none.
        people: details of the annotators from a metadata file, by annotator.
    """

    source: str
    format: str
    encoding: str
    delimiter: str
    rows_read: int
    rows_kept: int
    rejected: pd.DataFrame
    notes: tuple[str, ...] = ()
    unit: str = "rows"
    sheet: str = ""
    mapping: ColumnMapping | None = None
    people: AnnotatorDetails = field(default_factory=dict)

    def reasons(self) -> dict[str, int]:
        """Return the number of rejected rows for each reason, the most frequent first."""
        return {reason: int(n) for reason, n in self.rejected["reason"].value_counts().items()}

    def to_dict(self) -> dict:
        """Return the report as JSON-able values; the rejected rows as a list of objects."""
        return {
            "source": self.source,
            "format": self.format,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "unit": self.unit,
            "rows_read": self.rows_read,
            "rows_kept": self.rows_kept,
            "reasons": self.reasons(),
            "notes": list(self.notes),
            "mapping": None if self.mapping is None else self.mapping.to_dict(),
            "people": self.people,
            "set_aside": self.rejected.to_dict("records"),
        }


@dataclass(frozen=True)
class ImportResult:
    """A dataset and the report of its import."""

    dataset: Dataset
    report: ImportReport


def read_dataset(
    path: Path | str,
    *,
    name: str,
    format: str = AUTO,
    mapping: ColumnMapping | None = None,
    task: Task | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    limits: ImportLimits = LIMITS,
    progress: Progress = silent,
) -> ImportResult:
    """Read a file of annotations.

    >>> from pathlib import Path
    >>> _ = Path("votes.csv").write_text(
    ...     "item,annotator,label,explanation,premise,hypothesis\\n"
    ...     "1,anna,entailment,A flute makes music.,A man plays a flute.,Someone makes music.\\n"
    ...     "1,bert,neutral,Maybe he only holds it.,A man plays a flute.,Someone makes music.\\n"
    ...     "1,carl,,,A man plays a flute.,Someone makes music.\\n"
    ... )
    >>> result = read_dataset("votes.csv", name="votes")
    >>> result.dataset.annotations[["item_id", "annotator_id", "label"]]
      item_id annotator_id       label
    0       1         anna  entailment
    1       1         bert     neutral
    >>> result.report.reasons()
    {'the label is missing': 1}

    Args:
        name: the dataset's name, safe as a file name.
        format: name of a format; "auto" detects it from the content.
        mapping: for tables, the columns that the user assigned; the rest is guessed.
        task: the task and its label scale; None to take it from the file or infer it.
        encoding, delimiter, sheet: None to detect them.

    Raises:
        DataError: the file cannot be read, a needed column is missing, or every row is rejected.
        ConfigError: an argument is out of range, or does not fit the format.
    """
    safe_name(name)
    progress("Reading the file", 0.0)
    source = open_source(path, encoding=encoding, limits=limits)
    found = format_of(format, source)
    if mapping is not None and not found.needs_mapping:
        raise ConfigError(
            f"files in the format {found.name} need no column mapping",
            todo="leave out the mapping, or import the file as a table",
            option="--format table",
        )
    if found.needs_json and not source.json:
        raise DataError(
            f"the file is not JSON, so it is not in the format {found.name}", where=source.name
        )
    rejected, notes = RejectedRows(), list(source.notes)
    progress("Finding the columns", 0.3)
    options = ReadOptions(Path(path), mapping, delimiter, sheet, limits)
    raw = found.read(source, options, rejected)
    rows_read = len(raw.frame) + len(rejected)
    progress("Checking every row", 0.5)
    dataset = assemble(
        raw, name=name, task=task, rejected=rejected, notes=notes, where=source.name, limits=limits
    )
    people = found.finish(Path(path), dataset, notes) if found.finish else {}
    if not dataset.items["split"].any():
        dataset = assign_splits(dataset)
        notes.append("no split in the file: random 60/20/20 split of the items (seed 0)")
    report = ImportReport(
        source=source.name,
        format=found.name,
        encoding=source.encoding,
        delimiter=raw.delimiter,
        sheet=raw.sheet,
        unit=raw.unit,
        rows_read=rows_read,
        rows_kept=len(dataset.annotations),
        rejected=rejected.frame(),
        notes=tuple(notes),
        mapping=raw.mapping,
        people=people,
    )
    progress("Done", 1.0)
    return ImportResult(dataset, report)
