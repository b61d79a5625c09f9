"""Excel and Parquet files, opened only after a check of their unpacked size."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.utils.cell import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from capo_core.data.limits import ImportLimits, check_cells, megabytes
from capo_core.data.readers.encoding import cell_text, unique_names
from capo_core.data.readers.header import find_header
from capo_core.data.rejected_rows import RejectedRows
from capo_core.errors import BackendUnavailable, DataError
from capo_core.formatting import count, name_list
from capo_core.json_text import json_line

# openpyxl has no error of its own for damaged files: these are what its parsers let through.
_DAMAGED = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
Range = tuple[int, int, int, int]  # first column and row, last column and row, from 1
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*?\bref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')
Rows = tuple[list[str], list[list[str]], list[int], list[str]]


def check_archive(raw: bytes, where: str, limits: ImportLimits) -> None:
    """Raise `DataError` for a zip file that is a bomb, damaged, or not an Excel workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _damaged(where, "Excel", error) from None
    unpacked = sum(member.file_size for member in members)
    ratio = unpacked / max(len(raw), 1)
    if unpacked > limits.unpacked_bytes or (
        unpacked > limits.ratio_from_bytes and ratio > limits.ratio
    ):
        raise DataError(
            f"the file unpacks from {megabytes(len(raw))} to {megabytes(unpacked)} "
            f"({ratio:,.0f} times), which looks like a zip bomb",
            where=where,
            expected=f"at most {megabytes(limits.unpacked_bytes)} and {limits.ratio:.0f} times",
            todo="export the table as CSV",
        )
    if "xl/workbook.xml" not in {member.filename for member in members}:
        names = [member.filename for member in members]
        if any(name.startswith(("word/", "ppt/")) for name in names) or "mimetype" in names:
            raise DataError(
                "this is a document of a word processor or of another spreadsheet program "
                "(OpenDocument), not an Excel workbook",
                where=where,
                todo="save its table as Excel (.xlsx) or CSV",
            )
        raise DataError(
            "this is a zip archive, not an Excel workbook",
            where=where,
            todo="unpack it, and import the file, or the folder with the files",
        )


class EmptySheet(DataError):
    """A sheet without rows; among all sheets of a workbook it is passed over."""


def read_excel(
    raw: bytes,
    where: str,
    limits: ImportLimits,
    sheet: str | None,
    rejected: RejectedRows | None = None,
) -> tuple[Rows, str]:
    """Return the rows of one sheet (default: the first that is not empty), and its name.

    A formula is read as its stored value, or as its text if none is stored; it is never
    computed. Titles above the header are noted; further header rows go to `rejected` (None: they
    stay among the rows).
    """
    if not openpyxl.DEFUSEDXML:
        raise BackendUnavailable(
            "Excel files are not read without the package defusedxml",
            todo="install the packages of requirements.txt",
        )
    check_archive(raw, where, limits)
    try:
        records, name, notes, merged = _sheet(raw, where, limits, sheet)
    except _DAMAGED as error:  # DataError is none of these and passes
        raise _damaged(where, "Excel", error) from None
    header = find_header(records)
    if header is None:
        raise EmptySheet(f"the sheet {name!r} is empty", where=where)
    width = max([len(header.names), *(len(record) for record in records[header.first :])])
    columns, renamed = unique_names(header.names + [""] * (width - len(header.names)))
    renamed = [*header.notes, *renamed]
    filled = _fill_merged(records, merged, header.first)
    if filled:
        renamed.append(f"{count(filled, 'cell')} merged with the one above: read as its value")
    rows, numbers = [], []
    for number, record in enumerate(records[header.first :], header.first + 1):
        reason = header.aside.get(number - 1, "")
        if reason and rejected is not None:
            rejected.add(number, "", reason, json_line(record))
        elif any(cell.strip() for cell in record):
            rows.append(record + [""] * (width - len(record)))
            numbers.append(number)
    if not rows:
        raise EmptySheet(
            f"there are no rows under the header of sheet {name!r}",
            where=where,
            todo="choose the sheet that has the annotations",
            option="--sheet",
        )
    return (columns, rows, numbers, renamed + notes), name


def _sheet(
    raw: bytes, where: str, limits: ImportLimits, sheet: str | None
) -> tuple[list[list[str]], str, list[str], list[Range]]:
    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=False)
    names = [each.title for each in book.worksheets]
    if sheet is not None and sheet not in names:
        raise DataError(
            f"there is no sheet {sheet!r}", where=where, expected=f"one of {name_list(names)}"
        )
    records, formulas, name = [], 0, sheet or (names[0] if names else "")
    for candidate in [sheet] if sheet is not None else names:
        records, formulas = _cells(book[candidate], where, limits)
        if any(cell.strip() for record in records for cell in record):
            name = candidate
            break
    notes = []
    others = [each for each in names if each != name]
    if others and sheet is None:
        notes.append(f"read sheet {name!r}; not read: {name_list(others)}")
    if formulas:
        stored = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        values, _ = _cells(stored[name], where, limits)
        for record, seen in zip(records, values, strict=False):
            for column, cell in enumerate(seen[: len(record)]):
                record[column] = cell or record[column]
        notes.append(
            f"{count(formulas, 'cell')} with a formula: read as the values stored with them, "
            "or as their text where none is stored"
        )
    return records, name, notes, _merged(raw, book[name])


def _merged(raw: bytes, sheet) -> list[Range]:
    """Return the ranges of merged cells of a sheet."""
    path = getattr(sheet, "_worksheet_path", "")  # of openpyxl, which does not read them itself
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if path not in archive.namelist():
            return []
        content = archive.read(path)
    return [range_boundaries(each.decode()) for each in _MERGED.findall(content)]


def _fill_merged(records: list[list[str]], merged: list[Range], first: int) -> int:
    """Fill cells under the header with the value of the cell above that they are merged with.

    Returns: their number.
    """
    filled = 0
    for column, top, _, bottom in merged:
        if top <= first or top > len(records) or len(records[top - 1]) < column:
            continue
        value = records[top - 1][column - 1]
        for record in records[top:bottom]:
            if any(cell.strip() for cell in record) and value.strip():
                record += [""] * (column - len(record))
                if not record[column - 1].strip():
                    record[column - 1] = value
                    filled += 1
    return filled


def _cells(sheet, where: str, limits: ImportLimits) -> tuple[list[list[str]], int]:
    """Return all rows as text without trailing empty cells, and the number of formulas."""
    sheet.reset_dimensions()  # the size that the file claims may be wrong
    records, formulas, count, widest = [], 0, 0, 0
    for row in sheet.iter_rows():
        record = []
        for cell in row:
            formulas += cell.data_type == "f"
            record.append(cell_text(cell.value))
        while record and not record[-1]:
            record.pop()
        records.append(record)
        count, widest = count + len(row) + 1, max(widest, len(record))
        if widest > limits.columns or widest * len(records) > limits.cells:
            check_cells(len(records), widest, where, limits)
        if count > 4 * limits.cells:  # nearly all empty
            raise DataError("the sheet reaches too far, over cells without content", where=where)
    return records, formulas


def read_parquet(raw: bytes, where: str, limits: ImportLimits) -> tuple[Rows, dict[bytes, bytes]]:
    """Return all rows as text, and the metadata of the file's schema; rows are counted from 1."""
    try:
        file = pq.ParquetFile(io.BytesIO(raw))
        meta, schema = file.metadata, file.schema_arrow
        check_cells(meta.num_rows, len(schema.names), where, limits)
        unpacked = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        _check_unpacked(unpacked, where, limits)
        columns, notes = unique_names(schema.names)
        named = class_names(dict(schema.metadata or {}))
        classes = [named.get(name, []) for name in schema.names]
        notes += [
            f"the column {name!r} has numbers with names of classes in the file's metadata: "
            f"{name_list(f'{n} → {one}' for n, one in enumerate(ones))}"
            for name, ones in zip(schema.names, classes, strict=True)
            if ones
        ]
        rows: list[list[str]] = []
        characters = 0
        for batch in file.iter_batches(batch_size=4096):
            # A dictionary of one long text, repeated, is small on disk and large in memory.
            _check_unpacked(characters + batch.nbytes, where, limits)
            texts = [
                [cell_text(class_name(value, ones) if ones else value) for value in c.to_pylist()]
                for c, ones in zip(batch.columns, classes, strict=True)
            ]
            characters += sum(len(text) for column in texts for text in column)
            _check_unpacked(characters, where, limits)
            rows.extend(map(list, zip(*texts, strict=True)))
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        raise _damaged(where, "Parquet", error) from None
    if not columns or not rows:
        raise DataError("the table has no rows", where=where)
    return (columns, rows, list(range(1, len(rows) + 1)), notes), dict(schema.metadata or {})


def class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Return column → names of its integer classes, as Hugging Face's `ClassLabel` stores them in
    the schema metadata of a Parquet file.
    """
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        found = {}
        for column, feature in features.items():
            while isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
                feature = feature["feature"]
            if isinstance(feature, list) and len(feature) == 1:
                feature = feature[0]
            if isinstance(feature, dict) and isinstance(feature.get("names"), list):
                found[column] = [str(name) for name in feature["names"]]
        return found
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def class_name(value: Any, names: list[str]) -> Any:
    """Return the name of a class by its number, also in lists; None for -1, which is no class."""
    if isinstance(value, list):
        return [class_name(each, names) for each in value]
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if 0 <= value < len(names):
        return names[value]
    return None if value == -1 else value


def _check_unpacked(size: int, where: str, limits: ImportLimits) -> None:
    if size > limits.unpacked_bytes:
        raise DataError(
            f"the file unpacks to more than {megabytes(limits.unpacked_bytes)}",
            where=where,
            todo="leave out columns that are not needed, or import it in parts",
        )


def _damaged(where: str, kind: str, error: Exception) -> DataError:
    cause = error.__cause__ or error.__context__ or error
    detail = f"{type(cause).__name__}: {cause}".splitlines()[0][:200]
    return DataError(
        f"the {kind} file is damaged or cannot be read ({detail})",
        where=where,
        todo="open and save it again, or export the table as CSV",
    )
