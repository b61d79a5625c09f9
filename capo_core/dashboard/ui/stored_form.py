"""The stored form of a dataset, and the one it replaced: nothing filled in is lost by one click.

Each form is a JSON file per dataset in the workspace's cache. Where a whole form is loaded into it
(a template, a configuration, a copy of a study), the former one is kept beside it, once. Without
Streamlit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capo_core.workspace import read_object, write_json


def former_place(place: Path) -> Path:
    """Return where the form that was replaced at `place` is kept."""
    return place.with_suffix(".before.json")


def replace(place: Path, form: dict[str, Any]) -> None:
    """Store a form at `place`; another one that was there is kept as the former form."""
    before = read_object(place)
    if before is not None and before != form:
        write_json(former_place(place), before)
    write_json(place, form)


def bring_back(place: Path) -> None:
    """Exchange the form at `place` and the former one; nothing changes where there is none."""
    former = read_object(former_place(place))
    if former is not None:
        replace(place, former)
