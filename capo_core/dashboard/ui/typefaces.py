"""Typefaces of printed figures: which have the letters, and which are missing, in words."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from capo_core.formatting import listed

TYPEFACE = "DejaVu Sans"
_PLACEHOLDERS = "Last Resort"  # a typeface of boxes, which stands for what no other has
# First word of a letter's Unicode name → a typeface that has the script, where it is not
# "Noto Sans" and that word.
_SCRIPT_TYPEFACES = {
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"), "Noto Sans CJK"),
    **dict.fromkeys(("LATIN", "GREEK", "CYRILLIC"), "Noto Sans"),
}


def typefaces(letters: Iterable[str]) -> tuple[list[str], set[str]]:
    """Return the names of the typefaces for some letters, and the letters that none has.

    The usual one first; then those of this machine that have what it lacks, as of scripts other
    than Latin, Greek, Cyrillic and Arabic.
    """
    from matplotlib import font_manager

    found = [TYPEFACE]
    missing = {ord(each) for each in letters if not each.isspace()}
    missing -= _codes(font_manager.findfont(TYPEFACE))
    for entry in _other_typefaces(font_manager.fontManager):
        if not missing:
            break
        if entry.name not in found and not entry.name.startswith(_PLACEHOLDERS):
            there = _codes(entry.fname) & missing
            if there:
                found.append(entry.name)
                missing -= there
    return found, {chr(code) for code in missing}


def _other_typefaces(manager: Any) -> Iterator[Any]:
    """Yield the typefaces that Matplotlib knows, then those installed since it looked."""
    from matplotlib import font_manager

    known = list(manager.ttflist)
    yield from known
    paths = {entry.fname for entry in known}
    for path in font_manager.findSystemFonts():
        if path not in paths:
            try:
                manager.addfont(path)
            except (OSError, RuntimeError):
                continue
    yield from manager.ttflist[len(known) :]


def missing_typefaces(letters: Iterable[str]) -> str:
    """Return which typefaces are missing on this computer for some letters, in words.

    >>> print(missing_typefaces("क不"))
    boxes stand for CJK and Devanagari letters: this computer has no font for them; install Noto ...
    """
    scripts = sorted({unicodedata.name(each, "UNKNOWN").split()[0].split("-")[0]
                      for each in letters if unicodedata.category(each)[0] in "LMN"})  # fmt: skip
    titles = [name if name == "CJK" else name.capitalize() for name in scripts]
    fonts = dict.fromkeys(
        _SCRIPT_TYPEFACES.get(name, f"Noto Sans {title}")
        for name, title in zip(scripts, titles, strict=True)
    )
    if any(unicodedata.category(each)[0] not in "LMN" for each in letters):
        titles, fonts = [*titles, "other"], fonts | {"Noto Sans Symbols": None}
    return (
        f"boxes stand for {listed(titles)} letters: this computer has no font for them; install "
        f"{listed(list(fonts))}, and export again"
    )


@functools.lru_cache(maxsize=512)
def _codes(path: str) -> frozenset[int]:
    """Return the code points that a file of a typeface has."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
