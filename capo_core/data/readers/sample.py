"""The first rows of a table, by which its format is recognised before it is read as a whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq

from capo_core.data.limits import LIMITS, ImportLimits, read_bytes
from capo_core.data.readers.delimited import find_delimiter
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.excel_parquet import check_archive

ROWS = 20


def first_rows(
    kind: str, raw: bytes, text: str, recognised: Callable[[list[str]], int]
) -> list[dict[str, Any]]:
    """Return the first rows of a table by its header; none if they cannot be read.

    Args:
        kind: "text", "excel" or "parquet".
        recognised: returns the number of column names that the importer knows.
    """
    try:
        if kind == "parquet":
            batch = next(pq.ParquetFile(io.BytesIO(raw)).iter_batches(batch_size=ROWS), None)
            return [] if batch is None else batch.to_pylist()
        records = _excel(raw) if kind == "excel" else _delimited(text, recognised)
    except Exception:  # openpyxl has no error of its own; reading the table says what is wrong
        return []
    records = [record for record in records if any(cell.strip() for cell in record)]
    if len(records) < 2:
        return []
    header = [" ".join(name.strip("\ufeff\u200b").split()) for name in records[0]]
    return [dict(zip(header, record, strict=False)) for record in records[1:]]


def _delimited(text: str, recognised: Callable[[list[str]], int]) -> list[list[str]]:
    delimiter = find_delimiter(text, recognised)
    reader = csv.reader(io.StringIO(text[: 2**22], newline=""), delimiter=delimiter)
    return list(islice(reader, ROWS + 1))


def _excel(raw: bytes) -> list[list[str]]:
    check_archive(raw, "", LIMITS)
    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    for sheet in book.worksheets:
        sheet.reset_dimensions()
        rows = islice(sheet.iter_rows(values_only=True), ROWS + 1)
        records = [[cell_text(cell) for cell in row] for row in rows]
        if any(cell.strip() for record in records for cell in record):
            return records
    return []


def sheet_names(path: Path, limits: ImportLimits = LIMITS) -> list[str]:
    """Return the sheets of a workbook that are not empty; [] for any other file."""
    raw = read_bytes(path, limits)
    if not raw.startswith(b"PK\x03\x04"):
        return []
    check_archive(raw, path.name, limits)
    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        return [
            sheet.title
            for sheet in book.worksheets
            if any(cell is not None for row in sheet.iter_rows(values_only=True) for cell in row)
        ]
    except Exception:  # reading the file says what is wrong
        return []
