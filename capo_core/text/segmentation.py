"""Words of scripts that put no spaces between them, by the dictionaries of ICU.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are segmented by ICU's break iterator, which comes
with the package `icu4py` (dictionaries included). It is imported when the first such text is met.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from capo_core.errors import BackendUnavailable

# Blocks of scripts without spaces that ICU has a dictionary for, as ranges of a character class.
SPACELESS = "".join(
    (
        "\u0e01-\u0e3a\u0e40-\u0e4e",  # Thai
        "\u0e81-\u0eda\u0edc-\u0edf",  # Lao
        "\u1000-\u109f\ua9e0-\ua9fe\uaa60-\uaa7f",  # Burmese
        "\u1780-\u17d3",  # Khmer
        "\u3005-\u3007\u3041-\u3096\u309d-\u309f",  # iteration marks, Hiragana
        "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f",  # Katakana
        "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",  # Han
    )
)


def _ranges(characters: Iterable[int]) -> str:
    """Return code points in ascending order as ranges of a character class."""
    found: list[list[int]] = []
    for code in characters:
        if found and code == found[-1][1] + 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(
        f"\\U{first:08x}" if first == last else f"\\U{first:08x}-\\U{last:08x}"
        for first, last in found
    )


_ASSIGNED = (*range(0x300, 0x20000), *range(0xE0000, 0xE0200))  # marks stand in these planes
# Combining marks, and invisible formatting characters (joiners, direction marks); a soft
# hyphen stays a token of its own, as it was.
MARKS = _ranges(code for code in _ASSIGNED if unicodedata.category(chr(code)).startswith("M"))
SEPARATOR = "\u200b"  # the space without width, between words of Khmer or Thai
FORMAT = "\u061c\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"


_SPACELESS = re.compile(f"[{SPACELESS}]")
_PART = re.compile(f"(?:[{SPACELESS}][{MARKS}{FORMAT}]*)+|[^{SPACELESS}]+")


_BETWEEN = re.compile(f"(?<=[{SPACELESS}{MARKS}]) (?=[{SPACELESS}])")


def as_written(phrase: str) -> str:
    """Return a phrase of tokens without the spaces that its script does not write.

    >>> as_written("我 觉得"), as_written("i think")
    ('我觉得', 'i think')
    """
    return _BETWEEN.sub("", phrase)


@lru_cache(maxsize=65_536)
def segments(text: str) -> tuple[tuple[int, int], ...]:
    """Return beginning and end of each word of `text`, a run of letters some of which are of
    scripts without spaces; the letters of other scripts between them are words too.

    Raises:
        BackendUnavailable: the segmenter is not installed.
    """
    try:
        from icu4py.breakers import WordBreaker
    except ImportError as error:
        raise BackendUnavailable(
            "texts without spaces between words cannot be segmented",
            expected="the package icu4py, which is among the requirements",
            todo=f"install it: {sys.executable} -m pip install icu4py",
        ) from error
    found, place = [], 0
    for part in _PART.findall(text):
        pieces = WordBreaker(part, "root") if _SPACELESS.match(part) else (part,)
        for piece in pieces:
            found.append((place, place + len(piece)))
            place += len(piece)
    return tuple(found)
