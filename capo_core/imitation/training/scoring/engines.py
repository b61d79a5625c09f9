"""The three scoring engines.

Pairs: one row per response, logits at every position; the usual implementation, and the reference
for the others. Group: each response once, the head at the responses only; for any causal model.
Tree: the prompt once for all its responses, one row per item with the responses as branches: a
token sees the prompt and its own branch, and its position counts from the prompt's end, so that
each branch is computed as if it were alone. `choose_engine` tests whether a model allows this.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from capo_core.imitation.models.fast_layers import SHORT_ATTENTION
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.scoring.base import (
    BatchLayout,
    Engine,
    ScoreTable,
    SharedPrefix,
    inner_model,
    lay_out,
    log_probs_at,
    one_row_each,
    prefix_inputs,
    target_log_probs,
)


class PairsEngine(Engine):
    """Engine with one row per response, the model's own forward, logits at every position.

    With `training.examples.as_pairs` a response is scored once for every pair that contains it,
    as in pair-based trainers.
    """

    name = "pairs"

    def row_lengths(self, item: Rendered) -> list[int]:
        return [len(item.prompt) + len(response) - 1 for response in item.responses]

    def layout(self, batch: Sequence[Rendered], pad_id: int) -> BatchLayout:
        return lay_out(one_row_each(batch), pad_id)

    def token_log_probs(
        self, model, layout: BatchLayout, prefix: SharedPrefix | None = None
    ) -> Tensor:
        logits = model(
            input_ids=layout.ids, attention_mask=(layout.segments >= 0).long(), use_cache=False
        ).logits
        return target_log_probs(logits[layout.rows, layout.columns], layout.targets)


class GroupEngine(Engine):
    """Engine that scores every response once, after its own copy of the prompt."""

    name = "group"

    def __init__(self, *, share_prefix: bool = False) -> None:
        self.share_prefix = share_prefix

    def row_lengths(self, item: Rendered) -> list[int]:
        return [len(item.prompt) + len(response) - 1 for response in item.responses]

    def layout(self, batch: Sequence[Rendered], pad_id: int) -> BatchLayout:
        return lay_out(one_row_each(batch), pad_id)

    def token_log_probs(
        self, model, layout: BatchLayout, prefix: SharedPrefix | None = None
    ) -> Tensor:
        if prefix is not None:
            return _log_probs_by_mask(model, layout, prefix)
        # Padding is on the right and the model is causal: no mask is needed, and without one the
        # fast causal kernels are used.
        return log_probs_at(
            model,
            layout.rows,
            layout.columns,
            layout.targets,
            input_ids=layout.ids,
            use_cache=False,
        )


class TreeEngine(Engine):
    """Engine that reads every prompt once, with its responses as branches.

    Args:
        window: length of the model's sliding window in tokens; None without one. The mask of
            a tree replaces the window, so a batch with a longer text is scored by `GroupEngine`.
    """

    name = "tree"

    def __init__(self, window: int | None = None, *, share_prefix: bool = False) -> None:
        self.window, self.share_prefix = window, share_prefix

    def row_lengths(self, item: Rendered) -> list[int]:
        return [len(item.prompt) + sum(len(response) - 1 for response in item.responses)]

    def score(self, model, batch: Sequence[Rendered], *, pad_id: int) -> ScoreTable:
        if self.window is not None and longest_text(batch) > self.window:
            return GroupEngine().score(model, batch, pad_id=pad_id)
        return super().score(model, batch, pad_id=pad_id)

    def layout(self, batch: Sequence[Rendered], pad_id: int) -> BatchLayout:
        return lay_out(batch, pad_id)

    def token_log_probs(
        self, model, layout: BatchLayout, prefix: SharedPrefix | None = None
    ) -> Tensor:
        return _log_probs_by_mask(model, layout, prefix)


def _log_probs_by_mask(model, layout: BatchLayout, prefix: SharedPrefix | None) -> Tensor:
    """Return the log-probabilities of the layout's targets [P], by a mask of what sees what."""
    inner = inner_model(model)
    allowed, before = sees(layout.segments), 0 if prefix is None else prefix.length
    allowed = F.pad(allowed, (before, 0), value=True)  # all see the prefix
    return log_probs_at(
        model,
        layout.rows,
        layout.columns,
        layout.targets,
        input_ids=layout.ids,
        position_ids=layout.positions + before,
        attention_mask=as_model_mask(allowed, attention_of(inner), inner.dtype),
        **prefix_inputs(prefix, len(layout.ids)),
    )


# Attention implementations that read a bool mask as one.
BOOLEAN_MASK = ("sdpa", SHORT_ATTENTION)


def longest_text(batch: Sequence[Rendered]) -> int:
    """Length in tokens of the longest prompt and response together."""
    return max(len(item.prompt) + len(response) for item in batch for response in item.responses)


def sees(segments: Tensor) -> Tensor:
    """Return which position sees which [B, 1, T, T]: those before it in the prompt and its own
    branch.

    A padded place sees at least itself: attention over nothing would be NaN.
    """
    same = segments[:, :, None] == segments[:, None, :]
    prompt = (segments == 0)[:, None, :]
    return (same | prompt).tril()[:, None]


def as_model_mask(allowed: Tensor, attention: str, dtype: torch.dtype) -> Tensor:
    """Return the mask in the format of an attention implementation.

    Eager attention adds the mask to the scores: a bool there would count as 0 and 1, and hide
    nothing, without an error.
    """
    if attention in BOOLEAN_MASK:
        return allowed
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill(
        ~allowed, torch.finfo(dtype).min
    )


def attention_of(inner) -> str:
    """Return the name of the model's attention implementation in transformers."""
    return getattr(inner.config.get_text_config(), "_attn_implementation", None) or "eager"
