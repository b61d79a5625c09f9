"""A file's records with their values as written: nested in JSON and Parquet, text in tables."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from capo_core.data.limits import ImportLimits, check_cells
from capo_core.data.readers import json_records
from capo_core.data.readers.excel_parquet import class_name, class_names, read_parquet
from capo_core.data.readers.table import ImportSource, table_of
from capo_core.data.rejected_rows import RejectedRows
from capo_core.errors import DataError
from capo_core.provenance import NAME, Provenance, stated


@dataclass(frozen=True)
class FileRecords:
    """The records of a file.

    Attributes:
        rows: (place in the file, record), as in `RawTable.rows`.
        notes: how the file was read. delimiter, sheet: as found; "" where there is none.
        metadata: of a Parquet file's schema.
        provenance: what the records say of their origin, where this product wrote the file (see
            `stated_in`); () for other files.
    """

    rows: list[tuple[int, dict[str, Any]]]
    notes: tuple[str, ...] = ()
    delimiter: str = ""
    sheet: str = ""
    metadata: Mapping[bytes, bytes] = field(default_factory=dict)
    provenance: tuple[Provenance, ...] = ()


def records_of(
    source: ImportSource,
    rejected: RejectedRows,
    limits: ImportLimits,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> FileRecords:
    """Return the records of an opened file; those that are none are rejected.

    Raises:
        DataError: the file cannot be read, or holds no records.
    """
    found = _read(source, rejected, limits, delimiter, sheet)
    if found.provenance:  # of a table, which has taken the column out
        return found
    origin = stated_in(record for _, record in found.rows)
    notes = (f"exported by {one.line}" for one in origin)
    return replace(found, notes=(*found.notes, *notes), provenance=origin)


def stated_in(records: Iterable[Mapping[str, Any]]) -> tuple[Provenance, ...]:
    """Return the provenances that records state, in themselves or in their `meta`."""
    values = []
    for record in records:
        meta = record.get("meta")
        places = (record, meta if isinstance(meta, Mapping) else {})
        values += [place[NAME] for place in places if NAME in place]
    return stated(values)


def _read(
    source: ImportSource,
    rejected: RejectedRows,
    limits: ImportLimits,
    delimiter: str | None,
    sheet: str | None,
) -> FileRecords:
    if source.kind == "parquet":
        rows, metadata = _parquet(source, limits)
        return FileRecords(rows, metadata=metadata)
    if not source.json:
        table = table_of(source, delimiter=delimiter, sheet=sheet, limits=limits)
        rejected.extend(table.rejected.itertuples(index=False))
        rows = zip(table.rows.tolist(), table.frame.to_dict("records"), strict=True)
        return FileRecords(
            list(rows), table.notes, table.delimiter, table.sheet, provenance=table.provenance
        )
    if source.shaped:
        rows = json_records.read_array(source.shaped.records, rejected, source.name)
        return FileRecords(_checked(rows, source.name, limits), (source.shaped.note,))
    if json_records.looks_like_lines(source.text):
        return FileRecords(_checked(json_records.read_lines(source.text, rejected, source.name),
                                    source.name, limits))  # fmt: skip
    value, notes = source.whole_json()
    if isinstance(value, dict):
        arrays = [key for key, inner in value.items() if isinstance(inner, list)]
        if len(arrays) == 1 and value[arrays[0]]:
            notes.append(f"read the array under the key {arrays[0]!r}")
            value = value[arrays[0]]
        else:
            value = [value]
    if not isinstance(value, list):
        raise DataError("the JSON holds no objects", where=source.name)
    rows = json_records.read_array(value, rejected, source.name)
    return FileRecords(_checked(rows, source.name, limits), tuple(notes))


def _checked(rows: list, where: str, limits: ImportLimits) -> list:
    keys = {key for _, record in rows for key in record}
    check_cells(len(rows), len(keys), where, limits)
    return rows


def _parquet(
    source: ImportSource, limits: ImportLimits
) -> tuple[list[tuple[int, dict[str, Any]]], Mapping[bytes, bytes]]:
    """Return all rows with their lists and objects, class labels of Hugging Face by their names;
    and the metadata of the schema."""
    _, metadata = read_parquet(source.raw, source.name, limits)  # checks size and soundness
    try:
        rows = pq.read_table(io.BytesIO(source.raw)).to_pylist()
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        raise DataError(f"the Parquet file cannot be read ({error})", where=source.name) from None
    named = class_names(metadata)
    for row in rows:
        for column, names in named.items():
            row[column] = class_name(row.get(column), names)
    return list(enumerate(rows, 1)), metadata
