"""The frozen reference's log-probabilities: computed once, kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from capo_core.imitation.engines import Engine
from capo_core.imitation.engines.base import inner_model, scoring
from capo_core.imitation.render import Rendered
from capo_core.progress import Progress, silent
from capo_core.workspace import atomic_file, content_hash

FORMAT = 1  # raised when the same key would mean other numbers


def reference_scores(
    model,
    engine: Engine,
    renders: Sequence[Rendered],
    *,
    cache_folder: Path,
    key: Mapping[str, str],
    pad_id: int,
    items_per_batch: int = 8,
    progress: Progress = silent,
) -> list[Tensor]:
    """log pi_ref of every response, one tensor [R_i] an item, float32 on the CPU.

    The caller makes the reference's adapter the active one; the model's mode is left as it was.

    Args:
        key: fingerprints of everything that `model` is, for instance of base, adapter and
            precision. Token ids and the engine's name are added to it.
        items_per_batch: items scored together; memory, not results (to rounding).

    Raises:
        Stopped: from `progress`; nothing is kept then.
    """
    path = Path(cache_folder) / f"reference-{_key(model, engine, renders, key)}.safetensors"
    counts = [len(item.responses) for item in renders]
    kept = _read(path, sum(counts))
    if kept is None:
        kept = _compute(model, engine, renders, pad_id, items_per_batch, progress)
        with atomic_file(path) as file:
            file.write(save({"log_probs": kept}))
    return list(kept.split(counts))


def _compute(model, engine, renders, pad_id, items_per_batch, progress) -> Tensor:
    # Items of like length together: less padding.
    order = sorted(range(len(renders)), key=lambda index: _length(renders[index]))
    found: dict[int, Tensor] = {}
    with scoring(inner_model(model)):
        for start in range(0, len(order), items_per_batch):
            progress("scoring the reference", start / len(order))
            part = order[start : start + items_per_batch]
            table = engine.score(model, [renders[index] for index in part], pad_id=pad_id)
            sizes = [len(renders[index].responses) for index in part]
            found.update(zip(part, table.log_probs.float().cpu().split(sizes), strict=True))
    progress("scoring the reference", 1.0)
    return torch.cat([found[index] for index in range(len(renders))])


def _length(item: Rendered) -> int:
    return len(item.prompt) + sum(map(len, item.responses))


def _key(model, engine: Engine, renders: Sequence[Rendered], key: Mapping[str, str]) -> str:
    tokens = [[item.prompt, item.responses] for item in renders]
    return content_hash(FORMAT, dict(key), str(inner_model(model).dtype), engine.name, tokens)


def _read(path: Path, count: int) -> Tensor | None:
    """What was kept; None where it is missing or damaged, and has to be computed again."""
    try:
        kept = load(path.read_bytes())["log_probs"]
    except (FileNotFoundError, SafetensorError, KeyError):
        return None
    return kept if kept.shape == (count,) and bool(torch.isfinite(kept).all()) else None
