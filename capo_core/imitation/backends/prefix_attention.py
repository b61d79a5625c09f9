"""Attention of many rows to tokens that all of them begin with, held once.

Fifty in-context examples are some 3,000 tokens: copied into the cache of every row they leave room
for five rows in a batch, and each step then reads the model's weights and five copies of the same
keys for five tokens. Here the rows' queries meet the common keys in one matrix product, and a batch
has as many rows as their own tokens leave room for (cf. Hydragen, Juravsky et al. 2024, arXiv
2402.05099).

Only for attention to all earlier tokens and on a CPU; elsewhere the prefix is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from capo_core.imitation.models.fast_layers import ANSWER_ATTENTION, SHORT_ATTENTION

PREFIX_ATTENTION = "capo_prefix"  # name in transformers' registry of attention functions
MIN_HELD = 256  # tokens; a shorter beginning is copied
MOST_WEIGHTS = 2**22  # attention weights that are held at once: in the processor's cache

# Keys and values [1, groups, tokens, size] of the prefix, layer by layer, during a model's call.
_held: ContextVar[Sequence[tuple[Tensor, Tensor]]] = ContextVar("held_prefix", default=())


def holds_prefixes(base: Any) -> bool:
    """Return whether `base` can attend to a prefix that is held once."""
    config = base.config.get_text_config()
    return (
        base.device.type == "cpu"
        and getattr(config, "_attn_implementation", None)
        in ("sdpa", SHORT_ATTENTION, ANSWER_ATTENTION)
        and set(getattr(config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
        and not getattr(config, "sliding_window", None)
    )


@contextmanager
def held_prefix(base: Any, layers: Sequence[tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Let calls of `base` attend to these keys and values before the rows' own ones."""
    config = base.config.get_text_config()
    before = config._attn_implementation
    token = _held.set(layers)
    config._attn_implementation = PREFIX_ATTENTION
    try:
        yield
    finally:
        config._attn_implementation = before
        _held.reset(token)


def prefix_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """Return attention [B, T, H, D] of queries [B, H, T, D] to the prefix and to their own tokens.

    Args:
        key, value: of the rows' own tokens, [B, G, S, D].
        attention_mask: True where a query sees a row's own token, [B, 1, T, S]; None: all tokens up
            to its own.
    """
    layers = _held.get()
    if not layers:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **kwargs
        )
    batch, heads, length, size = query.shape
    groups, seen = key.shape[1:3]
    common_key, common_value = (each[0] for each in layers[module.layer_idx])
    common = common_key.shape[1]
    scale = size**-0.5 if scaling is None else scaling
    if attention_mask is None:
        shape = (1, 1, length, seen)
        attention_mask = torch.ones(shape, dtype=torch.bool, device=query.device)
        attention_mask = attention_mask.tril(seen - length)
    if attention_mask.dtype == torch.bool:
        hidden = torch.zeros(attention_mask.shape, dtype=query.dtype, device=query.device)
        attention_mask = hidden.masked_fill_(~attention_mask, torch.finfo(query.dtype).min)
    attention_mask = attention_mask.expand(batch, 1, length, seen)
    out = torch.empty_like(query)
    rows = max(1, MOST_WEIGHTS // (heads * length * (common + seen)))
    for begin in range(0, batch, rows):
        part = slice(begin, begin + rows)
        n = query[part].shape[0]
        q = (query[part] * scale).reshape(n, groups, heads // groups * length, size)
        merged = q.transpose(0, 1).reshape(groups, -1, size)  # all rows' queries of a group
        weights = query.new_empty((n, heads, length, common + seen))
        before = (merged @ common_key.transpose(1, 2)).view(groups, n, -1, common).transpose(0, 1)
        weights[..., :common] = before.reshape(n, heads, length, common)
        own = q @ key[part].transpose(2, 3)
        weights[..., common:] = own.view(n, heads, length, seen) + attention_mask[part]
        weights = weights.softmax(-1).view(n, groups, -1, common + seen)
        first = weights[..., :common].transpose(0, 1).reshape(groups, -1, common) @ common_value
        found = (
            first.view(groups, n, -1, size).transpose(0, 1) + weights[..., common:] @ value[part]
        )
        out[part] = found.reshape(n, heads, length, size)
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(PREFIX_ATTENTION, prefix_attention)
AttentionMaskInterface.register(PREFIX_ATTENTION, sdpa_mask)
