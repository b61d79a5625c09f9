"""Judgments read back from a file that `study export` or `study simulate-judges` wrote."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pandas as pd

from capo_core.data.sidecar import unescape
from capo_core.errors import DataError
from capo_core.schema import check
from capo_core.study.tables import JUDGMENTS, frame_of


def read_judgments(path: Path) -> pd.DataFrame:
    """The table JUDGMENTS.

    Raises:
        DataError: the file is not there, is not CSV or JSONL, or breaks the table's schema.
    """
    try:
        text = path.read_bytes().decode("utf-8")  # line ends inside a reason stay as they are
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the file cannot be read ({error})", where=str(path)) from error
    if path.suffix == ".jsonl":
        rows = [_object(line, path, k) for k, line in enumerate(text.split("\n"), 1) if line]
    elif path.suffix == ".csv":
        rows = [
            {name: unescape(value or "") for name, value in row.items() if name is not None}
            for row in csv.DictReader(io.StringIO(text, newline=""))
        ]
    else:
        raise DataError("the ending is not known", where=str(path), expected=".csv or .jsonl")
    missing = [name for name in JUDGMENTS.names if rows and name not in rows[0]]
    if missing or not rows:
        raise DataError(
            f"the column {missing[0]!r} is missing" if missing else "there is no row",
            where=str(path),
            expected="a file written by study export or study simulate-judges",
        )
    try:
        frame = frame_of(JUDGMENTS, rows)
    except ValueError as error:
        raise DataError(
            f"a number cannot be read ({error})", where=str(path), expected="numbers in columns "
            "words_a, words_b, words, duration_s and changes",
        ) from error  # fmt: skip
    return check(frame, JUDGMENTS, source=path.name)


def _object(line: str, path: Path, number: int) -> dict:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise DataError("this is no JSON object", where=f"{path}, line {number}")
    return row
