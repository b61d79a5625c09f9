"""Parts of a computation side by side on the cores of a CPU, each on a share of them.

The operations of a small model on short texts are too small for several cores: one core works while
the others wait for it between them. Two micro-batches at once, each on its own cores, keep all of
them at work: SFT of a 135-million model on two cores computes about twice as many positions a
second. The numbers are those of one micro-batch after the other, computed with as many threads.

Each computation has a model of its own, since a forward pass may put hooks on the model for a
while; they share all weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from queue import SimpleQueue
from threading import Event
from typing import Any, TypeVar

import torch

from capo_core.errors import Stopped
from capo_core.imitation.models.adapters import needs_own_rows

# Computations at once: each holds the activations of its part.
LANES = 2
LOOK_SECONDS = 0.5
Part = TypeVar("Part")
Found = TypeVar("Found")


class SideBySide:
    """A model whose parts of work are computed by as many threads as there are lanes.

    Args:
        model: on any device; on a GPU, with one core, with dropout and with checkpointed
            activations (which use random numbers, or save memory) there is one lane.

    Attributes:
        lanes: computations at once.
        models: `model`, and another for each further lane.
    """

    def __init__(self, model: Any) -> None:
        self._threads = torch.get_num_threads()
        elsewhere = any(tensor.device.type != "cpu" for tensor in model.parameters())
        self.lanes = 1 if elsewhere or needs_own_rows(model) else min(LANES, self._threads)
        self.models = [model, *(_twin(model) for _ in range(self.lanes - 1))]
        self._left = Event()

    def results(
        self,
        work: Callable[[Any, Part], Found],
        parts: Sequence[Part],
        look: Callable[[], object] = lambda: None,
    ) -> Iterator[Found]:
        """Yield `work(model, part)` of all parts, in their order.

        Gradients are on in `work` where they are on here. What it raises is raised here, when no
        other part is being computed any more.

        Args:
            look: called in this thread again and again while parts are computed; what it raises
                ends them at the next `keep_on`.
        """
        if self.lanes == 1 or len(parts) < 2:
            for part in parts:
                look()
                yield work(self.models[0], part)
            return
        first, *twins = self.models
        for twin in twins:
            for own, same in zip(first.modules(), twin.modules(), strict=True):
                same.training = own.training
        free: SimpleQueue = SimpleQueue()
        for model in self.models:
            free.put(model)
        gradients, threads = torch.is_grad_enabled(), self._threads // self.lanes

        def compute(part: Part) -> Found:
            self.keep_on()
            torch.set_num_threads(threads)  # of this thread
            model = free.get()
            try:
                with torch.set_grad_enabled(gradients):
                    return work(model, part)
            finally:
                free.put(model)

        self._left.clear()
        with ThreadPoolExecutor(self.lanes) as pool:
            futures = [pool.submit(compute, part) for part in parts]
            try:
                for future in futures:
                    while not future.done():
                        look()
                        wait([future], timeout=LOOK_SECONDS)
                    yield future.result()
            finally:
                self._left.set()
        torch.set_num_threads(self._threads)  # threads that begin later take the number set last

    def keep_on(self) -> None:
        """Raise `Stopped` where nobody waits for the results any more; called within `work`."""
        if self._left.is_set():
            raise Stopped("nobody waits for this any more")


def _twin(model: Any) -> Any:
    """Return a model with the same weights, the same tensors, in layers of its own."""
    tensors = (*model.parameters(), *model.buffers())
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})
