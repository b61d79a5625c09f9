"""Tiny random models of several architectures, and batches of token ids, for tests of engines."""

from __future__ import annotations

import random

import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional as F
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from capo_core.imitation.prompting.prompts import Rendered

VOCABULARY = 61

ARCHITECTURES = {
    "llama": {},
    "qwen3": {},
    "mistral": {},
    "gemma3_text": {},
    "phi3": {},
    "gpt2": {},
    # These scale their logits or cap them softly.
    "gemma2": {"final_logit_softcapping": 2.0},
    "cohere": {"logit_scale": 0.25},
    "granite": {"logits_scaling": 4.0},
}

# Two threads that wait for each other by spinning are five times slower on models this small.
torch.set_num_threads(1)

_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_PART = {"vocab_size", "pad_token_id", "bos_token_id", "eos_token_id"}
_OTHER_NAMES = {
    "gpt2": {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 256},
    "bloom": {"hidden_size": 32, "n_head": 4, "n_layer": 2},
    "mamba": {"hidden_size": 32, "state_size": 8, "num_hidden_layers": 2},
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32},
    "gpt_neo": {
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
    },
}


def tiny_model(kind: str, *, lora: bool = False, attention: str | None = None, seed=0, **settings):
    """A model with 2 layers whose weights are large enough for its logits to differ well."""
    torch.manual_seed(seed)
    shape = _SHAPE
    if kind in _OTHER_NAMES:
        shape = {name: _SHAPE[name] for name in _PART} | _OTHER_NAMES[kind]
    config = CONFIG_MAPPING[kind](**{**shape, **settings})
    if attention:
        config._attn_implementation = attention
    model = AutoModelForCausalLM.from_config(config)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.15)
    return with_lora(model, seed) if lora else model


def with_lora(model, seed=0):
    """The model with an adapter that already does something (both halves are random)."""
    torch.manual_seed(seed + 1)
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model


def ids(rng: random.Random, length: int) -> tuple[int, ...]:
    return tuple(rng.randrange(3, VOCABULARY) for _ in range(length))


def item(rng: random.Random, prompt: int, lengths) -> Rendered:
    return Rendered(ids(rng, prompt), tuple((*ids(rng, n - 1), 2) for n in lengths))


def ragged_batch(seed: int = 0) -> list[Rendered]:
    """Items with 3, 1 and 4 responses; one of them is the end token alone."""
    rng = random.Random(seed)
    return [item(rng, 14, (7, 3, 9)), item(rng, 9, (5,)), item(rng, 20, (1, 8, 2, 6))]


def by_hand(model, batch) -> torch.Tensor:
    """One text at a time, unpadded, by the definition: what every engine must give."""
    sums = []
    for each in batch:
        for response in each.responses:
            text = torch.tensor([*each.prompt, *response])
            logits = model(input_ids=text[None], use_cache=False).logits[0]
            log_probs = F.log_softmax(logits.float(), -1)
            start = len(each.prompt)
            sums.append(sum(log_probs[at - 1, text[at]] for at in range(start, len(text))))
    return torch.stack(sums)


def gradients(model, scores: torch.Tensor) -> torch.Tensor:
    """Of a sum in which every response weighs differently."""
    model.zero_grad()
    (scores * torch.linspace(-1, 1, len(scores))).sum().backward()
    return torch.cat([w.grad.flatten() for w in model.parameters() if w.grad is not None])
