"""Keys by which labels, names, identifiers and texts are compared, as a reader sees them.

Marks of writing direction and byte-order marks are seen by nobody, and the same letter can be
written by one or by several characters. Joiners inside words of Persian or Malayalam are letters'
forms and stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

_DIRECTION = "".join(
    map(chr, (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
_MARKS = _DIRECTION + "\ufeff\u200b\u2060\u2061\u2062\u2063\u2064"  # and marks without width
_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_JOINERS = "\u200c\u200d"
_STYLE = "\ufe0e\ufe0f"  # whether a sign such as ❤ is drawn in colour
_UNSEEN = re.compile(f"[{_DIRECTION}{_STYLE}]")


def bare(text: str) -> str:
    """Return `text` without outer white space and the invisible marks that files begin with.

    >>> bare("\\ufeff yes\\u200f ")
    'yes'
    """
    return text.strip() if text.isascii() else text.strip(_SPACE + _MARKS)


def same_form(text: str) -> str:
    """Return `text` for comparison: in one Unicode form, without marks of direction.

    >>> same_form("\\u202bcafe\\u0301\\u202c") == same_form("café")
    True
    """
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFC", _UNSEEN.sub("", text)).strip(_SPACE + _MARKS + _JOINERS)


def same_name(text: str) -> str:
    """Return a name for comparison: as `same_form`, with letters of full width as usual ones."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFKC", same_form(text))


def same_text(text: str) -> str:
    """Return `text` for comparison: without case, differences of spaces, and of Unicode form.

    >>> same_text("Not  Sure") == same_text("not sure")
    True
    """
    return " ".join(same_name(text).casefold().split())


def joined_forms(uses: Iterable[str], key: Callable[[str], str] = same_form) -> dict[str, str]:
    """Return spelling → the one chosen for all that have its key, for those that change.

    The most frequent one is chosen; of equally frequent ones the shortest, which has the fewest
    characters for the same letters.
    """
    number = Counter(uses)
    number.pop("", None)
    alike: dict[str, list[str]] = {}
    for text in number:
        alike.setdefault(key(text), []).append(text)
    new: dict[str, str] = {}
    for same in alike.values():
        chosen = min(same, key=lambda text: (-number[text], len(text), text))
        new |= {text: chosen for text in same if text != chosen}
    return new
