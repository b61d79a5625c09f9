"""Tables of text from CSV, JSON, Excel or Parquet, with the place of each row in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.data.column_names import recognised
from capo_core.data.limits import LIMITS, ImportLimits, check_cells, read_bytes
from capo_core.data.readers import json_records
from capo_core.data.readers.delimited import DELIMITERS, find_delimiter, read_delimited
from capo_core.data.readers.encoding import cell_text, decode, unique_names
from capo_core.data.readers.excel_parquet import read_excel, read_parquet
from capo_core.data.readers.json_shapes import ShapedRecords, records_in
from capo_core.data.readers.sample import first_rows
from capo_core.data.rejected_rows import RejectedRows
from capo_core.errors import DataError
from capo_core.formatting import name_list
from capo_core.provenance import NAME, Provenance, stated

_FOREIGN = (  # files that are not supported, and what to do instead
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls) or Word file", "save it as .xlsx or CSV"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"%PDF", "a PDF", "export the table as CSV or JSONL"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV or JSONL"),
    (b"\x89PNG", "a picture", "export the table as CSV or JSONL"),
)


_PAGE = re.compile(r"\s*<(?:!doctype|html|\?xml|head|body)\b", re.IGNORECASE)


@dataclass(frozen=True)
class RawTable:
    """A file's table before its columns have a role.

    Attributes:
        frame: the columns of the file; all cells are text, "" if empty.
        rows: [len(frame)] the row's number: as a spreadsheet shows it (header = 1) for CSV and
            Excel, the line for JSONL, counted from 1 for JSON arrays and Parquet.
        kind: "csv", "jsonl", "json", "excel" or "parquet".
        encoding, delimiter, sheet: as found; "" if the kind of file has none.
        rejected: rows that could not be read as rows (row, column, reason, text).
        notes: how the file was read, for the import report.
        metadata: the schema metadata of a Parquet file.
        provenance: what the column of this name says, where this product wrote the file; () for
            other files. The column is not in `frame`.
    """

    frame: pd.DataFrame
    rows: np.ndarray
    kind: str
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    rejected: pd.DataFrame = field(default_factory=lambda: RejectedRows().frame())
    notes: tuple[str, ...] = ()
    metadata: dict[bytes, bytes] = field(default_factory=dict)
    provenance: tuple[Provenance, ...] = ()


@dataclass(frozen=True)
class ImportSource:
    """A file's bytes and, if it is text, its text."""

    name: str
    raw: bytes
    kind: str  # "text", "excel", "parquet"
    text: str = ""
    encoding: str = ""
    notes: tuple[str, ...] = ()

    @property
    def json(self) -> bool:
        """Return whether the text looks like JSON or JSON Lines."""
        return self.kind == "text" and self.text.lstrip()[:1] in ("{", "[")

    @cached_property
    def _parsed(self) -> tuple[Any, list[str], DataError | None]:
        try:
            return *json_records.parse_whole(self.text, self.name), None
        except DataError as error:
            return None, [], error

    @property
    def json_value(self) -> Any:
        """The whole file as one JSON value; None if it is not one."""
        return self._parsed[0] if self.json else None

    def whole_json(self) -> tuple[Any, list[str]]:
        """Return the whole file as one JSON value, and notes on how it was read.

        Raises:
            DataError: it is not JSON; the text names line and column.
        """
        value, notes, error = self._parsed
        if error is not None:
            raise error
        return value, list(notes)

    @cached_property
    def shaped(self) -> ShapedRecords | None:
        """The records of JSON of another shape than an array or lines (see `json_shapes`)."""
        if not self.json or self.text.lstrip()[:1] != "{":
            return None
        if json_records.looks_like_lines(self.text) and self.text.strip().count("\n"):
            return None
        return records_in(self.json_value)

    @cached_property
    def sample(self) -> list[dict[str, Any]]:
        """The first records, whatever the kind of file; values of JSON and Parquet as they are."""
        if self.shaped:
            return list(self.shaped.records[:20])
        if self.json:
            value = None if json_records.looks_like_lines(self.text) else self.json_value
            rows = value[:20] if isinstance(value, list) else self.first_records()
            return [row for row in rows if isinstance(row, dict)]
        return first_rows(self.kind, self.raw, self.text, recognised)

    def first_records(self, limit: int = 20) -> list[Any]:
        """Return the JSON values of the first lines of a JSON Lines file, broken ones left out."""
        if not self.json or not json_records.looks_like_lines(self.text):
            return []
        found = []
        for line in self.text.split("\n")[:limit]:
            try:
                if line.strip():
                    found.append(json_records.parse(line))
            except ValueError:
                continue
        return found


def open_source(
    path: Path | str, *, encoding: str | None = None, limits: ImportLimits = LIMITS
) -> ImportSource:
    """Return the file's content with its kind, judged by the content, not by the name."""
    path = Path(path)
    raw = read_bytes(path, limits)
    if raw.startswith(b"PAR1"):
        return ImportSource(path.name, raw, "parquet")
    if raw.startswith(b"PK\x03\x04"):
        return ImportSource(path.name, raw, "excel")
    for magic, what, todo in _FOREIGN:
        if raw.startswith(magic):
            raise DataError(
                f"this is {what}",
                where=path.name,
                expected="CSV, TSV, JSONL, JSON, Excel (.xlsx) or Parquet",
                todo=todo,
            )
    text, found, notes = decode(raw, path.name, encoding)
    if _PAGE.match(text):
        raise DataError(
            "this is a web page or XML, not a table",
            where=path.name,
            todo="download the file itself (on GitHub: the button Raw), or export it as CSV",
        )
    if not text.strip():
        raise DataError("the file is empty", where=path.name)
    return ImportSource(path.name, raw, "text", text, found, tuple(notes))


def read_table(
    path: Path | str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    limits: ImportLimits = LIMITS,
) -> RawTable:
    """Return the table in a CSV, TSV, JSONL, JSON, Excel or Parquet file.

    Args:
        encoding, delimiter, sheet: None to detect them.

    Raises:
        DataError: the file is missing, empty, damaged, too large, or holds no table.
    """
    source = open_source(path, encoding=encoding, limits=limits)
    table = table_of(source, delimiter=delimiter, sheet=sheet, limits=limits)
    return replace(table, notes=(*source.notes, *table.notes))


def table_of(
    source: ImportSource,
    *,
    delimiter: str | None = None,
    sheet: str | None = None,
    limits: ImportLimits = LIMITS,
) -> RawTable:
    """Return the table in an opened file, with notes beyond the source's own; see `read_table`."""
    where = source.name
    rejected = RejectedRows()
    if source.kind == "parquet":
        rows, metadata = read_parquet(source.raw, where, limits)
        return _table(rows, kind="parquet", metadata=metadata)
    if source.kind == "excel":
        rows, found = read_excel(source.raw, where, limits, sheet, rejected)
        return _table(rows, kind="excel", sheet=found, rejected=rejected.frame())
    if source.json:
        kind, rows = _json_rows(source, limits, rejected)
    else:
        kind = "csv"
        delimiter = delimiter or find_delimiter(source.text, recognised)
        if delimiter not in DELIMITERS:
            raise DataError(
                f"the delimiter {delimiter!r} is not known",
                where=where,
                expected="a comma, a semicolon, a tab or a vertical bar",
            )
        rows = read_delimited(source.text, where, limits, delimiter, rejected)
    return _table(
        rows,
        kind=kind,
        encoding=source.encoding,
        delimiter=delimiter or "" if kind == "csv" else "",
        rejected=rejected.frame(),
    )


def _table(rows, **rest) -> RawTable:
    columns, cells, numbers, notes = rows
    frame = pd.DataFrame(cells, columns=pd.Index(columns, dtype=object), dtype=object)
    found = _provenance(frame)
    if found:
        frame = frame.drop(columns=NAME)
        notes = [*notes, *(f"exported by {one.line}" for one in found)]
    return RawTable(
        frame, np.asarray(numbers, dtype=np.int64), notes=tuple(notes), provenance=found, **rest
    )


def _provenance(frame: pd.DataFrame) -> tuple[Provenance, ...]:
    """Return the different provenances in a table; () where the column is not one of ours."""
    if NAME not in frame.columns:
        return ()
    return stated(frame[NAME].unique())


def _json_rows(source: ImportSource, limits: ImportLimits, rejected: RejectedRows):
    text, where = source.text, source.name
    if source.shaped:
        kind, notes = "json", [*source.whole_json()[1], source.shaped.note]
        records = json_records.read_array(source.shaped.records, rejected, where)
    elif json_records.looks_like_lines(text) and not _one_wrapped_array(text):
        kind, records, notes = "jsonl", json_records.read_lines(text, rejected, where), []
    else:
        kind = "json"
        value, notes = _array(source)
        records = json_records.read_array(value, rejected, where)
    keys = list(dict.fromkeys(key for _, record in records for key in record))
    check_cells(len(records), len(keys), where, limits)
    nested = {
        key
        for _, record in records
        for key, value in record.items()
        if type(value) is not str and isinstance(value, dict | list)
    }
    if nested:
        notes.append(f"nested values are read as JSON text: {name_list(sorted(nested))}")
    columns, renamed = unique_names(keys)
    cells = [[cell_text(record.get(key)) for key in keys] for _, record in records]
    return kind, (columns, cells, [number for number, _ in records], notes + renamed)


def _one_wrapped_array(text: str) -> bool:
    """Return whether a single line such as {"version": 1, "data": [{…}, {…}]} holds the table."""
    if text.strip().count("\n"):
        return False
    try:
        value = json_records.parse(text)
    except ValueError:
        return False
    lists = [inner for inner in value.values() if isinstance(inner, list) and inner]
    return len(lists) == 1 and all(isinstance(each, dict) for each in lists[0])


def _array(source: ImportSource) -> tuple[list, list[str]]:
    """Return a JSON array, also the only array inside one object, as {"data": […]}."""
    value, notes = source.whole_json()
    if isinstance(value, dict):
        arrays = [key for key, inner in value.items() if isinstance(inner, list)]
        if len(arrays) == 1:
            notes.append(f"read the array under the key {arrays[0]!r}")
            return value[arrays[0]], notes
    if not isinstance(value, list):
        raise DataError(
            "the JSON holds no array of objects",
            where=source.name,
            expected="one object per line (JSONL), an array of objects, or the LeWiDi format",
        )
    return value, notes
