"""Micro-batches bounded by tokens, so that a training's memory does not grow with a step's items.

What a step needs beyond the model grows with the positions computed at once: their activations,
held for the backward pass, and the logits of the responses. A step's gradient is a sum over its
items, so that the division changes nothing but rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from capo_core.errors import RunError
from capo_core.formatting import size
from capo_core.imitation.models.side_by_side import LANES
from capo_core.memory import available_bytes, ulimit_binds

# Bytes for the activations of a micro-batch, of which a CPU computes two at once. With .81 GB SFT
# and CAPO of a 135-million model in bfloat16 peak at 3.7 and 3.8 GB (VariErr), where 4 are wanted.
# On a GPU the step's speed needs more positions at once.
CPU_BYTES = 3 * 2**28
# What the first steps took beyond the activations (optimiser, gradients, libraries' own buffers):
# SFT of SmolLM2 in bfloat16, 288 tokens at once, .77 GB of addresses where .41 were estimated.
STEP_BYTES = 360_000_000
GPU_SHARE = 0.3  # of the device's memory
FEWEST_TOKENS, MOST_TOKENS = 256, 32_768


def tokens_that_fit(config: Any, dtype: torch.dtype, device: torch.device) -> int:
    """Return how many positions a micro-batch may have, padding included.

    Known from the model alone, not from the memory free at the moment: a run that is resumed
    elsewhere has the same micro-batches, and with them the same rounding.

    Args:
        config: the model's configuration in transformers.
    """
    room = CPU_BYTES
    if device.type == "cuda":
        room = int(GPU_SHARE * torch.cuda.get_device_properties(device).total_memory)
    tokens = room // bytes_per_token(config, dtype)
    return max(FEWEST_TOKENS, min(MOST_TOKENS, int(tokens)))


def bytes_per_token(config: Any, dtype: torch.dtype, *, checkpointing: bool = False) -> int:
    """Return about how many bytes a position needs until its backward pass.

    A layer of a transformer holds some 10 vectors of its width and 4 of its inner width in the
    model's precision, and 4 in float32 in its norms (counted in Llama's code; a run's measured
    peak is in the docs). Half of the positions are taken to be of responses, each with its
    logits, their softmax, and the gradient of both in float32.

    Args:
        checkpointing: of a layer only its input is held, and all of one layer at a time; the
            logits are not affected.
    """
    config = config.get_text_config()
    width = config.hidden_size
    inner = getattr(config, "intermediate_size", None) or 4 * width
    size = dtype.itemsize
    layer = size * (10 * width + 4 * inner) + 4 * 4 * width
    layers = config.num_hidden_layers
    held = layer + layers * size * width if checkpointing else layers * layer
    return held + config.vocab_size * (size + 3 * 4) // 2


def check_room(
    config: Any,
    dtype: torch.dtype,
    rows: Sequence[Sequence[int]],
    limit: int,
    shared: int = 0,
    *,
    lanes: int = 1,
    checkpointing: bool = False,
    where: str = "",
) -> None:
    """Raise `RunError` if the largest micro-batch needs more memory than this machine has free.

    To be called when the model is there and the first step has not begun: a system that enforces a
    limit kills the process later, without a word.

    Args:
        config, rows, limit, shared: as `bytes_per_token` and `micro_batches` take them.
        lanes: micro-batches computed at once.
        checkpointing: activations of a layer are computed again in its backward pass.
    """
    least = max((_positions([item], rows, shared) for item in range(len(rows))), default=0)
    every = shared + sum(_positions([item], rows, shared) - shared for item in range(len(rows)))
    tokens = min(every, lanes * max(least, min(limit, every)))
    longest = max((length for lengths in rows for length in lengths), default=0)

    def needed(checkpointing: bool) -> int:
        """Return the bytes for a position, those of its attention weights included."""
        weights = _attention_bytes(config, dtype, longest, checkpointing=checkpointing)
        return bytes_per_token(config, dtype, checkpointing=checkpointing) + weights

    each, free = needed(checkpointing), available_bytes()
    wanted = tokens * each + STEP_BYTES
    if wanted <= free:
        return

    def fitting(checkpointing: bool) -> int:
        """Return how many tokens surely fit, since both figures are estimates."""
        room = min(3 * free // 4, free - STEP_BYTES)
        return max(0, room) // lanes // needed(checkpointing) // 32 * 32

    fewest, fits, thrifty = max(least, FEWEST_TOKENS), fitting(checkpointing), fitting(True)
    helps = []
    if fits >= fewest:
        helps.append(f"set batch_tokens to {fits:,} (the same result)")
    if not checkpointing and thrifty >= fewest:
        also = "" if lanes * thrifty >= tokens else f" and set batch_tokens to {thrifty:,}"
        helps.append(f"switch on gradient_checkpointing{also}")
    if fits < fewest and fits >= FEWEST_TOKENS:
        helps.append("lower max_tokens")
    if ulimit_binds():
        helps.append(f"raise the limit (`ulimit -v`) by {size(wanted - free)} or more")
    else:
        helps.append("close other programs, or use a machine with more memory")
    raise RunError(
        f"a step computes {tokens:,} tokens at once, which needs about {size(wanted)} of "
        f"memory beside the model, and {size(free)} are free",
        where=where,
        todo=", ".join(helps),
    )


def _attention_bytes(config: Any, dtype: torch.dtype, seen: int, *, checkpointing: bool) -> int:
    """Return the bytes of a position's attention weights, which short rows hold until the backward
    pass (see `models.fast_layers`); of one layer with `checkpointing`."""
    config = config.get_text_config()
    layers = 1 if checkpointing else config.num_hidden_layers
    return dtype.itemsize * layers * config.num_attention_heads * seen


def micro_batches(
    items: Sequence[int], rows: Sequence[Sequence[int]], limit: int, shared: int = 0
) -> list[list[int]]:
    """Divide `items` into few batches that fit, of about the same number of items each.

    One, or else as many as keep all lanes of a CPU at work until the last one (see
    `models.side_by_side`), whatever computes them: so that a run has the same ones everywhere.

    Args:
        items: indices into `rows`.
        rows: for each item the lengths of its rows, in tokens.
        limit: positions that a batch may have, padding included; an item that is longer is alone.
        shared: tokens at the beginning of every row that a batch computes once.
    """
    if not items:
        return []
    least = _greedy(items, rows, limit, shared)
    if len(least) > 1:
        items = sorted(items, key=lambda item: max(rows[item]))
        least = _greedy(items, rows, limit, shared)
    lanes = 1 if len(least) == 1 else LANES
    for count in range(math.ceil(len(least) / lanes) * lanes, len(items), lanes):
        even = _even(items, count)
        if all(_positions(part, rows, shared) <= limit for part in even if len(part) > 1):
            return even
    return [[item] for item in items]


def by_length(
    rows: Sequence[Sequence[int]], limit: int, shared: int = 0, most: int | None = None
) -> list[list[int]]:
    """Divide all items into batches that fit, those of like length together.

    Args:
        most: items of a batch.
    """
    order = sorted(range(len(rows)), key=lambda index: max(rows[index], default=0))
    return _greedy(order, rows, limit, shared, most)


def _greedy(items, rows, limit: int, shared: int, most: int | None = None) -> list[list[int]]:
    parts: list[list[int]] = []
    for item in items:
        last = parts[-1] if parts else []
        fits = last and _positions([*last, item], rows, shared) <= limit
        if fits and (most is None or len(last) < most):
            last.append(item)
        else:
            parts.append([item])
    return parts


def _even(items: Sequence[int], count: int) -> list[list[int]]:
    size, more = divmod(len(items), count)
    ends = [size * (n + 1) + min(n + 1, more) for n in range(count)]
    return [list(items[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]


def _positions(part: Sequence[int], rows, shared: int) -> int:
    lengths = [length - shared for item in part for length in rows[item]]
    return shared + len(lengths) * max(lengths, default=0)


def share_of_step(
    step: Sequence[int], process: int, processes: int, accumulation: int
) -> list[list[int]]:
    """Return one process's part of a step, in `accumulation` parts (fewer if items are few).

    Neighbours in length go to different processes, so that all have about the same to do.
    """
    own = list(step[process::processes])
    size = math.ceil(len(own) / accumulation)
    return [own[start : start + size] for start in range(0, len(own), size)] if own else []
