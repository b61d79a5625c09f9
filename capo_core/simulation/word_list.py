"""Word lists written as one line of text."""

from __future__ import annotations


def listed(text: str, separator: str = ";") -> tuple[str, ...]:
    """The parts of `text` between separators, stripped, none empty."""
    return tuple(part.strip() for part in text.split(separator) if part.strip())
