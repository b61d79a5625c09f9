"""What a generation asks, and one dry batch of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.generate_config import GenerateConfig
from capo_core.jobs import memory
from capo_core.jobs.preflight_found import Problem
from capo_core.jobs.preflight_problems import weights_problem
from capo_core.jobs.run_inputs import load_dataset
from capo_core.workspace import Workspace

FEW_TOKENS = 8  # written in the dry batch, to know the pace
OUTPUT_BYTES = 3000  # of one answer, in its line and in the table


def writing(kind: str, settings: Mapping[str, Any], workspace: Workspace) -> dict[str, Any]:
    """Fields of a `Preflight` for generate. Adapters and profiles need not be there yet: prompts
    are then those without.

    Raises:
        CapoError: the run cannot work; it says why.
    """
    from capo_core.imitation.asking import chosen_items
    from capo_core.imitation.history import check_annotator

    dataset = load_dataset(settings, workspace)
    config, targets = GenerateConfig(**settings["config"]), settings["targets"]
    for target in targets:
        check_annotator(dataset, target)
    items = len(chosen_items(dataset, config))
    answers = items * len(targets) * config.samples
    found: dict[str, Any] = {
        "counts": {"items": items, "annotators": len(targets), "answers": answers},
        "disk_bytes": answers * OUTPUT_BYTES,
    }
    if settings.get("server"):
        return {**found, "warnings": ("How long a server takes, and what it asks for it, cannot "
                                      "be known beforehand.",)}  # fmt: skip
    precision = settings.get("precision", "auto")
    problem = weights_problem(settings["base"], precision, False, memory.available_bytes())
    if problem is not None:
        return {**found, "problems": (problem,)}
    return {**found, **_dry_batch(dataset, targets, config, settings)}


def _dry_batch(dataset, targets, config: GenerateConfig, settings) -> dict[str, Any]:
    from capo_core.imitation.asking import decoding_of, what_to_ask
    from capo_core.imitation.backends.batches import Planned, plan
    from capo_core.imitation.backends.hf import HfBackend
    from capo_core.imitation.model import load_base
    from capo_core.imitation.render import prompt_ids
    from capo_core.imitation.selection import ExamplePool
    from capo_core.jobs.preflight_training import _tokens

    base = load_base(settings["base"], precision=settings.get("precision", "auto"))
    batch_tokens = settings.get("batch_tokens", BATCH_TOKENS)
    backend = HfBackend(base, batch_tokens=batch_tokens)
    plain = config if config.method == "icl" else replace(config, method="zero_shot", named=False)
    pools = {target: ExamplePool(dataset, target, seed=config.seed) for target in targets}
    asked = what_to_ask(
        dataset, targets, plain, backend, run_id="dry", adapters={}, profiles={},
        choose=lambda target, item: pools[target].choose(config.examples),
    )  # fmt: skip
    fitting = [each for each in asked if not each.excess]
    rows = [Planned(each.request, prompt_ids(each.request.prompt, base.tokenizer))
            for each in fitting]  # fmt: skip
    limit = base.longest or 0
    lengths = [len(row.ids) + config.max_new_tokens for row in rows]
    found = {"left_out": len(asked) - len(fitting), "device": _device(base)}
    if not rows:
        return {**found, "problems": (Problem(
            f"no prompt fits into the {limit} tokens that the base reads, with an answer of "
            f"{config.max_new_tokens}", "ask for shorter answers, or choose another base",
        ),)}  # fmt: skip
    batches = plan(rows, config.max_new_tokens, batch_tokens)
    first = [row.request for row in batches[0]]

    def timed(tokens: int) -> float:
        few = replace(decoding_of(dataset, config), max_new_tokens=tokens, stop_fields=())
        began = time.perf_counter()
        for _ in backend.complete(first, few):
            pass
        return time.perf_counter() - began

    timed(1)
    read, more = timed(1), timed(1 + FEW_TOKENS)
    share = [sum(len(row.ids) for row in batch) / sum(len(row.ids) for row in batches[0])
             for batch in batches]  # fmt: skip
    pace = max(0.0, more - read) / FEW_TOKENS
    return {
        **found,
        "tokens": _tokens(lengths, limit or max(lengths)),
        "memory_bytes": memory.peak_bytes(),
        "gpu_bytes": memory.gpu_peak_bytes() or None,
        "seconds": sum(each * (read + pace * config.max_new_tokens) for each in share),
        "warnings": ("The time is that of answers of full length; most end earlier.",),
    }


def _device(base) -> str:
    return "the GPU" if base.model.device.type == "cuda" else "the CPU"
