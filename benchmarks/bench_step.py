"""A training step of SFT and CAPO: tokens per CPU second, beside the usual way of computing it.

    python benchmarks/bench_step.py [--base smollm2] [--items 8] [--dataset demo-nli]

Each variant computes loss and gradients of the same items on one thread, in a process of its own.
The usual way: PEFT's LoRA and transformers' attention, every prompt in full, the base in float32.
Rates count the tokens of the usual way, so that they compare time for the same work.
`gradient_difference` is the distance of a variant's gradient from the usual one, relative to its
norm: rounding in float32; in bfloat16 that of 8 bits, which the usual way in bfloat16 has as well.
`share_of_peak` is the arithmetic of the variant's own products with weights (4 operations a weight
and position: forward, and backward to the inputs) against the machine's rate for one large product,
measured in the same process and precision.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from measuring import peak_memory_gb, report, timed

VARIANTS = ("usual fp32", "usual bf16", "fast fp32", "fast bf16")
REPEATS = 2


def rate_of_products(dtype) -> float:
    """Operations per CPU second of a product of matrices as large as a step's."""
    import torch

    x, weight = torch.randn(1024, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
    torch.nn.functional.linear(x, weight)
    best = 0.0
    for _ in range(5):
        found: dict = {}
        with timed(found):
            for _ in range(60):
                torch.nn.functional.linear(x, weight)
        best = max(best, 60 * 2 * 1024**3 / max(found["cpu_s"], 1e-3))
    return best


def examples(base, dataset_name: str, items: int):
    """Items of middle length: for SFT one response each, for CAPO all."""
    from capo_core.data.catalog import Catalog
    from capo_core.imitation.training.config import CapoConfig
    from capo_core.imitation.training.examples import TokenLimits, capo_examples, sft_examples
    from capo_core.workspace import Workspace

    dataset = Catalog(Workspace.default()).load(dataset_name)
    limits, who = TokenLimits(base.tokenizer, 1024, False), [dataset.annotators[0]]
    found = {}
    for stage, made in (
        ("sft", sft_examples(dataset, who, limits)),
        ("capo", capo_examples(dataset, who, CapoConfig(), limits)),
    ):
        order = sorted(range(len(made)), key=made.lengths.__getitem__)
        start = (len(order) - items) // 2
        found[stage] = [made.contrasts[index].rendered for index in order[start : start + items]]
    return found


def measure(variant: str, base_name: str, dataset_name: str, items: int) -> dict:
    """Both stages in one variant; gradients are written beside the numbers."""
    import torch

    from capo_core.imitation.models.adapters import NAME, new_adapter
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.models.fast_layers import speed_up
    from capo_core.imitation.training.config import AdapterSettings
    from capo_core.imitation.training.scoring.choose import choose_engine
    from capo_core.imitation.training.scoring.engines import GroupEngine, TreeEngine

    torch.set_num_threads(1)
    way, precision = variant.split()
    base = load_base_model(base_name, precision=precision)
    batches = examples(base, dataset_name, items)
    model = new_adapter(base, AdapterSettings(), 0).train()
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:  # a fresh adapter has no effect, and no gradient reaches A
            torch.nn.init.normal_(weight, std=0.01)
    if way == "fast":
        speed_up(model, NAME)
    weights = sum(
        each.numel() for name, each in base.model.named_parameters()
        if each.dim() == 2 and "lora_" not in name and "embed" not in name and "head" not in name
    )  # fmt: skip
    peak = rate_of_products(base.model.dtype)
    found: dict = {"variant": variant, "peak_operations_per_cpu_s": float(f"{peak:.3g}")}
    for stage, batch in batches.items():
        usual = GroupEngine() if stage == "sft" else TreeEngine()
        engine = usual
        if way == "fast":
            engine = choose_engine(model, batch[0], usual.name).engine

        def step(engine=engine, batch=batch):
            model.zero_grad()
            table = engine.score(model, batch, pad_id=base.pad_id)
            (-table.log_probs.sum()).backward()
            return table

        step()
        took: dict = {}
        with timed(took):
            for _ in range(REPEATS):
                table = step()
        seconds = took["cpu_s"] / REPEATS
        work = usual.layout(batch, 0).ids.numel()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        found[stage] = {
            "usual_tokens": work,
            "computed_tokens": table.computed_tokens,
            "cpu_s": round(seconds, 3),
            "usual_tokens_per_cpu_s": round(work / seconds, 1),
            "share_of_peak": round(4 * weights * table.computed_tokens / seconds / peak, 3),
            "gradient": gradient,
        }
    found["peak_memory_gb"] = peak_memory_gb()
    return found


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--base", default="embedded")
    ask.add_argument("--dataset", default="demo-nli")
    ask.add_argument("--items", type=int, default=8)
    ask.add_argument("--variant", help="one variant, in this process (used by the script itself)")
    ask.add_argument("--out", help="where that writes its numbers")
    given = ask.parse_args()
    if given.variant:
        import torch

        torch.save(measure(given.variant, given.base, given.dataset, given.items), given.out)
        return
    import tempfile

    import torch

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for variant in VARIANTS:
            out = f"{folder}/{variant.replace(' ', '-')}.pt"
            command = [sys.executable, __file__, "--variant", variant, "--out", out,
                       "--base", given.base, "--dataset", given.dataset,
                       "--items", str(given.items)]  # fmt: skip
            subprocess.run(command, check=True, stdout=sys.stderr)
            found[variant] = torch.load(out, weights_only=True)
    usual = found["usual fp32"]
    slopes = {stage: usual[stage].pop("gradient") for stage in ("sft", "capo")}
    for made in found.values():
        for stage, slope in slopes.items():
            own = made[stage].pop("gradient", slope)
            apart = float((own - slope).norm() / slope.norm())
            made[stage]["gradient_difference"] = float(f"{apart:.2g}")
            made[stage]["ratio"] = round(usual[stage]["cpu_s"] / made[stage]["cpu_s"], 2)
    report({"base": given.base, "dataset": given.dataset, "items": given.items,
            "variants": json.loads(json.dumps(list(found.values())))})  # fmt: skip


if __name__ == "__main__":
    main()
