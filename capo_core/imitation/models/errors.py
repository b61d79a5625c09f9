"""Errors of a model's computation as readable messages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from capo_core.errors import RunError

# What torch and oneDNN (of a layer in bfloat16) say on a CPU, and CUDA's libraries on a GPU; they
# share no class.
_MEMORY_WORDS = ("not enough memory", "out of memory", "can't allocate memory", "alloc_failed")
_ONEDNN_WORDS = ("could not create a primitive", "could not create a memory object")


@contextmanager
def memory_errors(where: str, *, checkpointing: bool | None = None) -> Iterator[None]:
    """Turn an out-of-memory error into a `RunError` that names what needs less.

    Args:
        checkpointing: whether a training has gradient checkpointing on; None if no training.
    """
    try:
        yield
    except BaseException as error:  # a library in Rust panics with one that is no Exception
        if out_of_memory(error):
            raise _too_large(where, checkpointing) from error
        raise


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory was exhausted, on any device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = str(error).lower()
    if type(error).__name__ == "PanicException":  # pyo3's: Python had no memory for an object
        return "pointer is null" in words or "memory" in words
    if not isinstance(error, RuntimeError):
        return False
    return words in _ONEDNN_WORDS or any(word in words for word in _MEMORY_WORDS)


def _too_large(where: str, checkpointing: bool | None) -> RunError:
    gpu = torch.cuda.is_available()
    if checkpointing is None:
        return RunError("there is not enough memory for this", where=where, todo=more_memory(gpu))
    return RunError(
        "there is not enough memory for this training",
        where=where,
        todo="lower batch_tokens (the same result), "
        + ("" if checkpointing else "switch on gradient_checkpointing, ")
        + "lower max_tokens, "
        + ("or load the base in 4 bits (quantise)" if gpu else more_memory(gpu)),
    )


def more_memory(gpu: bool) -> str:
    """Return what gives a model more memory, whatever is computed."""
    if gpu:
        return "choose a smaller base model, or load it in 4 bits (quantise)"
    return "choose a smaller base model, close other programs, or raise a limit (`ulimit -v`)"


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
