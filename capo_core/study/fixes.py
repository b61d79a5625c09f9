"""Faults of a design, with the changes of settings that mend it.

The command line prints the changes as its next step; the form has a button for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capo_core.errors import ConfigError


@dataclass(frozen=True)
class DesignChange:
    """A change that makes a design fit.

    Attributes:
        settings: name of `StudyConfig` → value.
        words: the change in words: "Judges: 9".
    """

    settings: Mapping[str, Any]
    words: str


class DesignError(ConfigError):
    """A design does not fit; `changes` are what would make it fit, the nearest first."""

    def __init__(self, what: str, *, changes: Sequence[DesignChange] = (), **parts: Any) -> None:
        self.changes = tuple(changes)
        if self.changes and not parts.get("todo"):
            parts["todo"] = "one of: " + "; ".join(each.words for each in self.changes)
        super().__init__(what, **parts)
