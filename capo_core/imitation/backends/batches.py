"""Which prompts are answered together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.imitation.backends.base import Request


@dataclass(frozen=True)
class Planned:
    """A request with its prompt's tokens."""

    request: Request
    ids: tuple[int, ...]


def plan(rows: Sequence[Planned], max_new_tokens: int, batch_tokens: int) -> list[list[Planned]]:
    """The rows in batches, the longest prompts first, so that too little memory shows at once.

    The same rows give the same batches, in whatever order they come. rows × (longest prompt +
    `max_new_tokens`) of a batch is at most `batch_tokens`, unless one row alone exceeds it.
    """
    batches: list[list[Planned]] = []
    room = 0
    for row in sorted(rows, key=lambda row: (-len(row.ids), row.request.adapter, row.request.key)):
        if room == 0:
            batches.append([])
            room = max(1, batch_tokens // (len(row.ids) + max_new_tokens))
        batches[-1].append(row)
        room -= 1
    return batches
