"""The order of the data and the learning rate: pure functions of the seed, the epoch, the step.

Nothing here remembers anything, so that a resumed run goes on exactly where it was, and any number
of processes agree without a word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from capo_core.imitation.config import TrainConfig

WINDOW = 8  # steps among whose items those of like length are put together


def steps_of_epoch(lengths: Sequence[int], config: TrainConfig, epoch: int) -> list[list[int]]:
    """The items of each optimiser step of an epoch, as indices into `lengths`.

    Shuffled; then, within windows of a few steps, items of like length go into one step (less
    padding), and the window's steps are shuffled. Every item comes once an epoch; the last step
    may be short. Without `config.shuffle` items come as they stand.

    Args:
        lengths: tokens of each item.
        epoch: 0, 1, …
    """
    size = config.items_per_step
    if not config.shuffle:
        return _cut(list(range(len(lengths))), size)
    rng = np.random.default_rng((config.seed, epoch))
    order = rng.permutation(len(lengths)).tolist()
    steps: list[list[int]] = []
    for window in _cut(order, WINDOW * size):
        by_length = _cut(sorted(window, key=lambda index: lengths[index]), size)
        steps += [by_length[index] for index in rng.permutation(len(by_length))]
    return steps


def share_of_step(
    step: Sequence[int], process: int, processes: int, accumulation: int
) -> list[list[int]]:
    """What one process does of a step, in `accumulation` micro-batches (fewer if items are few).

    Neighbours in length go to different processes, so that all have about the same to do.
    """
    own = list(step[process::processes])
    return _cut(own, math.ceil(len(own) / accumulation)) if own else []


def step_count(items: int, config: TrainConfig) -> int:
    """Optimiser steps of one epoch over so many items."""
    return math.ceil(items / config.items_per_step)


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """The learning rate of step 0 … `steps` − 1.

    It rises linearly over the first ⌈warmup_share · steps⌉ steps, of which the first has not 0 but
    its part of the rise; then it is constant, or falls to 0 just after the last step.
    """
    warm = math.ceil(config.warmup_share * steps)
    if step < warm:
        return config.learning_rate * (step + 1) / (warm + 1)
    done = (step - warm) / max(1, steps - warm)
    fall = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}
    return config.learning_rate * fall[config.schedule]


def _cut(values: list, size: int) -> list[list]:
    return [values[start : start + size] for start in range(0, len(values), size)]
