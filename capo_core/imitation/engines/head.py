"""The language-model head at the places that matter only, in float32.

Between the last hidden state and the logits a model may scale or soft-cap. So the head is reached
through the model's own forward: a hook in front of it lets through only the wanted places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from capo_core.imitation.engines.base import inner_model

# From this many logits on (4 GiB with their gradient in float32) they are not held all at once.
MANY_LOGITS = 2**28


def log_probs_at(model, rows: Tensor, columns: Tensor, targets: Tensor, **inputs) -> Tensor:
    """Log-probability of each target at its place [P]; `inputs` are the model's."""
    inner = inner_model(model)
    head = inner.get_output_embeddings()
    if len(targets) * inner.config.get_text_config().vocab_size > MANY_LOGITS:
        after = after_head(inner)
        if after is not None:
            return _in_chunks(model, head, after, rows, columns, targets, inputs)
    picked: list[Tensor] = []

    def pick(hidden: Tensor) -> Tensor:
        picked.append(hidden[rows, columns][None])
        return picked[0]

    with before_head(head, pick):
        logits = model(**inputs, use_cache=False).logits
    # A model that does not call its head as a module gives the logits of all places.
    return target_log_probs(logits[0] if picked else logits[rows, columns], targets)


def target_log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    """log softmax at the targets [P] of logits [P, V], in float32 or better."""
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return -F.cross_entropy(logits, targets, reduction="none")


@contextmanager
def before_head(head, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """The head reads `change(hidden)` instead of the hidden states [B, T, H]."""
    handle = head.register_forward_pre_hook(lambda _, given: (change(given[0]), *given[1:]))
    try:
        yield
    finally:
        handle.remove()


def after_head(inner) -> Callable[[Tensor], Tensor] | None:
    """What the model does to its logits; None where that is nothing known here.

    What the configuration says is held against the model's own forward, on hidden states so large
    that a soft cap shows.
    """
    config = inner.config.get_text_config()
    scale = getattr(config, "logit_scale", None) or 1.0  # Cohere
    scale /= getattr(config, "logits_scaling", None) or 1.0  # Granite
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma

    def known(logits: Tensor) -> Tensor:
        logits = logits * scale if scale != 1 else logits
        return cap * torch.tanh(logits / cap) if cap else logits

    head, reached = inner.get_output_embeddings(), []

    def large(hidden: Tensor) -> Tensor:
        wave = torch.linspace(-50, 50, hidden.numel(), device=hidden.device).sin()
        reached.append(10 * wave.reshape(hidden.shape).to(hidden.dtype))
        return reached[0]

    ids = torch.zeros(1, 2, dtype=torch.long, device=inner.device)
    with torch.no_grad():
        with before_head(head, large):
            logits = inner(input_ids=ids, use_cache=False).logits
        same = reached and torch.allclose(
            known(head(reached[0].to(_dtype(head)))).float(), logits.float(), rtol=2e-2, atol=1e-3
        )
    return known if same else None


def _in_chunks(model, head, after, rows, columns, targets, inputs) -> Tensor:
    """As `log_probs_at`, with the logits of a part at a time, computed again in the backward."""
    picked: list[Tensor] = []

    def pick(hidden: Tensor) -> Tensor:
        picked.append(hidden[rows, columns])
        return hidden[:1, :1]  # the model wants to compute some logits

    with before_head(head, pick):
        model(**inputs, use_cache=False)

    def part(hidden: Tensor, wanted: Tensor) -> Tensor:
        return target_log_probs(after(head(hidden.to(_dtype(head)))), wanted)

    chunks = math.ceil(2 * len(targets) * head.weight.shape[0] / MANY_LOGITS)
    return torch.cat(
        [
            checkpoint(part, hidden, wanted, use_reentrant=False)
            for hidden, wanted in zip(picked[0].chunk(chunks), targets.chunk(chunks), strict=True)
        ]
    )


def _dtype(head) -> torch.dtype:
    return head.weight.dtype
