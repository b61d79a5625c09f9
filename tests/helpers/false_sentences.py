"""Shapes of sentences and cells that are false, or say nothing, whatever the numbers are."""

from __future__ import annotations

import re

_END = r"[+−-]?[\d.,]*\d"
# "[0–0]", "[.33, .33]", "[−2 to −2 %]": both ends of an interval are the same text.
SAME_ENDS = re.compile(rf"\[({_END})(?:–|, | to )\1(?:[\s\u00a0]?%)?\]")


def same_ends(text: str) -> list[str]:
    """Return the intervals in a text, a page or a table whose two ends are the same."""
    return [found[0] for found in SAME_ENDS.finditer(text)]
