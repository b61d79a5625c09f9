"""Limits on the size of imported files, and reading of regular files within them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from capo_core.errors import DataError


@dataclass(frozen=True)
class ImportLimits:
    """Sizes that an import refuses to exceed, so that no file can exhaust the machine; fixed
    for all users, and therefore no settings.

    Attributes:
        file_bytes: size of the file on disk, in bytes.
        cells: rows × columns of the table.
        columns: columns of the table.
        cell_characters: length of one cell; a row with a longer one is rejected.
        unpacked_bytes: size of an Excel or Parquet file when unpacked, in bytes.
        ratio: unpacked ÷ packed size above which a large archive is taken for a bomb.
        ratio_from_bytes: unpacked size below which the ratio does not matter.
        labels: different labels of a scale that is not given.
    """

    file_bytes: int = 512 * 2**20
    cells: int = 10_000_000
    columns: int = 5_000
    cell_characters: int = 1_000_000
    unpacked_bytes: int = 2**30
    ratio: float = 200.0
    ratio_from_bytes: int = 20 * 2**20
    labels: int = 200


LIMITS = ImportLimits()


def megabytes(size: float) -> str:
    """Return a size in bytes as text, "1.0 MB"."""
    return f"{size / 2**20:,.1f} MB"


def read_bytes(path: Path, limits: ImportLimits = LIMITS) -> bytes:
    """Return all bytes of a regular file.

    Raises:
        DataError: it is no regular file, cannot be read, is empty or too large.
    """
    try:
        # Not blocking: opening a named pipe would otherwise wait for a writer for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise DataError("there is no such file", where=str(path), todo="check the path") from None
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise DataError(f"the file cannot be opened ({what})", where=str(path)) from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        if stat.S_ISDIR(status.st_mode):
            raise DataError(
                "this is a folder, not a file", where=str(path), todo="name one file in the folder"
            )
        raise DataError(
            "this is a device, a pipe or a socket, not a file",
            where=str(path),
            expected="a regular file",
        )
    with os.fdopen(handle, "rb") as file:
        if status.st_size > limits.file_bytes:
            raise DataError(
                f"the file has {megabytes(status.st_size)}",
                where=str(path),
                expected=f"at most {megabytes(limits.file_bytes)}",
                todo="split it into parts, or leave out columns that are not needed",
            )
        # A file that grows while it is read does not pass the limit either.
        raw = file.read(limits.file_bytes + 1)
    if len(raw) > limits.file_bytes:
        raise DataError("the file grew while it was read", where=str(path))
    if not raw.strip():
        raise DataError(
            "the file is empty", where=str(path), expected="a table with a header and rows"
        )
    return raw


def check_cells(rows: int, columns: int, where: str, limits: ImportLimits = LIMITS) -> None:
    """Raise `DataError` if a table of this size is refused."""
    if columns > limits.columns:
        raise DataError(
            f"the table has {columns:,} columns",
            where=where,
            expected=f"at most {limits.columns:,}",
            todo="check the delimiter; or leave out columns that are not needed",
        )
    if rows * columns > limits.cells:
        raise DataError(
            f"the table has {rows:,} rows × {columns:,} columns",
            where=where,
            expected=f"at most {limits.cells:,} cells",
            todo="leave out columns that are not needed, or import it in parts",
        )
