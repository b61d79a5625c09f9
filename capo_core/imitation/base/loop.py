"""The steps of a pre-training, with checkpoints from which it goes on bit for bit."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.optim import AdamW

from capo_core.errors import Stopped
from capo_core.imitation.base.batches import MicroBatch
from capo_core.imitation.base.config import BaseConfig
from capo_core.imitation.base.network import token_losses
from capo_core.progress import Progress
from capo_core.workspace import make_folder, write_json

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass
class State:
    """How far the training is: steps and tokens done, seconds spent, lines of the log."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    log: list[dict] = field(default_factory=list)


def learning_rate(config: BaseConfig, step: int) -> float:
    """Linear warm-up, then a cosine from `learning_rate` to a twentieth of it."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def new_optimiser(model, config: BaseConfig) -> AdamW:
    """AdamW; vectors (the norms' scales) do not decay."""
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
    config: BaseConfig,
    batches: Callable[[int], Sequence[MicroBatch]],
    folder: Path,
    progress: Progress,
) -> State:
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


def _where(state: State, config: BaseConfig) -> str:
    left = state.seconds / state.step * (config.steps - state.step)
    words = f"Pre-training, step {state.step:,} of {config.steps:,}, {left / 60:.0f} min left"
    if state.log:
        line = state.log[-1]
        words += f", loss {line.get('loss_short', math.nan):.2f}, {line['tokens_per_s']:,} tokens/s"
    return words


def save_checkpoint(folder: Path, model, optimiser: AdamW, state: State) -> None:
    """Weights, moments and place, in a new folder that takes the place of the old one at once."""
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


def load_checkpoint(folder: Path, model, optimiser: AdamW) -> State:
    """What was saved last, put into model and optimiser; the start where nothing was."""
    # `old` is what is left if the process died between the two renamings.
    kept = next((p for p in (folder / "checkpoint", folder / "checkpoint.old") if p.exists()), None)
    if kept is None:
        return State()
    tensors = load_file(kept / "state.safetensors")
    about = json.loads((kept / "state.json").read_text(encoding="utf-8"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[name])
            optimiser.state[parameter] = {
                "step": torch.tensor(about["optimiser_steps"][name]),
                **{moment: tensors[f"{name}/{moment}"].clone() for moment in _MOMENTS},
            }
    return State(**about["state"])
