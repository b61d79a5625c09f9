"""Where the embedded base lies; for those who only need to know the place."""

from __future__ import annotations

from pathlib import Path

EMBEDDED = Path(__file__).resolve().parents[2] / "data" / "base"
