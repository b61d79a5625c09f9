"""Kinds of adapters: what each changes, and PEFT's configuration of it.

All kinds have about as many parameters at the same settings, so that they can be compared. The
output head is never adapted ("all-linear").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, OFTConfig, PeftConfig
from peft.tuners.tuners_utils import check_target_module_exists
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from capo_core.imitation.training.config import NO_STRENGTH, AdapterSettings


@dataclass(frozen=True)
class AdapterKind:
    """A kind of adapter.

    Attributes:
        name: in settings; title: on screens and in cards, with its article before it.
        description: one sentence: what it changes, and its source.
        config: PEFT's configuration, from the base model and the settings.
    """

    name: str
    title: str
    article: str
    description: str
    config: Callable[[PreTrainedModel, AdapterSettings], PeftConfig]

    @property
    def has_strength(self) -> bool:
        """True where it can be taken part of the way, exactly (see `adapter_strength`)."""
        return self.name not in NO_STRENGTH


def _lora(model: PreTrainedModel, settings: AdapterSettings) -> LoraConfig:
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        use_dora=settings.kind == "dora",
        **_common(settings),
    )


def _oft(model: PreTrainedModel, settings: AdapterSettings) -> OFTConfig:
    return OFTConfig(
        oft_block_size=block_size(model, settings),
        # Exact: rotations stay rotations, and the way to them has no error of a series.
        use_cayley_neumann=False,
        **_common(settings),
    )


def _common(settings: AdapterSettings) -> dict[str, Any]:
    modules = settings.target_modules
    return {
        "target_modules": modules if isinstance(modules, str) else list(modules),
        "task_type": "CAUSAL_LM",
    }


ADAPTERS: dict[str, AdapterKind] = {
    kind.name: kind
    for kind in (
        AdapterKind(
            "lora",
            "LoRA",
            "A",
            "ΔW = alpha / rank · B A (Hu et al. 2021, arXiv 2106.09685).",
            _lora,
        ),
        AdapterKind(
            "dora",
            "DoRA",
            "A",
            "W = m · (W₀ + ΔW) / ‖W₀ + ΔW‖ by rows, with ΔW of LoRA and trained lengths m (Liu et "
            "al. 2024, arXiv 2402.09353).",
            _lora,
        ),
        AdapterKind(
            "oft",
            "OFT",
            "An",
            "W = W₀ R with block-diagonal rotations R = (I + Q)⁻¹ (I − Q), Q skew-symmetric (Qiu "
            "et al. 2023, arXiv 2306.07280).",
            _oft,
        ),
    )
}


def kind_of(config: PeftConfig) -> str:
    """Return the name of an adapter's kind from PEFT's configuration; "" for one not listed."""
    if isinstance(config, OFTConfig):
        return "oft"
    if isinstance(config, LoraConfig):
        return "dora" if config.use_dora else "lora"
    return ""


def block_size(model: PreTrainedModel, settings: AdapterSettings) -> int:
    """Return the size of OFT's blocks whose number of parameters is next to LoRA's.

    A layer of d inputs and o outputs has rank · (d + o) parameters with LoRA and d · (b − 1) / 2
    with blocks of b rows, of which d must be a multiple. One b is taken for all layers, at least 2;
    where no layer is adapted it is 2, and PEFT refuses.
    """
    shapes = list(_adapted(model, settings))
    wanted = settings.rank * sum(inputs + outputs for inputs, outputs in shapes)
    sizes = [
        size
        for size in range(2, max((inputs for inputs, _ in shapes), default=0) + 1)
        if all(inputs % size == 0 for inputs, _ in shapes)
    ]

    def apart(size: int) -> float:
        return abs(sum(inputs * (size - 1) / 2 for inputs, _ in shapes) - wanted)

    return min(sizes, key=apart, default=2)


def _adapted(model: PreTrainedModel, settings: AdapterSettings) -> Iterator[tuple[int, int]]:
    """Yield inputs and outputs of each layer that the settings name, as PEFT finds them."""
    head = model.get_output_embeddings()
    names = settings.target_modules
    named = LoraConfig(target_modules=names if isinstance(names, str) else list(names))
    for name, module in model.named_modules():
        linear = isinstance(module, torch.nn.Linear)
        if not (linear or isinstance(module, Conv1D)) or module is head:
            continue
        if names == "all-linear" or check_target_module_exists(named, name):
            outputs, inputs = module.weight.shape if linear else module.weight.t().shape
            yield int(inputs), int(outputs)
