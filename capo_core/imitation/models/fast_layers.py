"""Layers of a model on a CPU, computed with less work: the same numbers to rounding.

Two parts of a training step cost far more on a CPU than their arithmetic: attention over short
texts (the kernels for long ones compute in blocks, and their backward pass was 17 to 28 % of a
step), and LoRA, which PEFT computes in the adapter's precision, with copies of inputs and outputs.
Both are replaced by functions with a backward pass of their own. Answers are written token by
token, where PEFT's LoRA took two fifths of the time, and two adapters half of it; there the factors
of all active adapters are kept as one pair. Whatever is not covered (dropout, other kinds of
adapter, merged or disabled adapters, long texts) goes the usual way.
"""

from __future__ import annotations

import copy

import torch
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

# Names in transformers' registry of attention functions.
SHORT_ATTENTION, ANSWER_ATTENTION = "capo_short", "capo_answers"
# Attention weights of a layer from which on they are not held: 64 MiB in bfloat16.
MANY_WEIGHTS = 2**25
# Copies of weights in the processor's order may take as much: SmolLM2-135M's have 257 MiB in
# bfloat16, 513 in float32.
PACKED_BYTES = 640 * 2**20
USUAL_ROWS = 32  # of one step of answers, for which weights are packed


def speed_up(model: PeftModel, adapter: str) -> None:
    """Let `model` compute short attention, and LoRA of `adapter`, by the functions here.

    Only on a CPU: on a GPU the kernels for long texts are fast for short ones too.
    """
    if model.device.type != "cpu":
        return
    _attend(model.get_base_model(), SHORT_ATTENTION)
    for module in model.modules():
        if isinstance(module, LoraLinear) and _covered(module):
            module.forward = _LoraForward(module, adapter)


def speed_up_answers(model: torch.nn.Module) -> None:
    """Let `model`, whose weights stay as they are, write answers by the functions here.

    Attention of one new token, LoRA of the active adapters at whatever scale they have, and, where
    they take no more than `PACKED_BYTES`, weights of linear layers in the order in which the
    processor reads them. Only on a CPU. Layers that `speed_up` has changed are left alone: their
    adapters' weights are in training.

    Args:
        model: a base model, or a PEFT model around it; given again after each adapter is loaded.
    """
    weights = list(model.parameters())
    if any(each.device.type != "cpu" for each in weights):
        return
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    _attend(base, ANSWER_ATTENTION)
    linear = [each for each in base.modules() if type(each) is torch.nn.Linear]
    small = sum(each.weight.nbytes for each in linear) <= PACKED_BYTES
    for module in base.modules():
        own = vars(module).get("forward")
        if isinstance(own, _LoraForward):
            continue
        if isinstance(module, LoraLinear):
            # Anew each time: adapters may have come, of another kind too, or under a former name.
            vars(module).pop("forward", None)
            if _covered(module):
                module.forward = _FixedLora(module)
        elif (
            small
            and type(module) is torch.nn.Linear
            and not (isinstance(own, _PackedLinear) and own.up_to_date)
        ):
            module.forward = _PackedLinear(module)


def _attend(base: torch.nn.Module, name: str) -> None:
    now = getattr(base.config.get_text_config(), "_attn_implementation", None)
    if now in ("sdpa", SHORT_ATTENTION, ANSWER_ATTENTION) and now != name:
        base.set_attn_implementation(name)


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


class _FixedLora:
    """The forward pass of a LoRA layer whose weights are not trained; otherwise PEFT's own.

    With A = [A_1; A_2; …] and B = [s_1 B_1, s_2 B_2, …] of the active adapters, y = x Wᵀ + b +
    (x Aᵀ) Bᵀ, the last term in float32 as PEFT has it: in half precision scores of labels were off
    by nearly twice as much, and the few rows of a step take no less time. The pair is kept until
    other adapters or scales are active.
    """

    def __init__(self, module: LoraLinear) -> None:
        self.module, self.usual = module, type(module).forward
        self._known: tuple = ()
        self._pair: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor, *rest, **named) -> Tensor:
        module = self.module
        if (
            rest
            or named
            or module.training
            or torch.is_grad_enabled()
            or module.merged
            or module.disable_adapters
            or torch.is_autocast_enabled(x.device.type)
        ):
            return self.usual(module, x, *rest, **named)
        y = module.base_layer(x)
        if (pair := self._factors()) is None:
            return y
        more = (_rows(x).float() @ pair[0]) @ pair[1]
        return (_rows(y) + more).to(y.dtype).view(y.shape)

    def _factors(self) -> tuple[Tensor, Tensor] | None:
        """Return Aᵀ [in, r] and Bᵀ [r, out] of all active adapters; None without one."""
        module = self.module
        scaling = module.scaling
        known = tuple((name, scaling[name]) for name in module.active_adapters if name in scaling)
        if known != self._known:
            a = [module.lora_A[name].weight.float().t() for name, _ in known]
            b = [module.lora_B[name].weight.float().t() * scale for name, scale in known]
            self._pair = (torch.cat(a, 1), torch.cat(b, 0)) if known else None
            self._known = known
        return self._pair


class _PackedLinear:
    """The forward pass of a linear layer with a copy of its weights in the processor's order.

    oneDNN would bring them into that order at each call, which takes longer than the product with
    the few rows of one step of answers. Twins of the layer share the copy.
    """

    def __init__(self, module: torch.nn.Linear) -> None:
        self.module, self.usual = module, type(module).forward
        self._of = _state(module.weight)
        self._packed = _packed(module.weight.detach())

    def __call__(self, x: Tensor) -> Tensor:
        module = self.module
        if (
            self._packed is None
            or not self.up_to_date
            or torch.is_grad_enabled()
            or x.dtype != module.weight.dtype
            or torch.is_autocast_enabled(x.device.type)
        ):
            return self.usual(module, x)
        return torch.ops.mkldnn._linear_pointwise(x, self._packed, module.bias, "none", [], "")

    @property
    def up_to_date(self) -> bool:
        """True while the layer has the weight that was copied: PEFT may change or replace it."""
        return _state(self.module.weight) == self._of

    def __deepcopy__(self, memo: dict) -> _PackedLinear:
        twin = memo[id(self)] = object.__new__(_PackedLinear)
        twin.module, twin.usual = copy.deepcopy(self.module, memo), self.usual
        twin._of, twin._packed = self._of, self._packed
        return twin


def _state(weight: Tensor) -> tuple[int, int]:
    """Return what differs where a tensor is another one or was written to."""
    return weight.data_ptr(), -1 if weight.is_inference() else weight._version


def _packed(weight: Tensor) -> Tensor | None:
    """Return a weight [out, in] in oneDNN's order; None where PyTorch or the processor has none."""
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), USUAL_ROWS)
        one = weight.new_zeros((1, weight.shape[1]))
        torch.ops.mkldnn._linear_pointwise(one, packed, None, "none", [], "")
    except (AttributeError, RuntimeError):
        return None
    return packed


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


def _plain(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, more: dict
) -> bool:
    """Return whether attention is softmax of products and a mask that all heads share."""
    return (
        not dropout
        and more.get("position_bias") is None
        and key.shape[-1] == value.shape[-1]
        and (mask is None or mask.shape[1] == 1)
        and not torch.is_autocast_enabled(query.device.type)
    )


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
    covered = batch * heads * length * key.shape[2] <= MANY_WEIGHTS and _plain(
        query, key, value, attention_mask, dropout, kwargs
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
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        hidden = torch.zeros(attention_mask.shape, dtype=query.dtype, device=query.device)
        attention_mask = hidden.masked_fill_(~attention_mask, torch.finfo(query.dtype).min)
    out = ShortAttention.apply(query, key, value, attention_mask, scale)
    return out.transpose(1, 2).contiguous(), None


def answer_attention(
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
    """Return the same as `short_attention`; transformers' own one computes all but single tokens.

    That one adds up in float32; short attention would take a sixth less time for whole answers.
    """
    covered = query.shape[2] == 1 and not torch.is_grad_enabled()
    if not (covered and _plain(query, key, value, attention_mask, dropout, kwargs)):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **kwargs
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return _attention_of_one(query, key, value, attention_mask, scale), None


def _attention_of_one(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
) -> Tensor:
    """Return attention [B, 1, H, D] of one new token a row, without gradients.

    In float32, which takes as long: keys are one more at each step, and for half precision oneDNN
    would build, and keep, a kernel for each of their numbers.
    """
    batch, heads, _, size = query.shape
    groups = key.shape[1]
    q = query.view(batch, groups, heads // groups, size).float() * scale
    weights = q @ key.transpose(2, 3).float()
    if mask is not None and mask.dtype == torch.bool:
        weights = weights.masked_fill(~mask, torch.finfo(torch.float32).min)
    elif mask is not None:
        weights = weights + mask
    out = weights.softmax(-1) @ value.float()
    return out.to(query.dtype).view(batch, 1, heads, size)


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


for _name, _function in ((SHORT_ATTENTION, short_attention), (ANSWER_ATTENTION, answer_attention)):
    AttentionInterface.register(_name, _function)
    AttentionMaskInterface.register(_name, sdpa_mask)
