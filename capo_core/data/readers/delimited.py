"""CSV and other delimited text: delimiter, quoting and rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from capo_core.data.limits import ImportLimits, check_cells
from capo_core.data.readers.encoding import unique_names
from capo_core.data.readers.header import find_header
from capo_core.data.rejected_rows import RejectedRows, quoted_list
from capo_core.errors import DataError
from capo_core.formatting import count

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_END = "capo end of file"  # a last row added here; an unclosed quote swallows it
_SAMPLE_RECORDS = 200


# Cells longer than csv's default of 131,072 characters are rejected later, with a reason. The
# limit applies to the whole process: set once, since threads may read at the same time.
csv.field_size_limit(2**31 - 1)
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?\r?\n')  # a first line that Excel understands


def _records(text: str, delimiter: str, quoted: bool) -> Iterator[list[str]]:
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)


def find_delimiter(text: str, recognised: Callable[[list[str]], int]) -> str:
    """Return the delimiter that makes the first rows most alike and most header names known.

    Args:
        recognised: returns the number of column names that the importer knows.
    """
    if match := _SEPARATOR_LINE.match(text):
        return match[1]
    sample = text[: 2**20]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        first = list(islice(_records(sample, delimiter, True), _SAMPLE_RECORDS))
        records = [record for record in first if record]
        while len(records) > 1 and records[0][0].lstrip().startswith("#") and len(records[0]) < 2:
            records = records[1:]  # a comment
        if len(records) > 1 and len(sample) < len(text) and len(first) < _SAMPLE_RECORDS:
            records.pop()  # cut off by the end of the sample
        # Titles and comments may stand above the header: the usual width counts, and the row with
        # the most names that are known.
        width = Counter(map(len, records)).most_common(1)[0][0] if records else 0
        if width < 2:
            continue
        alike = sum(len(record) == width for record in records) / len(records)
        known = max(recognised(record) for record in records[:10])
        score = alike + 0.3 * min(known, 5) + 0.001 * min(width, 20)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def read_delimited(
    text: str, where: str, limits: ImportLimits, delimiter: str, rejected: RejectedRows
) -> tuple[list[str], list[list[str]], list[int], list[str]]:
    """Return (columns, rows, row numbers, notes); row 1 is the header, as in a spreadsheet.

    Titles and comments above the header are noted, further header rows beneath it rejected (see
    `header.find_header`). Rows with more cells than the header has columns are rejected; shorter
    ones are filled with empty cells, which is noted. Blank lines are skipped.

    Raises:
        DataError: a quote that is never closed, no header, no rows, too large.
    """
    try:
        records, notes = _read(text, where, delimiter)
    except csv.Error as error:
        raise DataError(f"the rows cannot be separated ({error})", where=where) from None
    before = 1 if _SEPARATOR_LINE.match(text) else 0
    header = find_header(records[before:])
    if header is None:
        raise DataError("the file holds no table", where=where, expected="a header and rows")
    start = before + header.first
    check_cells(len(records) - start, len(header.names), where, limits)
    columns, renamed = unique_names(header.names)
    renamed = [*header.notes, *renamed]
    width, rows, numbers, short, blank = len(columns), [], [], 0, 0
    for number, record in enumerate(records[start:], start + 1):
        if not any(cell.strip() for cell in record):
            blank += 1
            continue
        if reason := header.aside.get(number - 1 - before):
            rejected.add(number, "", reason, json.dumps(record, ensure_ascii=False))
            continue
        extra = record[width:]
        if any(cell.strip() for cell in extra):
            reason = f"the row has {len(record)} cells, the header {width}"
            rejected.add(number, columns[-1], reason, json.dumps(record, ensure_ascii=False))
            continue
        short += len(record) < width
        rows.append(record[:width] + [""] * (width - len(record)))
        numbers.append(number)
    if not rows and not len(rejected):
        raise DataError(
            "there are no rows under the header",
            where=where,
            expected=f"rows with the columns {quoted_list(columns)}",
        )
    if short:
        notes.append(
            f"{count(short, 'row')} with fewer cells than the header; the missing ones are empty"
        )
    if blank:
        notes.append(f"{count(blank, 'blank line')} ignored")
    return columns, rows, numbers, renamed + notes


def _read(text: str, where: str, delimiter: str) -> tuple[list[list[str]], list[str]]:
    """Return all records. Tab-separated files are often written without quoting: try both."""
    end = "" if text.endswith(("\n", "\r")) else "\n"
    records = _complete(text + end + _END, delimiter, quoted=True)
    if delimiter == "\t" and '"' in text:
        plain = _complete(text + end + _END, delimiter, quoted=False)
        if records is None or _ragged(plain) < _ragged(records):
            return plain, ["quotes are read as part of the text: this file does not use quoting"]
    if records is None:
        line = _unclosed_line(text, delimiter)
        raise DataError(
            "a quoted cell is never closed, so the rest of the file would belong to it",
            where=f"{where}, line {line}" if line else where,
            expected='each quoted cell to end with ", and quotes inside it to be doubled ("")',
            todo="fix the quote, or export the table again as JSONL",
        )
    return records, _swallowed(records, delimiter)


def _complete(text: str, delimiter: str, quoted: bool) -> list[list[str]] | None:
    """Return the records without the added last row; None if a quote swallowed it."""
    records = list(_records(text, delimiter, quoted))
    return records[:-1] if records and records[-1] == [_END] else None


def _ragged(records: list[list[str]] | None) -> int:
    """Return the number of rows of another width than the header, plus cells with breaks."""
    if not records:
        return 0
    width = len(records[0])
    broken = sum("\n" in cell for record in records for cell in record)
    return broken + sum(len(record) not in (0, width) for record in records)


def _unclosed_line(text: str, delimiter: str) -> int:
    """Return the line (from 1) on which the record with the unclosed quote begins."""
    reader, line = _records(text, delimiter, True), 1
    for _ in reader:
        start, line = line, reader.line_num + 1
    return start if text else 0


def _swallowed(records: list[list[str]], delimiter: str) -> list[str]:
    """Return notes on cells that seem to hold whole rows, as two stray quotes can cause."""
    width = len(records[0]) if records else 0
    if width < 3:
        return []
    notes = []
    for number, record in enumerate(records, 1):
        lines = [line for cell in record if "\n" in cell for line in cell.split("\n")]
        alike = sum(line.count(delimiter) >= width - 1 for line in lines)
        if alike:
            notes.append(
                f"row {number} has a cell with {alike} lines that look like rows: check its quotes"
            )
    return notes[:20]
