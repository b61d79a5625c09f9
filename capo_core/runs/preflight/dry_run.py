"""The pre-flight check of a run: time and memory of one dry step on the real model.

    found = estimate_run(workspace, Request("train_sft", settings))
    found.possible, found.sentences, found.problems

`estimate_run` measures in a process of its own (`python -m capo_core.runs.preflight.dry_run`, which
reads the request from its input), so that the peak memory is that of a run, and a model that is too
large harms no other process. The result can be given to `submit.submit` as the run's estimate. A
training's dry step is the longest batch forward and backward; a generation's is its first batch.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from capo_core import memory
from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.formatting import name_list
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.training.examples import longest_row
from capo_core.json_text import json_line
from capo_core.memory import available_bytes
from capo_core.run_folder import RunFolder
from capo_core.runs.kinds.inputs import load_dataset
from capo_core.runs.preflight.report import (
    Preflight,
    Problem,
    Tokens,
    announced_request,
    problem_of,
    shortages,
    too_large,
    weights_problem,
)
from capo_core.runs.request import RunRequest
from capo_core.workspace import Workspace, make_folder, safe_name

FEW_TOKENS = 8  # generated in the dry batch, to measure the pace
OUTPUT_BYTES = 3000  # of one output, in its line and in the table


def estimate_generation(
    kind: str, settings: Mapping[str, Any], workspace: Workspace
) -> dict[str, Any]:
    """Return the fields of a `Preflight` for a generation.

    Adapters and profiles need not exist yet: the prompts are then those without.

    Raises:
        CapoError: the run cannot work; it says why.
    """
    from capo_core.imitation.generation.requests import sampled_items
    from capo_core.imitation.prompting.responses import check_annotator

    dataset = load_dataset(settings, workspace)
    config, targets = GenerateConfig(**settings["config"]), settings["targets"]
    for target in targets:
        check_annotator(dataset, target)
    items = len(sampled_items(dataset, config))
    answers = items * len(targets) * config.samples
    found: dict[str, Any] = {
        "counts": {"items": items, "annotators": len(targets), "outputs": answers},
        "disk_bytes": answers * OUTPUT_BYTES,
    }
    if settings.get("server"):
        return {**found, **ask_server(str(settings["server"]))}
    precision = settings.get("precision", "auto")
    problem = weights_problem(settings["base"], precision, False, memory.available_bytes())
    if problem is not None:
        return {**found, "problems": (problem,)}
    return {**found, **_dry_batch(dataset, targets, config, settings)}


def ask_server(model: str) -> dict[str, Any]:
    """Return the fields of a `Preflight` for `model` at the server: reachable, and its models."""
    from capo_core.imitation.backends.openai import from_environment, server_models

    try:
        server = from_environment(model)
        models = server_models(server)
    except CapoError as error:
        return {"problems": (replace(problem_of(error), kind="server"),)}
    warnings = ("The duration and the price of a server cannot be estimated.",)
    if models is None:
        more = f"{server.shown_url} answers, but does not list its models."
        return {"warnings": (more, *warnings)}
    found: dict[str, Any] = {"models": models, "warnings": warnings}
    if model not in models:
        known = f"it has {name_list(models)}" if models else "it has none"
        found["problems"] = (
            Problem(
                f"the server {server.shown_url} has no model {model!r}; {known}",
                "choose one of its models, or start the server with this one",
                "server model",
            ),
        )
    return found


def estimate_judge(kind: str, settings: Mapping[str, Any], workspace: Workspace) -> dict[str, Any]:
    """Return the fields of a `Preflight` for an LLM judge at a server; nothing for one here."""
    return ask_server(str(settings["server"])) if settings.get("server") else {}


def _dry_batch(dataset, targets, config: GenerateConfig, settings) -> dict[str, Any]:
    from capo_core.imitation.backends.transformers import (
        TokenizedRequest,
        TransformersBackend,
    )
    from capo_core.imitation.generation.requests import decoding_of, output_requests
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.prompting.examples import ExamplePool
    from capo_core.imitation.prompting.prompts import METHODS, prompt_ids

    base = load_base_model(settings["base"], precision=settings.get("precision", "auto"))
    batch_tokens = settings.get("batch_tokens", BATCH_TOKENS)
    backend = TransformersBackend(base, batch_tokens=batch_tokens)
    plain = config
    if not METHODS[config.method].examples:
        # An adapter's prompts are those it was trained with; `answer_style` knows it by the method.
        former = "v1" if config.trained and config.prompt == "auto" else config.prompt
        plain = replace(config, method="zero_shot", named=False, prompt=former)
    pools = {target: ExamplePool(dataset, target, seed=config.seed) for target in targets}
    asked = output_requests(
        dataset, targets, plain, backend, run_id="dry", adapters={}, profiles={},
        choose=lambda target, item: pools[target].choose(config.examples),
    )  # fmt: skip
    fitting = [each for each in asked if not each.excess]
    rows = [TokenizedRequest(each.request, prompt_ids(each.request.prompt, base.tokenizer))
            for each in fitting]  # fmt: skip
    limit = base.longest or 0
    lengths = [len(row.ids) + config.max_new_tokens for row in rows]
    found = {"left_out": len(asked) - len(fitting), "device": _device(base)}
    if not rows:
        return {**found, "problems": (Problem(
            f"no prompt fits into the context of {limit} tokens with an output of "
            f"{config.max_new_tokens}", "lower max_new_tokens, or choose another base model",
            "context",
        ),)}  # fmt: skip
    seconds = _answering_seconds(backend, rows, decoding_of(dataset, config))
    return {
        **found,
        "tokens": _tokens(lengths, limit or max(lengths)),
        "memory_bytes": memory.peak_bytes(),
        "gpu_bytes": memory.gpu_peak_bytes() or None,
        "seconds": seconds,
        "batch_tokens": batch_tokens,
        "warnings": ("The duration assumes outputs of full length; most end earlier.",),
    }


def _answering_seconds(backend, rows, decoding) -> float:
    """Return the seconds of answers of full length to `rows`, at the pace of the first batches: as
    many as are computed at once, whose memory stays in the process's peak.
    """
    from capo_core.imitation.models.side_by_side import LANES

    few = replace(decoding, max_new_tokens=1 + FEW_TOKENS, stop_fields=())
    first = backend.batches_of(rows, decoding)[: LANES if backend.on_cpu else 1]
    # The first answers also set things up.
    backend.seconds([batch[:1] for batch in first], few)
    read, token = backend.seconds(first, few)
    share = sum(len(row.ids) for row in rows) / sum(len(row.ids) for row in chain(*first))
    return share * (read + token * decoding.max_new_tokens)


# By how much of what a first step takes the process of a training on a CPU still grows: kernels
# that are kept for each shape of input, and memory between them that is not given back. SmolLM2 on
# VariErr: SFT from 2.2 GB to 3.7, CAPO from 2.0 to 3.8, 1.1 of which the loaded model had taken.
GROWTH = 1.5


def _grown(peak: int, loaded: int, base) -> int:
    """Return the peak in bytes that a training will have, from that of its dry step."""
    return peak + (int(GROWTH * (peak - loaded)) if base.model.device.type == "cpu" else 0)


def _device(base) -> str:
    return "the GPU" if base.model.device.type == "cuda" else "the CPU"


# Forward alone against forward and backward, in floating-point operations: 1 to 3 where the base
# is trained; an adapter needs no gradients of the base's weights, which makes it 1 to 2.
FORWARD_SHARE = 0.5
EVENT_BYTES = 400  # of one line of events.jsonl


def estimate_training(
    kind: str, settings: Mapping[str, Any], workspace: Workspace
) -> dict[str, Any]:
    """Return the fields of a `Preflight` for train_sft and train_capo.

    Raises:
        CapoError: the run cannot work; it says why.
    """
    dataset = load_dataset(settings, workspace)
    config, base_name, lora, adapter = _training_start(kind, settings, workspace)
    problem = weights_problem(
        base_name, config.precision, config.quantise, memory.available_bytes()
    )
    if problem is not None:
        return {"problems": (problem,)}
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.training.stage import limits_of, targets_of

    targets = targets_of(dataset, settings["target"], config)
    base = load_base_model(base_name, precision=config.precision, quantise=config.quantise)
    loaded = memory.peak_bytes()
    limits = limits_of(base, config)
    parts = _material(kind, dataset, targets, config, limits)
    step = _dry_step(kind, base, lora, adapter, config, parts["train"])
    lengths = parts["train"].lengths
    training, validation = (
        sum(map(step["positions"], part.contrasts)) if part else 0
        for part in (parts["train"], parts["validation"])
    )
    passes = config.epochs * (training + FORWARD_SHARE * validation)
    if kind == "train_capo":  # the reference reads everything once
        passes += FORWARD_SHARE * (training + validation)
    longest = [longest_row(contrast) for contrast in parts["train"].contrasts]
    steps = config.epochs * -(-len(lengths) // config.items_per_step)
    counts = {"training items": len(lengths), "responses": parts["train"].responses}
    if kind == "train_capo":
        counts["pairs"] = sum(
            len(row) for each in parts["train"].contrasts for row in each.rejected
        )
    if parts["validation"]:
        counts["validation items"] = len(parts["validation"])
    counts["steps"] = steps
    answered = _answers_of_training(base, step["model"], dataset, targets, config, steps, workspace)
    warnings = _warnings(parts["train"], config, limits.max_tokens, has=parts["validation"])
    if "calibration answers" in answered["counts"]:
        warnings += (
            "The duration assumes answers of full length at all strengths; most calibrations end "
            "earlier.",
        )
    return {
        "counts": counts | answered["counts"],
        "tokens": _tokens(longest, limits.max_tokens),
        "cut": parts["train"].cut,
        "left_out": _too_long(parts["train"].skipped),
        "memory_bytes": _grown(memory.peak_bytes(), loaded, base),
        "gpu_bytes": memory.gpu_peak_bytes() or None,
        "seconds": step["seconds_per_position"] * passes + answered["seconds"],
        # Adapter, best adapter and two moments, twice while one file replaces the other; and the
        # adapter itself.
        "disk_bytes": step["adapter_bytes"] * 9 + EVENT_BYTES * steps,
        "device": step["device"],
        "batch_tokens": step["batch_tokens"],
        "warnings": warnings,
    }


def _answers_of_training(
    base, model, dataset, targets, config, steps: int, workspace: Workspace
) -> dict[str, Any]:
    """Return the counts and seconds of the answers that a training writes beside its steps.

    Samples and probes while it trains, and for calibrated CAPO the answers to the validation items
    at every strength, each at the pace of one dry batch, whose memory stays in the process's peak.

    Args:
        base, model: the base model, and itself with the adapter of the dry step.
    """
    from capo_core.imitation.backends.base import GenerationRequest
    from capo_core.imitation.backends.transformers import TokenizedRequest, TransformersBackend
    from capo_core.imitation.generation.requests import GenerateConfig, PromptBuilder, decoding_of
    from capo_core.imitation.prompting.prompts import prompt_ids
    from capo_core.imitation.prompting.responses import items_of
    from capo_core.imitation.training import calibration
    from capo_core.imitation.training import samples as sampling
    from capo_core.imitation.training.examples import sampled_items

    def seconds(asked, generation: GenerateConfig, batch_tokens: int, *, trains_on: bool) -> float:
        backend = TransformersBackend(base, batch_tokens=batch_tokens, trains_on=trains_on)
        builder = PromptBuilder(dataset, generation, backend, {}, lambda *_: ())
        rows = []
        for number, (item, target) in enumerate(asked):
            prompt, _, excess = builder.build(target, item)
            label = builder.label_choice(target)
            request = GenerationRequest(str(number), prompt, label=label)
            if not excess:
                rows.append(TokenizedRequest(request, prompt_ids(prompt, base.tokenizer)))
        return _answering_seconds(backend, rows, decoding_of(dataset, generation)) if rows else 0.0

    model.eval()
    counts, total = {}, 0.0
    looks = 1 + -(-steps // config.sample_every) if config.sample_every else 0
    asked = [
        one
        for number in (config.samples, config.probe_items)
        for one in sampled_items(dataset, targets, number)
    ]
    if looks and asked:
        sampler = sampling.Sampler(dataset, base, (), config.shared, config.label_choice)
        counts["answers while training"] = looks * len(asked)
        total += looks * seconds(asked, sampler.config, sampling.BATCH_TOKENS, trains_on=True)
    if getattr(config, "calibrate", False):
        from capo_core.evaluation.calibration import HumanYardstick
        from capo_core.text.embeddings import Embedder

        (target,) = targets
        ids = HumanYardstick(dataset, target, Embedder(workspace.cache)).item_ids
        items = {item.item_id: item for item in items_of(dataset, "validation")}
        strengths = len(calibration.STRENGTHS)
        counts["calibration answers"] = strengths * len(ids)
        generation = GenerateConfig("capo", split="validation", seed=config.seed)
        total += strengths * seconds(
            [(items[each], target) for each in ids], generation, calibration.BATCH_TOKENS,
            trains_on=False,
        )  # fmt: skip
    return {"counts": counts, "seconds": total}


def _training_start(kind: str, settings: Mapping[str, Any], workspace: Workspace):
    """Return configuration, base model, LoRA settings and the initial adapter (None: new)."""
    from capo_core.imitation.training.config import AdapterSettings, CapoConfig, SftConfig
    from capo_core.runs.run import Run, is_run

    if kind == "train_sft":
        config = SftConfig.from_dict(settings["config"])
        return config, settings["base"], config.lora, None
    config = CapoConfig.from_dict(settings["config"])
    before = Run(workspace.runs / safe_name(settings["sft"]))
    folder = RunFolder(before.folder)
    if folder.done:
        asked = folder.config
        return config, asked["base"]["name"], AdapterSettings(), folder.adapter
    known = is_run(before.folder)
    asked = (before.request if known else announced_request(workspace, before.run_id)).settings
    return config, asked["base"], SftConfig.from_dict(asked["config"]).lora, None


def _material(kind: str, dataset, targets, config, limits) -> dict[str, Any]:
    from capo_core.imitation.training.examples import capo_examples, sft_examples
    from capo_core.imitation.training.stage import has_validation

    def of(split: str):
        if kind == "train_sft":
            return sft_examples(dataset, targets, limits, split=split)
        return capo_examples(dataset, targets, config, limits, split=split)

    found = {"train": of("train"), "validation": None}
    if not len(found["train"]):
        raise ConfigError("there are no training items", where=dataset.name)
    if has_validation(dataset):
        found["validation"] = of("validation")
    return found


def _dry_step(kind: str, base, lora, adapter, config, material) -> dict[str, Any]:
    """Time a step on the longest items; its peak remains in the process's memory figures."""
    import torch

    from capo_core.imitation.models.adapters import load_adapter, new_adapter, ready_to_train
    from capo_core.imitation.models.errors import memory_errors
    from capo_core.imitation.models.side_by_side import SideBySide
    from capo_core.imitation.training.capo import reference_values
    from capo_core.imitation.training.micro_batches import micro_batches
    from capo_core.imitation.training.objective import Contrastive, Supervised, TrainingExample
    from capo_core.imitation.training.scoring.choose import choose_engine, longest_sample
    from capo_core.imitation.training.stage import batch_tokens_of

    model = (
        new_adapter(base, lora, config.seed)
        if adapter is None
        else load_adapter(base, adapter, trainable=True)
    )
    ready_to_train(model, config)
    size = max(1, config.items_per_step // config.accumulation)
    order = np.argsort(material.lengths)[::-1][:size]
    contrasts = [material.contrasts[index] for index in order]
    sft = kind == "train_sft"
    sample = longest_sample([contrast.rendered for contrast in contrasts])
    engine = choose_engine(model, sample, "group" if sft else config.engine).engine
    objective = Supervised(engine, base.pad_id) if sft else Contrastive(engine, base.pad_id, config)

    def reference(contrast):
        by_token = getattr(config, "ld_alpha", 1) < 1
        return torch.zeros(reference_values(contrast.rendered, config.contrast, by_token))

    cases = [TrainingExample(each, None if sft else reference(each)) for each in contrasts]
    model.train()
    # The longest of the micro-batches that a step is computed in, as many as are computed at once.
    batch_tokens, side = batch_tokens_of(base, config), SideBySide(model)
    shared = objective.shared_tokens(model, cases)
    batches = micro_batches(range(len(cases)), objective.row_lengths(cases), batch_tokens, shared)
    parts = [[cases[index] for index in batch] for batch in batches[-side.lanes :]]

    def positions(contrast) -> int:
        """Positions of an item that are its own; what all begin with is computed once a batch."""
        return sum(row - shared for row in engine.row_lengths(contrast.rendered))

    trained = [each for each in model.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=0.0)
    with memory_errors("dry step", checkpointing=config.gradient_checkpointing):
        # The first one also sets things up.
        _step(side, objective, [part[-1:] for part in parts], optimiser, trained)
        began = time.perf_counter()
        _step(side, objective, parts, optimiser, trained)
        if base.model.device.type == "cuda":
            torch.cuda.synchronize()
        took = time.perf_counter() - began
    return {
        "seconds_per_position": took / sum(positions(case.contrast) for case in chain(*parts)),
        "positions": positions,
        "adapter_bytes": 4 * sum(each.numel() for each in trained),
        "batch_tokens": batch_tokens,
        "model": model,
        "device": "the GPU" if base.model.device.type == "cuda" else "the CPU",
    }


def _step(side, objective, parts, optimiser, trained) -> None:
    from capo_core.imitation.training.loop import add_gradients

    list(add_gradients(side, objective, parts, trained))
    optimiser.step()
    optimiser.zero_grad()


def _tokens(lengths: list[int], limit: int) -> Tokens:
    median, p95 = np.percentile(lengths, [50, 95])
    return Tokens(round(median), round(p95), max(lengths), limit)


def _too_long(skipped: Mapping[str, int]) -> int:
    from capo_core.imitation.training.examples import TOO_LONG

    return skipped.get(TOO_LONG, 0)


def _warnings(material, config, limit: int, *, has) -> tuple[str, ...]:
    found = []
    if len(material) < 50:
        found.append(
            f"{len(material)} training items are few: expect small effects and noisy scores."
        )
    if not has:
        found.append("There is no validation split, so early stopping is off.")
    if limit < config.max_tokens:
        found.append(f"The base model reads {limit} tokens at most, fewer than max_tokens.")
    return tuple(found)


_ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 900


def estimate_run(workspace: Workspace, request: RunRequest) -> Preflight:
    """Estimate what a run will need from one dry step in a process of its own.

    Nothing is started and nothing saved. Reasons why the run cannot succeed are in `problems`.

    Args:
        request: of the run; it has passed `checks.check`.

    Raises:
        RunError: the dry step failed.
    """
    kind = request.kind
    asked = {"workspace": str(workspace.root), "kind": kind, "settings": request.settings}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "capo_core.runs.preflight.dry_run"],
            input=json_line(asked, ascii_only=True),
            capture_output=True,
            text=True,
            cwd=_ROOT,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        what = f"one step takes longer than {PATIENCE_S / 60:.0f} minutes"
        problem = Problem(what, "choose a smaller base model, or a GPU", "memory")
        return Preflight(kind, made=time.time(), problems=(problem,))
    if done.returncode == 0:
        found = Preflight.from_dict(json.loads(done.stdout.splitlines()[-1]))
        return replace(found, made=time.time())
    if done.returncode < 0:
        problem = too_large("the system killed the dry step")
        return Preflight(kind, made=time.time(), problems=(problem,))
    if _ran_out_of_memory(done.stderr):
        problem = too_large("the memory did not suffice for the dry step")
        return Preflight(kind, made=time.time(), problems=(problem,))
    raise RunError(
        f"the dry step failed ({(done.stderr.strip().splitlines() or ['no message'])[-1][:300]})"
    )


def _ran_out_of_memory(trace: str) -> bool:
    """Return whether a process ended for want of memory, by the last line it wrote."""
    last = (trace.strip().splitlines() or [""])[-1]
    words = ("MemoryError", "failed to map segment", "annot allocate memory", "pointer is null")
    return any(each in last for each in words)


def estimate_here(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Preflight:
    """Return the same as `estimate_run`, measured in this process."""
    make_folder(workspace.root)
    free = {
        "memory_free": available_bytes(),
        "disk_free": shutil.disk_usage(workspace.root).free,
    }
    looks = {
        "train_sft": estimate_training,
        "train_capo": estimate_training,
        "generate": estimate_generation,
        "judge": estimate_judge,
    }
    try:
        found = looks[kind](kind, settings, workspace) if kind in looks else {}
    except CapoError as error:
        problem = problem_of(error)
        kinds = {"raise max_tokens": "context", "lower batch_tokens": "memory"}
        kind_ = next((name for words, name in kinds.items() if problem.todo.startswith(words)), "")
        problem = replace(problem, kind=kind_)
        return Preflight(kind, **free, problems=(problem,))
    made = Preflight(kind, **{**free, **found})
    return Preflight(**{**vars(made), "problems": (*made.problems, *shortages(made))})


def _end_with_parent() -> None:
    """End this process soon after the one that asked for it: nobody reads its result any more."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


_PARENT_S = 0.5


def main() -> int:
    """Estimate the run named on standard input, and print its `Preflight` as JSON."""
    _end_with_parent()
    asked = json.loads(sys.stdin.read())
    workspace = Workspace(Path(asked["workspace"]))
    workspace.become_default()
    found = estimate_here(workspace, asked["kind"], asked["settings"])
    print(json_line(found.to_dict(), ascii_only=True))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
