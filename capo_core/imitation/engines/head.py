"""The language-model head at the places that matter only, in float32.

Between the last hidden state and the logits a model may scale or soft-cap. So the head is reached
through the model's own forward: a hook in front of it lets through only the wanted places.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from capo_core.imitation.engines.base import inner_model


def log_probs_at(model, rows: Tensor, columns: Tensor, targets: Tensor, **inputs) -> Tensor:
    """Log-probability of each target at its place [P]; `inputs` are the model's."""
    head = inner_model(model).get_output_embeddings()
    reached = []

    def pick(_, arguments):
        reached.append(True)
        return (arguments[0][rows, columns][None], *arguments[1:])

    handle = head.register_forward_pre_hook(pick)
    try:
        logits = model(**inputs, use_cache=False).logits
    finally:
        handle.remove()
    return target_log_probs(logits[0] if reached else logits[rows, columns], targets)


def target_log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    """log softmax at the targets [P] of logits [P, V], in float32 or better."""
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return -F.cross_entropy(logits, targets, reduction="none")
