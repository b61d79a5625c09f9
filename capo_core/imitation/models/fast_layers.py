"""Layers of a model in training on a CPU, computed with less work: the same numbers to rounding.

Two parts of a training step cost far more on a CPU than their arithmetic: attention over short
texts (the kernels for long ones compute in blocks, and their backward pass was 17 to 28 % of a
step), and LoRA, which PEFT computes in the adapter's precision, with copies of inputs and outputs.
Both are replaced by functions with a backward pass of their own; whatever these do not cover
(dropout, other kinds of adapter, merged or disabled adapters, long texts) goes the usual way.
"""

from __future__ import annotations

import torch
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

SHORT_ATTENTION = "capo_short"  # name in transformers' registry of attention functions
# Attention weights of a layer from which on they are not held: 64 MiB in bfloat16.
MANY_WEIGHTS = 2**25


def speed_up(model: PeftModel, adapter: str) -> None:
    """Let `model` compute short attention, and LoRA of `adapter`, by the functions here.

    Only on a CPU: on a GPU the kernels for long texts are fast for short ones too.
    """
    if model.device.type != "cpu":
        return
    base = model.get_base_model()
    config = base.config.get_text_config()
    if getattr(config, "_attn_implementation", None) == "sdpa":
        base.set_attn_implementation(SHORT_ATTENTION)
    for module in model.modules():
        if isinstance(module, LoraLinear) and _covered(module):
            module.forward = _LoraForward(module, adapter)


def _covered(module: LoraLinear) -> bool:
    """Return whether a layer is plain LoRA on a linear layer, without anything special."""
    return (
        type(module) is LoraLinear
        and type(module.base_layer) is torch.nn.Linear
        and not module.lora_variant
        and not any(module.lora_bias.values())
        and not getattr(module, "fan_in_fan_out", False)
    )


class _LoraForward:
    """The forward pass of a LoRA layer, see `LoraProduct`; otherwise PEFT's own."""

    def __init__(self, module: LoraLinear, adapter: str) -> None:
        self.module, self.adapter, self.usual = module, adapter, type(module).forward

    def __call__(self, x: Tensor, *rest, **named) -> Tensor:
        module, name = self.module, self.adapter
        dropout = getattr(module.lora_dropout, name, None)
        if (
            rest
            or named
            or (module.training and getattr(dropout, "p", 0.0))
            or module.merged
            or module.disable_adapters
            or list(module.active_adapters) != [name]
            or module.base_layer.weight.dtype != x.dtype
            or torch.is_autocast_enabled(x.device.type)
        ):
            return self.usual(module, x, *rest, **named)
        return LoraProduct.apply(
            x,
            module.base_layer.weight,
            module.base_layer.bias,
            module.lora_A[name].weight,
            module.lora_B[name].weight,
            module.scaling[name],
        )


class LoraProduct(torch.autograd.Function):
    """y = x Wᵀ + b + s (x Aᵀ) Bᵀ in the precision of x and W, with W and b frozen.

    A [r, in] and B [out, r] may be in a higher precision, in which their gradients are returned.
    Only x and x Aᵀ [.., r] are saved, so that layers with the same input save it once.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, a, b, scale):
        low_a, low_b = a.to(x.dtype), (b * scale).to(x.dtype)
        inner = F.linear(x, low_a)
        y = F.linear(x, weight, bias)
        y = torch.addmm(_rows(y), _rows(inner), low_b.t()).view(y.shape)
        ctx.save_for_backward(x, weight, inner, low_a, low_b)
        ctx.scale, ctx.types = scale, (a.dtype, b.dtype)
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight, inner, low_a, low_b = ctx.saved_tensors
        grad = _rows(grad)
        grad_inner = grad @ low_b
        grad_a = grad_b = grad_x = None
        if ctx.needs_input_grad[3]:
            grad_a = (grad_inner.t() @ _rows(x)).to(ctx.types[0])
        if ctx.needs_input_grad[4]:
            grad_b = (grad.t() @ _rows(inner)).to(ctx.types[1]).mul_(ctx.scale)
        if ctx.needs_input_grad[0]:
            grad_x = torch.addmm(grad @ weight, grad_inner, low_a).view(x.shape)
        return grad_x, None, None, grad_a, grad_b, None


def _rows(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])


def short_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """Return attention [B, T, H, D] from queries [B, H, T, D], keys and values [B, G, S, D].

    Of the form that transformers asks of attention functions; its own one computes what is not
    covered: dropout, a position bias, a mask that differs among heads, or too many weights.
    """
    batch, heads, length, _ = query.shape
    covered = (
        not dropout
        and kwargs.get("position_bias") is None
        and batch * heads * length * key.shape[2] <= MANY_WEIGHTS
        and key.shape[-1] == value.shape[-1]
        and (attention_mask is None or attention_mask.shape[1] == 1)
        and not torch.is_autocast_enabled(query.device.type)
    )
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if covered and attention_mask is None and causal and length > 1:
        # As PyTorch's: the first query sees the first key.
        shape = (1, 1, length, key.shape[2])
        attention_mask = torch.ones(shape, dtype=torch.bool, device=query.device).tril()
    if not covered:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **kwargs
        )
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        hidden = torch.zeros(attention_mask.shape, dtype=query.dtype, device=query.device)
        attention_mask = hidden.masked_fill_(~attention_mask, torch.finfo(query.dtype).min)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    out = ShortAttention.apply(query, key, value, attention_mask, scale)
    return out.transpose(1, 2).contiguous(), None


class ShortAttention(torch.autograd.Function):
    """softmax(s Q Kᵀ + mask) V, with the attention weights held for the backward pass.

    Query heads that share a key head are computed as one matrix product.
    """

    @staticmethod
    def forward(ctx, query, key, value, mask, scale):
        batch, heads, length, size = query.shape
        groups, seen = key.shape[1], key.shape[2]
        rows = (batch * groups, heads // groups * length)
        q = (query * scale).reshape(*rows, size)
        k, v = key.reshape(-1, seen, size), value.reshape(-1, seen, size)
        weights = torch.bmm(q, k.transpose(1, 2)).view(batch, heads, length, seen)
        if mask is not None:
            weights += mask
        weights = weights.softmax(-1).view(*rows, seen)
        ctx.save_for_backward(q, k, v, weights)
        ctx.scale, ctx.shapes = scale, (query.shape, key.shape)
        return torch.bmm(weights, v).view(batch, heads, length, size)

    @staticmethod
    def backward(ctx, grad):
        q, k, v, weights = ctx.saved_tensors
        query_shape, key_shape = ctx.shapes
        grad = grad.reshape(q.shape)
        grad_value = torch.bmm(weights.transpose(1, 2), grad).view(key_shape)
        grad_weights = torch.bmm(grad, v.transpose(1, 2))
        grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
        grad_query = torch.bmm(grad_scores, k).mul_(ctx.scale).view(query_shape)
        grad_key = torch.bmm(grad_scores.transpose(1, 2), q).view(key_shape)
        return grad_query, grad_key, grad_value, None, None


AttentionInterface.register(SHORT_ATTENTION, short_attention)
AttentionMaskInterface.register(SHORT_ATTENTION, sdpa_mask)
