"""Values computed from texts, remembered by the hash of each text."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from capo_core.errors import DataError
from capo_core.workspace import make_folder


class TextCache:
    """Bytes by text, in one SQLite file for each maker of values, or in memory.

    Safe with several processes and threads; a text has one value, the first that was written.

    Args:
        folder: where the file lies; None keeps the values in memory.
        maker: what makes the values (an embedding model, a tagger, with its version); another one
            has another file.
    """

    def __init__(self, folder: Path | None, maker: str) -> None:
        self._memory: dict[str, bytes] = {}
        self._path = None
        if folder is not None:
            readable = re.sub(r"[^A-Za-z0-9._-]+", "-", maker).strip("-.")[-60:]
            tag = hashlib.sha256(maker.encode()).hexdigest()[:8]
            self._path = make_folder(folder) / f"{readable}-{tag}.sqlite"

    def read(self, texts: Sequence[str]) -> dict[str, bytes]:
        """Return the values of those of `texts` that have one.

        Raises:
            DataError: the file is damaged, or its folder cannot be written.
        """
        if self._path is None:
            return {text: self._memory[text] for text in texts if text in self._memory}
        found: dict[str, bytes] = {}
        with self._connection() as connection:
            for start in range(0, len(texts), 500):
                keys = {_key(text): text for text in texts[start : start + 500]}
                marks = ",".join("?" * len(keys))
                query = f"SELECT key, v FROM vectors WHERE key IN ({marks})"
                for key, value in connection.execute(query, list(keys)):
                    found[keys[key]] = value
        return found

    def write(self, values: Iterable[tuple[str, bytes]]) -> None:
        """Remember the value of each text; a text that has one keeps it.

        Raises:
            DataError: as `read`.
        """
        if self._path is None:
            for text, value in values:
                self._memory.setdefault(text, value)
            return
        rows = [(_key(text), value) for text, value in values]
        with self._connection() as connection, connection:
            connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"what was computed from texts before cannot be read or saved ({error})",
                where=str(self._path),
                todo="where the disk is full or the folder cannot be written, change that; else "
                "delete the file: it is a cache, and is filled again",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=60)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a cache: safe to lose, not to corrupt
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, v BLOB)")
        return connection


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
