"""The checkpoint of a training: one file, replaced atomically.

    checkpoint/state.safetensors

holds the adapter, the best adapter so far and AdamW's moments as tensors, and the counters as JSON
in the file's metadata; nothing in it could run code. One file is either the old or the new one,
whatever happens while it is written. It holds no state of a random generator: each step draws from
its own seed (see `loop.py`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from capo_core.errors import RunError
from capo_core.imitation.models.tensor_file import write_tensors
from capo_core.json_text import json_line
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.workspace import atomic_file

FILE = "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Counters:
    """The progress of a training.

    Attributes:
        step: optimiser steps done.
        best_loss, best_step: lowest validation loss so far and when; None before the first.
        worse: validations in a row that were not better than the best.
        seconds: time spent training, over all sessions.
        tokens: positions the model computed in training steps.
        events_size: bytes of events.jsonl that tell of the time before (see
            `RunFolder.cut_events`).
        figures: of the best validation.
        loss: of the last step.
    """

    step: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    worse: int = 0
    seconds: float = 0.0
    tokens: int = 0
    events_size: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    loss: float | None = None


@dataclass
class Checkpoint:
    """Counters and tensors; `best` is empty before the first validation.

    Attributes:
        weights, best: the adapter's tensors by name.
        moments: for each of MOMENTS the optimiser's tensors by parameter; empty before step 1.
    """

    counters: Counters
    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    moments: dict[str, dict[str, Tensor]]


def save_checkpoint(folder: RunFolder, checkpoint: Checkpoint) -> None:
    """Replace the run's checkpoint.

    Raises:
        RunError: it cannot be written; the one before it stays.
    """
    groups = {"weights": checkpoint.weights, "best": checkpoint.best, **checkpoint.moments}
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().contiguous()
        for group, named in groups.items()
        for name, tensor in named.items()
    }
    counters = json_line(asdict(checkpoint.counters))
    metadata = {"counters": counters, "digest": _digest(tensors)}
    with disk_errors(folder.checkpoint), atomic_file(folder.checkpoint / FILE) as file:
        write_tensors(file, tensors, metadata)


def load_checkpoint(folder: RunFolder) -> Checkpoint | None:
    """Return the run's checkpoint; None if there is none yet.

    Raises:
        RunError: it is damaged.
    """
    path = folder.checkpoint / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            counters = Counters(**json.loads(metadata["counters"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata["digest"] != _digest(tensors):
            raise ValueError("the numbers are not those that were saved")
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise RunError(
            "the checkpoint is damaged",
            where=str(path),
            todo="remove the run's folder and begin again",
        ) from error
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    moments = {name: groups.get(name, {}) for name in MOMENTS}
    return Checkpoint(counters, groups.get("weights", {}), groups.get("best", {}), moments)


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 (hex) of all numbers, which detects a bit flipped on disk."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def remove_checkpoint(folder: RunFolder) -> None:
    """Remove the checkpoint of a finished run."""
    (folder.checkpoint / FILE).unlink(missing_ok=True)
    if folder.checkpoint.is_dir() and not any(folder.checkpoint.iterdir()):
        folder.checkpoint.rmdir()


def moments_of(
    optimiser: torch.optim.Optimizer, names: dict[str, torch.nn.Parameter]
) -> dict[str, dict[str, Tensor]]:
    """Return AdamW's state by parameter name."""
    return {
        moment: {
            name: optimiser.state[parameter][moment]
            for name, parameter in names.items()
            if moment in optimiser.state[parameter]
        }
        for moment in MOMENTS
    }


def put_moments(
    optimiser: torch.optim.Optimizer,
    names: dict[str, torch.nn.Parameter],
    moments: dict[str, dict[str, Tensor]],
) -> None:
    """Restore AdamW's state from `moments_of`."""
    for name, parameter in names.items():
        optimiser.state[parameter] = {
            moment: moments[moment][name].to(parameter.device, copy=True)
            for moment in MOMENTS
            if name in moments[moment]
        }
