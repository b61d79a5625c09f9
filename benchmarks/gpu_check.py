"""Checks that only a GPU allows, in under ten minutes on a card: speed, memory, 4-bit loading.

    python benchmarks/gpu_check.py [--shapes qwen3-1b llama-1b qwen3-4b llama-3b] [--items 8]
    python benchmarks/gpu_check.py --shapes tiny --device cpu      (as the tests run it)

Models of the shapes of Qwen3 and Llama 3.2 with random weights, in bfloat16, with a LoRA adapter of
rank 16 on all linear layers. Each is in a process of its own, so that its peak memory is its own.
A step is forward and backward of `items` prompts with four responses each:

- `pairs`: each pair alone with logits at every position, as pair-based trainers compute it (TRL's
  `DPOTrainer` with a precomputed reference scores these very rows);
- `group`, `tree`: ours, as `choose_engine` allows them for this model;
- `share_of_peak`: 4 operations a weight and position over the card's rate for one large product of
  matrices in bfloat16, measured in the same process (above 1 where a busy CPU disturbed the rate);
- `quantised`: reading the same weights in 4 bits (NF4) and one step, where bitsandbytes is here.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import peak_memory_gb, report

SHAPES = {
    "qwen3-1b": ("qwen3", {"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28,
                           "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
                           "vocab_size": 151_936, "tie_word_embeddings": True}),
    "qwen3-4b": ("qwen3", {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
                           "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
                           "vocab_size": 151_936, "tie_word_embeddings": True}),
    "llama-1b": ("llama", {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
                           "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64,
                           "vocab_size": 128_256, "tie_word_embeddings": True}),
    "llama-3b": ("llama", {"hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28,
                           "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128,
                           "vocab_size": 128_256, "tie_word_embeddings": True}),
    "tiny": ("llama", {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
                       "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
                       "vocab_size": 300, "tie_word_embeddings": True}),
}  # fmt: skip
PROMPT, RESPONSE, RESPONSES = 200, 60, 4  # tokens, as in the paper's data
REPEATS = 3


def batch_of(items: int, vocabulary: int):
    """Prompts that begin alike (instruction and chat frame), each with its responses."""
    from capo_core.imitation.prompting.prompts import Rendered

    rng = random.Random(0)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(rng.randrange(3, vocabulary) for _ in range(length))

    begin = ids(PROMPT // 2)
    return [
        Rendered(
            begin + ids(PROMPT // 2),
            tuple(ids(RESPONSE + rng.randrange(-20, 20)) for _ in range(RESPONSES)),
        )
        for _ in range(items)
    ]


def as_pairs(batch):
    """Each rejected response with the chosen one, as rows of their own."""
    from capo_core.imitation.prompting.prompts import Rendered

    return [
        Rendered(item.prompt, (item.responses[0], rejected))
        for item in batch
        for rejected in item.responses[1:]
    ]


def measure(shape: str, device: str, items: int) -> dict:
    """All of one shape, in this process."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    from capo_core.imitation.training.scoring.choose import TOLERANCE_HALF, choose_engine
    from capo_core.imitation.training.scoring.engines import PairsEngine

    kind, dimensions = SHAPES[shape]
    place = torch.device(device)
    config = CONFIG_MAPPING[kind](**dimensions, max_position_embeddings=4096)
    torch.manual_seed(0)
    with place:
        base = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    weights = sum(p.numel() for name, p in base.named_parameters() if "embed" not in name)
    base.requires_grad_(False)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, lora).train()
    batch = batch_of(items, config.vocab_size)
    peak = rate_of_products(place)
    found = {
        "shape": shape,
        "parameters": base.num_parameters(),
        "peak_operations_per_s": float(f"{peak:.3g}"),
        "memory_of_weights_gb": memory_gb(place),
    }
    engines: dict = {"pairs": PairsEngine()}
    for name in ("group", "tree"):
        choice = choose_engine(model, batch[0], name, tolerance=TOLERANCE_HALF)
        engines[name] = choice.engine
        found[f"{name}_reason"] = choice.reason
    for name, engine in engines.items():
        rows = as_pairs(batch) if name == "pairs" else batch
        found[name] = step_of(model, engine, rows, place, weights, peak)
    for name in ("group", "tree"):
        found[f"{name}_ratio"] = round(found["pairs"]["seconds"] / found[name]["seconds"], 2)
    found["quantised"] = quantised(base, place, batch)
    return found


def step_of(model, engine, rows, place, weights: int, peak: float) -> dict:
    import torch

    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def step():
        model.zero_grad()
        table = engine.score(model, rows, pad_id=0)
        (-table.log_probs.sum()).backward()
        if place.type == "cuda":
            torch.cuda.synchronize()
        return table

    step()
    began = time.perf_counter()
    for _ in range(REPEATS):
        table = step()
    seconds = (time.perf_counter() - began) / REPEATS
    return {
        "seconds": float(f"{seconds:.3g}"),
        "computed_tokens": table.computed_tokens,
        "share_of_peak": round(4 * weights * table.computed_tokens / seconds / peak, 3),
        "peak_memory_gb": memory_gb(place),
    }


def rate_of_products(place) -> float:
    """Operations per second of a large product of matrices in bfloat16."""
    import torch

    size = 8192 if place.type == "cuda" else 256
    x = torch.randn(size, size, dtype=torch.bfloat16, device=place)
    best = 0.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(10):
            x @ x
        if place.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, 10 * 2 * size**3 / (time.perf_counter() - began))
    return best


def memory_gb(place) -> float:
    """The most memory held so far: of the card, or of this process."""
    import torch

    if place.type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return peak_memory_gb()


def quantised(base, place, batch) -> dict | str:
    """Read the weights in 4 bits and compute one step; or why that is not possible here."""
    import importlib.util

    import torch

    if place.type != "cuda" or importlib.util.find_spec("bitsandbytes") is None:
        return "needs a GPU and the package bitsandbytes"
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    from capo_core.imitation.training.scoring.engines import GroupEngine

    with tempfile.TemporaryDirectory() as folder:
        base.save_pretrained(folder)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        four = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
        small = AutoModelForCausalLM.from_pretrained(
            folder, quantization_config=four, device_map={"": place}
        )
    weights_gb = (torch.cuda.memory_allocated() - before) / 1e9
    model = get_peft_model(small, LoraConfig(r=16, target_modules="all-linear"))
    table = GroupEngine().score(model, batch[:2], pad_id=0)
    (-table.log_probs.sum()).backward()
    return {
        "weights_gb": round(weights_gb, 2),
        "finite": bool(torch.isfinite(table.log_probs).all()),
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--shapes", nargs="+", choices=SHAPES,
                     default=["qwen3-1b", "llama-1b", "qwen3-4b", "llama-3b"])  # fmt: skip
    ask.add_argument("--device", default="cuda")
    ask.add_argument("--items", type=int, default=8)
    ask.add_argument("--one", choices=SHAPES, help="one shape, here (used by the script itself)")
    given = ask.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.device, given.items)))
        return
    found = []
    for shape in given.shapes:
        command = [sys.executable, str(Path(__file__)), "--one", shape, "--device", given.device,
                   "--items", str(given.items)]  # fmt: skip
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    report({"items": given.items, "shapes": found})


if __name__ == "__main__":
    main()
