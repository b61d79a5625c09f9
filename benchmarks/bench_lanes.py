"""Micro-batches one after the other and side by side on the cores of a CPU: positions a second.

    python benchmarks/bench_lanes.py [--base smollm2] [--dataset demo-nli] [--items 6] [--parts 4]

Loss and gradients of the same micro-batches of SFT and of CAPO, with one lane and with as many as
the product takes, in one process with all of its threads; the rates are of wall-clock seconds, so
that nothing else may run beside it. `same_gradients`: the largest difference of a gradient between
both, which is rounding where one lane has more threads than each of several.
"""

from __future__ import annotations

import argparse
import os
import time

from bench_step import examples
from measuring import peak_memory_gb, report

ROUNDS = 2


def measure(stage: str, model, items: list, parts: int, pad_id: int) -> dict:
    """Rates of one stage, by the number of lanes."""
    import torch

    from capo_core.imitation.models.side_by_side import LANES, SideBySide
    from capo_core.imitation.training.scoring.choose import choose_engine

    engine = choose_engine(model, items[0], "group" if stage == "sft" else "tree").engine
    divided = [items[start::parts] for start in range(parts)]
    trained = [each for each in model.parameters() if each.requires_grad]

    def work(model, part):
        table = engine.score(model, part, pad_id=pad_id)
        return torch.autograd.grad(-table.log_probs.sum(), trained), table.computed_tokens

    rates, cores, gradients = {}, {}, []
    for lanes in (1, LANES):
        side = SideBySide(model, lanes)
        list(side.results(work, divided))  # the first one also sets things up
        wall, cpu, positions = time.perf_counter(), time.process_time(), 0
        for _ in range(ROUNDS):
            found = list(side.results(work, divided))
            positions += sum(count for _, count in found)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rates[side.lanes], cores[side.lanes] = round(positions / wall, 1), round(cpu / wall, 2)
        gradients.append([each for part, _ in found for each in part])
    worst = max(float((a - b).abs().max()) for a, b in zip(*gradients, strict=True))
    return {
        "positions_a_second": rates,
        "cores_at_work": cores,
        "ratio": round(rates[max(rates)] / rates[1], 2),
        "same_gradients": worst,
    }


def main() -> None:
    import torch

    from capo_core.imitation.models.adapters import NAME, new_adapter
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.models.fast_layers import speed_up
    from capo_core.imitation.training.config import AdapterSettings

    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--base", default="embedded")
    ask.add_argument("--dataset", default="demo-nli")
    ask.add_argument("--items", type=int, default=6, help="of a micro-batch of SFT")
    ask.add_argument("--parts", type=int, default=4, help="micro-batches")
    given = ask.parse_args()
    base = load_base_model(given.base)
    model = new_adapter(base, AdapterSettings(), 0).train()
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:  # a fresh adapter has no effect, and no gradient reaches A
            torch.nn.init.normal_(weight, std=0.01)
    speed_up(model, NAME)
    found: dict = {
        "base": given.base,
        "dataset": given.dataset,
        "precision": str(base.model.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "waiting_threads": os.environ.get("OMP_WAIT_POLICY", "active"),
    }
    for stage, items in (("sft", given.items), ("capo", max(1, given.items // 2))):
        wanted = examples(base, given.dataset, items * given.parts)[stage]
        found[stage] = measure(stage, model, wanted, given.parts, base.pad_id)
    report(found | {"peak_memory_gb": peak_memory_gb()})


if __name__ == "__main__":
    main()
