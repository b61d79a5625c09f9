"""Data and documentation that ship with the project: in a checkout, and when installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_shipped"  # a wheel carries the folder `data/` here

FOLDER = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "data"
DOCS = _INSTALLED / "docs" if _INSTALLED.is_dir() else _PACKAGE.parent / "docs"
EMBEDDED_BASE = FOLDER / "base"
