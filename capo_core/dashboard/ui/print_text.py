"""Lines of text on printed figures: wrapped, each in the direction of the whole."""

from __future__ import annotations

import textwrap
import unicodedata

_LEFT, _RIGHT = "\u200e", "\u200f"  # marks that set the direction of a line and draw nothing


def wrapped(text: str, letters: int) -> list[str]:
    """Return a text in lines of at most so many letters; letters of East Asia count twice.

    A line whose first letter runs the other way than the text's begins with a mark, without which
    its punctuation and numbers would be on the wrong side.

    >>> wrapped("Share of “不同” and more", 12)
    ['Share of', '“不同” and', 'more']
    """
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    room = letters if not wide else max(4, letters * len(text) // (len(text) + wide))
    lines = textwrap.wrap(text, room)
    whole = _direction(text)
    mark = _RIGHT if whole == "R" else _LEFT
    return [mark + line if _direction(line) not in (whole, "") else line for line in lines]


def _direction(text: str) -> str:
    """Return "L" or "R" by the first letter that has a direction; "" for none."""
    for letter in text:
        kind = unicodedata.bidirectional(letter)
        if kind in ("L", "R", "AL"):
            return "L" if kind == "L" else "R"
    return ""
