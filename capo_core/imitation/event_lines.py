"""A file of JSON objects, one a line, that survives a line whose writing was cut off."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def add_line(path: Path, line: str) -> None:
    """Add `line` to the file, on a line of its own also where the one before has no end.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("ab+") as file:
        start = b""
        if file.tell():
            file.seek(-1, os.SEEK_END)
            start = b"" if file.read(1) == b"\n" else b"\n"
        file.write(start + line.encode("utf-8") + b"\n")


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of all lines that are whole, in order; none where there is no file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    # Not splitlines: a text may hold other characters that it takes for line breaks.
    found = (_read(line) for line in text.split("\n")[:-1])
    return [each for each in found if each]


def _read(line: str) -> dict[str, Any]:
    """The object of a line; empty where it is not whole."""
    try:
        return json.loads(line)
    except ValueError:
        return {}
