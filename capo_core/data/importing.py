"""Any file to a dataset, with a report in which every row read is kept or set aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from capo_core.data import export
from capo_core.data.columns import ColumnMapping, guess_mapping, require_roles
from capo_core.data.formats import lewidi, varierr
from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.raw_annotations import raw_annotations_of
from capo_core.data.readers.json_records import looks_like_lines, parse, parse_leniently
from capo_core.data.readers.table import ImportSource, open_source, table_of
from capo_core.data.rejected_rows import RejectedRows
from capo_core.data.splits import assign_splits
from capo_core.data.validation import assemble
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.progress import Progress, silent
from capo_core.task import Task
from capo_core.workspace import safe_name

FORMATS = ("auto", "varierr", "lewidi", "table")


@dataclass(frozen=True)
class ImportReport:
    """What became of a file.

    Attributes:
        source: the file's name.
        format: "varierr", "lewidi" or "table".
        encoding, delimiter, sheet: as found; "" where the kind of file has none.
        unit: what a row is: "rows", "cells" (wide form), "explanations", "annotations".
        rows_read, rows_kept: rows_read = rows_kept + len(set_aside).
        set_aside: row (place in the file), column, reason, text.
        notes: what was guessed, supplied or changed, in sentences.
        mapping: role → column, as used; None for formats that need none.
        people: what a metadata file says about the annotators, by annotator.
    """

    source: str
    format: str
    encoding: str
    delimiter: str
    rows_read: int
    rows_kept: int
    set_aside: pd.DataFrame
    notes: tuple[str, ...] = ()
    unit: str = "rows"
    sheet: str = ""
    mapping: ColumnMapping | None = None
    people: dict[str, dict[str, str]] = field(default_factory=dict)

    def reasons(self) -> dict[str, int]:
        """How many rows were set aside for each reason, the most frequent first."""
        return {reason: int(n) for reason, n in self.set_aside["reason"].value_counts().items()}

    def to_dict(self) -> dict:
        """All of it as JSON-able values; the set-aside rows as a list of objects."""
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
            "set_aside": self.set_aside.to_dict("records"),
        }


@dataclass(frozen=True)
class ImportResult:
    """A dataset and how it came out of its file."""

    dataset: Dataset
    report: ImportReport


def read_dataset(
    path: Path | str,
    *,
    name: str,
    format: str = "auto",
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
        format: "auto" finds out from the content.
        mapping: for tables, what the user says of the columns; the rest is guessed.
        task: the task and its scale; None to take it from the file or infer it.
        encoding, delimiter, sheet: None to detect them.

    Raises:
        DataError: the file cannot be read, a needed column is missing, or nothing is left.
        ConfigError: an argument is wrong.
    """
    safe_name(name)
    if format not in FORMATS:
        raise ConfigError(f"the format {format!r} is not known", expected=", ".join(FORMATS))
    progress("reading the file", 0.0)
    source = open_source(path, encoding=encoding, limits=limits)
    found = format if format != "auto" else detect(source)
    aside, notes = RejectedRows(), list(source.notes)
    progress("finding the columns", 0.3)
    raw, used, extra = None, None, export.Sidecar()
    if found == "table":
        raw = table_of(source, delimiter=delimiter, sheet=sheet, limits=limits)
        aside.extend(raw.aside.itertuples(index=False))
        notes = list(raw.notes)
        used = guess_mapping(raw.frame, mapping)
        require_roles(used, raw.frame, source.name)
        extra = export.find_sidecar(Path(path), raw, notes)
        entries = extra.complete(raw_annotations_of(export.unescaped(raw, notes), used))
    else:
        if mapping is not None:
            raise ConfigError(f"the format {found} needs no mapping", todo="use --format table")
        if not source.json:
            raise DataError(
                f"the file is not JSON, so it is not in the format {found}", where=source.name
            )
        load = varierr.load if found == "varierr" else lewidi.load
        entries = load(source.text, source.name, aside)
    read = len(entries.frame) + len(aside)
    progress("checking every row", 0.5)
    dataset = assemble(
        entries,
        name=name,
        task=task,
        aside=aside,
        notes=notes,
        where=source.name,
        simulated=extra.simulated,
        limits=limits,
    )
    if found == "varierr":
        notes.append(varierr.validity_note(dataset.annotations))
    if found == "lewidi":
        people = lewidi.read_metadata(Path(path), dataset.annotators, notes)
    else:
        people = {}
    if not dataset.items["split"].any():
        dataset = assign_splits(dataset)
        notes.append("no split in the file: items were split 60/20/20 by chance (seed 0)")
    report = ImportReport(
        source=source.name,
        format=found,
        encoding=source.encoding,
        delimiter=raw.delimiter if raw else "",
        sheet=raw.sheet if raw else "",
        unit=entries.unit,
        rows_read=read,
        rows_kept=len(dataset.annotations),
        set_aside=aside.frame(),
        notes=tuple(notes),
        mapping=used,
        people=people,
    )
    progress("done", 1.0)
    return ImportResult(dataset, report)


def detect(source: ImportSource) -> str:
    """The format of an opened file, by its content: "varierr", "lewidi" or "table"."""
    if not source.json:
        return "table"
    if looks_like_lines(source.text):
        for line in source.text.split("\n")[:20]:
            try:
                if line.strip() and varierr.is_varierr(parse(line)):
                    return "varierr"
            except ValueError:
                continue
        # A whole LeWiDi file may stand on one line.
    try:
        value, _ = parse_leniently(source.text)
    except ValueError:
        return "table"
    if isinstance(value, list) and value and varierr.is_varierr(value[0]):
        return "varierr"
    return "lewidi" if lewidi.is_lewidi(value) or lewidi.is_metadata(value) else "table"
