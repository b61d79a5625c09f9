"""Build a base model: vocabulary, pre-training, validation, and a folder that any code for causal
language models can load.

The pre-training has a loop and a checkpoint of its own. That of `training/` passes over a list of
items in epochs, divides summed gradients by the step's units afterwards, trains one group of
adapter weights, and seeds each step; here each step draws its rows by number, micro-batches are
means weighted by their share, all weights are trained in two decay groups with other betas, and
the schedule ends at a twentieth. Sharing the loop would change the shipped weights, which are
reproducible bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.optim import AdamW
from transformers import AutoTokenizer, GenerationConfig

from capo_core.errors import ConfigError, Stopped
from capo_core.imitation.embedded_base.config import FORMATS, EmbeddedBaseConfig
from capo_core.imitation.embedded_base.corpus import (
    CorpusBatches,
    MicroBatch,
    SimulatedPopulation,
    TaskBatches,
    TaskSamples,
    TextCorpus,
    learn_tokenizer,
    sample_texts,
)
from capo_core.imitation.embedded_base.model_card import write_card
from capo_core.imitation.embedded_base.network import answer_loss, new_network, token_losses
from capo_core.json_text import plain
from capo_core.progress import Progress, part_of, silent
from capo_core.simulation.simulate import TASKS
from capo_core.workspace import make_folder, write_json

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass
class BuildState:
    """Progress of the pre-training: steps and tokens done, seconds spent, lines of the log."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    log: list[dict] = field(default_factory=list)


def learning_rate(config: EmbeddedBaseConfig, step: int) -> float:
    """Return the learning rate: linear warm-up, then a cosine to a twentieth of the peak."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def new_optimiser(model, config: EmbeddedBaseConfig) -> AdamW:
    """Return AdamW without weight decay for vectors (the norms' scales)."""
    named = list(model.named_parameters())
    return AdamW(
        [
            {"params": [p for _, p in named if p.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [p for _, p in named if p.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )


def train(
    model,
    config: EmbeddedBaseConfig,
    batches: Callable[[int], Sequence[MicroBatch]],
    folder: Path,
    progress: Progress,
) -> BuildState:
    """Train `model` in place for `config.steps` steps, from the checkpoint in `folder` if any.

    Raises:
        Stopped: `progress` raised it; a checkpoint has been written before.
    """
    optimiser = new_optimiser(model, config)
    state = load_checkpoint(folder, model, optimiser)
    model.train()
    began, before = time.monotonic(), state.seconds
    recent: dict[str, list[float]] = {}
    tokens_logged, logged = state.tokens, time.monotonic()
    while state.step < config.steps:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config, state.step)
        for batch in batches(state.step):
            losses, weights = token_losses(model, batch.rows)
            loss = (losses * weights).sum() / weights.sum()
            (batch.share * loss).backward()
            recent.setdefault(batch.kind, []).append(loss.item())
            state.tokens += batch.tokens
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        state.step += 1
        state.seconds = before + time.monotonic() - began
        last = state.step == config.steps
        if state.step % config.log_every == 0 or last:
            now = time.monotonic()
            speed = (state.tokens - tokens_logged) / (now - logged)
            tokens_logged, logged = state.tokens, now
            line = {"step": state.step, "tokens": state.tokens, "tokens_per_s": round(speed)}
            line |= {f"loss_{k}": round(sum(v) / len(v), 4) for k, v in sorted(recent.items())}
            state.log.append(line)
            recent.clear()
        if state.step % config.checkpoint_every == 0 and not last:
            save_checkpoint(folder, model, optimiser, state)
        try:
            progress(_where(state, config), state.step / config.steps)
        except Stopped:
            save_checkpoint(folder, model, optimiser, state)
            raise
    return state


def _where(state: BuildState, config: EmbeddedBaseConfig) -> str:
    left = state.seconds / state.step * (config.steps - state.step)
    words = f"Pre-training, step {state.step:,} of {config.steps:,}, {left / 60:.0f} min left"
    if state.log:
        line = state.log[-1]
        words += f", loss {line.get('loss_short', math.nan):.2f}, {line['tokens_per_s']:,} tokens/s"
    return words


def save_checkpoint(folder: Path, model, optimiser: AdamW, state: BuildState) -> None:
    """Save weights, moments and position in a new folder that replaces the old one atomically."""
    new, kept, old = (folder / name for name in ("checkpoint.new", "checkpoint", "checkpoint.old"))
    shutil.rmtree(new, ignore_errors=True)
    make_folder(new)
    tensors, steps = {}, {}
    for name, parameter in model.named_parameters():
        tensors[name] = parameter.detach()
        for moment in _MOMENTS:
            tensors[f"{name}/{moment}"] = optimiser.state[parameter][moment]
        steps[name] = float(optimiser.state[parameter]["step"])
    save_file(tensors, new / "state.safetensors")
    write_json(new / "state.json", {"state": vars(state), "optimiser_steps": steps})
    shutil.rmtree(old, ignore_errors=True)
    if kept.exists():
        kept.rename(old)
    new.rename(kept)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path, model, optimiser: AdamW) -> BuildState:
    """Load the last checkpoint into model and optimiser; without one, return the initial state."""
    # `old` is what is left if the process died between the two renamings.
    kept = next((p for p in (folder / "checkpoint", folder / "checkpoint.old") if p.exists()), None)
    if kept is None:
        return BuildState()
    tensors = load_file(kept / "state.safetensors")
    about = json.loads((kept / "state.json").read_text(encoding="utf-8"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[name])
            optimiser.state[parameter] = {
                "step": torch.tensor(about["optimiser_steps"][name]),
                **{moment: tensors[f"{name}/{moment}"].clone() for moment in _MOMENTS},
            }
    return BuildState(**about["state"])


WEIGHTS = "model.safetensors"


def build(
    config: EmbeddedBaseConfig,
    out: Path,
    *,
    corpus: TextCorpus | None = None,
    with_tasks: bool = True,
    progress: Progress = silent,
) -> dict:
    """Build a base model in `out`; return the content of `out/build.json`.

    Unfinished work is in a hidden folder beside `out`; the same call resumes it, with the same
    bytes as without the interruption. `out` is replaced when everything is written.

    Args:
        corpus: training texts; without them the base is trained on simulated annotators alone.
        with_tasks: with a corpus: train on simulated annotators too (half of every step).

    Raises:
        ConfigError: an unfinished build with other settings exists, or `out` contains something
            that is not a base model.
        Stopped: `progress` raised it; the same call resumes.
    """
    if out.exists() and any(out.iterdir()) and not (out / "config.json").exists():
        raise ConfigError(
            "the folder holds something else than a base",
            where=str(out),
            todo="choose an empty or a new folder with --out",
        )
    with_tasks = with_tasks or corpus is None
    folder = _begin(config, out, corpus, with_tasks)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        progress("Learning the vocabulary", 0.0)
        samples = TaskSamples(SimulatedPopulation(config)) if with_tasks else None
        tokenizer = _tokenizer(folder, config, samples, corpus)
        tasks = TaskBatches(samples, tokenizer) if samples else None
        batches = CorpusBatches(corpus, tokenizer, config, tasks) if corpus else tasks
        model = new_network(config, tokenizer)
        state = train(model, config, batches.step, folder, part_of(progress, 0.02, 0.97))
        progress("Validating", 0.97)
        model.half().float().eval()  # as it will be read
        losses = _validate(model, tasks)
        if corpus:
            loss, _ = answer_loss(model, batches.held_out().rows, config.label_weight)
            losses["corpus"] = {"text": {"token": round(loss, 4)}}
        about = _about(config, corpus, with_tasks, model, state, losses)
        _write(folder / "whole", model, tokenizer, about)
        _put_in_place(folder / "whole", out)
        shutil.rmtree(folder)
    finally:
        torch.set_num_threads(threads)
    return about


def _begin(
    config: EmbeddedBaseConfig, out: Path, corpus: TextCorpus | None, with_tasks: bool
) -> Path:
    """Return the folder of unfinished work, which belongs to these settings."""
    folder = make_folder(out.parent / f".{out.name}.building")
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    plan = {
        "config": plain(asdict(config)),
        "corpus": corpus.fingerprint if corpus else "",
        "with_tasks": with_tasks,
    }
    kept = folder / "plan.json"
    if kept.exists() and json.loads(kept.read_text(encoding="utf-8")) != plan:
        raise ConfigError(
            "a build with other settings is half done",
            where=str(folder),
            todo="repeat the command it was started with, or delete that folder",
        )
    write_json(kept, plan)
    return folder


def _tokenizer(
    folder: Path, config: EmbeddedBaseConfig, samples: TaskSamples | None, corpus: TextCorpus | None
):
    kept = folder / "tokenizer"
    if not kept.exists():
        texts = list(corpus.texts) if corpus else []
        if samples:
            texts += sample_texts(samples, config.tokenizer_samples)
        part = folder / "tokenizer.part"
        learn_tokenizer(texts, config.vocabulary).save_pretrained(part)
        part.rename(kept)
    return AutoTokenizer.from_pretrained(kept)


def _validate(model, tasks: TaskBatches | None) -> dict:
    """Return format → task → losses on held-out annotators: nats per token and label line."""
    losses: dict[str, dict] = {}
    for kind in FORMATS if tasks else ():
        for task in TASKS:
            token, label = answer_loss(
                model, tasks.held_out(kind, task).rows, tasks.config.label_weight
            )
            losses.setdefault(kind, {})[task] = {"token": round(token, 4)}
            if label is not None:
                losses[kind][task]["label"] = round(label, 4)
    return losses


def _about(config, corpus, with_tasks, model, state: BuildState, losses: dict) -> dict:
    return {
        "config": asdict(config),
        "corpus": {"name": corpus.name, "texts": len(corpus.texts)} if corpus else None,
        "with_tasks": with_tasks,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": state.tokens,
        "seconds": round(state.seconds),
        "tokens_per_s": round(state.tokens / max(state.seconds, 1e-9)),
        "validation": losses,
        "log": state.log,
    }


def _write(folder: Path, model, tokenizer, about: dict) -> None:
    """Write all files of the base model; weights in half precision, which its config states."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=160,
    )
    model.half().save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", settings | {"dtype": "float32"})
    tokenizer.save_pretrained(folder)
    about["sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    write_json(folder / "build.json", about)
    write_card(folder, about)


def _put_in_place(new: Path, out: Path) -> None:
    old = new.parent / "replaced"
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    new.rename(out)
