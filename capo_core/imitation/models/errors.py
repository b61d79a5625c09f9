"""Errors of a model's computation as readable messages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from capo_core.errors import RunError

# What torch says on a CPU and CUDA's libraries on a GPU; they share no class.
_MEMORY_WORDS = ("not enough memory", "out of memory", "can't allocate memory", "alloc_failed")


@contextmanager
def memory_errors(where: str) -> Iterator[None]:
    """Turn an out-of-memory error into a `RunError` that names settings that need less."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if out_of_memory(error):
            raise _too_large(where) from error
        raise


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory was exhausted, on any device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(word in words for word in _MEMORY_WORDS)


def _too_large(where: str) -> RunError:
    return RunError(
        "there is not enough memory for this training",
        where=where,
        todo="lower batch_tokens (the same result), switch on gradient_checkpointing, lower "
        "max_tokens, or, on a GPU, load the base in 4 bits (quantise)",
    )


def check_finite(where: str, **numbers: float) -> None:
    """Raise `RunError` if one of the numbers is infinite or not a number."""
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise RunError(
                f"the {name.replace('_', ' ')} is no finite number any more ({value})",
                where=where,
                expected="numbers that stay finite; the last checkpoint is from before",
                todo="begin again with a lower learning_rate, or with precision fp32",
            )
