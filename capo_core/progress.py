"""How long computations tell where they are."""

from __future__ import annotations

from collections.abc import Callable

# Called with what is being done, in words for a person, and the share done, 0 to 1. It may raise
# `capo_core.errors.Stopped`, which ends the computation: so stopping needs no second channel.
Progress = Callable[[str, float], None]


def silent(what: str, share: float) -> None:
    """Tells nobody."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """A progress whose 0…1 is `start`…`end` of `progress`."""
    return lambda what, share: progress(what, start + (end - start) * share)
