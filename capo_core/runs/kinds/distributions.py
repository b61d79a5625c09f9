"""Runs about label distributions: estimates by a model, and classifiers trained on them.

Both name their judgments by the id in the workspace (see `distributions.store`).
"""

from __future__ import annotations

from typing import Any

from capo_core.formatting import count
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.progress import Progress
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import (
    LOG_PROBABILITIES,
    SAMPLING,
    Settings,
    estimate_config,
    soft_label_config,
)
from capo_core.runs.kinds.inputs import backend_of
from capo_core.workspace import Workspace


def estimate(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Estimate the label distributions of `settings["judgments"]` (see `estimate_run`)."""
    from capo_core.distributions import store
    from capo_core.distributions.estimate_run import run_estimate

    judgments = store.load(settings["judgments"], workspace)
    progress("reading the model", 0.0)
    found = run_estimate(
        judgments, scorer_of(settings), estimate_config(settings), folder,
        progress=progress,
    )  # fmt: skip
    left = sum(found.left_out.values())
    return f"distributions of {count(len(found.source.item_ids), 'item')}" + (
        f", {left:,} left out" if left else ""
    )


def soft_labels(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Train classifiers on label distributions (see `distributions.soft_labels`)."""
    from capo_core.distributions import store
    from capo_core.distributions.soft_labels import train_soft_labels

    config = soft_label_config(settings)
    train = store.load(settings["judgments"], workspace)
    sets = {name: store.load(one, workspace) for name, one in settings["sets"].items()}
    train_soft_labels(train, sets, config, folder, cache=workspace.cache, progress=progress)
    return f"{count(len(config.sources) * len(config.seeds), 'classifier')} trained"


def scorer_of(settings: Settings) -> Any:
    """Return the model that scores options, as named in `settings`.

    The server's address and key come from the environment of the process, never from a file.
    """
    if settings["by"] == SAMPLING:
        from capo_core.imitation.backends.option_scores import SampledScorer

        return SampledScorer(backend_of(settings), settings.get("samples", 20))
    if settings["by"] == LOG_PROBABILITIES:
        from capo_core.imitation.backends.openai import from_environment
        from capo_core.imitation.backends.option_scores import ServerScorer

        return ServerScorer(from_environment(settings["server"]))
    from capo_core.imitation.backends.option_scores import TransformersScorer
    from capo_core.imitation.models.base_model import load_base_model

    base = load_base_model(settings["base"], precision=settings.get("precision", "auto"))
    return TransformersScorer(base, batch_tokens=settings.get("batch_tokens", BATCH_TOKENS))
