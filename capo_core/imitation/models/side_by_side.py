"""Parts of a computation side by side on the cores of a CPU, each on a share of them.

The operations of a small model on short texts are too small for several cores: one core works while
the others wait for it between them. Two micro-batches at once, each on its own cores, keep all of
them at work (measured in docs/methods-imitation.md). The numbers are those of one after the other,
computed with as many threads: which lane computes a part does not depend on how fast they are.

Each lane has layers of its own, since a forward pass may put hooks on them for a while; all share
the weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

import torch

from capo_core.errors import Stopped
from capo_core.imitation.models.adapters import needs_own_rows

# Computations at once, however many cores there are: each holds the activations of its part.
LANES = 2
LOOK_SECONDS = 0.5
Part = TypeVar("Part")
Found = TypeVar("Found")


class SideBySide:
    """A model whose parts of work are computed in lanes, threads with a share of the cores each.

    Args:
        model: on any device.
        most: lanes at most.
    """

    def __init__(self, model: Any, most: int = LANES) -> None:
        self._threads = torch.get_num_threads()
        on_cpu = all(tensor.device.type == "cpu" for tensor in model.parameters())
        self._most = min(most, self._threads) if on_cpu else 1
        self._models = [model]
        self._left = Event()

    @property
    def lanes(self) -> int:
        """Computations at once.

        One on a GPU, with one core, and in training with dropout or checkpointed activations: these
        draw random numbers, and are chosen where memory is short.
        """
        model = self._models[0]
        return 1 if model.training and needs_own_rows(model) else self._most

    @property
    def models(self) -> list[Any]:
        """The model, and one with the same weights for each further lane."""
        while len(self._models) < self.lanes:
            self._models.append(_twin(self._models[0]))
        return self._models[: self.lanes]

    def results(
        self,
        work: Callable[[Any, Part], Found],
        parts: Sequence[Part],
        look: Callable[[], object] = lambda: None,
    ) -> Iterator[Found]:
        """Yield `work(model, part)` of all parts, in their order.

        Gradients are on in `work` where they are on here. What it raises is raised here, when no
        other part is being computed any more. A lane is at most two results ahead.

        Args:
            look: called in this thread again and again while parts are computed; what it raises
                ends them at the next `keep_on`.
        """
        if self.lanes == 1 or len(parts) < 2:
            for part in parts:
                look()
                yield work(self._models[0], part)
            return
        models = self.models
        for twin in models[1:]:
            for own, same in zip(models[0].modules(), twin.modules(), strict=True):
                same.training = own.training
        gradients, threads = torch.is_grad_enabled(), self._threads // len(models)
        self._left.clear()
        done: list[Queue] = [Queue(maxsize=1) for _ in models]

        def compute(lane: int) -> None:
            torch.set_num_threads(threads)  # of this thread
            for part in parts[lane :: len(models)]:
                found, error = None, None
                try:
                    with torch.set_grad_enabled(gradients):
                        found = work(models[lane], part)
                except BaseException as raised:
                    error = raised
                if not self._handed_over(done[lane], (found, error)) or error is not None:
                    return

        lanes = [Thread(target=compute, args=(lane,)) for lane in range(len(models))]
        try:
            for lane in lanes:
                lane.start()
            for number in range(len(parts)):
                found, error = _waited_for(done[number % len(models)], look)
                if error is not None:
                    raise error
                yield found
        finally:
            self._left.set()
            for lane in lanes:
                lane.join()
            # Threads that begin later take the number that was set last.
            torch.set_num_threads(self._threads)

    def keep_on(self) -> None:
        """Raise `Stopped` where nobody waits for the results any more; called within `work`."""
        if self._left.is_set():
            raise Stopped("nobody waits for this any more")

    def _handed_over(self, queue: Queue, result: Any) -> bool:
        """Put a result into a queue; False where nobody waits for it any more."""
        while not self._left.is_set():
            try:
                queue.put(result, timeout=LOOK_SECONDS)
            except Full:
                continue
            return True
        return False


def _waited_for(queue: Queue, look: Callable[[], object]) -> Any:
    while True:
        look()
        try:
            return queue.get(timeout=LOOK_SECONDS)
        except Empty:
            continue


def _twin(model: Any) -> Any:
    """Return a model with the same weights, the same tensors, in layers of its own.

    Buffers are copied: a forward pass may change them (rotary embeddings of long texts).
    """
    return copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
