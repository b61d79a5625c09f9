"""The rows that an import rejects: place in the file, reason and text."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from capo_core.data.readers.encoding import BROKEN, without_surrogates
from capo_core.formatting import name_list

COLUMNS = ["row", "column", "reason", "text"]
TEXT_LIMIT = 10_000  # characters of a rejected row that are stored


def printable(text: str) -> str:
    """Return `text` as it can be stored and shown: broken characters spelled out, long text cut."""
    whole = len(text)
    text = without_surrogates(text[:TEXT_LIMIT])
    text = text.replace(BROKEN, "\ufffd").replace("\x00", "\\x00")
    return text if whole <= TEXT_LIMIT else f"{text} … ({whole:,} characters in all)"


def quoted(value: str, limit: int = 60) -> str:
    """Return `value` quoted and shortened, for use inside a sentence."""
    text = printable(value[: limit + 1])
    return repr(text if len(value) <= limit else text[:limit] + "…")


def quoted_list(names: Iterable[str], limit: int = 20) -> str:
    """Return names, each quoted and shortened, for use inside a sentence."""
    return name_list((quoted(str(name), 40) for name in names), limit)


class RejectedRows:
    """Rejected rows in the order they are found; `frame()` returns them sorted by row.

    A row is its number in the file, or "FILE:NUMBER" where several files are joined.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[int | str, str, str, str]] = []

    def add(self, row: int | str, column: str, reason: str, text: str) -> None:
        """Add one row: its place in the file, the column at fault, the reason, and its text."""
        place = row if isinstance(row, str) else int(row)
        self._rows.append((place, printable(str(column)), printable(reason), printable(text)))

    def extend(self, rows: Iterable[tuple[int | str, str, str, str]]) -> None:
        """Add rows of (row, column, reason, text)."""
        for row in rows:
            self.add(*row)

    def __len__(self) -> int:
        return len(self._rows)

    def frame(self) -> pd.DataFrame:
        """Return the columns row (int, or text for joined files), column, reason and text.

        Sorted by row, stable; rows of joined files by file, in the order they are first found.
        """
        joined = any(isinstance(row[0], str) for row in self._rows)
        rows = self._rows
        if joined:
            files = list(dict.fromkeys(_place(row[0])[0] for row in rows))
            rows = sorted(rows, key=lambda row: (files.index(_place(row[0])[0]), _place(row[0])[1]))
        frame = pd.DataFrame(rows, columns=COLUMNS)
        kind = "str" if joined else "int64"
        frame = frame.astype({"row": kind, "column": "str", "reason": "str", "text": "str"})
        return frame if joined else frame.sort_values("row", kind="stable", ignore_index=True)


def _place(row: int | str) -> tuple[str, int]:
    """Return file and number of a row such as "dev.json:12"."""
    file, _, number = str(row).rpartition(":")
    return file, int(number)
