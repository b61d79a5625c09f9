"""Sums over micro-batches and processes, and the means made of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from capo_core.imitation.objective import Part
from capo_core.imitation.processes import Processes


class Tally:
    """Adds up the parts of a step or of a validation.

    Attributes:
        total, units: the loss is total / units.
        tokens: positions that were computed.
        stop: did somebody ask to stop?
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.total, self.units, self.tokens, self.stop = 0.0, 0.0, 0, False
        self.sums, self.counts = [0.0] * len(self.names), [0.0] * len(self.names)

    @property
    def loss(self) -> float:
        return self.total / self.units if self.units else float("nan")

    @property
    def means(self) -> dict[str, float]:
        """Each figure's mean; a figure of nothing is not told."""
        rows = zip(self.names, self.sums, self.counts, strict=True)
        return {name: total / count for name, total, count in rows if count}

    def add(self, part: Part) -> None:
        self.total += float(part.total.detach())
        self.units += part.units
        self.tokens += part.tokens
        for place, (total, count) in enumerate(part.figures):
            if count:
                self.sums[place] += total
                self.counts[place] += count

    def over(self, processes: Processes) -> Tally:
        """The sum over all processes; on each of them the same."""
        if processes.count == 1:
            return self
        head = [self.total, self.units, float(self.tokens), float(self.stop)]
        values = torch.tensor(
            [*head, *self.sums, *self.counts], dtype=torch.float64, device=processes.device
        )
        total, units, tokens, stop, *rest = processes.sum(values).tolist()
        result = Tally(self.names)
        result.total, result.units = total, units
        result.tokens, result.stop = int(tokens), stop > 0
        result.sums, result.counts = rest[: len(self.names)], rest[len(self.names) :]
        return result
