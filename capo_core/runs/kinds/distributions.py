"""Runs about label distributions: estimates by a model, and classifiers trained on them.

Both name the judgments they work on by their id in the workspace (`distributions.kept.keep`).
"""

from __future__ import annotations

from typing import Any

from capo_core.errors import ConfigError
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.progress import Progress
from capo_core.run_folder import RunFolder
from capo_core.runs.kinds.inputs import Settings, backend_of
from capo_core.workspace import Workspace

LOGITS, LOG_PROBABILITIES, SAMPLING = "logits", "logprobs", "sampling"
BY = (LOGITS, LOG_PROBABILITIES, SAMPLING)
ESTIMATE_SETTINGS = {
    "dataset": str, "judgments": str, "base": str, "server": str, "by": str, "samples": int,
    "precision": str, "batch_tokens": int, "config": dict,
}  # fmt: skip
SOFT_LABEL_SETTINGS = {"dataset": str, "judgments": str, "sets": dict, "config": dict}


def check_estimate(settings: Settings) -> None:
    """`ConfigError` where the settings of an estimate do not fit together."""
    from capo_core.distributions.estimate import EstimateConfig

    EstimateConfig(**settings["config"])
    by = settings["by"]
    if by not in BY:
        raise ConfigError(f"by is {by!r}", expected=f"one of {', '.join(BY)}")
    if bool(settings.get("server")) == bool(settings.get("base")):
        raise ConfigError("name one model", expected="a base, or a server's model")
    if by == LOGITS and settings.get("server"):
        raise ConfigError(
            "a server gives no logits",
            todo="take its log-probabilities (--by logprobs), or draw samples (--by sampling)",
        )
    if by == LOG_PROBABILITIES and settings.get("base"):
        raise ConfigError("a model on this machine gives logits", todo="take --by logits")
    settings["judgments"]  # a KeyError says which setting is missing


def check_soft_labels(settings: Settings) -> None:
    """`ConfigError` where the settings of a training on distributions are out of range."""
    from capo_core.distributions.soft_label_data import SoftLabelConfig

    SoftLabelConfig.from_dict(settings["config"])
    if not settings["judgments"] or not all(settings["sets"].values()):
        raise ConfigError("the sets to train and to score on are not named")


def estimate(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Estimate the label distributions of `settings["judgments"]`; see `estimate_run`."""
    from capo_core.distributions import store
    from capo_core.distributions.estimate import EstimateConfig
    from capo_core.distributions.estimate_run import estimate_in

    judgments = store.load(settings["judgments"], workspace)
    progress("reading the model", 0.0)
    found = estimate_in(
        judgments, scorer_of(settings), EstimateConfig(**settings["config"]), folder,
        progress=progress,
    )  # fmt: skip
    left = sum(found.left_out.values())
    return f"distributions of {len(found.source.item_ids)} items" + (
        f", {left} left out" if left else ""
    )


def soft_labels(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Train classifiers on label distributions; see `distributions.softlabel`."""
    from capo_core.distributions import store
    from capo_core.distributions.soft_label_data import SoftLabelConfig
    from capo_core.distributions.soft_labels import train_soft_labels

    config = SoftLabelConfig.from_dict(settings["config"])
    train = store.load(settings["judgments"], workspace)
    sets = {name: store.load(one, workspace) for name, one in settings["sets"].items()}
    train_soft_labels(train, sets, config, folder, cache=workspace.cache, progress=progress)
    return f"{len(config.sources) * len(config.seeds)} classifiers trained"


def scorer_of(settings: Settings) -> Any:
    """The model that weighs options, as `settings` name it.

    The server's address and key come from the environment of the process, never from a file.
    """
    if settings["by"] == SAMPLING:
        from capo_core.imitation.backends.option_scores import SampledScorer

        return SampledScorer(backend_of(settings), settings.get("samples", 20))
    if settings["by"] == LOG_PROBABILITIES:
        from capo_core.imitation.backends.openai import from_environment
        from capo_core.imitation.backends.option_scores import ServerScorer

        return ServerScorer(from_environment(settings["server"]))
    from capo_core.imitation.backends.option_scores import HfScorer
    from capo_core.imitation.models.base_model import load_base

    base = load_base(settings["base"], precision=settings.get("precision", "auto"))
    return HfScorer(base, batch_tokens=settings.get("batch_tokens", BATCH_TOKENS))
