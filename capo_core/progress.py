"""Progress of long computations, and a way to stop them."""

from __future__ import annotations

from collections.abc import Callable

# Called with a description of the present step and the share done, 0 to 1. It may raise
# `capo_core.errors.Stopped`, which ends the computation: so stopping needs no second channel.
Progress = Callable[[str, float], None]


def silent(what: str, share: float) -> None:
    """Report nothing."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """Return a progress whose 0…1 is `start`…`end` of `progress`."""
    return lambda what, share: progress(what, start + (end - start) * share)
