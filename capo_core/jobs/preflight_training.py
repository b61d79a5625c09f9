"""One dry step of a training: the longest batch forward and backward, on the real model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from capo_core.errors import ConfigError
from capo_core.imitation.run_folder import RunFolder
from capo_core.jobs import memory
from capo_core.jobs.preflight_found import Tokens
from capo_core.jobs.preflight_kept import announced
from capo_core.jobs.preflight_problems import weights_problem
from capo_core.jobs.run_inputs import load_dataset
from capo_core.workspace import Workspace, safe_name

# Forward alone against forward and backward, in floating-point operations: 1 to 3 where the base
# is trained; an adapter needs no gradients of the base's weights, which makes it 1 to 2.
FORWARD_SHARE = 0.5
EVENT_BYTES = 400  # of one line of events.jsonl


def training(kind: str, settings: Mapping[str, Any], workspace: Workspace) -> dict[str, Any]:
    """Fields of a `Preflight` for train_sft and train_capo.

    Raises:
        CapoError: the run cannot work; it says why.
    """
    dataset = load_dataset(settings, workspace)
    config, base_name, lora, adapter = _asked(kind, settings, workspace)
    problem = weights_problem(
        base_name, config.precision, config.quantise, memory.available_bytes()
    )
    if problem is not None:
        return {"problems": (problem,)}
    from capo_core.imitation.model import load_base
    from capo_core.imitation.stage import limits_of, targets_of

    targets = targets_of(dataset, settings["target"], config)
    base = load_base(base_name, precision=config.precision, quantise=config.quantise)
    limits = limits_of(base, config)
    parts = _material(kind, dataset, targets, config, limits)
    step = _dry_step(kind, base, lora, adapter, config, parts["train"])
    lengths = parts["train"].lengths
    validation = sum(parts["validation"].lengths) if parts["validation"] else 0
    passes = config.epochs * (sum(lengths) + FORWARD_SHARE * validation)
    if kind == "train_capo":  # the reference reads everything once
        passes += FORWARD_SHARE * (sum(lengths) + validation)
    longest = [_longest(contrast) for contrast in parts["train"].contrasts]
    steps = config.epochs * -(-len(lengths) // config.items_per_step)
    counts = {"training items": len(lengths), "responses": parts["train"].responses}
    if kind == "train_capo":
        counts["pairs"] = sum(
            len(row) for each in parts["train"].contrasts for row in each.rejected
        )
    if parts["validation"]:
        counts["validation items"] = len(parts["validation"])
    counts["steps"] = steps
    return {
        "counts": counts,
        "tokens": _tokens(longest, limits.max_tokens),
        "cut": parts["train"].cut,
        "left_out": _too_long(parts["train"].skipped),
        "memory_bytes": memory.peak_bytes(),
        "gpu_bytes": memory.gpu_peak_bytes() or None,
        "seconds": step["seconds_per_token"] * passes,
        # Adapter, best adapter and two moments, twice while one file replaces the other; and the
        # adapter itself.
        "disk_bytes": step["adapter_bytes"] * 9 + EVENT_BYTES * steps,
        "device": step["device"],
        "warnings": _warnings(parts["train"], config, limits.max_tokens, has=parts["validation"]),
    }


def _asked(kind: str, settings: Mapping[str, Any], workspace: Workspace):
    """Configuration, base, LoRA settings, and the adapter it begins with (None: a new one)."""
    from capo_core.imitation.config import CapoConfig, LoraSettings, SftConfig
    from capo_core.jobs.runs import Run, is_run

    if kind == "train_sft":
        config = SftConfig.from_dict(settings["config"])
        return config, settings["base"], config.lora, None
    config = CapoConfig.from_dict(settings["config"])
    before = Run(workspace.runs / safe_name(settings["sft"]))
    folder = RunFolder(before.folder)
    if folder.done:
        asked = folder.config
        return config, asked["base"]["name"], LoraSettings(), folder.adapter
    known = is_run(before.folder)
    asked = (before.request if known else announced(workspace, before.run_id)).settings
    return config, asked["base"], SftConfig.from_dict(asked["config"]).lora, None


def _material(kind: str, dataset, targets, config, limits) -> dict[str, Any]:
    from capo_core.imitation.material import capo_material, sft_material
    from capo_core.imitation.stage import has_validation

    def of(split: str):
        if kind == "train_sft":
            return sft_material(dataset, targets, limits, split=split)
        return capo_material(dataset, targets, config, limits, split=split)

    found = {"train": of("train"), "validation": None}
    if not len(found["train"]):
        raise ConfigError("there is nothing to train on", where=dataset.name)
    if has_validation(dataset):
        found["validation"] = of("validation")
    return found


def _dry_step(kind: str, base, lora, adapter, config, material) -> dict[str, Any]:
    """Time a step on the items that take most; its peak stays in the process's memory figures."""
    import torch

    from capo_core.imitation.adapters import load_adapter, new_adapter, ready_to_train
    from capo_core.imitation.engines import GroupEngine, choose_engine
    from capo_core.imitation.faults import memory_errors
    from capo_core.imitation.objective import Case, Contrastive, Supervised

    model = (
        new_adapter(base, lora, config.seed)
        if adapter is None
        else load_adapter(base, adapter, trainable=True)
    )
    ready_to_train(model, config)
    size = max(1, config.items_per_step // config.accumulation)
    order = np.argsort(material.lengths)[::-1][:size]
    contrasts = [material.contrasts[index] for index in order]
    if kind == "train_sft":
        objective = Supervised(GroupEngine(), base.pad_id)
        cases = [Case(contrast) for contrast in contrasts]
    else:
        choice = choose_engine(model, contrasts[0].rendered, config.engine)
        objective = Contrastive(choice.engine, base.pad_id, config)
        cases = [
            Case(contrast, torch.zeros(len(contrast.rendered.responses))) for contrast in contrasts
        ]
    trained = [each for each in model.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=0.0)
    model.train()
    with memory_errors("dry step"):
        _step(objective, model, cases[-1:], optimiser)  # the first one also sets things up
        began = time.perf_counter()
        _step(objective, model, cases, optimiser)
        if base.model.device.type == "cuda":
            torch.cuda.synchronize()
        took = time.perf_counter() - began
    return {
        "seconds_per_token": took / sum(case.length for case in cases),
        "adapter_bytes": 4 * sum(each.numel() for each in trained),
        "device": "the GPU" if base.model.device.type == "cuda" else "the CPU",
    }


def _step(objective, model, cases, optimiser) -> None:
    objective.part(model, cases).total.backward()
    optimiser.step()
    optimiser.zero_grad()


def _longest(contrast) -> int:
    rendered = contrast.rendered
    return len(rendered.prompt) + max(map(len, rendered.responses))


def _tokens(lengths: list[int], limit: int) -> Tokens:
    median, p95 = np.percentile(lengths, [50, 95])
    return Tokens(round(median), round(p95), max(lengths), limit)


def _too_long(skipped: Mapping[str, int]) -> int:
    from capo_core.imitation.material import TOO_LONG

    return skipped.get(TOO_LONG, 0)


def _warnings(material, config, limit: int, *, has) -> tuple[str, ...]:
    found = []
    if len(material) < 50:
        found.append(f"{len(material)} training items are few: expect little, and unsteady scores.")
    if not has:
        found.append("There is no validation part, so nothing tells when to end.")
    if limit < config.max_tokens:
        found.append(f"The base reads {limit} tokens at most, fewer than max_tokens.")
    return tuple(found)
