"""What is remembered of texts: a file that is damaged or full ends nothing in a trace."""

import sqlite3

import pytest

from capo_core.errors import DataError
from capo_core.text.text_cache import TextCache


def test_a_damaged_file_is_named_with_what_to_do(tmp_path):
    cache = TextCache(tmp_path, "maker")
    cache.write([("a text", b"1")])
    (file,) = tmp_path.glob("*.sqlite")
    for damaged in (b"no database at all" * 99, file.read_bytes()[:3000]):
        for each in tmp_path.glob("*.sqlite*"):
            each.unlink()
        file.write_bytes(damaged)
        with pytest.raises(DataError, match=rf"{file.name}: .+What to do: .+delete the file"):
            cache.read(["a text"])
    file.unlink()
    assert cache.read(["a text"]) == {}
    cache.write([("a text", b"2")])
    assert cache.read(["a text"]) == {"a text": b"2"}


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    cache = TextCache(tmp_path, "maker")

    def full(*args, **kwargs):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite3, "connect", full)
    with pytest.raises(DataError, match="disk is full"):
        cache.write([("a text", b"1")])
