"""Encodings: from the bytes of a file, and the values of its cells, to text."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from typing import Any

import charset_normalizer
import pandas as pd

from capo_core.errors import DataError
from capo_core.formatting import count

# Stands for a character that could not be read. It is one of Unicode's "noncharacters", which no
# text contains; unlike Python's lone surrogates, pandas and Arrow can hold it.
BROKEN = "\ufdd0"
_SURROGATE = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> str:
    """Return `text` with `BROKEN` for each lone surrogate."""
    return text if text.isascii() else _SURROGATE.sub(BROKEN, text)


def cell_text(value: Any) -> str:
    """Return a cell as text: None and NaN as "", whole floats without ".0", nested ones as JSON."""
    if isinstance(value, str):
        return without_surrogates(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        # Tables with gaps hold whole numbers as floats.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping | Sequence):
        return without_surrogates(json.dumps(value, ensure_ascii=False, default=str))
    return str(value)


def map_text(values: pd.Series, function: Callable[[str], str]) -> pd.Series:
    """Return `function` of each text, as a column of objects."""
    return pd.Series(
        [function(value) for value in values.tolist()], index=values.index, dtype=object
    )


def unique_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return header cells as distinct, non-empty column names, and notes on renamed ones."""
    seen: dict[str, int] = {}
    result, notes = [], []
    for position, name in enumerate(names, 1):
        name = " ".join(name.strip().strip("\ufeff\u200b").split()) or f"column {position}"
        name = without_surrogates(name).replace(BROKEN, "\ufffd").replace("\x00", "\\x00")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            again = f"{name} ({seen[name]})"
            notes.append(f"the column {name!r} occurs twice; the later one is renamed to {again!r}")
            seen[again] = 1
            name = again
        result.append(name)
    return result, notes


_BOMS = (  # the longer ones first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_WORD = re.compile(r"[^\W\d_]{3,}")
# What Western European prose uses of the upper half of Windows-1252.
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿŒœŠšŽžŸ"
    "“”„‘’‚‹›«»–—…•·€£§°²³¹¼½¾×÷±µ©®™¿¡¢¥ªº´¨ \xa0\xad"
)


def decode(raw: bytes, where: str, encoding: str | None = None) -> tuple[str, str, list[str]]:
    """Return (text, encoding, notes).

    In order: the encoding given; a byte order mark; valid UTF-8; UTF-16 without a mark; UTF-8
    with some broken bytes; a guess. Broken bytes become `BROKEN`, so that the rows with them
    can be rejected.

    Raises:
        DataError: the file is not text, or not text in the encoding given.
    """
    if encoding is not None:
        return _decoded(raw, where, encoding), encoding, []
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return _checked(_marked(raw[len(mark) :], name, where), where), name, []
    name = _unmarked_utf16(raw)
    if name:
        text = _marked(raw, name, where)
        return _checked(text, where), name, [f"no byte order mark; read as {name.upper()}"]
    try:
        return _checked(raw.decode("utf-8"), where), "utf-8", []
    except UnicodeDecodeError:
        pass
    broken = raw.decode("utf-8", "surrogateescape")  # a lone surrogate for each broken byte
    foreign = "".join(_FOREIGN.findall(broken))
    wrong = sum("\udc80" <= character <= "\udcff" for character in foreign)
    if len(foreign) - wrong > wrong:  # most of what is not ASCII is sound UTF-8
        note = f"{count(wrong, 'byte')} not valid in UTF-8; the rows with them are skipped"
        return _checked(without_surrogates(broken), where), "utf-8", [note]
    name = _guess(raw)
    text = _checked(raw.decode(name, "replace"), where)
    return text, name, [f"the encoding was guessed: {name}; check accents and quotes"]


def _decoded(raw: bytes, where: str, encoding: str) -> str:
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise DataError(
            f"the encoding {encoding!r} is not known",
            where=where,
            expected="a name such as utf-8, utf-16 or cp1252",
            option="--encoding",
        ) from None
    except UnicodeError as error:
        raise DataError(
            f"the file is not {encoding} ({error})",
            where=where,
            todo="leave the encoding out to have it detected",
            option="--encoding",
        ) from None


def _marked(raw: bytes, name: str, where: str) -> str:
    try:
        errors = "surrogateescape" if name == "utf-8" else "surrogatepass"
        return without_surrogates(raw.decode(name, errors))
    except UnicodeError as error:
        raise DataError(
            f"the text is damaged or cut off ({name}: {error})",
            where=where,
            todo="save the file again as UTF-8",
        ) from None


def _unmarked_utf16(raw: bytes) -> str:
    """Return the byte order of mostly ASCII text in UTF-16 (every second byte is zero), or ""."""
    sample = raw[:4096]
    if len(sample) < 4:
        return ""
    even, odd = sample[0::2], sample[1::2]
    zero_even, zero_odd = even.count(0) / len(even), odd.count(0) / len(odd)
    if zero_odd > 0.4 and zero_even < 0.05:
        return "utf-16-le"
    if zero_even > 0.4 and zero_odd < 0.05:
        return "utf-16-be"
    return ""


def _guess(raw: bytes) -> str:
    """Return a one-byte (or East Asian) encoding for bytes that are not UTF-8.

    Only lines with non-ASCII bytes are informative. Western prose in Windows-1252 is recognised
    first, because statistical guesses on a few accented letters are often wrong.
    """
    lines = [line for line in raw[: 2**22].splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[: 2**16]
    western = sample.decode("cp1252", "replace")
    foreign = {character for character in western if ord(character) > 127}
    words = _WORD.findall(western)
    wholly = sum(all(ord(character) > 127 for character in word) for word in words)
    if foreign <= _WESTERN and wholly <= 0.1 * len(words):
        return "cp1252"
    best = charset_normalizer.from_bytes(sample).best()
    return best.encoding if best is not None else "cp1252"


def _checked(text: str, where: str) -> str:
    """Return `text`; raise `DataError` if it is binary data."""
    sample = text[: 2**16]
    strange = len(_CONTROL.findall(sample))
    if strange >= 8 and strange > 0.05 * len(sample):
        raise DataError(
            "the file is neither text nor Excel nor Parquet",
            where=where,
            expected="CSV, TSV, JSONL, JSON, Excel (.xlsx) or Parquet",
            todo="export the table as CSV or JSONL, and import that",
        )
    return text
